"""StructureDefinitions against the definitions that they are derived from.

https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/elementdefinition.html,
https://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fhir_adapter.validation.issue import shown
from fhir_adapter.validation.model import Element, ancestors, model
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = ["check"]

Json = Mapping[str, Any]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def check(scope: Scope, run: Run) -> None:
    """A StructureDefinition as a whole, after its elements."""
    _kind(scope, run)
    differential = scope.resource.get("differential")
    if not isinstance(differential, dict) or scope.resource.get("derivation") != "constraint":
        return
    elements = list(_items(differential, "element", (scope.path, "differential", -1)))
    _order(elements, run)
    for element, path in elements:
        for kind, here in _items(element, "type", path):
            _profiles(kind, here, run)
        found = _element(element["path"]) if isinstance(element.get("path"), str) else None
        if found is None:
            continue
        _types(found, element, scope, run)
        slicing = element.get("slicing")
        for one, here in _items(slicing if isinstance(slicing, dict) else {}, "discriminator", path):
            if isinstance(one.get("path"), str) and not _leads(found, one["path"]):
                place = ((path, "slicing", -1), "discriminator", here[2])
                run.error(place, "discriminator", "its path leads to no element of what is sliced", "invalid")


def _kind(scope: Scope, run: Run) -> None:
    """What a definition says of itself: StructureDefinition.derivation, .kind, .context, and the URL that an
    extension's instances have.
    """
    resource, path = scope.resource, scope.path
    base, type = resource.get("baseDefinition"), resource.get("type")
    if isinstance(base, str) and "derivation" not in resource and "_derivation" not in resource:
        run.error(path, "profile-kind", "has a baseDefinition, and no derivation", "business-rule")
    if resource.get("derivation") != "constraint":
        return
    above = run.definitions.get("StructureDefinition", base) if isinstance(base, str) else None
    kind = resource.get("kind")
    if above is not None and isinstance(kind, str) and kind != above.get("kind"):
        run.error(path, "profile-kind", f"kind is not {above.get('kind')}, as that of its base", "invalid")
    if isinstance(type, str) and type != "Extension":
        for _, here in _items(resource, "context", path):
            run.error(here, "profile-kind", "only extensions have contexts", "business-rule")
    differential = resource.get("differential")
    for element, _ in _items(differential if isinstance(differential, dict) else {}, "element", path):
        fixed, url = element.get("fixedUri"), resource.get("url")
        if element.get("path") != "Extension.url" or ":" in str(element.get("id")):
            continue
        if isinstance(fixed, str) and isinstance(url, str) and fixed != url:
            run.error(path, "profile-kind", "fixes another url for its instances than its own", "invalid")


def _order(elements: Sequence[tuple[Json, Path]], run: Run) -> None:
    """A differential's elements are those of its base, and in its order.

    https://hl7.org/fhir/R4/profiling.html#snapshot: the differential is merged into the base's elements one
    after the other. An element that another one overtakes finds no place.
    """
    latest: dict[str, list[tuple[int, Path]]] = {}
    for element, path in elements:
        name, id = element.get("path"), element.get("id")
        if not isinstance(name, str) or "." not in name:
            continue
        above, _, last = name.rpartition(".")
        described = _content(above)
        if described is None:
            continue
        names = [one.path.rpartition(".")[2] for one in described]
        if last not in names:
            # A choice may be named as one of its types: valueQuantity.
            if last not in {one.key(type.code) for one in described if one.choice for type in one.types}:
                run.error(path, "profile-element", f"its base has no element {shown(name)}", "not-found")
            continue
        holder = id.rpartition(".")[0] if isinstance(id, str) else ""
        if holder.count(".") != above.count("."):
            continue
        at = names.index(last)
        before = latest.setdefault(holder, [])
        while before and before[-1][0] > at:
            message = f"stands before {last}, which it follows in its base"
            run.error(before.pop()[1], "profile-element", message, "structure")
        before.append((at, path))


def _content(path: str) -> tuple[Element, ...] | None:
    """The elements that an element at a path of a profile may have; ``None`` where that hangs on its type."""
    described = model(path)
    if described is None:
        found = _element(path)
        if found is None or len(found.types) != 1 or found.types[0].code == "Resource":
            return None
        described = model(found.types[0].content)
    return tuple(described.elements.values()) if described is not None else None


def _types(found: Element, element: Json, scope: Scope, run: Run) -> None:
    """ElementDefinition.type and the values that it fixes are of types that the base allows."""
    allowed = {type.code for type in found.types}
    if not allowed or "Resource" in allowed or not allowed.isdisjoint(("BackboneElement", "Element")):
        return
    codes = [kind.get("code") for kind, _ in _items(element, "type", None)]
    if any(isinstance(code, str) and "/" not in code and _base(code) not in allowed for code in codes):
        message = f"{found.path} has a type that its base does not allow there"
        run.error(scope.path, "profile-element", message, "invalid")
        return
    own = {code for code in codes if isinstance(code, str)} or allowed
    for name in element:
        for stem in ("fixed", "pattern"):
            kind = name.removeprefix(stem)
            if kind != name and kind not in {code[:1].upper() + code[1:] for code in own}:
                message = f"{found.path} has a {stem} value of the type {kind[:20]}, which it cannot have"
                run.error(scope.path, "profile-element", message, "invalid")


def _base(code: str) -> str:
    """A type, or for a profile of a type that R4 gives a name of its own, that type: Quantity for Age."""
    return "Quantity" if code in ("SimpleQuantity", "MoneyQuantity") else code


def _profiles(kind: Json, path: Path, run: Run) -> None:
    """ElementDefinition.type.profile: profiles of the type that they stand at."""
    code, profiles = kind.get("code"), kind.get("profile")
    for index, url in enumerate(profiles if isinstance(profiles, list) else ()):
        found = run.definitions.get("StructureDefinition", url) if isinstance(url, str) else None
        if found is None or not isinstance(code, str) or "." in code:
            continue
        is_type = found["url"] == _BASE + found.get("type", "")
        if code not in ancestors(found.get("type", "")) or (
            is_type and code not in ("Resource", found["type"])
        ):
            run.error(
                (path, "profile", index),
                "profile-type",
                f"is a profile of {found.get('type')}, not of {code}",
                "invalid",
            )


def _element(path: str) -> Element | None:
    """The element at a path of a profile, through datatypes."""
    names = path.split(".")
    described = model(names[0])
    found: Element | None = None
    for name in names[1:]:
        found = described.elements.get(name.removesuffix("[x]")) if described else None
        if found is None:
            return None
        described = model(found.types[0].content) if found.types else None
    return found


def _leads(element: Element, path: str) -> bool:
    """Whether the first name of a discriminator's path is a child of one of the element's types."""
    first = path.split(".")[0]
    if not _NAME.fullmatch(first) or first == "resolve":
        return True
    for type in element.types:
        described = model(type.content)
        if (
            described is None
            or type.code == "Resource"
            or first in described.elements
            or type.code == "Reference"
        ):
            return True
    return False


def _items(holder: Json, name: str, path: Path | None) -> Iterator[tuple[Json, Any]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield one, (path, name, index)
