"""``validate`` as a whole: its answers, and that nothing makes it fail. Its checks: ``test_checks``."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.validation import NOT_CHECKED, Issue, validate
from fhir_adapter.validation.versions import ELSEWHERE
from tests.validation.fuzz import damaged, damaged_definitions, resources

Resource = dict[str, Any]

OBSERVATION: Resource = {
    "resourceType": "Observation",
    "id": "a",
    "status": "final",
    "category": [{"text": "laboratory"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2885-2"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2024-03-15T14:30:00+08:00",
    "valueQuantity": {"value": Decimal("7.20"), "unit": "g/dL"},
    "note": [{"text": "x"}],
}
PATIENT: Resource = {"resourceType": "Patient", "active": True}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("DeviceUsage", "only R5"), ("ProcedureRequest", "only STU3"), ("MedicationOrder", "only DSTU2"),
     ("Citation", "only R4B and R5")],
)  # fmt: skip
def test_another_version_is_named(kind: str, said: str) -> None:
    assert kind in ELSEWHERE
    (issue,) = validate({"resourceType": kind})
    assert said in issue.message


def test_several_faults_are_told_and_each_once() -> None:
    found = validate(OBSERVATION | {"status": "x", "valueString": "x", "issued": "yesterday", "banana": 1})
    assert sorted(issue.rule for issue in found) == ["binding", "choice", "form-instant", "unknown-element"]


def test_what_a_profile_asks_again_is_told_once() -> None:
    profiles = ["http://hl7.org/fhir/StructureDefinition/bodyweight"] * 2
    found = validate(OBSERVATION | {"meta": {"profile": profiles}}, profiles=profiles)
    assert len(found) == len(set(found))


def test_the_place_stands_before_each_expression() -> None:
    (issue,) = validate(PATIENT | {"gender": "x"}, place="Bundle.entry[7].resource")
    assert issue.expression == "Bundle.entry[7].resource.gender"


def test_an_issue_names_the_property_that_no_expression_can() -> None:
    (issue,) = validate(PATIENT | {"banana": 1})
    assert (issue.severity, issue.code, issue.expression, issue.property) == (
        "error",
        "structure",
        "Patient",
        "banana",
    )


def test_messages_quote_no_values() -> None:
    name = "Zhang San 1990"
    hidden = {"a": name, name: name}
    found: list[Issue] = []
    for value in (name, [name], hidden, [hidden], 19900101, [19900101]):
        for element in OBSERVATION:
            found += validate(OBSERVATION | {element: value})
        for inner in ("coding", "text"):
            found += validate(OBSERVATION | {"code": {inner: value}})
        for inner in ("reference", "type", "identifier", "display"):
            found += validate(OBSERVATION | {"subject": {inner: value}})
        found += validate({"resourceType": value})
        found += validate(PATIENT | {"text": {"status": "generated", "div": value}, "birthDate": value})
    assert len(found) > 100
    quoting = [issue for issue in found if any(word in str(issue) for word in ("Zhang", "San", "19900101"))]
    assert quoting == []


def test_what_is_nested_too_deeply_is_said() -> None:
    item: Resource = {"linkId": "x"}
    for _ in range(2000):
        item = {"linkId": "x", "item": [item]}
    resource = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": [item]}
    assert "too-deep" in [issue.rule for issue in validate(resource)]


def test_what_cannot_be_checked_is_told_in_plain_words() -> None:
    assert any("LOINC" in phrase for phrase in NOT_CHECKED)
    assert not [phrase for phrase in NOT_CHECKED if phrase.endswith(".") or "\n" in phrase]


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, fhir_adapter.validation; print({'jsonschema', 'fhir', 'pydantic'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_numbers_of_any_length() -> None:
    assert validate(OBSERVATION | {"valueQuantity": {"value": 10**5000}}) == []
    assert validate(OBSERVATION) == []
    (issue,) = validate(OBSERVATION | {"valueQuantity": {"value": Decimal("NaN")}})
    assert issue.rule == "form-decimal"


def test_time_is_linear_in_the_size_of_a_bundle() -> None:
    def spent(number: int) -> float:
        entries = [
            {"fullUrl": f"http://s.test/Observation/{one}", "resource": OBSERVATION | {"id": str(one)}}
            for one in range(number)
        ]
        begin = time.process_time()
        assert validate({"resourceType": "Bundle", "type": "collection", "entry": entries}) == []
        return time.process_time() - begin

    spent(10)
    small = min(spent(250) for _ in range(3))
    assert spent(4000) < 16 * small * 3  # were it quadratic, it would be 256


NAMES = st.sampled_from(
    ["resourceType", "id", "_id", "status", "code", "subject", "valueQuantity", "valueString", "value",
     "component", "contained", "entry", "resource", "name", "given", "_given", "extension", "url", "outcome",
     "meta", "profile", "text", "div", "reference", "coding", "system", "item", "linkId", "questionnaire"]
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["Patient", "Bundle", "final", "2024-02-30", "Banana/1", "#a"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
KINDS = [
    "Observation",
    "Patient",
    "Bundle",
    "Parameters",
    "QuestionnaireResponse",
    "StructureDefinition",
    "MeasureReport",
]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=8), st.sampled_from(KINDS))
def test_random_objects_never_raise(resource: Resource, kind: str) -> None:
    for one in (resource, resource | {"resourceType": kind}):
        assert all(issue.rule and issue.message for issue in validate(one))


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_random_damage_never_raises(chance: Any) -> None:
    definitions, whole = resources()
    issues = validate(damaged(chance.choice(whole), chance), definitions=definitions)
    assert all(issue.rule and issue.message for issue in issues)


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_random_damage_to_definitions_never_raises(chance: Any) -> None:
    definitions, whole = damaged_definitions(chance), resources()[1]
    for resource in chance.sample(whole, 3):
        assert all(issue.rule and issue.message for issue in validate(resource, definitions=definitions))
