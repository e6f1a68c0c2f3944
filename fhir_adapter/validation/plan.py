"""The types of R4 compiled: one call checks an element with all that is in it.

A ``Plan`` belongs to a type or a backbone element, and to the ``Plans`` of all types: those of whole
resources, or those of ``parts``, which look at some elements only. Its fields are closures by the name that a
child has in JSON; nothing looks into a StructureDefinition while a resource is checked. What is checked here
is structure: https://hl7.org/fhir/R4/json.html and the cardinalities, types, bindings, and invariants of the
type's own definition. What R4 says of a type in words is in the modules that ``_OF_TYPE`` names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

from fhir_adapter.validation import datatypes, extensions, invariants, narrative, references
from fhir_adapter.validation.alike import CONTAINED, LEADS_OUT, once
from fhir_adapter.validation.bindings import bound_check, check_coding
from fhir_adapter.validation.issue import shown, suggestion
from fhir_adapter.validation.model import Constraint, Element, Model, TypeRef, model
from fhir_adapter.validation.primitives import FORMS, explain
from fhir_adapter.validation.profiles import conforms_to
from fhir_adapter.validation.run import Path, Run

__all__ = ["Plan", "Plans", "plan"]

Json = dict[str, Any]
Field = Callable[[Json, Any, Path, Run], None]
Check = Callable[[Any, Path, Run], None]

_NAME: Final = re.compile(r"[A-Za-z]+")

# Elements of the types that R4 says more about than their definitions do.
_OF_TYPE: Final[dict[str, Check]] = {
    "Coding": check_coding,
    "Attachment": datatypes.check_attachment,
    "Identifier": datatypes.check_identifier,
    **dict.fromkeys(("Quantity", "Age", "Count", "Distance", "Duration"), datatypes.check_quantity),
    "Reference": references.check_form,
}


class Plan:
    """The compiled checks of a type or a backbone element; compiled when first used."""

    __slots__ = ("check", "name", "plans")

    def __init__(self, name: str, plans: Plans) -> None:
        self.name, self.plans = name, plans
        self.check: Check = self._first

    def _first(self, value: Any, path: Path, run: Run) -> None:
        self.check = _compile(self.name, self.plans)
        self.check(value, path, run)


class _Part:
    """A plan with further checks, for what stands directly in a resource: what is alike is looked at once."""

    __slots__ = ("check",)

    def __init__(self, inner: Plan, checks: tuple[Check, ...], leads_out: tuple[bytes, ...]) -> None:
        def whole(value: Any, path: Path, run: Run) -> None:
            inner.check(value, path, run)
            for further in checks:
                further(value, path, run)

        self.check: Final[Check] = once(whole, leads_out)


class Plans:
    """The plans of all types, by name: ``Quantity``, or an element with children, ``Observation.component``.

    ``parts`` names the elements of each that are looked at; without it all are.
    ``forms`` says of each primitive type whether a value has its form.
    """

    def __init__(
        self,
        parts: Mapping[str, Collection[str]] | None = None,
        forms: Mapping[str, Callable[[Any], bool]] = FORMS,
    ) -> None:
        self.parts, self.forms = parts, forms
        self._made: dict[str, Plan] = {}

    def __call__(self, name: str) -> Plan:
        """The plan of a type or of an element with children."""
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = Plan(name, self)
        return found

    def elements(self, described: Model) -> Iterable[Element]:
        """The elements of a type that are looked at."""
        every = described.elements.values()
        if self.parts is None:
            return every
        names = self.parts.get(described.name, ())
        return [element for element in every if element.name in names]

    def passed_over(self, described: Model) -> Collection[str] | None:
        """What else may stand beside the elements that are looked at; ``None`` for anything.

        What R4 does not have in a datatype of which something is read may be meant for that.
        """
        if self.parts is None:
            return ("resourceType",) if described.kind == "resource" else ()
        if described.kind == "resource" or described.name not in self.parts:
            return None
        return frozenset(described.keys) | {f"_{key}" for key in described.keys}

    def rules(self, constraints: tuple[Constraint, ...], name: str) -> tuple[Constraint, ...]:
        """The invariants to keep: of parts those that are about an element of ``name`` that is looked at.

        Those of every resource (dom-2 and on) are about what holds it together, not about what it says.
        """
        if self.parts is None:
            return constraints
        names = frozenset(self.parts.get(name, ()))
        return tuple(
            rule
            for rule in constraints
            if not rule.key.startswith("dom-") and not names.isdisjoint(_NAME.findall(rule.expression))
        )


plan: Final = Plans()
"""The plans of whole resources."""


def _compile(name: str, plans: Plans) -> Check:
    described = model(name)
    if described is None:
        raise KeyError(name)
    whole = plans.parts is None
    fields: dict[str, Field] = {}
    required: list[tuple[str, frozenset[str]]] = []
    for element in plans.elements(described):
        keys = frozenset(element.key(type.code) for type in element.types)
        for type in element.types:
            key = element.key(type.code)
            field = _field(described.kind, element, type, key, plans)
            fields[key] = _only_one(element.name, key, keys, field) if len(keys) > 1 else field
            if whole and type.code in FORMS:
                sibling = _sibling(element, type, key, plans)
                fields[f"_{key}"] = _only_one(element.name, key, keys, sibling) if len(keys) > 1 else sibling
                if key == "id" and described.kind == "resource":
                    fields["_id"] = _plain_id(fields["_id"])
        if element.least:
            required.append((f"{element.name}[x]" if element.choice else element.name, element.keys))
    get, passed_over = fields.get, plans.passed_over(described)
    of_type = tuple(check for check in (_OF_TYPE.get(name),) if check)
    rules = invariants.compile_rules(plans.rules(described.constraints, name), name)
    needed = tuple(required)
    is_resource = described.kind == "resource"

    def check(value: Any, path: Path, run: Run) -> None:
        if not value:
            run.error(path, "empty", "is an empty object; leave it out, or give it content", "structure")
        elif len(value) == 1 and "id" in value and not is_resource:
            # ele-1 of every element: https://hl7.org/fhir/R4/element.html
            run.error(path, "ele-1", "has an id alone; expected a value or children", "invariant")
        for key, item in value.items():
            field = get(key)
            if field is not None:
                field(value, item, path, run)
            elif passed_over is not None and key not in passed_over:
                _unknown(key, fields, path, run)
        for missing, names in needed:
            if names.isdisjoint(value):
                run.error(path, "cardinality", f"{missing} is missing; at least 1 is required", "required")
        for further in of_type:
            further(value, path, run)
        if rules is not None:
            rules(value, path, run)

    return check


def _unknown(key: str, fields: dict[str, Field], path: Path, run: Run) -> None:
    """An element that the type does not have. https://hl7.org/fhir/R4/json.html#2.6.2"""
    if key == "fhir_comments":
        run.error(path, "unknown-element", "fhir_comments is of an older version", "structure", key)
        return
    near = suggestion(key, (name for name in fields if name[0] != "_"))
    run.error(
        path, "unknown-element", f"{shown(key)} is no element at this place.{near}", "structure", shown(key)
    )


