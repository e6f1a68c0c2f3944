"""What validation needs of a StructureDefinition, ValueSet, CodeSystem or SearchParameter, without the rest.

The same for HL7's own definitions, which are kept so in the file that ships, and for those of packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["compact"]

_STRUCTURE: Final = (
    "resourceType", "url", "version", "name", "status", "kind", "abstract", "type", "baseDefinition",
    "derivation", "context", "contextInvariant",
)  # fmt: skip

_ELEMENT: Final = (
    "path", "sliceName", "min", "max", "base", "contentReference", "slicing", "maxLength", "representation",
    "mustHaveValue", "valueAlternatives",
)  # fmt: skip

_VALUES: Final = ("fixed", "pattern", "minValue", "maxValue", "defaultValue")

_TYPE: Final = ("profile", "targetProfile", "aggregation", "versioning")

# Copied to each element that they hold for, while the types that they come from have them too.
_OF_THE_TYPE: Final = frozenset({"ele-1", "ext-1"})

_BEST_PRACTICE: Final = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"
_MAX_VALUE_SET: Final = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
_FHIR_TYPE: Final = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_FROM_R5: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition."
_LANGUAGES: Final = "http://hl7.org/fhir/StructureDefinition/narrative-language-control"
_PROFILE_ELEMENT: Final = "http://hl7.org/fhir/StructureDefinition/elementdefinition-profile-element"
_SYSTEM_TYPE: Final = "http://hl7.org/fhirpath/System."


def compact(resource: dict[str, Any]) -> dict[str, Any] | None:
    """The resource without what validation has no use for; ``None`` for kinds that have a use only whole.

    A StructureDefinition keeps ``snapshot`` or, without one, ``differential``, each a list of elements. The
    concepts of a CodeSystem become ``{code: [display, [parent, …], [[language, display], …]]}``, in order.
    Raises ``AttributeError``, ``KeyError`` or ``TypeError`` where the resource has not the form of its type.
    """
    made = _MADE.get(resource.get("resourceType", ""))
    return made(resource) if made else None


def _structure(resource: dict[str, Any]) -> dict[str, Any]:
    _has_form(resource, type=str, baseDefinition=str, version=str, context=list)
    for context in resource.get("context", ()):
        _has_form(context, type=str, expression=str)
    made: dict[str, Any] = {name: resource[name] for name in _STRUCTURE if name in resource}
    for view in ("snapshot", "differential"):
        elements = resource.get(view, {}).get("element")
        if elements:
            made[view] = [_element(element) for element in elements]
            break
    return made


def _has_form(holder: Any, **types: type) -> None:
    """Raise ``TypeError`` where an element is there and is not of its type."""
    if not isinstance(holder, dict):
        raise TypeError(holder)
    for name, kind in types.items():
        if name in holder and not isinstance(holder[name], kind):
            raise TypeError(name)


def _element(element: dict[str, Any]) -> dict[str, Any]:
    _has_form(
        element, path=str, sliceName=str, min=int, max=str, maxLength=int, contentReference=str, slicing=dict
    )
    made: dict[str, Any] = {name: element[name] for name in _ELEMENT if name in element}
    made |= {name: value for name, value in element.items() if name.startswith(_VALUES)}
    if element.get("isModifier") and "." not in element["path"]:
        made["isModifier"] = True  # of an extension
    if "type" in element:
        made["type"] = [_type(kind) for kind in element["type"]]
    if "constraint" in element:
        rules = [
            _constraint(rule)
            for rule in element["constraint"]
            if "." not in element["path"] or rule.get("key") not in _OF_THE_TYPE
        ]
        if rules:
            made["constraint"] = rules
    binding = element.get("binding")
    if binding:
        _has_form(binding, strength=str, valueSet=str)
        made["binding"] = {name: binding[name] for name in ("strength", "valueSet") if name in binding}
        for extension in binding.get("extension", ()):
            if extension.get("url") == _MAX_VALUE_SET:
                made["binding"]["max"] = extension.get("valueCanonical") or extension.get("valueUri")
    for extension in element.get("extension", ()):
        name = extension.get("url", "").removeprefix(_FROM_R5)
        if name == "mustHaveValue" and extension.get("valueBoolean"):
            made[name] = True
        elif name == "valueAlternatives":
            made.setdefault(name, []).append(extension.get("valueCanonical") or extension.get("valueUri"))
        elif extension.get("url") == _LANGUAGES:
            made.setdefault("languages", []).append(extension.get("valueCode"))
    return made


def _type(kind: dict[str, Any]) -> dict[str, Any]:
    code = kind.get("code", "")
    if code.startswith(_SYSTEM_TYPE):
        # A primitive's own value: FHIRPath's type is named, and FHIR's in an extension.
        told = [
            one.get("valueUrl") or one.get("valueUri")
            for one in kind.get("extension", kind.get("_code", {}).get("extension", ()))
            if one.get("url") == _FHIR_TYPE
        ]
        code = told[0] if told and told[0] else code.removeprefix(_SYSTEM_TYPE).lower()
    made: dict[str, Any] = {"code": code} | {name: kind[name] for name in _TYPE if name in kind}
    for index, beside in enumerate(kind.get("_profile", ())):
        for extension in (beside or {}).get("extension", ()):
            if extension.get("url") == _PROFILE_ELEMENT and index < len(made["profile"]):
                # Not the profile as a whole: one element of it.
                made["profile"] = [*made["profile"]]
                made["profile"][index] += f"#{extension.get('valueString')}"
    return made


def _constraint(rule: dict[str, Any]) -> dict[str, Any]:
    _has_form(rule, key=str, severity=str, human=str, expression=str)
    made: dict[str, Any] = {
        name: rule[name] for name in ("key", "severity", "human", "expression") if name in rule
    }
    if any(one.get("url") == _BEST_PRACTICE and one.get("valueBoolean") for one in rule.get("extension", ())):
        made["bestPractice"] = True
    return made


def _value_set(resource: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: resource[name] for name in ("resourceType", "url", "version", "name") if name in resource
    }
    compose = resource.get("compose")
    if compose:
        for part in [*compose.get("include", ()), *compose.get("exclude", ())]:
            _has_form(part, system=str)
            for rule in part.get("filter", ()):
                _has_form(rule, property=str, op=str, value=str)
            for url in part.get("valueSet", ()):
                _has_form({"url": url}, url=str)
        made["compose"] = {
            name: [
                {key: value for key, value in part.items() if key not in ("concept", "extension")}
                | (
                    {"concept": [concept.get("code") for concept in part["concept"]]}
                    if "concept" in part
                    else {}
                )
                for part in compose[name]
            ]
            for name in ("include", "exclude")
            if name in compose
        }
    elif "expansion" in resource:
        made["expansion"] = [
            [one.get("system"), one["code"]] for one in _contains(resource["expansion"]) if "code" in one
        ]
    return made


def _contains(expansion: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in expansion.get("contains", ()):
        if not one.get("abstract"):
            yield one
        yield from _contains(one)


def _code_system(resource: dict[str, Any]) -> dict[str, Any]:
    names = ("resourceType", "url", "version", "name", "content", "caseSensitive", "supplements", "valueSet")
    made: dict[str, Any] = {name: resource[name] for name in names if name in resource}
    made["concept"] = dict(_concepts(resource, ""))
    return made


def _concepts(holder: dict[str, Any], parent: str) -> Iterator[tuple[str, list[Any]]]:
    for concept in holder.get("concept", ()):
        code = concept.get("code")
        if not isinstance(code, str):
            continue
        above = [parent] if parent else []
        above += [
            one["valueCode"]
            for one in concept.get("property", ())
            if one.get("code") in ("parent", "subsumedBy") and "valueCode" in one
        ]
        designations = [
            [one.get("language", ""), one["value"]]
            for one in concept.get("designation", ())
            if "value" in one
        ]
        yield code, [concept.get("display", ""), above, designations]
        yield from _concepts(concept, code)


def _search_parameter(resource: dict[str, Any]) -> dict[str, Any]:
    names = ("resourceType", "url", "version", "code", "base", "type")
    return {name: resource[name] for name in names if name in resource}


_MADE: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "StructureDefinition": _structure,
    "ValueSet": _value_set,
    "CodeSystem": _code_system,
    "SearchParameter": _search_parameter,
}
