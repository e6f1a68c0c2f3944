"""The table of used elements is what the readers ask for: no more, and no less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fhir_adapter.mapping import observation, patient, reference, research_subject
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.head import Head, subject_of
from fhir_adapter.mapping.reading import read_into
from fhir_adapter.mapping.used import USED
from fhir_adapter.validation.model import model
from tests.hospital import generator
from tests.mapping.build import LOINC, OWN, SCT, Json, coded, context, observed, quantity, wired
from tests.scores.build import ZONE

ATC = "http://www.whocc.no/atc"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
FORM = "urn:example-cn:form"
PERIOD = {"start": "2024-01-01", "end": "2024-01-31"}
DOSAGE = {
    "route": coded("urn:example-cn:route", "IV"),
    "timing": {"event": ["2024-01-01"], "repeat": {"boundsPeriod": PERIOD}},
}
ITSELF = {
    "contained": [{"resourceType": "Medication", "id": "m", "code": coded(ATC, "L01FA01")}],
    "medicationReference": {"reference": "#m"},
    "subject": {"reference": "Patient/7"},
    "reasonCode": [coded(ICD10, "M35.0")],
    "reasonReference": [{"reference": "Condition/c"}],
}
CONDITIONS = {"Condition/c": {"code": coded(ICD10, "M35.0")}}

RANGE = {"type": coded("x", "normal"), "low": {"value": 7}}
ABOUT = {"focus": [{"reference": "Observation/1"}], "derivedFrom": [{"display": "x"}]}

FURTHER: list[Json] = [
    observed("igg", quantity(12, "g/L"), referenceRange=[RANGE]),
    observed("igg", {"valueString": "positive"}, referenceRange=[{"text": "7-16"}]),
    observed("igg", quantity(12, "g/L"), **ABOUT),
    observed("igg", {"dataAbsentReason": coded("x", "unknown")}),
    observed("ana-titre", {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 80}}}),
    observed("igg", {"component": [{"code": coded(OWN, "igm"), "dataAbsentReason": coded("x", "unknown")}]}),
    observed("igg", {"component": [{"code": coded(OWN, "igm"), **quantity(1, "g/L")}]}),
    {
        "resourceType": "MedicationRequest", "id": "a", "status": "active", "intent": "order",
        "authoredOn": "2024-01-01", "dosageInstruction": [DOSAGE], **ITSELF,
    },
    {
        "resourceType": "MedicationRequest", "id": "b", "status": "active", "authoredOn": "2024-01-01",
        "dosageInstruction": [{"timing": {"repeat": {"boundsDuration": {"value": 3}}}}], **ITSELF,
    },
    {
        "resourceType": "MedicationStatement", "id": "c", "status": "active", "effectivePeriod": PERIOD,
        "dosage": [DOSAGE], **ITSELF,
    },
    {
        "resourceType": "MedicationStatement", "id": "d", "status": "active",
        "medicationReference": {"reference": "Medication/none", "display": "methotrexate"},
    },
    {
        "resourceType": "MedicationAdministration", "id": "e", "status": "completed",
        "effectiveDateTime": "2024-01-01", "dosage": {"dose": {"value": 1}},
        **ITSELF, "statusReason": [coded("x", "y")],
    },
    {
        "resourceType": "MedicationAdministration", "id": "f", "status": "completed",
        "effectiveDateTime": "2024-01-01", "dosage": DOSAGE,
        **ITSELF, "contained": [], "medicationCodeableConcept": coded(ATC, "L04AX03"),
    },
    {
        "resourceType": "Encounter", "id": "g", "status": "finished", "period": PERIOD,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "diagnosis": [{"condition": {"reference": "Condition/c"}, "use": coded("x", "AD"), "rank": 1}],
        "reasonCode": [coded(ICD10, "J18.9")], "reasonReference": [{"reference": "Condition/c"}],
    },
    {
        "resourceType": "Condition", "id": "h", "code": coded(ICD10, "C85.9"), "abatementPeriod": PERIOD,
        "clinicalStatus": coded("x", "resolved"), "verificationStatus": coded("x", "confirmed"),
    },
    {
        "resourceType": "Immunization", "id": "i", "status": "completed",
        "vaccineCode": coded("http://hl7.org/fhir/sid/cvx", "03"), "recorded": "2024-01-01",
    },
    {
        "resourceType": "Consent", "id": "j", "status": "active", "dateTime": "2024-01-01",
        "category": [coded(FORM, "ICF-01")],
        "provision": {
            "type": "permit", "period": PERIOD, "code": [coded(ATC, "L01FA01")],
            "provision": [{"type": "deny", "code": [coded(ATC, "L04AG04")]}],
        },
    },
    {
        "resourceType": "Procedure", "id": "k", "status": "completed", "code": coded(OWN, "sialography"),
        "performedPeriod": PERIOD, "outcome": coded(SCT, "10828004"),
    },
    {
        "resourceType": "DiagnosticReport", "id": "l", "status": "final", "code": coded(OWN, "sialography"),
        "effectivePeriod": PERIOD, "conclusion": "positive",
    },
    {
        "resourceType": "QuestionnaireResponse", "id": "m", "status": "completed", "authored": "2024-01-01",
        "questionnaire": "x", "item": [{"linkId": "1", "answer": [{"item": [{"linkId": "2"}]}], "item": []}],
    },
    {
        "resourceType": "Patient", "id": "n", "identifier": [{"system": "x", "value": "y"}],
        "link": [{"type": "replaced-by", "other": {"reference": "Patient/o"}}],
    },
    {"resourceType": "Medication", "id": "p", "code": coded(ATC, "L01FA01")},
    observed(coded(LOINC, "0"), {"valueCodeableConcept": coded(SCT, "0")}, bodySite=coded(SCT, "18944008")),
]  # fmt: skip


class Recorder(dict[str, Any]):
    """An object of a resource that notes which of its elements are asked for."""

    def __init__(self, content: Json, name: str, asked: set[tuple[str, str]]) -> None:
        described = model(name)
        self.elements = described.keys if described else {}
        self.name, self.asked = name, asked
        super().__init__((key, self._inner(key, value)) for key, value in content.items())

    def _inner(self, key: str, value: Any) -> Any:
        if key not in self.elements:
            return value
        _, type = self.elements[key]

        def recorded(item: Any) -> Any:
            kind = item.get("resourceType", type.content) if isinstance(item, dict) else ""
            return Recorder(item, kind, self.asked) if isinstance(item, dict) else item

        return [recorded(item) for item in value] if isinstance(value, list) else recorded(value)

    def _ask(self, key: object) -> None:
        if isinstance(key, str) and key in self.elements and key != "id":
            self.asked.add((self.name, self.elements[key][0].name))

    def get(self, key: Any, default: Any = None) -> Any:
        self._ask(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._ask(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._ask(key)
        return super().__contains__(key)


def read(resource: Recorder, known: Context) -> None:
    """What is done to a resource between its arrival and its being read."""
    reference.names(subject_of(resource))
    match resource["resourceType"]:
        case "Medication":
            reference.own_names(resource)
        case "ResearchSubject":
            research_subject.belongs(resource, frozenset())
            research_subject.read(resource, "urn:example:trial-participant", known.origin, ZONE)
        case type:
            if type == "Condition":
                reference.own_names(resource)
            if type == "Patient":
                patient.index([(resource, "")], known.hospital, "mrn")
            read_into(Mapped(), resource, known, {}, CONDITIONS)


def resources() -> Iterator[Json]:
    for source in generator.hospital().sources.values():
        yield from source
    yield from FURTHER


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """What the readers ask for, by type; of each also what its head says."""
    pairs: set[tuple[str, str]] = set()
    as_observation = observation.read

    def of_report(as_result: Json, known: Context) -> Any:
        # A report is read as an Observation with its own elements; of a procedure's they are made.
        recorded = (
            Recorder(as_result, "DiagnosticReport", pairs) if "resourceType" in as_result else as_result
        )
        return as_observation(recorded, known)

    for resource in resources():
        kind = resource["resourceType"]
        if kind in USED:
            with monkeypatch.context() as patched:
                if kind == "DiagnosticReport":
                    patched.setattr(observation, "read", of_report)
                for folder in ("international", "example-cn"):
                    read(Recorder(wired(resource), kind, pairs), context(folder, resource))
    heads = [each.encode_name for each in msgspec.structs.fields(Head)]
    for kind in USED:
        described = model(kind)
        if described is not None and described.kind == "resource" and kind != "Medication":
            pairs.update((kind, described.keys[name][0].name) for name in heads if name in described.keys)
    found: dict[str, set[str]] = {}
    for kind, name in pairs:
        found.setdefault(kind, set()).add(name)
    return found


def test_the_table_is_what_the_readers_ask_for(asked: dict[str, set[str]]) -> None:
    assert {kind: sorted(names) for kind, names in asked.items()} == {
        kind: sorted(names) for kind, names in USED.items()
    }


def test_every_element_of_the_table_is_one_of_r4() -> None:
    for kind, names in USED.items():
        described = model(kind)
        assert described is not None, kind
        assert set(names) <= set(described.elements), kind
