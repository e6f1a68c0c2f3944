"""CodeSystems, ValueSets and ConceptMaps against the codes that they speak of.

https://hl7.org/fhir/R4/codesystem.html, https://hl7.org/fhir/R4/valueset.html,
https://hl7.org/fhir/R4/conceptmap.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_adapter.validation.issue import quoted
from fhir_adapter.validation.run import Path, Run, Scope
from fhir_adapter.validation.terminology import code_system, has_code

__all__ = ["check_code_system", "check_concept_map", "check_value_set"]

Json = Mapping[str, Any]

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_OF_CODES: Final = frozenset({"is-a", "descendent-of", "is-not-a", "generalizes"})


def check_code_system(scope: Scope, run: Run) -> None:
    """CodeSystem.supplements, .count, and the types of properties.

    "A supplement SHALL have a content of 'supplement'"; a complete code system counts all its concepts; a
    concept's property has the type that CodeSystem.property.type gives it.
    """
    resource, path = scope.resource, scope.path
    content, count = resource.get("content"), resource.get("count")
    if "supplements" in resource and isinstance(content, str) and content != "supplement":
        run.error(
            (path, "content", -1), "supplement", "supplements another; expected supplement", "business-rule"
        )
    elif content == "supplement" and "supplements" not in resource:
        message = "is that of a supplement, and supplements is missing"
        run.error((path, "content", -1), "supplement", message, "business-rule")
    concepts = list(_concepts(resource, path))
    if content == "complete" and concepts and type(count) is int and count != len(concepts):
        message = f"says {count}, and the complete code system has {len(concepts)} concepts"
        run.error((path, "count", -1), "concept-count", message, "business-rule")
    types = _properties(resource, path, run)
    for concept, here in concepts:
        for one, there in _items(concept, "property", here):
            wanted = types.get(str(one.get("code")))
            given = next((name[5:] for name in one if name.startswith("value")), None)
            if wanted and given and given.lower() != wanted.lower():
                message = f"its value is of the type {given[:20]}; the property is defined as {wanted[:20]}"
                run.error(there, "concept-property", message, "invalid")
    if content == "supplement":
        _supplemented(resource, path, run)


def _properties(resource: Json, path: Path, run: Run) -> dict[str, str]:
    found: dict[str, str] = {}
    for one, here in _items(resource, "property", path):
        code, kind = one.get("code"), one.get("type")
        if isinstance(code, str) and isinstance(kind, str):
            if code in found:
                run.error(here, "concept-property", "is defined already under the same code", "invalid")
            found.setdefault(code, kind)
    return found


def _supplemented(resource: Json, path: Path, run: Run) -> None:
    """ "The concepts of a supplement are those of the code system": CodeSystem.supplements."""
    other = resource.get("supplements")
    if not isinstance(other, str):
        return
    system = other.partition("|")[0]
    for concept, here in _items(resource, "concept", path):
        code = concept.get("code")
        if isinstance(code, str) and has_code(run.definitions, system, code) is False:
            run.error(here, "supplement", f"{quoted(code)} is no code of {system}", "business-rule")


def check_value_set(scope: Scope, run: Run) -> None:
    """ValueSet.compose: systems are absolute URIs of code systems, and filters name codes that they have."""
    compose = scope.resource.get("compose")
    if not isinstance(compose, dict):
        return
    for name in ("include", "exclude"):
        for part, here in _items(compose, name, (scope.path, "compose", -1)):
            system = part.get("system")
            if not isinstance(system, str) or not system:
                continue
            if not _ABSOLUTE.match(system):
                message = "system is a relative URL; expected an absolute one"
                run.error(here, "coding-system", message, "invalid")
            elif (
                run.definitions.get("ValueSet", system) is not None
                and code_system(run.definitions, system) is None
            ):
                run.error(here, "coding-system", "system is that of a value set, not of codes", "invalid")
            for one, there in _items(part, "filter", here):
                code = one.get("value")
                if (
                    one.get("property") == "concept"
                    and str(one.get("op")) in _OF_CODES
                    and isinstance(code, str)
                    and has_code(run.definitions, system, code) is False
                ):
                    run.error(there, "unknown-code", f"{quoted(code)} is no code of {system}", "code-invalid")


def check_concept_map(scope: Scope, run: Run) -> None:
    """ConceptMap.group: the codes of each side are of its code system."""
    for group, path in _items(scope.resource, "group", scope.path):
        source, target = group.get("source"), group.get("target")
        for element, here in _items(group, "element", path):
            _known(element, source, here, run)
            for one, there in _items(element, "target", here):
                _known(one, target, there, run)


def _known(holder: Json, system: object, path: Path, run: Run) -> None:
    code = holder.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        return
    if has_code(run.definitions, system.partition("|")[0], code) is False:
        message = f"{quoted(code)} is no code of {system}"
        run.error((path, "code", -1), "unknown-code", message, "code-invalid")


def _concepts(resource: Json, path: Path) -> Iterator[tuple[Json, Path]]:
    """All concepts, at every level."""
    left = list(_items(resource, "concept", path))
    while left:
        concept, here = left.pop()
        yield concept, here
        left += _items(concept, "concept", here)


def _items(holder: Json, name: str, path: Path) -> Iterator[tuple[Json, Path]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield one, (path, name, index)
