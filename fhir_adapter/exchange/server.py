"""A FHIR R4 server: search, read, and write, in transactions or one by one.

A server is hostile until shown otherwise: whatever it leaves out, repeats or points elsewhere is either
mended or raised as ``Incomplete``; nothing is taken for the whole that is not.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from fhir_adapter.errors import Conflict, Refused, ServerError, WrongUse
from fhir_adapter.exchange import answers
from fhir_adapter.exchange.abilities import Abilities, abilities_in
from fhir_adapter.exchange.bundle import bundle_in, received_in
from fhir_adapter.exchange.credentials import Credentials
from fhir_adapter.exchange.history import History
from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, Received, decode, encode
from fhir_adapter.exchange.search import Search, batches, escaped, instant
from fhir_adapter.exchange.transaction import Answer, Entry, check
from fhir_adapter.exchange.transport import Transport

__all__ = ["Abilities", "Answer", "Conflict", "Credentials", "Entry", "Server"]


class Server:
    """The FHIR R4 server at ``base``, called ``name`` in the study file.

    ``timeout`` is the limit in seconds to connect and for each read; ``attempts`` how often a request is
    tried; ``sleep`` waits between tries. Use one for each thread.

    Every method raises ``ServerError`` or one of its subclasses: ``Unauthorized`` on 401, ``Refused`` on
    another 4xx, ``Incomplete`` when less came than should have, ``UnknownResult`` where it is not known
    whether a write was carried out. The constructor raises ``WrongUse`` for a
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
        self._abilities: Abilities | None = None
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

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._transport.requests

    @property
    def retries(self) -> int:
        """How many of the requests were tries after a first one."""
        return self._transport.retries

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

    def abilities(self) -> Abilities:
        """What the server announces, asked for once. Raises as ``capability`` does."""
        if self._abilities is None:
            self._abilities = abilities_in(self.capability())
        return self._abilities

    def clock(self) -> datetime:
        """What time it is by the server's own clock, in UTC. Raises ``ServerError`` where it does not say."""
        reply = self._transport.get(f"{self.base}/metadata", "metadata")
        try:
            date = email.utils.parsedate_to_datetime(reply.headers.get("Date", ""))
            return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        except ValueError:
            pass  # some gateways take the header away
        reply = self._transport.get(f"{self.base}/Observation?_count=1", "Observation")
        page = bundle_in(reply.body)
        now = instant(page.meta.last_updated) if page else None
        if now is None:
            raise self._error(
                "it does not say what time it is.",
                "metadata",
                "Its answers need a Date header; ask whoever runs the gateway before it.",
            )
        return now.astimezone(UTC)

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
        for batch in batches(id for id in dict.fromkeys(ids) if ID.fullmatch(id)):
            for received in self.search(type, [("_id", ",".join(batch)), ("_count", str(len(batch)))]):
                if received.id not in batch:
                    raise self._error(
                        "it hands over resources that were not asked for.",
                        f"{type}?_id",
                        "It must support a search by _id.",
                    )
                found[received.id] = received
        return found

    def find(self, type: str, parameter: str, values: Sequence[str]) -> list[Received]:
        """The resources of ``type`` for which ``parameter`` has one of ``values``, each once.

        A value is written as it is meant (``system|value``): its first ``|`` stands between the system and
        the value, and all that FHIR has other uses for is escaped here. A server that does not know the
        parameter may hand over others too: look at what comes.
        """
        found: dict[str, Received] = {}
        for batch in batches([escaped(value) for value in dict.fromkeys(values)]):
            for received in self.search(type, [(parameter, ",".join(batch))]):
                found[received.id] = received
        return list(found.values())

    def deleted_since(self, type: str, since: datetime) -> set[str]:
        """The ids of ``type`` that were deleted since ``since`` and not created again.

        Raises ``Refused`` where the server offers no history of a type, ``ValueError`` for a ``since``
        without a time zone.
        """
        if since.tzinfo is None:
            raise ValueError("since has no time zone")
        return History(self._transport, type, since, self._page_size).deleted()

    def transaction(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write all ``entries`` or none; the answers stand in the order of the entries.

        Raises ``Conflict`` on 409 and 412, ``Refused`` on another 4xx: then nothing was written. Raises
        ``UnknownResult`` where that cannot be told: then read the entries back. Raises ``ValueError`` for
        entries that cannot be written together.
        """
        if not entries:
            return []
        check(entries)
        what = f"transaction of {len(entries)}"
        sent = [_sent(entry) for entry in entries]
        body = encode({"resourceType": "Bundle", "type": "transaction", "entry": sent})
        reply = self._transport.write("POST", self.base, body, what)
        return answers.to_transaction(self._transport, entries, reply, what)

    def send(self, entry: Entry) -> Answer:
        """Write ``entry`` by itself, with ``If-Match`` or ``If-None-Exist``; raises as ``transaction`` does.

        ``version`` and ``url`` of the answer are None where the server names neither them nor the id.
        """
        check([entry])
        headers = {}
        if entry.if_match is not None:
            headers["If-Match"] = _etag(entry.if_match)
        if entry.if_none_exist is not None:
            headers["If-None-Exist"] = _criteria(entry.if_none_exist)
        what = f"{entry.method} {entry.url}"
        body = encode(entry.resource)
        reply = self._transport.write(entry.method, f"{self.base}/{entry.url}", body, what, headers)
        return answers.to_one(self._transport, entry, reply, what)

    def delete(self, type: str, id: str) -> None:
        """Delete a resource; that there is none is fine.

        Raises ``Conflict`` where others point at it, ``Refused`` on another 4xx, ``UnknownResult`` where it
        is not known whether it still stands, ``ValueError`` for what can be no id.
        """
        if not ID.fullmatch(id):
            raise ValueError("no resource can have such an id")
        try:
            self._transport.write("DELETE", f"{self.base}/{type}/{id}", None, f"DELETE {type}/{id}")
        except Refused as refused:
            if refused.status not in (404, 410):
                raise

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
        request["ifMatch"] = _etag(entry.if_match)
    if entry.if_none_exist is not None:
        request["ifNoneExist"] = _criteria(entry.if_none_exist)
    return {"fullUrl": entry.full_url, "resource": entry.resource, "request": request}


def _etag(version: str) -> str:
    return f'W/"{version}"'


def _criteria(search: str) -> str:
    """``name=system|value`` as a query: escaped as a search is, and as little percent-encoded as can be."""
    name, _, value = search.partition("=")
    return f"{name}={quote(escaped(value), safe=':/|.,-_~@!()=;$')}"