def _only_one(stem: str, key: str, keys: frozenset[str], field: Field) -> Field:
    """value[x] is one element, of one type. https://hl7.org/fhir/R4/formats.html#choice"""
    others = (keys | {f"_{name}" for name in keys}) - {key, f"_{key}"}

    def check(holder: Json, value: Any, path: Path, run: Run) -> None:
        if not others.isdisjoint(holder):
            first = next(name for name in holder if name.removeprefix("_") in keys)
            if first.removeprefix("_") != key:
                message = f"{key} stands beside {first.removeprefix('_')}; {stem}[x] has one type only"
                run.error(path, "choice", message, "structure", key)
        field(holder, value, path, run)

    return check


def _field(holder_kind: str, element: Element, type: TypeRef, key: str, plans: Plans) -> Field:
    step = element.step(type.code)
    if type.code == "Resource":
        return _resources(element) if element.repeats else _resource(element)
    if type.code == "xhtml":
        return _narrative(step)
    checks = _checks(element, type, plans)
    if type.code in FORMS:
        ok, kind = plans.forms[type.code], type.code
        if key == "id" and holder_kind == "resource":
            ok, kind = plans.forms["id"], "id"
        if kind == "url":
            checks = (*checks, datatypes.no_example)
        if kind == "canonical":
            checks = (*checks, references.check_canonical)
        if key == "id" and holder_kind != "resource":
            checks = (*checks, _unique)
        limit = element.definition.get("maxLength")
        if limit is not None and limit < 1048576:
            checks = (*checks, datatypes.longest(limit))
        return (
            _primitives(step, key, ok, kind, checks)
            if element.repeats
            else _primitive(step, ok, kind, checks)
        )
    planned = plans(type.content)
    inner: Plan | _Part = planned
    if type.code == "Extension":
        checks = (partial(extensions.check, modifier=element.name == "modifierExtension"),)
    if holder_kind == "resource":
        # Where not all is looked at, references have their form only, and ids and extensions nothing.
        leads_out = LEADS_OUT if plans.parts is None else CONTAINED
        inner, checks = _Part(planned, checks, leads_out), ()
    return _objects(step, inner, checks) if element.repeats else _object(step, inner, checks)


