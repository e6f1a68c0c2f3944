"""Faults that neither the schema nor the models see, but that are cheap to find and certain."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fhir_adapter.validation.versions import ELSEWHERE

# Type/id, perhaps of one version: a reference to a resource of the same server.
_RELATIVE: Final = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@dataclass(frozen=True, slots=True)
class Fault:
    """``rule`` broken at ``path``, counted from the element that was looked at; ``message`` says how."""

    path: tuple[str | int, ...]
    rule: str
    message: str


def about(
    kind: str, element: Mapping[str, Any], choices: Mapping[str, frozenset[str]], types: Container[str]
) -> Iterator[Fault]:
    """The faults of ``element``, which is of the type or backbone ``kind``.

    ``choices`` are its choices of types (stem → names), ``types`` the names of all R4 resources.
    """
    yield from _holes(element)
    for stem, names in choices.items():
        given = sorted(name for name in names if name in element or f"_{name}" in element)
        if len(given) > 1:
            yield Fault(
                (stem,), "choice", f"has {len(given)} types at once ({', '.join(given)}): only one may stand"
            )
    if kind == "Observation" and "dataAbsentReason" in element:
        for name in sorted(choices["value"]):
            if name in element:
                message = f"must not stand beside {name}: a value is absent or it is not"
                yield Fault(("dataAbsentReason",), "obs-6", message)
    if kind == "Reference":
        yield from _reference(element, types)


def _holes(element: Mapping[str, Any]) -> Iterator[Fault]:
    """Nulls, empty arrays and empty objects, none of which FHIR's JSON has."""
    for name, value in element.items():
        if value is None:
            yield Fault((name,), "null", "is null: an element without a value is left out")
        elif value == {} and isinstance(value, dict):
            yield Fault((name,), "empty", "is an empty object: an element without content is left out")
        elif isinstance(value, list):
            if not value:
                yield Fault((name,), "empty", "is an empty array: an element without a value is left out")
            yield from _holes_of_array(element, name, value)


def _holes_of_array(element: Mapping[str, Any], name: str, values: list[Any]) -> Iterator[Fault]:
    sibling = element.get(name.removeprefix("_") if name.startswith("_") else f"_{name}")
    for index, value in enumerate(values):
        if value == {} and isinstance(value, dict):
            yield Fault((name, index), "empty", "is an empty object: an element without content is left out")
        elif value is None:
            # Primitives and their extensions stand in two arrays; null holds the place of what is missing.
            beside = sibling[index] if isinstance(sibling, list) and index < len(sibling) else None
            if beside is None:
                yield Fault((name, index), "null", "is null, with nothing in its place in the other array")


def _reference(element: Mapping[str, Any], types: Container[str]) -> Iterator[Fault]:
    reference = element.get("reference")
    found = _RELATIVE.fullmatch(reference) if isinstance(reference, str) else None
    if found is not None and found[1] not in types:
        version = f", only {ELSEWHERE[found[1]]}" if found[1] in ELSEWHERE else ""
        yield Fault(
            ("reference",), "reference-type", f"leads to a resource type that R4 does not have{version}"
        )
