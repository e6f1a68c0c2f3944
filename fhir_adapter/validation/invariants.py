"""Invariants of types and profiles, in FHIRPath. https://hl7.org/fhir/R4/conformance-rules.html#constraints

Each expression is compiled when it is first needed. A rule that is marked as best practice is left out unless
the settings ask for it. What a rule cannot decide with what is at hand is said as information.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from fhir_adapter.validation import narrative
from fhir_adapter.validation.bindings import in_value_set
from fhir_adapter.validation.definitions.store import core
from fhir_adapter.validation.fhirpath import (
    Environment,
    FhirPathError,
    Model,
    Node,
    NotAnExpression,
    Undecidable,
    compile,
)
from fhir_adapter.validation.model import Constraint
from fhir_adapter.validation.run import Path, Run

__all__ = ["compile_rules", "environment", "types"]

Check = Callable[..., None]
"""Takes a value, its path, the run, and the ``_`` sibling of a primitive where it has one."""

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"

# Checked without FHIRPath, each where its subject is: ele-1 in the plans of types, dom-3 in contained,
# ref-1 in references, txt-1 and txt-2 in narrative.
_ELSEWHERE: Final = frozenset({"ele-1", "dom-3", "ref-1", "txt-1", "txt-2"})

# Expressions of 4.0.1 that do not say what their text says, as later versions of FHIR have mended them.
_MENDED: Final = {
    "fullUrl.contains('/_history/').not()": "fullUrl.exists() implies fullUrl.contains('/_history/').not()",
    "enableWhen.count() > 2 implies enableBehavior.exists()":
        "enableWhen.count() >= 2 implies enableBehavior.exists()",
    "(component.empty() and hasMember.empty()) implies (dataAbsentReason or value)":
        "(component.empty() and hasMember.empty()) implies (dataAbsentReason.exists() or value.exists())",
    "isModifier implies isModifierReason.exists()":
        "(isModifier.exists() and isModifier) implies isModifierReason.exists()",
    "snapshot.element.all(id) and snapshot.element.id.trace('ids').isDistinct()":
        "snapshot.element.all(id.exists()) and snapshot.element.id.trace('ids').isDistinct()",
    "differential.element.all(id) and differential.element.id.trace('ids').isDistinct()":
        "differential.element.all(id.exists()) and differential.element.id.trace('ids').isDistinct()",
    "($this as dateTime).toString().length() >= 8":
        "($this is dateTime) implies (($this as dateTime).toString().length() >= 8)",
    "targetProfile.exists() implies (type = 'Reference' or type = 'canonical')":
        "targetProfile.exists() implies (type = 'Reference' or type = 'canonical' or"
        " type.memberOf('http://hl7.org/fhir/ValueSet/resource-types'))",
    # This one is right, and asks for all codes of the components at once instead of one by one.
    "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()":
        "value.empty() or component.code.coding.intersect(%resource.code.coding).empty()",
    "probability is decimal implies (probability as decimal) <= 100":
        "probability.empty() or ((probability is decimal) implies ((probability as decimal) <= 100))",
}  # fmt: skip


@cache
def types() -> Model:
    """R4's types as FHIRPath knows them."""
    return Model(lambda name: core("StructureDefinition", _BASE + name))


def compile_rules(constraints: tuple[Constraint, ...], type: str) -> Check | None:
    """One check for all ``constraints`` of an element of ``type``; ``None`` where there is none to check."""
    wanted = [rule for rule in constraints if rule.key not in _ELSEWHERE]
    always = [_Rule(rule, type) for rule in wanted if not rule.best_practice]
    all_rules = [_Rule(rule, type) for rule in wanted]
    if not wanted:
        return None
    if not always and all(rule.best_practice for rule in wanted):

        def rarely(value: Any, path: Path, run: Run, beside: Any = None) -> None:
            if run.settings.best_practice:
                _evaluate(all_rules, value, type, path, run, beside)

        return rarely

    def check(value: Any, path: Path, run: Run, beside: Any = None) -> None:
        _evaluate(all_rules if run.settings.best_practice else always, value, type, path, run, beside)

    return check


