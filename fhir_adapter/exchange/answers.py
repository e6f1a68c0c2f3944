"""What a server says became of a write, read with distrust.

An answer is either a success that fits what was sent, or it is raised: ``Conflict`` or ``Refused`` where
nothing was written, ``UnknownResult`` wherever that cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from fhir_adapter.exchange.bundle import (
    Bundle,
    BundleEntry,
    Response,
    bundle_in,
    has_failed,
    place_of,
    said,
    warned,
)
from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, Head, peek
from fhir_adapter.exchange.transaction import Answer, Entry
from fhir_adapter.exchange.transport import NOT_IMPLEMENTED, Reply, Transport

_FAILED_WITH_ANOTHER = 424  # this entry failed because another one did


def to_transaction(transport: Transport, entries: Sequence[Entry], reply: Reply, what: str) -> list[Answer]:
    """The answers in the order of ``entries``; ``what`` names the request in errors.

    The answer to a PUT is found by its id, wherever it stands. That to a POST, whose id nobody knew, is found
    by its position, if it names a resource of that type.
    """
    bundle = bundle_in(reply.body)
    if bundle is None:
        raise transport.unknown("its answer is no Bundle.", what, reply.status)
    _raise_for_failures(transport, bundle, len(entries), what)
    by_place = {place_of(given): given for given in bundle.entry}
    put = {entry.url for entry in entries if entry.method == "PUT"}
    found = []
    for position, entry in enumerate(entries):
        at_its_place = bundle.entry[position] if len(bundle.entry) == len(entries) else None
        place = place_of(at_its_place) if at_its_place else ""
        given: BundleEntry | None
        if entry.method == "PUT":
            # by position only where the answer does not say what it speaks of
            given = by_place.get(entry.url, None if place else at_its_place)
        else:
            fits = place.startswith(f"{entry.url}/") and place not in put
            given = at_its_place if fits else None
        if given is None or given.response is None or not _succeeded(given.response):
            raise transport.unknown(f"it does not say what became of {entry.url}.", what, reply.status)
        found.append(_answer(transport.base, entry, given, given.response))
    return found


def to_one(transport: Transport, entry: Entry, reply: Reply, what: str) -> Answer:
    """The answer to a single PUT or POST; ``what`` names the request in errors."""
    body = msgspec.Raw(reply.body.removeprefix(BYTE_ORDER_MARK).strip())
    head = peek(body, Head) if bytes(body) else Head("OperationOutcome")
    if head is None or head.resource_type not in ("OperationOutcome", entry.type):
        raise transport.unknown(f"its answer ({reply.status}) is no FHIR.", what, reply.status)
    response = Response(
        status=str(reply.status),
        location=reply.headers.get("Location") or reply.headers.get("Content-Location", ""),
        etag=reply.headers.get("ETag", ""),
        outcome=body,
    )
    if not _succeeded(response) or has_failed(body):
        raise transport.unknown(f"its answer ({reply.status}) fits no write.", what, reply.status)
    given = BundleEntry(resource=body, response=response)
    place = place_of(given)
    fits = place in ("", entry.url) if entry.method == "PUT" else place.partition("/")[0] in ("", entry.url)
    if not fits:
        raise transport.unknown(f"it says that it wrote {place}.", what, reply.status)
    return _answer(transport.base, entry, given, response)


def _raise_for_failures(transport: Transport, bundle: Bundle, sent: int, what: str) -> None:
    """Raise for answers that should never come: a transaction is all or nothing, and fails as a whole."""
    responses = [given.response for given in bundle.entry if given.response is not None]
    failed = [response for response in responses if _status(response) >= 400]
    if not failed:
        return
    # the one that says most: what collides, then what is wrong, last those that fell with others
    told = min(failed, key=lambda r: (_status(r) not in (409, 412), _status(r) == _FAILED_WITH_ANOTHER))
    nothing_written = len(failed) == sent and all(
        _status(each) < 500 or _status(each) == NOT_IMPLEMENTED for each in failed
    )
    if nothing_written:
        raise transport.rejected(_status(told), said(told.outcome), what)
    raise transport.unknown(
        f"{len(failed)} of its {len(bundle.entry)} answers say that they failed ({_status(told)}). "
        f"{said(told.outcome)}".rstrip(),
        what,
        _status(told),
    )


def _answer(base: str, entry: Entry, given: BundleEntry, response: Response) -> Answer:
    place = entry.url if entry.method == "PUT" else place_of(given)
    # the location first: gateways change ETags ("3-gzip")
    history = re.search(r"/_history/([^/?#]+)$", response.location)
    etag = re.fullmatch(r'(?:W/)?"?([^"]+)"?', response.etag.strip())
    version = history[1] if history else etag[1] if etag else _written(given, place)
    url = f"{base}/{place}" + (f"/_history/{version}" if version else "") if place else None
    return Answer(_status(response), version, url, warned(response.outcome))


def _written(given: BundleEntry, place: str) -> str | None:
    """The version in the resource that some servers answer with."""
    head = peek(given.resource, Head)
    fits = head is not None and ID.fullmatch(head.id) and f"{head.resource_type}/{head.id}" == place
    return (head.version_id or None) if head is not None and fits else None


def _status(response: Response) -> int:
    """The HTTP status; 0 where there is none."""
    return int(response.status[:3]) if re.match(r"[1-5]\d\d\b", response.status, re.ASCII) else 0


def _succeeded(response: Response) -> bool:
    return _status(response) in (200, 201, 204)
