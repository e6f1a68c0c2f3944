"""What each rule asks for: the checks of this program in words, and the invariants of R4 and of profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_adapter.validation.definitions.store import Definitions, core, core_urls
from fhir_adapter.validation.primitives import PRIMITIVES

__all__ = ["explain", "own_rules"]

_SHOWN = 5


@cache
def own_rules() -> dict[str, dict[str, str]]:
    """The rules that are no invariants: name → ``asks``, what it wants, and ``see``, where FHIR says so."""
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))


def explain(rule: str, definitions: Definitions) -> str | None:
    """A few lines on ``rule``, the name with which a finding ends; ``None`` for a name that is no rule's.

    An invariant is looked for in R4 and in the packages of ``definitions``. One key can name several.
    """
    own = own_rules().get(rule)
    if own is not None:
        return f"{rule}\n  {own['asks']}\n  {own['see']}"
    kind = rule.removeprefix("form-")
    if rule.startswith("form-") and kind in PRIMITIVES:
        see = f"http://hl7.org/fhir/R4/datatypes.html#{kind}"
        return f"{rule}\n  A value of the type {kind} has the form that R4 gives it.\n  {see}"
    places: dict[tuple[str, str, str], list[str]] = {}
    for path, constraint in _constraints(definitions):
        if constraint.get("key") == rule:
            said = (
                constraint.get("severity", ""),
                constraint.get("human", ""),
                constraint.get("expression", ""),
            )
            known = places.setdefault(said, [])
            if path not in known:
                known.append(path)
    return "\n".join(_told(rule, *said, paths) for said, paths in places.items()) or None


def _told(rule: str, severity: str, human: str, expression: str, paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    lines = [f"{rule} ({severity}), of {', '.join(paths[:_SHOWN])}{more}", human, expression]
    return "\n  ".join(filter(None, lines))


def _constraints(definitions: Definitions) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All invariants, each with the path of its element, those of R4's own types first."""
    shipped = (core("StructureDefinition", url) for url in core_urls("StructureDefinition"))
    known = [one for one in shipped if one is not None]
    for definition in sorted(known, key=lambda one: one.get("derivation") == "constraint"):
        yield from _of(definition.get("snapshot") or definition.get("differential") or ())
    for resource in definitions.all("StructureDefinition"):
        view = resource.get("snapshot") or resource.get("differential") or {}
        yield from _of(view.get("element", ()))


def _of(elements: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for element in elements:
        for constraint in element.get("constraint", ()):
            yield element["path"], constraint
