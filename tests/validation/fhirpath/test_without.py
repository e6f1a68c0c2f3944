"""What an expression is true without, whatever else there is: by hand, and by all of R4's invariants."""

from __future__ import annotations

import pytest

from fhir_adapter.validation.definitions.store import core, core_urls
from fhir_adapter.validation.fhirpath import Environment, FhirPathError, Model, Node, compile
from fhir_adapter.validation.model import constraints_of

_BASE = "http://hl7.org/fhir/StructureDefinition/"
MODEL = Model(lambda name: core("StructureDefinition", _BASE + name))


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("dataAbsentReason.empty() or value.empty()", ("dataAbsentReason", "value")),
        (
            "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()",
            ("value", "component"),
        ),
        ("abatement.empty() or clinicalStatus.coding.where(code = 'x').exists()", ("abatement",)),
        ("duration.exists() implies duration >= 0", ("duration",)),
        ("link.where(type = 'x').other.empty()", ("link",)),
        ("a.empty() or b.exists() or c.empty()", ("a",)),
        ("a.empty() or (b.empty() or c.exists())", ("a", "b")),
        # These do not hold for an empty a, or not for that alone.
        ("a.exists()", ()),
        ("a.exists() or b.empty()", ()),
        ("a.empty().not()", ()),
        ("a.empty() and b.empty()", ()),
        ("a.empty() xor b.empty()", ()),
        ("(a | b).empty()", ()),
        ("a.count().empty()", ()),
        ("a.empty() implies b", ()),
        ("iif(a, b, c).empty()", ()),
        ("where(a).empty()", ()),
        ("%resource.a.empty()", ()),
    ],
)
def test_the_names_are_those_without_one_of_which_it_is_true(expression: str, names: tuple[str, ...]) -> None:
    assert compile(expression).true_without == names


def test_each_of_r4_s_invariants_holds_without_what_it_is_said_to_hold_without() -> None:
    """On an element that has every other child as an empty object, so that whatever is looked at is there."""
    checked = 0
    for url in core_urls("StructureDefinition"):
        definition = core("StructureDefinition", url)
        assert definition is not None
        for row in definition["snapshot"]:
            type = MODEL.type(row["path"] if "." in row["path"] else definition["type"])
            for rule in constraints_of(row):
                for name in compile(rule.expression).true_without:
                    element = type.elements.get(name)
                    if element is None:
                        continue
                    others: dict[str, object] = {
                        key: {} for other, one in type.elements.items() if other != name for key in one.keys
                    }
                    for content in (dict[str, object](), others):
                        node = Node(content, type)
                        try:
                            held = compile(rule.expression).holds(node, Environment(node))
                        except FhirPathError as fault:
                            pytest.fail(f"{row['path']} {rule.key} without {name}: {fault}")
                        assert held, (row["path"], rule.key, name)
                        checked += 1
    assert checked > 100
