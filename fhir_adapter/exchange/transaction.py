"""What is written, and what came back: the same for a server and a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PLACE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to be written.

    - ``method``: ``"PUT"``.
    - ``url``: ``"Observation/<id>"``, the same type and id as in ``resource``.
    - ``full_url``: the entry's ``fullUrl``; every entry has one.
    - ``if_match``: the version that is to be replaced (``"3"``), or None to write whatever is there.
    """

    method: str
    url: str
    resource: dict[str, Any]
    full_url: str
    if_match: str | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The type and id of ``url``."""
        found = _PLACE.fullmatch(self.url)
        if found is None:
            raise ValueError(f"{self.url!r} is not Type/id")
        return found[1], found[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one ``Entry``.

    - ``status``: 200, 201, or an error's status.
    - ``version``: the version written, where the receiver names one.
    - ``url``: where it now stands (with its version, on a server).
    - ``outcome``: ``""``, or what the receiver says against it, without patient data.
    """

    status: int
    version: str | None
    url: str | None
    outcome: str = ""


def check(entries: Sequence[Entry]) -> None:
    """Raise ``ValueError`` unless each entry is a PUT of its own resource, and no resource comes twice."""
    seen = set()
    for entry in entries:
        if entry.method != "PUT":
            raise ValueError(f"{entry.url}: only PUT is written, not {entry.method}")
        kind, id = entry.place
        if (entry.resource.get("resourceType"), entry.resource.get("id")) != (kind, id):
            raise ValueError(f"{entry.url}: the resource has another type or id than its url")
        if entry.url in seen:
            raise ValueError(f"{entry.url}: one transaction cannot hold a resource twice")
        seen.add(entry.url)
