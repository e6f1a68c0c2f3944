"""What a server says that it can do, as far as writing exactly once depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

WRITTEN: Final = ("Observation", "Provenance")
"""The types that are written, and for which an ability counts only when it holds for all of them."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a CapabilityStatement announces; a server may do more, or less.

    - ``client_ids``: a PUT to an id of our own creates it (``updateCreate``), for all that is written.
    - ``conditional_create``: a POST with ``If-None-Exist``, for all that is written.
    - ``transactions``: several writes or none.
    - ``history``: the types whose history can be asked for.
    - ``software``: its name and version, as far as it tells.
    - ``types``: the types that it knows.
    """

    client_ids: bool
    conditional_create: bool
    transactions: bool
    history: frozenset[str]
    software: str
    types: frozenset[str]


def abilities_in(statement: Mapping[str, Any]) -> Abilities:
    """What the CapabilityStatement says; whatever has another shape than R4's is not announced."""
    rests = [rest for rest in _objects(statement.get("rest")) if rest.get("mode", "server") == "server"]
    resources = {r["type"]: r for rest in rests for r in _objects(rest.get("resource")) if _text(r, "type")}
    software = statement.get("software")
    named = software if isinstance(software, Mapping) else {}
    return Abilities(
        client_ids=_all_say(resources, "updateCreate"),
        conditional_create=_all_say(resources, "conditionalCreate"),
        transactions=any("transaction" in _interactions(rest) for rest in rests),
        history=frozenset(type for type, r in resources.items() if "history-type" in _interactions(r)),
        software=f"{_text(named, 'name')} {_text(named, 'version')}".strip(),
        types=frozenset(resources),
    )


def _all_say(resources: Mapping[str, Mapping[str, Any]], what: str) -> bool:
    return all(resources.get(type, {}).get(what) is True for type in WRITTEN)


def _interactions(of: Mapping[str, Any]) -> set[str]:
    return {_text(each, "code") for each in _objects(of.get("interaction"))}


def _objects(found: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, Mapping))


def _text(of: Mapping[str, Any], name: str) -> str:
    found = of.get(name)
    return found if isinstance(found, str) else ""
