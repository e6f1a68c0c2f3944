"""Good resources pass; each known trap, and each kind of fault, is named at its place."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from decimal import Decimal
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.validation import NOT_CHECKED, validate
from fhir_adapter.validation.schema import choices, types
from fhir_adapter.validation.versions import ELSEWHERE

Resource = dict[str, Any]

OBSERVATION: Resource = {
    "resourceType": "Observation",
    "id": "igg",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2465-3"}], "text": "IgG　免疫球蛋白"},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2024-03-15T14:30:00+08:00",
    "valueQuantity": {"value": Decimal("12.50"), "unit": "g/L", "system": "http://unitsofmeasure.org"},
}
PATIENT: Resource = {"resourceType": "Patient", "id": "1", "gender": "female", "birthDate": "2012-02"}
ABSENT: Resource = {"text": "not done"}
EXTENSION: Resource = {"url": "http://example.org/why", "valueString": "x"}


def with_(**changes: Any) -> Resource:
    return OBSERVATION | changes


def without(*names: str, **changes: Any) -> Resource:
    return {name: value for name, value in with_(**changes).items() if name not in names}


def bundle(*resources: Any) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


GOOD: dict[str, Resource] = {
    "a result": OBSERVATION,
    "a patient": PATIENT,
    "an absent value": without("valueQuantity", dataAbsentReason=ABSENT),
    "a value absent in one component only": without(
        "valueQuantity",
        component=[{"code": ABSENT, "valueInteger": -3}, {"code": ABSENT, "dataAbsentReason": ABSENT}],
    ),
    "a very small number": with_(valueQuantity={"value": Decimal("1E-8")}),
    "a whole number as a decimal": with_(valueQuantity={"value": 12}),
    "a partial date": with_(effectiveDateTime="2024-03"),
    "a required code known by its extension only": without("status", _status={"extension": [EXTENSION]}),
    "nulls that hold a place": PATIENT
    | {"name": [{"given": ["Li", None], "_given": [None, {"extension": [EXTENSION]}]}]},
    "no-break and full-width spaces": with_(note=[{"text": "a\u00a0b\u3000c"}]),
    "a contained patient": with_(contained=[PATIENT], subject={"reference": "#1"}),
    "a bundle": bundle(OBSERVATION, PATIENT),
    "an outcome in a bundle's response": {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [
            {
                "response": {
                    "status": "404",
                    "outcome": {
                        "resourceType": "OperationOutcome",
                        "issue": [{"severity": "error", "code": "not-found"}],
                    },
                }
            }
        ],
    },
    "a reference elsewhere": with_(subject={"reference": "https://example.org/fhir/Patient/1"}),
    "two elements that only look like a choice": {
        "resourceType": "ClinicalImpression",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "finding": [{"itemCodeableConcept": ABSENT, "itemReference": {"reference": "Condition/1"}}],
    },
    "Meta as a value": {
        "resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": {"versionId": "1"}}, {"name": "it", "resource": PATIENT}],
    },
    "a resource that later versions dropped": {
        "resourceType": "MedicinalProduct",
        "name": [{"productName": "x"}],
    },
}

# name → resource, the place and the rule that must be named
TRAPS: dict[str, tuple[Resource, str, str]] = {
    # neither the schema nor the models say these, or not so that one could mend it
    "two types of a value": (with_(valueString="x"), "Observation.value", "choice"),
    "two types of a component's value": (
        with_(component=[{"code": ABSENT, "valueString": "x", "valueBoolean": True}]),
        "Observation.component[0].value",
        "choice",
    ),
    "two types, one by its extension": (with_(_valueString={"id": "x"}), "Observation.value", "choice"),
    "two days of birth and death": (
        PATIENT | {"deceasedBoolean": True, "deceasedDateTime": "2024"},
        "Patient.deceased",
        "choice",
    ),
    "a value and why there is none": (
        with_(dataAbsentReason=ABSENT),
        "Observation.dataAbsentReason",
        "obs-6",
    ),
    "an empty array": (with_(component=[]), "Observation.component", "empty"),
    "an empty object": (with_(subject={}), "Observation.subject", "empty"),
    "an empty object in an array": (with_(note=[{}]), "Observation.note[0]", "empty"),
    "null": (with_(subject=None), "Observation.subject", "null"),
    "null in an array of structures": (with_(note=[None]), "Observation.note[0]", "null"),
    "null in an array of primitives": (
        PATIENT | {"name": [{"given": ["Li", None]}]},
        "Patient.name[0].given[1]",
        "null",
    ),
    "null in both arrays": (
        PATIENT | {"name": [{"given": [None], "_given": [None]}]},
        "Patient.name[0]._given[0]",
        "null",
    ),
    "a text where a structure stands": (with_(subject="Patient/1"), "Observation.subject", "type"),
    "a structure as JSON in a text": (
        with_(subject='{"reference": "Patient/1"}'),
        "Observation.subject",
        "type",
    ),
    "a whole number with a fraction": (
        without("valueQuantity", valueInteger=Decimal("1.5")),
        "Observation.valueInteger",
        "format",
    ),
    "a count below nothing": (bundle() | {"total": -5}, "Bundle.total", "format"),
    "a reference to no type": (
        with_(subject={"reference": "Banana/1"}),
        "Observation.subject.reference",
        "reference-type",
    ),
    "a reference to a type of R5": (
        with_(subject={"reference": "DeviceUsage/1"}),
        "Observation.subject.reference",
        "reference-type",
    ),
    # the schema says these
    "an element that is none": (with_(banana=1), "Observation.banana", "unknown-element"),
    "a name that cannot be one": (with_(**{"鈴木 1": 1}), "Observation.?", "unknown-element"),
    "a code that is none": (with_(status="banana"), "Observation.status", "code"),
    "one instead of many": (with_(category=ABSENT), "Observation.category", "type"),
    "many instead of one": (with_(code=[ABSENT]), "Observation.code", "type"),
    "a number in quotes": (with_(valueQuantity={"value": "12.5"}), "Observation.valueQuantity.value", "type"),
    "true in quotes": (PATIENT | {"active": "true"}, "Patient.active", "type"),
    "true as a number": (with_(valueQuantity={"value": True}), "Observation.valueQuantity.value", "type"),
    "a time without a zone": (
        with_(effectiveDateTime="2024-03-15T14:30:00"),
        "Observation.effectiveDateTime",
        "format",
    ),
    "an empty text": (with_(note=[{"text": ""}]), "Observation.note[0].text", "format"),
    "an id with a blank": (with_(id="a b"), "Observation.id", "format"),
    "an id and a line end": (with_(id="a\n"), "Observation.id", "format"),
    "a structure that must be there": (without("code"), "Observation.code", "required"),
    # the models say these
    "a code that must be there": (without("status"), "Observation.status", "required"),
    "a choice that must be there": (
        {
            "resourceType": "MedicationAdministration",
            "status": "unknown",
            "subject": {"reference": "Patient/1"},
            "medicationCodeableConcept": ABSENT,
        },
        "MedicationAdministration.effective",
        "required",
    ),
    "a day that no calendar has": (
        with_(effectiveDateTime="2023-02-30"),
        "Observation.effectiveDateTime",
        "calendar",
    ),
    # resources inside resources
    "a fault in a contained resource": (
        with_(contained=[PATIENT | {"gender": "x"}]),
        "Observation.contained[0].gender",
        "code",
    ),
    "a fault in a bundle": (
        bundle(PATIENT, without("status")),
        "Bundle.entry[1].resource.status",
        "required",
    ),
    "a bundle in a bundle": (
        bundle(bundle(with_(valueString="x"))),
        "Bundle.entry[0].resource.entry[0].resource.value",
        "choice",
    ),
    "a resource without a type": (bundle({"id": "x"}), "Bundle.entry[0].resource.resourceType", "required"),
    "no resource where one stands": (bundle(5), "Bundle.entry[0].resource", "type"),
    "a fault in a parameter": (
        {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": PATIENT | {"gender": "x"}}]},
        "Parameters.parameter[0].resource.gender",
        "code",
    ),
    # what is no resource of R4
    "no type": ({"id": "x"}, "resourceType", "resource-type"),
    "a type that is no text": ({"resourceType": ["Patient"]}, "resourceType", "resource-type"),
    "a type that is none": ({"resourceType": "ResourceList"}, "resourceType", "resource-type"),
    "a type of R5 in a bundle": (
        bundle({"resourceType": "DeviceUsage"}),
        "Bundle.entry[0].resource.resourceType",
        "resource-type",
    ),
}


@pytest.mark.parametrize("resource", GOOD.values(), ids=GOOD.keys())
def test_good_resources_pass(resource: Resource) -> None:
    assert validate(resource) == []


@pytest.mark.parametrize(("resource", "place", "rule"), TRAPS.values(), ids=TRAPS.keys())
def test_each_trap_is_caught_once_at_its_place(resource: Resource, place: str, rule: str) -> None:
    assert [issue.rule for issue in validate(resource) if issue.expression == place] == [rule]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("DeviceUsage", "only R5"), ("ProcedureRequest", "only STU3"), ("MedicationOrder", "only DSTU2"),
     ("Citation", "only R4B and R5"), ("patient", "spelled Patient"), ("Banana", "no resource type of R4")],
)  # fmt: skip
def test_another_version_is_named(kind: str, said: str) -> None:
    (issue,) = validate({"resourceType": kind})
    assert said in issue.message


def test_several_faults_are_told_and_each_once() -> None:
    found = validate(with_(status="x", valueString="x", issued="yesterday", note=[None], banana=1))
    assert sorted(issue.rule for issue in found) == ["choice", "code", "format", "null", "unknown-element"]


def test_the_place_stands_before_each_expression() -> None:
    (issue,) = validate(PATIENT | {"gender": "x"}, place="Bundle.entry[7].resource")
    assert issue.expression == "Bundle.entry[7].resource.gender"


def test_messages_quote_no_values() -> None:
    name = "Zhang San 1990"
    hidden = {"a": name, name: name}
    found = [
        issue
        for value in (name, [name], hidden, [hidden])
        for element in OBSERVATION
        for issue in validate(with_(**{element: value}))
    ]
    assert len(found) > 20
    assert not [issue for issue in found if name in issue.message or name in issue.expression]


def test_only_a_doubtful_reference_is_a_warning() -> None:
    found = [issue for resource, _, _ in TRAPS.values() for issue in validate(resource)]
    assert {issue.rule for issue in found if issue.severity != "error"} == {"reference-type"}


def test_what_is_nested_too_deeply_is_said() -> None:
    item: Resource = {"linkId": "x"}
    for _ in range(2000):
        item = {"linkId": "x", "item": [item]}
    resource = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": [item]}
    assert [issue.rule for issue in validate(resource)] == ["too-deep"]


def test_the_schema_is_hl7s_own() -> None:
    packed = files("fhir_adapter.validation").joinpath("fhir.schema.json.gz").read_bytes()
    text = gzip.decompress(packed)
    assert packed[4:8] == bytes(4)  # no time: packing it again gives the same bytes
    assert (
        hashlib.sha256(text).hexdigest() == "73bc879b1476fea7e096fd71c5fb5967d8c48cc9ffc28706f66613f6a82af3cb"
    )
    schema = msgspec.json.decode(text)
    assert schema["id"] == "http://hl7.org/fhir/json-schema/4.0"
    assert len(schema["definitions"]) == 680
    versions = schema["definitions"]["StructureDefinition"]["properties"]["fhirVersion"]["enum"]
    assert versions[-1] == "4.0.1"
    assert types() == set(schema["discriminator"]["mapping"])
    assert not types() & ELSEWHERE.keys()


def test_choices_of_types() -> None:
    assert choices("Patient") == {
        "deceased": {"deceasedBoolean", "deceasedDateTime"},
        "multipleBirth": {"multipleBirthBoolean", "multipleBirthInteger"},
    }
    assert len(choices("Extension")["value"]) == 50
    assert choices("Task") == choices("PaymentReconciliation") == {}


def test_what_is_not_checked_is_told_in_plain_words() -> None:
    assert any("profile" in phrase for phrase in NOT_CHECKED)
    assert not [phrase for phrase in NOT_CHECKED if phrase.endswith(".") or "\n" in phrase]


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, fhir_adapter.validation; print({'jsonschema', 'fhir', 'pydantic'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


NAMES = st.sampled_from(
    ["resourceType", "id", "_id", "status", "code", "subject", "valueQuantity", "valueString", "value",
     "component", "contained", "entry", "resource", "name", "given", "_given", "extension", "url", "outcome"]
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["Patient", "Bundle", "final", "2024-02-30", "Banana/1"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NAMES, VALUES, max_size=8),
    st.sampled_from(["Observation", "Patient", "Bundle", "Parameters"]),
)
def test_random_objects_never_raise(resource: Resource, kind: str) -> None:
    for one in (resource, resource | {"resourceType": kind}):
        assert all(issue.rule and issue.message for issue in validate(one))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_random_damage_never_raises(name: str, data: st.DataObject) -> None:
    resource = GOOD[name]
    key = data.draw(st.sampled_from(sorted(resource)))
    assert isinstance(validate(resource | {key: data.draw(VALUES)}), list)


def test_numbers_of_any_length() -> None:
    assert isinstance(validate(with_(valueQuantity={"value": 10**5000})), list)
    assert validate(decode(encode(OBSERVATION))) == []
