"""Every rule that a check names is explained, and none is explained that no check names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fhir_adapter.pipeline.validate
import fhir_adapter.validation
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.primitives import explain as explain_form
from fhir_adapter.validation.rules import explain, own_rules

_FILES = [
    *sorted(Path(fhir_adapter.validation.__file__).parent.glob("*.py")),
    Path(fhir_adapter.pipeline.validate.__file__),
]
# In the calls that say something: which argument is the rule.
_CALLS = {"error": 1, "warning": 1, "say": 2, "Issue": 2, "fault": 0}
# Rules that are worked out, or handed through other functions than those above.
_WORKED_OUT = {
    "json",
    "xhtml-form",
    "fixed",
    "pattern",
    "min-value",
    "max-value",
    "unknown-code",
    "display",
    "too-deep",
}
# Invariants of R4 that are checked without FHIRPath.
_INVARIANTS = {"dom-3", "ele-1", "ref-1", "txt-1", "txt-2"}


def named() -> Iterator[str]:
    for file in _FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                at = _CALLS.get(name, 99)
                if at < len(node.args) and isinstance(argument := node.args[at], ast.Constant):
                    yield str(argument.value)


def test_each_rule_has_an_explanation_and_each_explanation_a_rule() -> None:
    rules = {rule for rule in named() if rule} | _WORKED_OUT
    assert rules - _INVARIANTS == set(own_rules())


@pytest.mark.parametrize("rule", sorted(_INVARIANTS))
def test_an_invariant_is_told_by_r4(rule: str) -> None:
    told = explain(rule, Definitions())
    assert told is not None
    assert told.startswith(f"{rule} (")


@pytest.mark.parametrize("kind", ["date", "code", "uuid", "integer"])
def test_the_form_of_a_primitive_is_told_by_its_type(kind: str) -> None:
    rule, _ = explain_form(kind, 99999999999 if kind == "integer" else "? ")
    assert rule == f"form-{kind}"
    told = explain(rule, Definitions())
    assert told is not None
    assert f"http://hl7.org/fhir/R4/datatypes.html#{kind}" in told


@pytest.mark.parametrize("rule", ["", "nothing", "form-", "form-Patient", "form-nothing"])
def test_what_is_no_rule_is_not_explained(rule: str) -> None:
    assert explain(rule, Definitions()) is None
