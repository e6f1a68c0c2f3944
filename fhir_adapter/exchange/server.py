"""A FHIR R4 server: search, read, and write in transactions.

A server is hostile until shown otherwise: whatever it leaves out, repeats or points elsewhere is either
mended or raised as ``Incomplete``; nothing is taken for the whole that is not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from fhir_adapter.errors import Conflict, Refused, ServerError, WrongUse
from fhir_adapter.exchange.bundle import Response, bundle_in, place_of, received_in, said
from fhir_adapter.exchange.credentials import Credentials
from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, Received, decode, encode
from fhir_adapter.exchange.search import Search
from fhir_adapter.exchange.transaction import Answer, Entry, check
from fhir_adapter.exchange.transport import Transport

__all__ = ["Answer", "Conflict", "Credentials", "Entry", "Server"]

READ_BATCH: Final = 50  # ids of 64 characters: a URL of some 3,300


class Server:
    """The FHIR R4 server at ``base``, called ``name`` in the study file.

    ``timeout`` is the limit in seconds to connect and for each read; ``attempts`` how often a request is
    tried; ``sleep`` waits between tries. Use one for each thread.

    Every method raises ``ServerError`` or one of its subclasses: ``Unauthorized`` on 401, ``Refused`` on
    another 4xx, ``Incomplete`` when less came than should have. The constructor raises ``WrongUse`` for a
    base that is no http(s) address, or that holds a password.
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

    def __enter__(self) -> Server:
        """Nothing is opened before the first request."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def capability(self) -> dict[str, Any]:
        """The server's CapabilityStatement. Raises ``ServerError`` when it is not FHIR, or not R4."""
        reply = self._transport.get(f"{self.base}/metadata", "metadata")
        try:
            found = decode(reply.body)
        except ValueError:
            found = {}
        if found.get("resourceType") not in ("CapabilityStatement", "Conformance"):
            raise self._error("this is no FHIR server.", "metadata", "Check its base address.")
        version = str(found.get("fhirVersion", ""))
        if not re.match(r"4\.0(\.|$)", version):
            raise self._error(
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
        if not any(name == "_count" for name, _ in params):
            params = [*params, ("_count", str(self._page_size))]
        return Search(self._transport, type, params).run()

    def read(self, type: str, id: str) -> Received | None:
        """One resource as it stands now; None where there is none (404) or it was deleted (410)."""
        if not ID.fullmatch(id):
            return None  # no resource can have such an id, and no URL should hold it
        what = f"{type}/{id}"
        try:
            reply = self._transport.get(f"{self.base}/{what}", what)
        except Refused as refused:
            if refused.status in (404, 410):
                return None
            raise
        found = received_in(reply.body.removeprefix(BYTE_ORDER_MARK).strip(), self.base)
        if found is None or (found.type, found.id) != (type, id):
            raise self._error("another resource came, or none.", what, "Check the server's base address.")
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
                        "it hands over resources that were not asked for.",
                        f"{type}?_id",
                        "It must support a search by _id.",
                    )
                found[received.id] = received
        return found

    def transaction(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write all ``entries`` or none; the answers stand in the order of the entries.

        Raises ``Conflict`` on 409 and 412, ``Refused`` on another 4xx: then nothing was written. Where it is
        not known what was written it raises ``ServerError`` itself: then read the entries back. Raises
        ``ValueError`` for entries that are no PUT of their own resource.
        """
        if not entries:
            return []
        check(entries)
        what = f"transaction of {len(entries)}"
        sent = [_sent(entry) for entry in entries]
        body = encode({"resourceType": "Bundle", "type": "transaction", "entry": sent})
        bundle = bundle_in(self._transport.post(self.base, body, what).body)
        if bundle is None:
            raise self._unknown("its answer is no Bundle.", what)
        by_place = {place_of(given): given for given in bundle.entry}
        answers = []
        for position, entry in enumerate(entries):
            given = by_place.get(entry.url)
            if given is None and len(bundle.entry) == len(entries):
                # by position only where the answer does not say what it speaks of
                given = None if place_of(bundle.entry[position]) else bundle.entry[position]
            if given is None or given.response is None:
                raise self._unknown(f"it does not say what became of {entry.url}.", what)
            answers.append(self._answer(entry, given.response))
        return answers

    def _answer(self, entry: Entry, response: Response) -> Answer:
        etag = re.fullmatch(r'(?:W/)?"?([^"]+)"?', response.etag)
        history = re.search(r"/_history/([^/?#]+)$", response.location)
        version = etag[1] if etag else history[1] if history else None
        url = f"{self.base}/{entry.url}" + (f"/_history/{version}" if version else "")
        status = int(response.status[:3]) if re.match(r"[1-5]\d\d\b", response.status, re.ASCII) else 0
        return Answer(status, version, url, said(response.outcome) if status >= 400 else "")

    def _unknown(self, what: str, request: str) -> ServerError:
        return self._error(
            f"{what} It is not known whether the transaction was carried out.",
            request,
            "Read the resources back before you write them again.",
        )

    def _error(self, what: str, request: str, remedy: str) -> ServerError:
        return ServerError(what, where=self._transport.where(request), remedy=remedy)


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


def _sent(entry: Entry) -> dict[str, Any]:
    request = {"method": entry.method, "url": entry.url}
    if entry.if_match is not None:
        request["ifMatch"] = f'W/"{entry.if_match}"'
    return {"fullUrl": entry.full_url, "resource": entry.resource, "request": request}