class _Rule:
    """An invariant of a type. An object that has none of ``about`` keeps it.

    ``looks_around``: whether its answer may hang on more than the object. Both are known once it was asked.
    """

    __slots__ = ("about", "constraint", "holds", "looks_around", "type")

    def __init__(self, constraint: Constraint, type: str) -> None:
        self.constraint, self.type = constraint, type
        self.about: tuple[str, ...] = ()
        self.looks_around = False
        self.holds: Callable[[Any, Environment], bool] = self._first

    def _first(self, node: Any, surroundings: Environment) -> bool:
        text = self.constraint.expression
        compiled = compile(_MENDED.get(text, text))
        self.holds, self.looks_around = compiled.holds, compiled.looks_around
        elements = types().type(self.type).elements
        keys = [elements[name].keys for name in compiled.true_without if name in elements]
        self.about = tuple(sorted(keys, key=len)[0]) if keys else ()
        return self.holds(node, surroundings)


def _evaluate(rules: list[_Rule], value: Any, type: str, path: Path, run: Run, beside: Any) -> None:
    node: Any = None
    for rule in rules:
        if rule.about and value.__class__ is dict:
            for key in rule.about:
                if key in value:
                    break
            else:
                continue
        if node is None:
            surroundings = environment(run)
            node = types().node(value) if type == "Resource" else Node(value, types().type(type), beside)
        try:
            holds = rule.holds(node, surroundings)
            run.around += rule.looks_around
            if holds:
                continue
            constraint = rule.constraint
            severity: Any = "error" if constraint.severity == "error" else "warning"
            run.say(severity, path, constraint.key, constraint.human, "invariant")
        except Undecidable:
            run.say(
                "information",
                path,
                rule.constraint.key,
                "could not be decided with what is at hand",
                "not-found",
            )
        except NotAnExpression as fault:
            message = f"the invariant's FHIRPath cannot be read: {fault}"
            run.error(path, rule.constraint.key, message, "exception")
        except FhirPathError as fault:
            if any(issue.severity == "error" for issue in run.issues):
                continue  # as a rule because of what is said already: a number where a text should be
            run.error(
                path, rule.constraint.key, f"the invariant cannot be evaluated here: {fault}", "exception"
            )


def environment(run: Run) -> Environment:
    """The surroundings of the resource that is being checked, made once for each."""
    scope = run.scope
    known = run.surroundings
    if known is not None and known[0] is scope.resource:
        made: Environment = known[1]
        return made
    from fhir_adapter.validation.references import find

    container = scope.container
    resource = Node(scope.resource, types().type(scope.type))
    root = resource if container is scope else Node(container.resource, types().type(container.type))

    def resolve(reference: str) -> Node | None:
        target = find(reference, run)
        if target is None and reference.startswith("#") and scope.type == "Bundle":
            return _in_entries(scope.resource, reference[1:])
        return None if target is None else Node(target.resource, types().type(target.type))

    def member_of(node: Node, value_set: str) -> bool | None:
        return in_value_set(run, value_set, node.value)

    def conforms_to(node: Node, profile: str) -> bool | None:
        from fhir_adapter.validation.profiles import plan_of

        name = profile.partition("|")[0].removeprefix(_BASE)
        plan = plan_of(run.definitions, profile)
        if plan is None:
            return name in (node.type.name, *node.type.ancestors) if "/" not in name else None
        return run.tried(lambda: plan.check(node.value, scope.path, run))

    made = Environment(
        resource,
        root,
        resolve=resolve,
        member_of=member_of,
        conforms_to=conforms_to,
        html=lambda text: not narrative.faults(text),
    )
    run.surroundings = (scope.resource, made)
    return made


def _in_entries(bundle: dict[str, Any], id: str) -> Node | None:
    """A contained resource of an entry: FHIRPath does not say in which of them the reference stands."""
    for entry in bundle.get("entry", ()):
        held = entry.get("resource", {}).get("contained", ()) if isinstance(entry, dict) else ()
        for one in held if isinstance(held, list) else ():
            if isinstance(one, dict) and one.get("id") == id:
                return types().node(one)
    return None
