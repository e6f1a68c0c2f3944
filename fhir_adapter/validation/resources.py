"""A resource through all checks: its type, the rules of its kind, its profiles; those inside it alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from fhir_adapter.validation import (
    bundle,
    concepts,
    conformance,
    contained,
    measure,
    questionnaire,
    structures,
)
from fhir_adapter.validation.issue import suggestion
from fhir_adapter.validation.model import is_resource, resource_types
from fhir_adapter.validation.plan import plan
from fhir_adapter.validation.profiles import plan_of
from fhir_adapter.validation.run import Path, Run, Scope
from fhir_adapter.validation.versions import ELSEWHERE
from fhir_adapter.validation.vitals import profiles_of

__all__ = ["check", "check_inner"]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"

_TAG: Final = re.compile(r"<[A-Za-z!/]")

# Resources of which R4 says more than their elements and invariants do.
_OF_KIND: Final[dict[str, Callable[[Scope, Run], None]]] = {
    "Bundle": bundle.check,
    "CapabilityStatement": conformance.check_capabilities,
    "CodeSystem": concepts.check_code_system,
    "ConceptMap": concepts.check_concept_map,
    "Measure": measure.check_measure,
    "MeasureReport": measure.check_report,
    "Questionnaire": questionnaire.check_questions,
    "QuestionnaireResponse": questionnaire.check,
    "SearchParameter": conformance.check_search_parameter,
    "StructureDefinition": structures.check,
    "ValueSet": concepts.check_value_set,
}


def check(run: Run, value: Any, path: Path, profiles: Sequence[str] = ()) -> None:
    """The outermost resource, against R4, the profiles that it names, and ``profiles``."""
    _check(run, value, path, "root", None, profiles)
    if not run.settings.html:
        _no_tags(value, path, run)


def check_inner(run: Run, value: Any, path: Path, role: str) -> None:
    """A resource inside the one that is being checked."""
    if role == "contained" and not run.settings.contained:
        return
    outer = run.scope
    try:
        _check(run, value, path, role, outer, ())
    finally:
        run.scope = outer


def _no_tags(value: Any, path: Path, run: Run) -> None:
    """Strings that hold tags of HTML, narratives apart. https://hl7.org/fhir/R4/security.html#narrative"""
    left = [(value, path)]
    while left:
        one, here = left.pop()
        if isinstance(one, dict):
            left += [(item, (here, name, -1)) for name, item in one.items() if name != "div"]
        elif isinstance(one, list):
            left += [(item, (here[0], here[1], index)) for index, item in enumerate(one)]
        elif isinstance(one, str) and _TAG.search(one):
            run.error(here, "html", "holds what looks like a tag of HTML", "invalid")


def _check(run: Run, value: Any, path: Path, role: str, outer: Scope | None, profiles: Sequence[str]) -> None:
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not is_resource(kind) or kind in ("Resource", "DomainResource"):
        run.error(path, "resource-type", _wrong_type(value, kind), "structure")
        return
    scope = run.scope = Scope(value, kind, path, outer, role)
    plan(kind).check(value, path, run)
    if "contained" in value and run.settings.contained:
        contained.check(scope, run)
    if "url" in value:
        conformance.check_url(scope, run)
    of_kind = _OF_KIND.get(kind)
    if of_kind is not None:
        of_kind(scope, run)
    meta = value.get("meta")
    named = meta.get("profile") if isinstance(meta, dict) else None
    if profiles or named or kind == "Observation" or _everywhere(run, kind):
        _profiles(run, scope, named if isinstance(named, list) else [], profiles)


def _profiles(run: Run, scope: Scope, named: list[Any], asked: Sequence[str]) -> None:
    """The profiles that the resource names, those that are asked for, and those of vital signs.

    https://hl7.org/fhir/R4/resource.html#Meta: meta.profile is an assertion that the content conforms.
    """
    wanted = dict.fromkeys([*profiles_of(scope), *_everywhere(run, scope.type), *asked])
    for index, url in enumerate(named):
        if not isinstance(url, str) or url in wanted:
            continue
        if run.definitions.get("StructureDefinition", url) is None:
            here: Path = ((scope.path, "meta", -1), "profile", index)
            run.warning(
                here,
                "profile-unknown",
                f"the profile {url} is not known here, and was not checked",
                "not-found",
            )
        else:
            wanted[url] = None
    for url in wanted:
        definition = run.definitions.get("StructureDefinition", url)
        if definition is None:
            run.error(
                scope.path,
                "profile-unknown",
                f"the profile {url} is not known; name the package that has it",
                "not-found",
            )
            continue
        type = definition.get("type", scope.type)
        if type not in (scope.type, "Resource", "DomainResource"):
            run.error(
                scope.path,
                "profile-type",
                f"the profile {url} is for {type}, not for {scope.type}",
                "structure",
            )
            continue
        made = plan_of(run.definitions, url)
        if made is not None:
            made.check(scope.resource, scope.path, run)


def _everywhere(run: Run, kind: str) -> list[str]:
    """ImplementationGuide.global of packages: profiles that each resource of a type conforms to."""
    cache = run.definitions.cache("global")
    if not cache:
        cache[""] = []
        for guide in run.definitions.all("ImplementationGuide"):
            for one in guide.get("global", ()):
                cache.setdefault(one.get("type"), []).append(one.get("profile"))
    found: list[str] = cache.get(kind, [])
    return found


def _wrong_type(value: Any, kind: object) -> str:
    if not isinstance(value, dict):
        return "is no JSON object; expected a resource"
    if kind is None:
        return "has no resourceType: it is no FHIR resource"
    if not isinstance(kind, str):
        return "resourceType is no string; expected the name of a resource type"
    if kind in ELSEWHERE:
        return f"is {kind}, which R4 does not have, only {ELSEWHERE[kind]}"
    return f"resourceType is none of R4.{suggestion(kind[:60], resource_types())}"