def _checks(element: Element, type: TypeRef, plans: Plans) -> tuple[Check, ...]:
    """What the element's own definition asks, beyond what its type asks anyway."""
    found: list[Check] = []
    if element.binding is not None:
        bound = bound_check(element.binding, type.code)
        if bound is not None:
            found.append(bound)
    if type.code in ("Reference", "canonical"):
        found += references.target_checks(type)
    if type.profiles:
        found.append(conforms_to(type.profiles))
    lowest, highest = datatypes.limits(element.definition)
    found += [check for check in (lowest, highest) if check]
    rules = invariants.compile_rules(plans.rules(element.constraints, type.content), type.content)
    if rules is not None:
        found.append(rules)
    return tuple(found)


def _primitive(step: str, ok: Callable[[Any], bool], kind: str, checks: tuple[Check, ...]) -> Field:
    if not checks:

        def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
            if not ok(value):
                _malformed(kind, value, (path, step, -1), run)

        return check

    def check_more(_holder: Json, value: Any, path: Path, run: Run) -> None:
        here = (path, step, -1)
        if not ok(value):
            _malformed(kind, value, here, run)
            return
        for further in checks:
            further(value, here, run)

    return check_more


def _unique(value: Any, path: Path, run: Run) -> None:
    """Element.id is unique in the resource. https://hl7.org/fhir/R4/element.html#id

    A StructureDefinition's snapshot and its differential have the same ids, each once (sdf-16, sdf-17).
    """
    part = _part(path, run) if run.scope.type == "StructureDefinition" else ""
    seen = run.memo.setdefault(("element ids", id(run.scope.resource), part), set())
    if value in seen:
        run.error(
            path[0], "duplicate-id", "has an id that another element of the resource has, too", "invalid"
        )
    seen.add(value)


def _part(path: Path, run: Run) -> str:
    """The element of the resource that ``path`` is in."""
    while path[0] is not None and path[0] != run.scope.path:
        path = path[0]
    return path[1]


def _malformed(kind: str, value: Any, path: Path, run: Run) -> None:
    rule, message = explain(kind, value)
    run.error(path, rule, message, "structure" if rule in ("null", "json-type") else "value")


def _primitives(
    step: str, key: str, ok: Callable[[Any], bool], kind: str, checks: tuple[Check, ...]
) -> Field:
    under = f"_{key}"

    def check(holder: Json, value: Any, path: Path, run: Run) -> None:
        if type(value) is not list or not value:
            _no_items(value, (path, step, -1), run)
            return
        for index, item in enumerate(value):
            if ok(item):
                for further in checks:
                    further(item, (path, step, index), run)
            elif item is None:
                # A null keeps the place of a value that has an extension instead.
                beside = holder.get(under)
                if type(beside) is not list or index >= len(beside) or beside[index] is None:
                    run.error(
                        (path, step, index), "null", "is null, and nothing stands in its place", "structure"
                    )
            else:
                _malformed(kind, item, (path, step, index), run)

    return check


