"""What is written, and what came back: the same for a server and a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Ids that a server gave may be longer than FHIR allows, or hold underscores; they are written back as given.
_PLACE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-._]{1,255})")
_VERSION = re.compile(r"[!#-~]+")  # what an ETag may hold
_CRITERIA = re.compile(r"[A-Za-z][\w:.\-]*=[^\x00-\x1f\x7f]+")  # goes into a header, or a query
_TYPE = re.compile(r"[A-Z][A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to be written.

    - ``method``: ``"PUT"``, or ``"POST"`` where the server is to choose the id.
    - ``url``: for PUT ``"Observation/<id>"``, the same type and id as in ``resource``; for POST
      ``"Observation"``.
    - ``full_url``: the entry's ``fullUrl``; every entry has one.
    - ``if_match``: PUT only: the version to be replaced (``"3"``), or None to write whatever is there.
    - ``if_none_exist``: POST only: a search (``"identifier=system|value"``); where it finds one resource,
      that one is the answer and nothing is written.
    """

    method: str
    url: str
    resource: dict[str, Any]
    full_url: str
    if_match: str | None = None
    if_none_exist: str | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The type and id of ``url``. Raises ``ValueError`` for one without an id, as that of a POST."""
        found = _PLACE.fullmatch(self.url)
        if found is None:
            raise ValueError(f"{self.url!r} is not Type/id")
        return found[1], found[2]

    @property
    def type(self) -> str:
        """The resource's type, as ``url`` names it."""
        return self.url.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one ``Entry``.

    - ``status``: 201 for what is new, else 200.
    - ``version``: the version that now stands there, as text, where the receiver names one.
    - ``url``: where it now stands: on a server absolute, with its version where that is known; None where the
      server does not say which id it gave.
    - ``outcome``: ``""``, or what the receiver warns of, without patient data.
    """

    status: int
    version: str | None
    url: str | None
    outcome: str = ""

    @property
    def id(self) -> str | None:
        """The id in ``url``."""
        place = (self.url or "").partition("/_history/")[0].rsplit("/", 2)
        found = _PLACE.fullmatch("/".join(place[-2:]))
        return found[2] if found else None


def check(entries: Sequence[Entry]) -> None:
    """Raise ``ValueError`` for what one transaction cannot hold.

    Each entry is a PUT of its own resource or a POST to its type; no resource and no ``if_none_exist`` of a
    type comes twice (of two that are alike, servers make one resource, or two).
    """
    seen: set[tuple[str, str | None]] = set()
    for entry in entries:
        if entry.method == "PUT":
            key: tuple[str, str | None] = _put(entry)
        elif entry.method == "POST":
            key = _post(entry)
        else:
            raise ValueError(f"{entry.url}: only PUT and POST are written, not {entry.method}")
        if key in seen:
            raise ValueError(f"{entry.url}: one transaction cannot hold a resource twice")
        if key[1] is not None:
            seen.add(key)


def _put(entry: Entry) -> tuple[str, str]:
    kind, id = entry.place
    if (entry.resource.get("resourceType"), entry.resource.get("id")) != (kind, id):
        raise ValueError(f"{entry.url}: the resource has another type or id than its url")
    if entry.if_none_exist is not None:
        raise ValueError(f"{entry.url}: if_none_exist is for POST only")
    if entry.if_match is not None and not _VERSION.fullmatch(entry.if_match):
        raise ValueError(f"{entry.url}: if_match is no version")
    return "PUT", entry.url


def _post(entry: Entry) -> tuple[str, str | None]:
    if not _TYPE.fullmatch(entry.url) or entry.resource.get("resourceType") != entry.url:
        raise ValueError(f"{entry.url}: a POST goes to the type of its resource")
    if entry.if_match is not None:
        raise ValueError(f"{entry.url}: if_match is for PUT only")
    if entry.if_none_exist is not None and not _CRITERIA.fullmatch(entry.if_none_exist):
        raise ValueError(f"{entry.url}: if_none_exist must be like identifier=system|value")
    return f"POST {entry.url}", entry.if_none_exist
