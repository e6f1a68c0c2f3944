"""A FHIR R4 server: search, read, and write in transactions.

A server is hostile until shown otherwise: whatever it leaves out, repeats or points elsewhere is either
mended here or raised as ``Incomplete``; nothing is taken for the whole that is not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec

from fhir_adapter.errors import Conflict, Incomplete, Refused, ServerError, WrongUse
from fhir_adapter.exchange.credentials import Credentials
from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, Head, Received, decode, encode
from fhir_adapter.exchange.transaction import Answer, Entry, check
from fhir_adapter.exchange.transport import Reply, Transport, origin

__all__ = ["Answer", "Conflict", "Credentials", "Entry", "Server"]

READ_BATCH: Final = 50  # ids of 64 characters: an URL of some 3,300
# Pages in a row that bring nothing new. A server that hides rows from us may send some empty ones.
MAX_FRUITLESS: Final = 100
MAX_TEXT: Final = 200


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Mode(msgspec.Struct):
    mode: str = "match"


class _Response(msgspec.Struct):
    status: str = ""
    location: str = ""
    etag: str = ""
    outcome: msgspec.Raw = msgspec.Raw()


class _BundleEntry(msgspec.Struct):
    fullUrl: str = ""  # noqa: N815 - FHIR's own names
    resource: msgspec.Raw = msgspec.Raw()
    search: _Mode = msgspec.field(default_factory=_Mode)
    response: _Response | None = None


class _Bundle(msgspec.Struct):
    resourceType: str = ""  # noqa: N815
    type: str = ""
    total: int | None = None
    link: list[_Link] = []
    entry: list[_BundleEntry] = []


class _Coded(msgspec.Struct):
    text: str = ""


class _Issue(msgspec.Struct):
    severity: str = ""
    code: str = ""
    diagnostics: str = ""
    details: _Coded = msgspec.field(default_factory=_Coded)


class _Outcome(msgspec.Struct):
    resourceType: str = ""  # noqa: N815
    issue: list[_Issue] = []


class Server:
    """The FHIR R4 server at ``base``, called ``name`` in the study file.

    ``timeout`` is the limit in seconds to connect and for each read; ``attempts`` how often a request is
    tried. Use one for each thread. Every method raises ``ServerError`` or one of its subclasses:
    ``Unauthorized`` on 401, ``Refused`` on another 4xx, ``Incomplete`` when less came than should have.
    """

    def __init__(
        self,
        base: str,
        *,
        name: str,
        credentials: Credentials | None = None,
        timeout: float = 30,
        page_size: int = 250,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = _checked(base, name)
        self.name = name
        self._page_size = page_size
        self._transport = Transport(
            self.base, name=name, credentials=credentials, timeout=timeout, attempts=attempts, sleep=sleep
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Server:
        """Nothing is opened before the first request."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def capability(self) -> dict[str, Any]:
        """The server's CapabilityStatement. Raises ``ServerError`` when it is not FHIR, or not R4."""
        reply = self._get(f"{self.base}/metadata", "metadata", ())
        try:
            found = decode(reply.body)
        except ValueError:
            found = {}
        version = str(found.get("fhirVersion", ""))
        if found.get("resourceType") not in ("CapabilityStatement", "Conformance"):
            raise self._error(ServerError, "this is no FHIR server.", "metadata", "Check its base address.")
        if not re.match(r"4\.0(\.|$)", version):
            raise self._error(
                ServerError,
                f"it speaks FHIR {version or 'of no version'}, not R4.",
                "metadata",
                "Give the base address of its R4 interface (4.0.1).",
            )
        return found

    def search(self, type: str, params: Sequence[tuple[str, str]]) -> Iterator[Received]:
        """All resources of ``type`` that match ``params``, page after page, each once.

        What is asked for by ``_include`` or ``_revinclude`` comes too. What was yielded before an error is
        raised is not to be taken for the whole. Pass ``("_total", "accurate")`` where the server counts only
        when asked to: it is what completeness is held against.
        """
        what = f"{type}?{'&'.join(name for name, _ in params)}"
        wanted = list(params)
        if not any(name == "_count" for name, _ in wanted):
            wanted.append(("_count", str(self._page_size)))
        search = _Search(self, type, f"{self.base}/{type}?{urlencode(wanted)}", what, wanted)
        return search.run()

    def read(self, type: str, id: str) -> Received | None:
        """One resource as it stands now; None where there is none (404) or it was deleted (410)."""
        what = f"{type}/{id}"
        try:
            reply = self._get(f"{self.base}/{type}/{quote(id, safe='')}", what, ())
        except Refused as refused:
            if refused.status in (404, 410):
                return None
            raise
        found = self._received(reply.body.removeprefix(BYTE_ORDER_MARK).strip())
        if found is None or (found.type, found.id) != (type, id):
            raise self._error(ServerError, "another resource came, or none.", what, "Check the base address.")
        return found

    def read_many(self, type: str, ids: Sequence[str]) -> dict[str, Received]:
        """The resources of ``type`` that have one of ``ids``, by id; those not there are left out."""
        found: dict[str, Received] = {}
        unique = [id for id in dict.fromkeys(ids) if ID.fullmatch(id)]
        for start in range(0, len(unique), READ_BATCH):
            batch = unique[start : start + READ_BATCH]
            for received in self.search(type, [("_id", ",".join(batch)), ("_count", str(len(batch)))]):
                if received.id not in batch:
                    raise self._error(
                        ServerError, "it hands over ids that were not asked for.", f"{type}?_id", ""
                    )
                found[received.id] = received
        return found

    def transaction(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write all ``entries`` or none; the answers stand in the order of the entries.

        Raises ``Conflict`` on 409 and 412, ``Refused`` on another 4xx, and ``ServerError`` itself where it is
        not known whether the entries were written: then read them back. ``ValueError`` for entries that are
        no PUT of their own resource.
        """
        if not entries:
            return []
        check(entries)
        what = f"transaction of {len(entries)}"
        bundle = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [_sent(entry) for entry in entries],
        }
        reply = self._transport.post(self.base, encode(bundle), what)
        if reply.status in (409, 412):
            raise Conflict(
                f"it refuses ({reply.status}), since another version stands there. {_said(reply.body)}",
                where=self._transport.where(what),
                remedy="Read the resources again, then decide.",
                status=reply.status,
            )
        if reply.status >= 300:
            self._refuse(reply, what, ())
        return self._answers(entries, reply, what)

    def _answers(self, entries: Sequence[Entry], reply: Reply, what: str) -> list[Answer]:
        bundle = _bundle(reply.body)
        if bundle is None:
            raise self._error(
                ServerError,
                "its answer is no Bundle. It is not known whether the transaction was carried out.",
                what,
                "Read the resources back before you write them again.",
            )
        by_place: dict[str, _BundleEntry] = {}
        for given in bundle.entry:
            place = _place(given)
            if place:
                by_place[place] = given
        answers = []
        for position, entry in enumerate(entries):
            found = by_place.get(entry.url)
            if found is None and len(bundle.entry) == len(entries) and not _place(bundle.entry[position]):
                found = bundle.entry[position]
            if found is None or found.response is None:
                raise self._error(
                    ServerError,
                    f"it does not say what became of {entry.url}. It is not known whether it was written.",
                    what,
                    "Read the resources back before you write them again.",
                )
            answers.append(self._answer(entry, found.response))
        return answers

    def _answer(self, entry: Entry, response: _Response) -> Answer:
        etag = re.fullmatch(r'(?:W/)?"?([^"]+)"?', response.etag)
        history = re.search(r"/_history/([^/?#]+)$", response.location)
        version = etag[1] if etag else history[1] if history else None
        url = f"{self.base}/{entry.url}" + (f"/_history/{version}" if version else "")
        status = int(response.status[:3]) if response.status[:3].isdigit() else 0
        return Answer(status, version, url, _said(bytes(response.outcome)) if status >= 400 else "")

    def _get(self, url: str, what: str, params: Sequence[tuple[str, str]]) -> Reply:
        reply = self._transport.get(url, what)
        if reply.status >= 300:
            self._refuse(reply, what, params)
        return reply

    def _refuse(self, reply: Reply, what: str, params: Sequence[tuple[str, str]]) -> None:
        kind = Refused if 400 <= reply.status < 500 else ServerError
        said = _said(reply.body, [value for _, value in params])
        raise kind(
            f"it refuses ({reply.status}). {said}".rstrip(),
            where=self._transport.where(what),
            remedy="Ask for other parameters, or ask the server's operator for the right to this."
            if kind is Refused
            else "Try again later, or ask the server's operator.",
            status=reply.status,
        )

    def _received(self, body: bytes) -> Received | None:
        """The resource in ``body``, or None where it is none with an id."""
        try:
            head = msgspec.json.decode(body, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not head.resourceType or not ID.fullmatch(head.id):
            return None
        url = f"{self.base}/{head.resourceType}/{head.id}"
        if head.meta.versionId:
            url += f"/_history/{head.meta.versionId}"
        return Received(head.resourceType, head.id, head.version_of(body), head.meta.lastUpdated, url, body)

    def _error(self, kind: type[ServerError], what: str, request: str, remedy: str) -> ServerError:
        return kind(what, where=self._transport.where(request), remedy=remedy)


class _Search:
    """One search, from its first page to its last."""

    def __init__(
        self, server: Server, type: str, url: str, what: str, params: Sequence[tuple[str, str]]
    ) -> None:
        self._server = server
        self._type = type
        self._url = url
        self._what = what
        self._params = params
        self._names = {name.partition(":")[0] for name, _ in params}
        self._included = bool(self._names & {"_include", "_revinclude"})
        # Only a count that is meant to be exact can be held against the server.
        self._counted = not any(n == "_total" and v in ("estimate", "none") for n, v in params)
        self._yielded: set[tuple[str, str]] = set()

    def run(self) -> Iterator[Received]:
        """The resources; one pass over the pages, and a second where rows moved or the search expired."""
        try:
            yield from self._pass()
            return
        except _Again:
            pass
        try:
            yield from self._pass()
        except _Again as again:
            raise self._incomplete(again.what, again.status) from None

    def _pass(self) -> Iterator[Received]:
        url: str | None = self._url
        visited: set[str] = set()
        matches: set[str] = set()
        totals: set[int] = set()
        fruitless = 0
        fault = ""
        while url is not None:
            if url in visited:
                raise self._incomplete("its pages go in a circle.")
            visited.add(url)
            try:
                reply = self._server._get(url, self._what, self._params)
            except Refused as refused:
                if len(visited) == 1:
                    raise
                if refused.status in (404, 410) and totals and len(matches) >= max(totals):
                    return  # the last page pointed to one that is not there
                if refused.status == 410:
                    raise _Again("the search expired between its pages (410).", 410) from None
                raise self._incomplete(f"page {len(visited)} is refused ({refused.status}).") from refused
            page = _bundle(reply.body)
            if page is None:
                raise self._no_bundle(reply, len(visited))
            if page.total is not None:
                totals.add(page.total)
            before = len(matches)
            for entry in page.entry:
                if entry.search.mode == "outcome":
                    fault = fault or _grave(bytes(entry.resource))
                    continue
                received = self._server._received(bytes(entry.resource))
                if received is None:
                    fault = fault or "an entry has no resource with an id."
                    continue
                if entry.search.mode == "match" and received.type == self._type:
                    matches.add(received.id)
                elif not self._included:
                    continue
                key = (received.type, received.id)
                if key not in self._yielded:
                    self._yielded.add(key)
                    yield received
            fruitless = 0 if len(matches) > before else fruitless + 1
            if fruitless > MAX_FRUITLESS:
                raise self._incomplete(f"{fruitless} pages in a row brought nothing new.")
            url = self._next(page, url, reply.url)
        if fault:
            raise self._incomplete(fault)
        # Where the total differs between pages, rows moved: only fewer than the least of them is too few.
        if self._counted and totals and len(matches) < min(totals):
            raise _Again(f"it counts {min(totals)} and handed over {len(matches)}.", None)

    def _next(self, page: _Bundle, asked: str, answered: str) -> str | None:
        link = next((link.url for link in page.link if link.relation == "next" and link.url), None)
        if link is None:
            return None
        base = self._server.base
        try:
            # after a redirect to another origin, the next page is again the server's own
            came = answered if origin(answered) == origin(base) else asked
            url = resolve(link, came, base)
            foreign = origin(url) != origin(base)
        except ValueError:
            raise self._incomplete("the link to its next page is no address.") from None
        if foreign:
            raise self._incomplete(
                f"the link to its next page points to another server ({urlsplit(url).hostname}).",
                remedy="If both are one, give the base address that its links use.",
            )
        return url

    def _no_bundle(self, reply: Reply, page: int) -> ServerError:
        said = _said(reply.body, [value for _, value in self._params])
        what = f"page {page} is no Bundle. {said}".rstrip()
        if page > 1:
            return self._incomplete(what)
        return self._server._error(ServerError, what, self._what, "Check the server's base address.")

    def _incomplete(
        self, what: str, status: int | None = None, remedy: str = "What came is not the whole: pull again."
    ) -> Incomplete:
        return Incomplete(what, where=self._server._transport.where(self._what), remedy=remedy, status=status)


class _Again(Exception):  # noqa: N818 - never leaves this module
    """The pages do not fit together; a second pass may do."""

    def __init__(self, what: str, status: int | None) -> None:
        super().__init__(what)
        self.what = what
        self.status = status


def resolve(link: str, page: str, base: str) -> str:
    """The absolute URL of a link found on the page ``page`` of the server at ``base``.

    An absolute link stays as it is. ``?…`` and ``/fhir/…`` are meant as any browser takes them;
    ``Observation?…`` is meant from the base, whichever page it stands on.
    """
    if urlsplit(link).scheme or link.startswith(("?", "/")):
        return urljoin(page, link)
    return urljoin(f"{base}/", link)


def _checked(base: str, name: str) -> str:
    """``base`` without a slash at its end. Raises ``WrongUse`` for what is no base address."""
    try:
        parts = urlsplit(base.strip())
        usable = (
            parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        )
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        usable = False
    if not usable:
        raise WrongUse(
            "its address is no base address of a FHIR server.",
            where=name,
            remedy="Write it like https://fhir.example.org/r4.",
        )
    if parts.username is not None or parts.password is not None:
        raise WrongUse(
            "its address holds a user or password.",
            where=name,
            remedy="Leave them out of the address; name an environment variable or a file that holds them.",
        )
    return base.strip().rstrip("/")


def _bundle(body: bytes) -> _Bundle | None:
    """The Bundle in ``body``, its resources uncut bytes; None where it is none."""
    try:
        body.decode()  # msgspec skips over bytes that are no UTF-8
        found = msgspec.json.decode(body.removeprefix(BYTE_ORDER_MARK), type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.resourceType == "Bundle" else None


def _sent(entry: Entry) -> dict[str, Any]:
    request = {"method": entry.method, "url": entry.url}
    if entry.if_match is not None:
        request["ifMatch"] = f'W/"{entry.if_match}"'
    return {"fullUrl": entry.full_url, "resource": entry.resource, "request": request}


def _place(given: _BundleEntry) -> str:
    """``Type/id`` of what an entry of a response speaks of, or ``""`` where it does not say."""
    location = given.response.location if given.response else ""
    for url in (location.partition("/_history/")[0], given.fullUrl):
        found = re.search(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})$", url)
        if found:
            return found[1]
    try:
        head = msgspec.json.decode(given.resource, type=Head)
    except msgspec.DecodeError:
        return ""
    return f"{head.resourceType}/{head.id}" if head.id and head.resourceType != "OperationOutcome" else ""


def _issues(body: bytes) -> list[_Issue]:
    try:
        found = msgspec.json.decode(body, type=_Outcome)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return found.issue if found.resourceType == "OperationOutcome" else []


def _said(body: bytes, values: Sequence[str] | None = None) -> str:
    """What an OperationOutcome says, cut to 200 characters, without patient data.

    Servers quote what they were sent: of a search the ``values`` of its parameters are blanked out, of a
    transaction (None) whatever stands in quotes.
    """
    text = " ".join((i.diagnostics or i.details.text or i.code) for i in _issues(body))
    text = " ".join(text.split())
    if values is None:
        text = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "'…'", text)
    for value in sorted(values or (), key=len, reverse=True):
        if len(value) > 2:
            text = text.replace(value, "…")
    return text[: MAX_TEXT - 1] + "…" if len(text) > MAX_TEXT else text


def _grave(body: bytes) -> str:
    """A sentence where an entry among the results says that the search went wrong, else ``""``."""
    if any(issue.severity in ("error", "fatal") for issue in _issues(body)):
        return f"the search went wrong in part: {_said(body)}"
    return ""
