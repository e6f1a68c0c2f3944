"""What servers answer with: Bundles, cut into the bytes of their resources, and OperationOutcomes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, Head, Meta, Received, peek

MAX_TEXT: Final = 200
DEBUG: Final = "FHIR_ADAPTER_DEBUG"
"""The environment variable that lets servers' own words into messages; they may name patients."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")


class Link(msgspec.Struct):
    """To another page."""

    relation: str = ""
    url: str = ""


class _Mode(msgspec.Struct):
    mode: str = "match"


class Request(msgspec.Struct):
    """What made a version of a history."""

    method: str = ""
    url: str = ""


class Response(msgspec.Struct, rename="camel"):
    """What a server says of one entry of a transaction, or of a history."""

    status: str = ""
    location: str = ""
    etag: str = ""
    last_modified: str = ""
    outcome: msgspec.Raw = msgspec.Raw()


class BundleEntry(msgspec.Struct, rename="camel"):
    """One entry; the resource is the bytes that stand there."""

    full_url: str = ""
    resource: msgspec.Raw = msgspec.Raw()
    search: _Mode = msgspec.field(default_factory=_Mode)
    request: Request | None = None
    response: Response | None = None


class Bundle(msgspec.Struct, rename="camel"):
    """A page of a search or of a history, or the answer to a transaction."""

    resource_type: str = ""
    type: str = ""
    meta: Meta = Meta()
    total: int | None = None
    link: list[Link] = []
    entry: list[BundleEntry] = []


class _Coding(msgspec.Struct):
    code: str = ""


class _Coded(msgspec.Struct):
    coding: list[_Coding] = []
    text: str = ""


class _Issue(msgspec.Struct):
    severity: str = ""
    code: str = ""
    diagnostics: str = ""
    details: _Coded = msgspec.field(default_factory=_Coded)


class _Outcome(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    issue: list[_Issue] = []


def received_in(body: bytes, base: str) -> Received | None:
    """The resource in ``body`` as it came from the server at ``base``; None where it is none with an id."""
    head = peek(body, Head)
    if head is None or not head.resource_type or not ID.fullmatch(head.id):
        return None
    url = f"{base}/{head.resource_type}/{head.id}"
    if head.version_id:
        url += f"/_history/{head.version_id}"
    return Received(head.resource_type, head.id, head.version_of(body), head.meta.last_updated, url, body)


def bundle_in(body: bytes) -> Bundle | None:
    """The Bundle in ``body``, its resources uncut bytes; None where it is none."""
    try:
        body.decode()  # msgspec skips over bytes that are no UTF-8
    except UnicodeDecodeError:
        return None
    found = peek(body.removeprefix(BYTE_ORDER_MARK), Bundle)
    return found if found and found.resource_type == "Bundle" else None


def place_of(given: BundleEntry) -> str:
    """``Type/id`` of what an entry of a response speaks of, or ``""`` where it does not say."""
    location = given.response.location if given.response else ""
    for url in (location.partition("/_history/")[0], given.full_url):
        found = re.search(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-._]{1,255})$", url)
        if found:
            return found[1]
    head = peek(given.resource, Head)
    if head is None or not head.id or head.resource_type == "OperationOutcome":
        return ""
    return f"{head.resource_type}/{head.id}"


def _issues(body: bytes | msgspec.Raw) -> list[_Issue]:
    found = peek(body, _Outcome)
    return found.issue if found and found.resource_type == "OperationOutcome" else []


def said(body: bytes | msgspec.Raw, values: Sequence[str] | None = None) -> str:
    """A sentence with the codes of an OperationOutcome's issues, cut to 200 characters.

    Its words may name patients: they are left out, unless ``DEBUG`` is set. Then of a search the ``values``
    of its parameters are blanked out, of a transaction (None) whatever stands in quotes.
    """
    issues = _issues(body)
    if os.environ.get(DEBUG):
        return _cut(_words(issues, values))
    codes = [code for issue in issues for code in (issue.code, *(each.code for each in issue.details.coding))]
    told = ", ".join(dict.fromkeys(code for code in codes if _CODE.fullmatch(code)))
    return f"Reason: {_cut(told)}." if told else ""


def _cut(text: str) -> str:
    return text[: MAX_TEXT - 1] + "…" if len(text) > MAX_TEXT else text


def _words(issues: Sequence[_Issue], values: Sequence[str] | None) -> str:
    text = " ".join((i.diagnostics or i.details.text or i.code) for i in issues)
    text = " ".join(text.split())
    if values is None:
        text = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "'…'", text)
    # a server may quote one of the values that stand in a list, or behind a code system
    parts = {part for value in values or () for part in (value, *re.split(r"[,|$]", value))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > 2:
            text = text.replace(part, "…")
    return text


def warned(body: bytes | msgspec.Raw) -> str:
    """What an OperationOutcome about a write warns of, without patient data; ``""`` for mere information."""
    return said(body) if any(issue.severity != "information" for issue in _issues(body)) else ""


def has_failed(body: bytes | msgspec.Raw) -> bool:
    """Whether it is an OperationOutcome with an error in it."""
    return any(issue.severity in ("error", "fatal") for issue in _issues(body))


def went_wrong(body: bytes | msgspec.Raw) -> str:
    """A sentence where an entry among the results says that the search went wrong, else ``""``."""
    if has_failed(body):
        return f"the search went wrong in part. {said(body)}".rstrip()
    return ""
