"""Conformance resources against what they speak of.

https://hl7.org/fhir/R4/searchparameter.html, https://hl7.org/fhir/R4/capabilitystatement.html,
https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/elementdefinition.html,
https://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_adapter.validation.model import Element, ancestors, model
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = ["check_capabilities", "check_code_system", "check_search_parameter", "check_structure"]

Json = Mapping[str, Any]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def check_search_parameter(scope: Scope, run: Run) -> None:
    """SearchParameter.derivedFrom: the bases are among those of the other one, and the type is the same."""
    other = scope.resource.get("derivedFrom")
    found = run.definitions.get("SearchParameter", other) if isinstance(other, str) else None
    if found is None:
        return
    bases, allowed = scope.resource.get("base"), found.get("base", ())
    for base in bases if isinstance(bases, list) else ():
        if (
            isinstance(base, str)
            and base not in allowed
            and not {"Resource", "DomainResource"} & set(allowed)
        ):
            run.error(scope.path, "derived-from", f"{base[:40]} is no base of {other}", "business-rule")
    kind = scope.resource.get("type")
    if isinstance(kind, str) and kind != found.get("type"):
        run.error(
            scope.path,
            "derived-from",
            f"its type is not {found.get('type')}, as that of {other}",
            "business-rule",
        )


def check_capabilities(scope: Scope, run: Run) -> None:
    """CapabilityStatement.rest.resource.searchParam: its type is that of the definition that it names."""
    for rest, path in _items(scope.resource, "rest", scope.path):
        places = [(rest, path), *_items(rest, "resource", path)]
        for holder, here in places:
            for one, there in _items(holder, "searchParam", here):
                definition, kind = one.get("definition"), one.get("type")
                found = (
                    run.definitions.get("SearchParameter", definition)
                    if isinstance(definition, str)
                    else None
                )
                if found is not None and isinstance(kind, str) and kind != found.get("type"):
                    run.error(
                        there,
                        "search-type",
                        f"its type is not {found['type']}, as that of {definition}",
                        "invalid",
                    )


def check_code_system(scope: Scope, run: Run) -> None:
    """CodeSystem.supplements: "a supplement SHALL have a content of 'supplement'"."""
    content = scope.resource.get("content")
    if "supplements" in scope.resource and isinstance(content, str) and content != "supplement":
        run.error(
            (scope.path, "content", -1),
            "supplement",
            "supplements another; expected supplement",
            "business-rule",
        )


def check_structure(scope: Scope, run: Run) -> None:
    """A profile's differential: its profiles are for the types they stand at, its discriminators lead
    somewhere.

    ElementDefinition.type.profile, ElementDefinition.slicing.discriminator.
    """
    differential = scope.resource.get("differential")
    if not isinstance(differential, dict) or scope.resource.get("derivation") != "constraint":
        return
    for element, path in _items(differential, "element", (scope.path, "differential", -1)):
        for kind, here in _items(element, "type", path):
            _profiles(kind, here, run)
        slicing = element.get("slicing")
        if isinstance(slicing, dict) and isinstance(element.get("path"), str):
            found = _element(element["path"])
            for one, here in _items(slicing, "discriminator", (path, "slicing", -1)):
                if found is not None and isinstance(one.get("path"), str) and not _leads(found, one["path"]):
                    run.error(
                        here, "discriminator", "its path leads to no element of what is sliced", "invalid"
                    )


def _profiles(kind: Json, path: Path, run: Run) -> None:
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


def _items(holder: Json, name: str, path: Path) -> Iterator[tuple[Json, Path]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield one, (path, name, index)
