"""Contained resources. https://hl7.org/fhir/R4/references.html#contained"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_adapter.validation import narrative
from fhir_adapter.validation.run import Run, Scope

__all__ = ["check"]


def check(scope: Scope, run: Run) -> None:
    """Each has an id of its own, and something refers to it, or it refers to the resource (dom-3)."""
    held = scope.resource.get("contained")
    if not isinstance(held, list) or scope.role == "contained":
        return
    links = set(_links({name: value for name, value in scope.resource.items() if name != "contained"}))
    inner = [set(_links(one)) for one in held]
    seen: set[str] = set()
    for index, one in enumerate(held):
        if not isinstance(one, dict) or "resourceType" not in one:
            continue
        id = one.get("id")
        path = (scope.path, "contained", index)
        if not isinstance(id, str):
            run.error(
                path,
                "contained-id",
                "has no id, by which the resource around it would refer to it",
                "invalid",
            )
        elif id in seen:
            run.error(path, "contained-id", "has the same id as another contained resource", "invalid")
        seen.add(str(id))
        others = [found for other, found in enumerate(inner) if other != index]
        if (
            f"#{id}" not in links
            and not any(f"#{id}" in found for found in others)
            and "#" not in inner[index]
        ):
            run.error(
                path,
                "dom-3",
                "nothing refers to it, and it does not refer to the resource around it",
                "invalid",
            )


def _links(value: Any) -> Iterator[str]:
    """The strings in a resource that could refer to a contained one."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if one.startswith("#"):
                yield one
        elif isinstance(one, dict):
            left += one.values()
            div = one.get("div")
            if isinstance(div, str):
                found = narrative.parse(div)
                yield from (f"#{name}" for name in (*found.fragments, *found.images))
        elif isinstance(one, list):
            left += one
