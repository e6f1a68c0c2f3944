"""The history of a type: what was deleted since a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from fhir_adapter.errors import Refused, ServerError
from fhir_adapter.exchange.bundle import Bundle, BundleEntry, place_of
from fhir_adapter.exchange.resource import Head, peek
from fhir_adapter.exchange.search import Again, Pages, instant
from fhir_adapter.exchange.transport import Transport


class History(Pages):
    """The versions of ``type`` since ``since`` (which has a time zone), ``count`` on a page."""

    def __init__(self, transport: Transport, type: str, since: datetime, count: int) -> None:
        since = since.astimezone(UTC)
        since = since.replace(microsecond=since.microsecond // 1000 * 1000)  # as exact as servers are
        moment = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        super().__init__(transport, f"{type}/_history", [("_since", moment), ("_count", str(count))])
        self._type = type
        self._since = since
        # the time, where the server tells it, and whether it is a deletion, of the newest version of each id
        self._newest: dict[str, tuple[datetime | None, bool]] = {}

    def deleted(self) -> set[str]:
        """The ids whose newest version is a deletion.

        Raises ``Refused`` where the server offers no such history, ``Incomplete`` where its pages break off.
        """
        seen: set[str] = set()
        try:
            for page in self.pages(seen, set()):
                if page.type != "history":
                    raise self._not_offered(page)
                # Some servers forget _since in the link to the next page, and go on to the first version.
                new = [entry for entry in page.entry if not self._too_old(entry)]
                for entry in new:
                    seen.add(self._take(entry))
                if page.entry and not new:
                    break
        except Again as again:
            raise self._incomplete(again.what, again.status) from None
        return {id for id, (_, deleted) in self._newest.items() if deleted}

    def _too_old(self, entry: BundleEntry) -> bool:
        at = _moment(entry)
        return at is not None and at < self._since

    def _take(self, entry: BundleEntry) -> str:
        """Note one version; returns what tells it from others."""
        asked = entry.request.url if entry.request else ""
        place = place_of(entry) or asked.partition("/_history/")[0]
        type, _, id = place.rpartition("/")
        deleted = entry.request is not None and entry.request.method == "DELETE"
        if type.rpartition("/")[2] != self._type or not id or not (deleted or bytes(entry.resource)):
            raise self._incomplete("an entry does not say which resource it speaks of.")
        at = _moment(entry)
        # A history stands newest first; its own times decide only where they say the contrary.
        standing = self._newest.get(id)
        if standing is None or (at is not None and standing[0] is not None and at > standing[0]):
            self._newest[id] = (at, deleted)
        return f"{id} {asked} {at} {entry.response.etag if entry.response else ''}"

    def _not_offered(self, page: Bundle) -> ServerError:
        return Refused(
            f"it answers with a Bundle of type {page.type or 'unknown'}, not with a history.",
            where=self._transport.where(self._what),
            remedy="Deletions have to be found by a complete comparison.",
        )


def _moment(entry: BundleEntry) -> datetime | None:
    """When the version was made; None where the server does not say, as HAPI of deletions."""
    head = peek(entry.resource, Head)
    told = entry.response.last_modified if entry.response else ""
    return instant(told or (head.meta.last_updated if head else ""))
