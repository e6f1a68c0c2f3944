"""One search, page after page: a loop with a memory of the pages that it has seen."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, urlencode, urljoin, urlsplit

from fhir_adapter.errors import Incomplete, Refused, ServerError
from fhir_adapter.exchange.bundle import Bundle, bundle_in, received_in, said, went_wrong
from fhir_adapter.exchange.resource import Received
from fhir_adapter.exchange.transport import Reply, Transport, origin

# Pages in a row that bring nothing new. A server that hides rows from us may send some empty ones.
MAX_FRUITLESS: Final = 100
# Characters of one list of values in a URL: many servers take no more than 8 KB of all headers together.
MAX_LIST: Final = 3500


class Again(Exception):
    """The pages do not fit together; a second pass over them may do."""

    def __init__(self, what: str, status: int | None) -> None:
        super().__init__(what)
        self.what = what
        self.status = status


class Pages:
    """The pages that begin at ``path`` (``Observation``, ``Observation/_history``) with ``params``."""

    def __init__(self, transport: Transport, path: str, params: Sequence[tuple[str, str]]) -> None:
        self._transport = transport
        self._url = f"{transport.base}/{path}?{urlencode(params)}"
        # The parameters' names, not their values, among which patients may be.
        self._what = f"{path}?{'&'.join(name for name, _ in params if name != '_count')}".removesuffix("?")
        self._values = [value for _, value in params]

    def pages(self, seen: set[str], totals: set[int]) -> Iterator[Bundle]:
        """One Bundle after the other.

        Whoever takes them adds to ``seen`` what each brings: pages that bring nothing new come to an end.
        What the pages say of their number comes into ``totals``. Raises ``Incomplete``, ``Again`` where a
        second pass may fare better, and ``Refused`` on the first page only.
        """
        url: str | None = self._url
        visited: set[str] = set()
        fruitless = 0
        while url is not None:
            if url in visited:
                raise self._incomplete("its pages go in a circle.")
            visited.add(url)
            try:
                reply = self._transport.get(url, self._what, self._values)
            except Refused as refused:
                if len(visited) == 1:
                    raise
                if refused.status in (404, 410) and totals and len(seen) >= max(totals):
                    return  # the last page links to one that is not there
                if refused.status == 410:
                    raise Again("the search expired between its pages (410).", 410) from None
                raise self._incomplete(f"page {len(visited)} is refused.", refused.status) from refused
            page = bundle_in(reply.body)
            if page is None:
                raise self._no_bundle(reply, len(visited))
            if page.total is not None:
                totals.add(page.total)
            before = len(seen)
            yield page
            fruitless = 0 if len(seen) > before else fruitless + 1
            if fruitless > MAX_FRUITLESS:
                raise self._incomplete(f"{fruitless} pages in a row brought nothing new.")
            url = self._next(page, url, reply.url)

    def _next(self, page: Bundle, asked: str, answered: str) -> str | None:
        link = next((link.url for link in page.link if link.relation == "next" and link.url), None)
        if link is None:
            return None
        own = origin(self._transport.base)
        try:
            # after a redirect to another origin, the next page is the server's own again
            url = resolve(link, answered if origin(answered) == own else asked, self._transport.base)
            foreign = origin(url) != own
        except ValueError:
            raise self._incomplete("the link to its next page is no address.") from None
        if foreign:
            raise self._incomplete(
                f"the link to its next page points to another server ({urlsplit(url).hostname}).",
                remedy="If both are one, give the base address that its links use.",
            )
        return url

    def _no_bundle(self, reply: Reply, page: int) -> ServerError:
        what = f"page {page} is no Bundle. {said(reply.body, self._values)}".rstrip()
        if page > 1:
            return self._incomplete(what, reply.status)
        return ServerError(
            what,
            where=self._transport.where(self._what),
            remedy="Check the server's base address.",
            status=reply.status,
        )

    def _incomplete(
        self, what: str, status: int | None = None, remedy: str = "What came is not the whole: pull again."
    ) -> Incomplete:
        return Incomplete(what, where=self._transport.where(self._what), remedy=remedy, status=status)


class Search(Pages):
    """A search for resources of ``type`` with ``params`` over ``transport``."""

    def __init__(self, transport: Transport, type: str, params: Sequence[tuple[str, str]]) -> None:
        super().__init__(transport, type, params)
        self._type = type
        self._include = any(name.partition(":")[0] in ("_include", "_revinclude") for name, _ in params)
        # Only a total that is meant to be exact can be held against the server.
        self._exact = not any(name == "_total" and value != "accurate" for name, value in params)
        self._yielded: set[tuple[str, str]] = set()

    def run(self) -> Iterator[Received]:
        """Every resource once; a second pass over the pages where rows moved or the search expired.

        Raises ``Incomplete``, also after everything that came was yielded. That rows move in both passes is
        no fault: in a hospital at work they always do.
        """
        try:
            moved = yield from self._pass()
        except Again:
            moved = True
        if moved:
            try:
                yield from self._pass()
            except Again as again:
                raise self._incomplete(again.what, again.status) from None

    def _pass(self) -> Generator[Received, None, bool]:
        """One pass over the pages. Returns whether there are signs that rows moved while it went on.

        Servers that page by offset then leave out rows of later pages, and no total shows it when as many
        were inserted as deleted. The signs: a row that comes twice, a row newer than the first page, totals
        that differ.
        """
        matches: set[str] = set()
        totals: set[int] = set()
        fault = ""
        began: datetime | None = None
        pages = 0
        moved = False
        for page in self.pages(matches, totals):
            pages += 1
            began = began or instant(page.meta.last_updated)
            for entry in page.entry:
                if entry.search.mode == "outcome":
                    fault = fault or went_wrong(entry.resource)
                    continue
                received = received_in(bytes(entry.resource), self._transport.base)
                if received is None:
                    fault = fault or "an entry has no resource with an id."
                    continue
                if entry.search.mode == "match" and received.type == self._type:
                    changed = instant(received.last_updated) if began else None
                    moved = moved or received.id in matches or bool(began and changed and changed > began)
                    matches.add(received.id)
                elif not self._include:
                    continue
                key = (received.type, received.id)
                if key not in self._yielded:
                    self._yielded.add(key)
                    yield received
        if fault:
            raise self._incomplete(fault)
        # Where the total differs between pages rows moved: then only fewer than the least of them is too few.
        if self._exact and totals and len(matches) < min(totals):
            raise Again(f"it counts {min(totals)} and handed over {len(matches)}.", None)
        return pages > 1 and (moved or len(totals) > 1)


def instant(text: str) -> datetime | None:
    """A FHIR instant; None for what is none, or has no time zone and so compares with nothing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def escaped(value: str) -> str:
    """``value`` of a search parameter, its commas and the like escaped; its first ``|`` is meant as one."""
    system, bar, code = value.partition("|")
    return bar.join(re.sub(r"[\\,|$]", r"\\\g<0>", part) for part in (system, code))


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    """``values`` in lists that fit into one URL each."""
    batch: list[str] = []
    length = 0
    for value in values:
        long = len(quote_plus(value)) + 3  # and a comma, %2C
        if batch and length + long > MAX_LIST:
            yield batch
            batch, length = [], 0
        batch.append(value)
        length += long
    if batch:
        yield batch


def resolve(link: str, page: str, base: str) -> str:
    """The absolute URL of a link found on the page ``page`` of the server at ``base``.

    An absolute link stays as it is. ``?…`` and ``/fhir/…`` are meant as any browser takes them;
    ``Observation?…`` is meant from the base, whichever page it stands on.
    """
    if urlsplit(link).scheme or link.startswith(("?", "/")):
        return urljoin(page, link)
    return urljoin(f"{base}/", link)