def _sibling(element: Element, type: TypeRef, key: str, plans: Plans) -> Field:
    """``_name``: id and extensions of a primitive. https://hl7.org/fhir/R4/json.html#primitive"""
    step = element.step(type.code)
    inner = plans(type.code)

    def one(value: Any, has_value: bool, path: Path, run: Run) -> None:
        if value.__class__ is not dict:
            run.error(path, "json-type", f"is {_json(value)}; expected an object", "structure")
            return
        if not value:
            run.error(path, "empty", "is an empty object; leave it out, or give it content", "structure")
            return
        if "value" in value:
            _unknown("value", {}, path, run)
        if has_value and len(value) == 1 and "id" in value:
            return
        inner.check({name: item for name, item in value.items() if name != "value"}, path, run)

    def single(holder: Json, value: Any, path: Path, run: Run) -> None:
        one(value, key in holder, (path, step, -1), run)

    def many(holder: Json, value: Any, path: Path, run: Run) -> None:
        if value.__class__ is not list:
            run.error((path, step, -1), "json-type", f"is {_json(value)}; expected an array", "structure")
            return
        values = holder.get(key)
        values = values if values.__class__ is list else []
        for index, item in enumerate(value):
            has_value = index < len(values) and values[index] is not None
            if item is not None:
                one(item, has_value, (path, step, index), run)
            elif not has_value and index >= len(values):
                run.error(
                    (path, step, index), "null", "is null, and nothing stands in its place", "structure"
                )

    return many if element.repeats else single


def _plain_id(field: Field) -> Field:
    """A resource's id has no extensions: it is part of URLs. https://hl7.org/fhir/R4/resource.html#id"""

    def check(holder: Json, value: Any, path: Path, run: Run) -> None:
        field(holder, value, path, run)
        if type(value) is dict and "extension" in value:
            run.error(
                (path, "id", -1),
                "id-extension",
                "has extensions, which the id of a resource must not",
                "business-rule",
            )

    return check


def _no_items(value: Any, here: Path, run: Run) -> None:
    """What stands where an array with items belongs."""
    if type(value) is not list:
        run.error(here, "json-type", f"is {_json(value)}; expected an array", "structure")
    else:
        run.error(here, "empty", "is an empty array; leave it out", "structure")


def _object(step: str, inner: Plan | _Part, checks: tuple[Check, ...]) -> Field:
    def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
        here = (path, step, -1)
        if type(value) is not dict:
            run.error(here, "json-type", f"is {_json(value)}; expected an object", "structure")
            return
        inner.check(value, here, run)
        for further in checks:
            further(value, here, run)

    return check


def _objects(step: str, inner: Plan | _Part, checks: tuple[Check, ...]) -> Field:
    def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
        if type(value) is not list or not value:
            _no_items(value, (path, step, -1), run)
            return
        for index, item in enumerate(value):
            here = (path, step, index)
            if type(item) is not dict:
                run.error(here, "json-type", f"is {_json(item)}; expected an object", "structure")
                continue
            inner.check(item, here, run)
            for further in checks:
                further(item, here, run)

    return check


def _narrative(step: str) -> Field:
    def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
        narrative.check(value, (path, step, -1), run)

    return check


def _resource(element: Element) -> Field:
    step = element.name
    role = {"outcome": "outcome"}.get(step, "entry" if element.path.startswith("Bundle") else "parameter")

    def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
        run.enter(run, value, (path, step, -1), role)

    return check


def _resources(element: Element) -> Field:
    step = element.name

    def check(_holder: Json, value: Any, path: Path, run: Run) -> None:
        if type(value) is not list or not value:
            _no_items(value, (path, step, -1), run)
            return
        for index, item in enumerate(value):
            run.enter(run, item, (path, step, index), "contained")

    return check


def _json(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return (
        "a string" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
    )
