"""Extensions by their definitions. https://hl7.org/fhir/R4/extensibility.html

§2.4.0.1: an extension's url leads to its definition; it stands only where the definition's contexts allow,
and holds what the definition says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_adapter.validation.fhirpath import FhirPathError, Node, compile
from fhir_adapter.validation.invariants import environment
from fhir_adapter.validation.issue import suggestion
from fhir_adapter.validation.model import ancestors, model
from fhir_adapter.validation.profiles import plan_of
from fhir_adapter.validation.run import Path, Run

__all__ = ["check", "identities"]

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXAMPLES: Final = ("example.org", "acme.com")
_TOOLS: Final = "http://hl7.org/fhir/tools/StructureDefinition/"
_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"

# Groups of resource types that R4 names in contexts without a definition of their own.
_GROUPS: Final = frozenset({"CanonicalResource", "MetadataResource", "Any", "*"})

# Contexts that 4.0.1 left out of its definitions although its own resources have the extensions there; later
# versions of the definitions name them: https://hl7.org/fhir/R5/extensions.html
_MENDED: Final = {
    f"{_BASE}structuredefinition-fhir-type": frozenset({"ElementDefinition.type"}),
    f"{_BASE}structuredefinition-normative-version": frozenset(
        {"CapabilityStatement", "CodeSystem", "ElementDefinition", "OperationDefinition", "ValueSet"}
    ),
    f"{_BASE}regex": frozenset({"ElementDefinition.type"}),
}


def check(value: dict[str, Any], path: Path, run: Run, *, modifier: bool) -> None:
    """An extension at ``path``, of which the structure is checked already."""
    url = value.get("url")
    if not isinstance(url, str) or not url:
        return
    if path[0][1] in ("extension", "modifierExtension"):
        _nested(url, path, run)
        if not _ABSOLUTE.match(url):
            return
    elif not _ABSOLUTE.match(url):
        run.error(path, "extension-url", "url is relative; expected an absolute URL", "invalid")
        return
    definition = run.definitions.get("StructureDefinition", url)
    if definition is None or definition.get("type") != "Extension":
        if path[0][1] not in ("extension", "modifierExtension"):
            _unknown(url, path, run)
        return
    elements = definition.get("snapshot") or definition.get("differential")
    is_modifier = bool(elements and elements[0].get("isModifier"))
    if is_modifier != modifier:
        wanted = "modifierExtension" if is_modifier else "extension"
        run.error(path, "extension-modifier", f"{url} belongs in {wanted}", "structure")
    _in_context(definition, path, run)
    plan = plan_of(run.definitions, url)
    if plan is not None:
        plan.check(value, path, run)


def _unknown(url: str, path: Path, run: Run) -> None:
    """An extension without a definition at hand. Those of examples, and of HL7's tools, need none."""
    if url.startswith(_TOOLS) or (run.settings.examples and any(domain in url for domain in _EXAMPLES)):
        run.say("information", path, "extension-unknown", f"{url} has no definition here", "not-found")
        return
    run.error(
        path,
        "extension-unknown",
        f"{url} has no definition here; name the package that defines it",
        "structure",
    )


def _nested(url: str, path: Path, run: Run) -> None:
    """An extension in an extension: the outer one's definition names those that it may hold."""
    parent = _value_at(path[0], run)
    outer = parent.get("url") if isinstance(parent, dict) else None
    above = path[0]
    if not isinstance(outer, str) or (
        above[0] is not None and above[0][1] in ("extension", "modifierExtension")
    ):
        return
    plan = plan_of(run.definitions, outer)
    if plan is None or plan.extension_urls is None:
        return
    if url not in plan.extension_urls and not (
        _ABSOLUTE.match(url) and run.definitions.get("StructureDefinition", url)
    ):
        near = suggestion(url, plan.extension_urls)
        run.error(path, "extension-nested", f"its url is not one that {outer} defines.{near}", "invalid")


def _value_at(path: Path, run: Run) -> Any:
    """The element at ``path`` in the resource that is being checked."""
    steps = []
    here: Any = path
    while here is not None and here != run.scope.path:
        steps.append(here)
        here = here[0]
    found: Any = run.scope.resource
    for _, name, index in reversed(steps):
        if not isinstance(found, dict):
            return None
        key = name
        if ".ofType(" in name:
            stem, _, rest = name.partition(".ofType(")
            key = stem + rest[0].upper() + rest[1:-1]
        value, beside = found.get(key), found.get(f"_{key}")
        found = value if beside is None else beside  # of a primitive, what holds its extensions
        if index >= 0:
            if not isinstance(found, list) or index >= len(found):
                return None
            found = found[index]
    return found


def _in_context(definition: Mapping[str, Any], path: Path, run: Run) -> None:
    """StructureDefinition.context: where the extension may stand. §2.4.0.6"""
    contexts = definition.get("context")
    if not contexts:
        return
    names: set[str] | None = None
    for context in contexts:
        kind, expression = context.get("type"), context.get("expression", "")
        if kind == "fhirpath":
            if _selects(expression, path[0], run):
                return
            continue
        if names is None:
            names = set(identities(path[0], run))
        if kind == "extension":
            if f"x:{expression}" in names:
                return
        elif (
            expression in _GROUPS
            or expression in names
            or expression == "Element"
            or ("#" in expression and expression.partition("#")[2] in names)
            or (expression.startswith(_BASE) and expression.removeprefix(_BASE) in names)
        ):
            return
    mended = _MENDED.get(definition["url"])
    if mended is not None and not mended.isdisjoint(names or identities(path[0], run)):
        return
    wanted = ", ".join(str(context.get("expression")) for context in contexts[:8])
    run.error(
        path[0],
        "extension-context",
        f"{definition['url']} is not allowed here; expected in {wanted}",
        "structure",
    )


def _selects(expression: str, path: Path, run: Run) -> bool:
    """Whether a FHIRPath finds the element at ``path`` in the resource; what cannot be told is let pass."""
    run.around += 1
    holder = _value_at(path, run)
    if isinstance(holder, list) or not isinstance(holder, dict):
        return True
    try:
        surroundings = environment(run)
        found = compile(expression)(surroundings.resource, surroundings)
    except FhirPathError:
        return True
    return any(isinstance(one, Node) and (one.value is holder or one.extra is holder) for one in found)


def identities(path: Path, run: Run) -> Iterator[str]:
    """What an element is called in contexts: its path in the resource and in each datatype, and its types."""
    steps: list[str] = []
    here: Any = path
    while here is not None and here != run.scope.path:
        steps.append(here[1])
        here = here[0]
    paths = list(ancestors(run.scope.type))
    described = model(run.scope.type)
    types: tuple[str, ...] = tuple(paths)
    for name in reversed(steps):
        stem, _, chosen = name.partition(".ofType(")
        element = described.elements.get(stem) if described else None
        if element is None:
            return
        type = next((one for one in element.types if not chosen or one.code == chosen[:-1]), element.types[0])
        paths = [f"{path}.{stem}" for path in paths] + (
            [f"{path}.{stem}[x]" for path in paths] if chosen else []
        )
        paths = list(dict.fromkeys([*paths, type.content]))
        types = ancestors(type.code)
        described = model(type.content)
    yield from paths
    yield from types
    if steps and steps[0] in ("extension", "modifierExtension"):
        value = _value_at(path, run)
        url = value.get("url") if isinstance(value, dict) else None
        if isinstance(url, str):
            yield f"x:{url}"
            outer = _value_at(path[0], run) if len(steps) > 1 else None
            if isinstance(outer, dict) and isinstance(outer.get("url"), str):
                yield f"x:{outer['url']}#{url}"
