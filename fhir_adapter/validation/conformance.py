"""Conformance resources against what they speak of.

https://hl7.org/fhir/R4/searchparameter.html, https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from fhir_adapter.validation.fhirpath import FhirPathError, compile
from fhir_adapter.validation.model import model
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = ["check_capabilities", "check_search_parameter", "check_url"]

Json = Mapping[str, Any]

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def check_search_parameter(scope: Scope, run: Run) -> None:
    """SearchParameter.derivedFrom: the bases are among those of the other one, and the type is the same."""
    _expression(scope, run)
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


def _expression(scope: Scope, run: Run) -> None:
    """SearchParameter.expression is FHIRPath. https://hl7.org/fhir/R4/searchparameter.html"""
    text = scope.resource.get("expression")
    if not isinstance(text, str) or not text:
        return
    try:
        compile(text)
    except FhirPathError as fault:
        message = f"is no FHIRPath that can be read: {fault}"
        run.error((scope.path, "expression", -1), "expression", message, "invalid")


def check_url(scope: Scope, run: Run) -> None:
    """The url of a resource that others name by it is absolute. https://hl7.org/fhir/R4/resource.html#canonical

    "An absolute URI that is used to identify" it, in the definitions of these elements.
    """
    url = scope.resource.get("url")
    if isinstance(url, str) and url and not _ABSOLUTE.match(url) and is_canonical(scope.type):
        run.error(
            (scope.path, "url", -1), "canonical-url", "is relative; expected an absolute URL", "invalid"
        )


@cache
def is_canonical(type: str) -> bool:
    """Whether resources of a type are published under a URL of their own."""
    described = model(type)
    return described is not None and {"url", "publisher"} <= described.elements.keys()


def _items(holder: Json, name: str, path: Path) -> Iterator[tuple[Json, Path]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield one, (path, name, index)
