"""What is wrong at some elements of a resource, and nothing about the others; by hand from R4."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.validation.parts import Parts

Resource = dict[str, Any]

ELEMENTS = {
    "Observation": (
        "status", "code", "subject", "effective", "value", "dataAbsentReason", "component", "referenceRange",
    ),
    "Observation.component": ("code", "value", "dataAbsentReason"),
    "Observation.referenceRange": ("low", "high", "text"),
    "MedicationAdministration": ("status", "contained", "medication", "effective", "dosage"),
    "MedicationAdministration.dosage": ("dose",),
    "Medication": ("code",),
    "Condition": ("clinicalStatus", "verificationStatus", "abatement"),
    "Consent": ("policyRule",),
    "Encounter": ("class",),
    "Patient": ("gender", "birthDate"),
    "QuestionnaireResponse": ("item",),
    "QuestionnaireResponse.item": ("linkId", "item"),
    "CodeableConcept": ("coding", "text"),
    "Coding": ("system", "code", "display"),
    "Quantity": ("value", "comparator", "unit", "system", "code"),
    "Reference": ("reference", "identifier"),
    "Identifier": ("system", "value"),
    "Period": ("start", "end"),
}  # fmt: skip
PARTS = Parts(ELEMENTS)
LOCAL = Parts(ELEMENTS, local_times=True)

UCUM = "http://unitsofmeasure.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
IGG: Resource = {"coding": [{"system": "urn:lab", "code": "IGG"}]}
OBSERVATION: Resource = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": IGG,
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2024-04-11T07:26:00+08:00",
    "valueQuantity": {"value": Decimal("12.0"), "unit": "g/L", "system": UCUM, "code": "g/L"},
}
GIVEN: Resource = {
    "resourceType": "MedicationAdministration",
    "status": "completed",
    "medicationCodeableConcept": {"text": "rituximab"},
    "effectiveDateTime": "2024-04-01",
}


def observation(**changes: Any) -> Resource:
    """The Observation with other elements; None takes one away."""
    changed = OBSERVATION | changes
    return {name: value for name, value in changed.items() if value is not None}


def given(**changes: Any) -> Resource:
    return GIVEN | changes


def condition(clinical: str | None, verified: str, **more: Any) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/condition"
    made: Resource = {"resourceType": "Condition", "code": {"text": "x"}, **more}
    made["verificationStatus"] = {"coding": [{"system": f"{system}-ver-status", "code": verified}]}
    if clinical is not None:
        made["clinicalStatus"] = {"coding": [{"system": f"{system}-clinical", "code": clinical}]}
    return made


def found(resource: Resource, parts: Parts = PARTS) -> list[tuple[str, str]]:
    return [(issue.expression, issue.rule) for issue in parts.errors(resource)]


WRONG: dict[str, tuple[Resource, list[tuple[str, str]]]] = {
    "a status is missing": (observation(status=None), [("Observation", "cardinality")]),
    "a status that R4 does not have": (
        observation(status="fnal"), [("Observation.status", "binding")],
    ),
    "a month that the calendar does not have": (
        observation(effectiveDateTime="2024-13-01"),
        [("Observation.effective.ofType(dateTime)", "form-dateTime")],
    ),
    "a day that the calendar does not have": (
        observation(effectiveDateTime="2023-02-29"),
        [("Observation.effective.ofType(dateTime)", "form-dateTime")],
    ),
    "a time without a zone": (
        observation(effectiveDateTime="2024-04-11T07:26:00"),
        [("Observation.effective.ofType(dateTime)", "form-dateTime")],
    ),
    "two times": (
        observation(effectivePeriod={"start": "2024-04-11"}), [("Observation", "choice")],
    ),
    "a period that ends before it begins": (
        observation(effectiveDateTime=None, effectivePeriod={"start": "2024-04-11", "end": "2024-04-10"}),
        [("Observation.effective.ofType(Period)", "per-1")],
    ),
    "a number that is a text": (
        observation(valueQuantity={"value": "12.0", "unit": "g/L"}),
        [("Observation.value.ofType(Quantity).value", "json-type")],
    ),
    "a code of a unit without its system": (
        observation(valueQuantity={"value": 12, "unit": "g/L", "code": "g/L"}),
        [("Observation.value.ofType(Quantity)", "qty-3")],
    ),
    "a comparator that R4 does not have": (
        observation(valueQuantity={"value": 12, "unit": "g/L", "comparator": "~"}),
        [("Observation.value.ofType(Quantity).comparator", "binding")],
    ),
    "a value beside the reason for none": (
        observation(dataAbsentReason={"text": "x"}), [("Observation", "obs-6")],
    ),
    "a component with the code of the whole beside its value": (
        observation(component=[{"code": IGG, "valueString": "x"}]), [("Observation", "obs-7")],
    ),
    "a component without a code": (
        observation(component=[{"valueString": "x"}]), [("Observation.component[0]", "cardinality")],
    ),
    "a range with nothing that is read": (
        observation(referenceRange=[{"appliesTo": [{"text": "x"}]}]),
        [("Observation.referenceRange[0]", "obs-3")],
    ),
    "a limit that is a text": (
        observation(referenceRange=[{"text": "x"}, {"low": {"value": "7"}}]),
        [("Observation.referenceRange[1].low.value", "json-type")],
    ),
    "no code at all": (observation(code={}), [("Observation.code", "empty")]),
    "a code with an id alone": (observation(code={"id": "a"}), [("Observation.code", "ele-1")]),
    "a list of codes": (observation(code=[IGG]), [("Observation.code", "json-type")]),
    "a coding that is a string": (
        observation(code={"coding": ["IGG"]}), [("Observation.code.coding[0]", "json-type")],
    ),
    "a Coding in the place of a CodeableConcept": (
        observation(code={"system": "urn:lab", "code": "IGG"}),
        [("Observation.code", "unknown-element")] * 2,
    ),
    "an element of a Quantity that R4 does not have": (
        observation(valueQuantity={"value": 12, "units": "g/L"}),
        [("Observation.value.ofType(Quantity)", "unknown-element")],
    ),
    "an element of a component that R4 does not have": (
        observation(component=[{"code": {"text": "x"}, "unit": "g/L"}]),
        [("Observation.component[0]", "unknown-element")],
    ),
    "a lone coding": (
        observation(code={"coding": {"code": "IGG"}}), [("Observation.code.coding", "json-type")],
    ),
    "null": (observation() | {"subject": None}, [("Observation.subject", "json-type")]),
    "a reference with a blank": (
        observation(subject={"reference": "Patient 1"}), [("Observation.subject", "reference-form")],
    ),
    "a dosage without an amount": (
        given(dosage={"text": "x"}), [("MedicationAdministration.dosage", "mad-1")],
    ),
    "a list of dosages": (
        given(dosage=[{"dose": {"value": 1}}]), [("MedicationAdministration.dosage", "json-type")],
    ),
    "less than an amount": (
        given(dosage={"dose": {"value": 500, "unit": "mg", "comparator": "<"}}),
        # SimpleQuantity has no comparator, and sqty-1 says so once more.
        [("MedicationAdministration.dosage.dose", rule) for rule in ("cardinality", "sqty-1")],
    ),
    "two medications": (
        given(medicationReference={"reference": "Medication/1"}),
        [("MedicationAdministration", "choice")],
    ),
    "an illness that has ended and is active": (
        condition("active", "confirmed", abatementDateTime="2024"), [("Condition", "con-4")],
    ),
    "an illness entered in error with a status": (
        condition("active", "entered-in-error"), [("Condition", "con-5")],
    ),
    "a sex that R4 does not have": (
        {"resourceType": "Patient", "gender": "F"}, [("Patient.gender", "binding")],
    ),
    "a consent to nothing": ({"resourceType": "Consent"}, [("Consent", "ppc-1")]),
    "no class": ({"resourceType": "Encounter"}, [("Encounter", "cardinality")]),
    "a class that its system does not have": (
        {"resourceType": "Encounter", "class": {"system": ACT, "code": "INPAT"}},
        [("Encounter.class.code", "unknown-code")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(resource: Resource, expected: list[tuple[str, str]]) -> None:
    assert found(resource) == expected


RIGHT: dict[str, Resource] = {
    "an Observation": OBSERVATION,
    "two codings of one concept": observation(code={"coding": [*IGG["coding"], {"code": "x"}], "text": "x"}),
    "a status that is said to be unknown": observation(status=None)
    | {"_status": {"extension": [{"url": "http://x.example", "valueCode": "masked"}]}},
    "a logical reference": observation(subject={"identifier": {"system": "urn:x", "value": "1"}}),
    "a profile that nobody knows": observation(meta={"profile": ["http://x.example/profile"]}),
    "a meta that is none": observation(meta="x"),
    "an extension that nobody knows": observation(extension=[{"url": "http://x.example", "valueCode": "x"}]),
    "an extension of a value that nobody knows": observation(
        valueQuantity={"value": 1, "extension": [{"url": "http://x.example", "valueCode": "x"}]}
    ),
    "a modifier extension that nobody knows": observation(
        modifierExtension=[{"url": "http://x.example", "valueCode": "x"}]
    ),
    "an extension that is none": observation(extension={}),
    "a category that is none": observation(category="laboratory"),
    "a narrative that is none": observation(text={"status": "x", "div": "<p>"}),
    "an element that R4 does not have": observation(colour="red"),
    "what stands beside the value of a primitive": observation(
        valueQuantity={"value": 12, "_value": {"id": "a"}, "id": "b", "extension": [{"url": "urn:x"}]}
    ),
    "an element of a datatype that is not read": observation(
        subject={"reference": "Patient/1", "display": 7}, code={"coding": [{"code": "x", "version": 1}]}
    ),
    "an element of a component that is not read": observation(
        component=[{"code": {"text": "x"}, "interpretation": "H"}]
    ),
    "a value of a type that is not read": observation(
        valueQuantity=None, valueSampledData={"period": "x", "colour": "red"}
    ),
    "contained resources that are not read": observation(contained=[{"resourceType": "Patient"}, 7]),
    "a required element that is not read": {"resourceType": "MedicationAdministration"}
    | {name: GIVEN[name] for name in ("status", "medicationCodeableConcept", "effectiveDateTime")},
    "an Observation of a vital sign that does not conform to its profile": observation(
        code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        valueQuantity={"value": 60, "unit": "beats"},
    ),
    "a display in the hospital's own language": {
        "resourceType": "Encounter",
        "class": {"system": ACT, "code": "IMP", "display": "住院"},
    },
    "a code that nothing at hand can decide": observation(
        code={"coding": [{"system": "http://loinc.org", "code": "no"}]}
    ),
    "a code outside of an extensible value set": observation(
        valueQuantity=None, dataAbsentReason={"coding": [{"system": "urn:lab", "code": "x"}]}
    ),
    "a medication in the resource itself": {
        **{name: value for name, value in GIVEN.items() if name != "medicationCodeableConcept"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "x"}, "status": "x"}],
        "medicationReference": {"reference": "#m"},
    },
    "a type of which nothing is read": {"resourceType": "Specimen", "status": 7},
    "no type": {"status": 7},
    "a type that is none": {"resourceType": ["Observation"], "status": 7},
    "a contained resource of a type that is none": observation(contained=[{"resourceType": {}}]),
}


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT)
def test_what_is_right_or_not_looked_at_is_no_error(resource: Resource) -> None:
    assert found(resource) == []


def test_a_contained_medication_is_looked_at_where_it_is_read() -> None:
    given: Resource = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "contained": [{"resourceType": "Medication", "id": "m", "code": "rituximab"}],
        "medicationReference": {"reference": "#n"},
        "effectiveDateTime": "2024-04-01",
    }
    assert sorted(found(given)) == [
        ("MedicationAdministration.contained[0].code", "json-type"),
        ("MedicationAdministration.medication.ofType(Reference)", "ref-1"),
        ("MedicationAdministration.medication.ofType(Reference)", "reference-contained"),
    ]


@pytest.mark.parametrize(
    ("time", "rules"),
    [
        ("2024-04-11T07:26:00", []),
        ("2024-04-11T07:26:00+08:00", []),
        ("2024-04-11", []),
        ("2024-04-11T07:26", ["form-dateTime"]),
        ("2024-02-30T07:26:00", ["form-dateTime"]),
        ("2024-04Z", ["form-dateTime"]),
    ],
)
def test_times_without_a_zone_can_be_let_pass(time: str, rules: list[str]) -> None:
    assert [rule for _, rule in found(observation(effectiveDateTime=time), LOCAL)] == rules


def test_several_errors_are_all_named() -> None:
    resource = observation(status="fnal", effectiveDateTime="yesterday")
    assert sorted(rule for _, rule in found(resource)) == ["binding", "form-dateTime"]


def test_a_resource_that_is_nested_too_deeply_is_an_error() -> None:
    item: Resource = {"linkId": "1"}
    for _ in range(20_000):
        item = {"linkId": "1", "item": [item]}
    assert found({"resourceType": "QuestionnaireResponse", "item": [item]}) == [
        ("QuestionnaireResponse", "too-deep")
    ]


def test_what_was_right_once_is_right_only_as_it_was() -> None:
    """Judged one after another by the same parts, as in a run."""
    parts = Parts(ELEMENTS)
    for value in (Decimal("12.0"), "12.0", Decimal("12.0"), True, 12):
        wrong = [] if isinstance(value, (int, Decimal)) and value is not True else ["json-type"]
        resource = observation(valueQuantity={"value": value, "unit": "g/L"})
        assert [rule for _, rule in found(resource, parts)] == wrong
    reference = {"medicationReference": {"reference": "#m"}}
    held = {"contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "x"}}]}
    given = {name: value for name, value in GIVEN.items() if name != "medicationCodeableConcept"} | reference
    assert found(given | held, parts) == []
    assert {rule for _, rule in found(given, parts)} == {"ref-1", "reference-contained"}


def test_half_of_a_surrogate_pair_is_no_traceback() -> None:
    assert found(observation(code={"text": "\ud800"})) == []
