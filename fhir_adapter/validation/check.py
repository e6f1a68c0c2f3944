"""One resource, and those inside it, through all checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_adapter.validation import models, schema
from fhir_adapter.validation.issue import Issue, expression
from fhir_adapter.validation.versions import ELSEWHERE

# The elements of R4 that hold resources: DomainResource.contained, Bundle.entry.resource and
# Parameters.parameter.resource, Bundle.entry.response.outcome.
_HOLDERS: Final = frozenset({"contained", "resource", "outcome"})


def check(resource: Mapping[str, Any], place: str) -> list[Issue]:
    """All issues of ``resource`` and of the resources inside it; see ``fhir_adapter.validation.validate``."""
    try:
        return list(_resource(dict(resource), place))
    except RecursionError:
        return [Issue("error", place or "resource", "too-deep", "is nested too deeply to be checked")]


def _resource(resource: dict[str, Any], place: str) -> Iterator[Issue]:
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in schema.types():
        yield Issue(
            "error", expression(place, ["resourceType"]).lstrip("."), "resource-type", _wrong_type(kind)
        )
        return
    place = place or kind
    found = list(dict.fromkeys(schema.check(resource, place)))
    yield from found
    for issue in dict.fromkeys(models.check(resource, place)):
        if not any(_speaks_of(said, issue.expression) for said in found):
            yield issue
    for inner, nested in _inside(resource, place):
        yield from _resource(nested, inner)


def _wrong_type(kind: object) -> str:
    if kind is None:
        return "is required, and missing: this is no FHIR resource"
    if not isinstance(kind, str):
        return "must be a string: the name of a resource type"
    if kind in ELSEWHERE:
        return f"is {kind}, which R4 does not have, only {ELSEWHERE[kind]}"
    for name in schema.types():
        if name.lower() == kind.lower():
            return f"must be spelled {name}"
    return "is no resource type of R4"


def _speaks_of(said: Issue, place: str) -> bool:
    """Whether ``said`` is about ``place`` or an element around it: the models need not say it again."""
    if place == said.expression or place.startswith((f"{said.expression}.", f"{said.expression}[")):
        return True
    # Of two types at once, or a null among items, the models speak at the element around it.
    if said.rule == "choice":
        return place == said.expression.rpartition(".")[0]
    return said.rule == "null" and place == said.expression.rpartition("[")[0]


def _inside(element: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources right inside ``element``, each with its place."""
    for name, value in element.items():
        at = expression(place, [name])
        items = (
            [(f"{at}[{i}]", item) for i, item in enumerate(value)]
            if isinstance(value, list)
            else [(at, value)]
        )
        for where, item in items:
            if isinstance(item, dict):
                if name in _HOLDERS and "resourceType" in item:
                    yield where, item
                else:
                    yield from _inside(item, where)
