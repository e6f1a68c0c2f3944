"""The history of a type: what was deleted since a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fhir_adapter.errors import Refused, ServerError
from fhir_adapter.exchange.bundle import Bundle, BundleEntry, place_of
from fhir_adapter.exchange.resource import Head, peek
from fhir_adapter.exchange.search import Again, Pages, instant
from fhir_adapter.exchange.transport import Transport


class History(Pages):
    """The versions of ``type`` that ``params`` ask for, over ``transport``."""

    def __init__(self, transport: Transport, type: str, params: Sequence[tuple[str, str]]) -> None:
        super().__init__(transport, f"{type}/_history", params)
        self._type = type

    def deleted(self) -> set[str]:
        """The ids whose newest version is a deletion.

        Raises ``Refused`` where the server offers no such history, ``Incomplete`` where its pages break off.
        """
        newest: dict[str, tuple[datetime | None, bool]] = {}
        seen: set[str] = set()
        try:
            for page in self.pages(seen, set()):
                if page.type != "history":
                    raise self._not_offered(page)
                for entry in page.entry:
                    self._take(entry, newest, seen)
        except Again as again:
            raise self._incomplete(again.what, again.status) from None
        return {id for id, (_, deleted) in newest.items() if deleted}

    def _take(
        self, entry: BundleEntry, newest: dict[str, tuple[datetime | None, bool]], seen: set[str]
    ) -> None:
        asked = entry.request.url if entry.request else ""
        place = place_of(entry) or asked.partition("/_history/")[0].rpartition(f"{self._type}/")[2]
        id = place.rpartition("/")[2]
        head = peek(entry.resource, Head)
        deleted = entry.request is not None and entry.request.method == "DELETE"
        if not id or (head is None and not deleted):
            raise self._incomplete("an entry does not say which resource it speaks of.")
        said = entry.response.last_modified if entry.response else ""
        at = instant(said or (head.meta.last_updated if head else ""))
        seen.add(f"{id} {at} {deleted} {head.version_id if head else ''}")
        # A history stands newest first; its own times decide only where they say the contrary.
        standing = newest.get(id)
        if standing is None or (at is not None and standing[0] is not None and at > standing[0]):
            newest[id] = (at, deleted)

    def _not_offered(self, page: Bundle) -> ServerError:
        return Refused(
            f"it answers with a Bundle of type {page.type or 'unknown'}, not with a history.",
            where=self._transport.where(self._what),
            remedy="Deletions have to be found by a complete comparison.",
        )
