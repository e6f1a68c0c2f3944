"""MedicationAdministration → doses: statuses, drugs, days, amounts (dossier §9, §13, §14.24)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest

from fhir_adapter.mapping import medication_administration
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.types import DoseStatus, QueryKind
from tests.mapping.build import Json, coded, context, wired

ATC = "http://www.whocc.no/atc"
LOCAL = "urn:example-cn:drug"
RITUXIMAB = {"medicationCodeableConcept": coded(ATC, "L01FA01")}


def given(medication: Mapping[str, object] = RITUXIMAB, **more: object) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": "m1",
        "status": "completed",
        "effectiveDateTime": "2024-04-01T10:00:00+08:00",
        "dosage": {"dose": {"value": 500, "unit": "mg"}},
        **medication,
        **more,
    }


def read(resource: Json, folder: str = "international", **medications: Json) -> Mapped:
    known = {name.replace("_", "/"): each for name, each in medications.items()}
    return medication_administration.read(wired(resource), known, context(folder, resource))


def asked(mapped: Mapped) -> list[tuple[str, QueryKind]]:
    return [(query.item, query.kind) for query in mapped.queries]


@pytest.mark.parametrize(
    ("status", "known", "counts", "query"),
    [
        ("completed", DoseStatus.GIVEN, True, []),
        ("in-progress", DoseStatus.IN_PROGRESS, True, []),
        ("stopped", DoseStatus.STOPPED, True, []),
        ("not-done", DoseStatus.NOT_DONE, False, []),
        ("entered-in-error", None, False, []),
        ("on-hold", None, False, [("rituximab", QueryKind.DOSE_STATUS)]),
        ("unknown", None, False, [("rituximab", QueryKind.DOSE_STATUS)]),
        (None, None, False, [("rituximab", QueryKind.DOSE_STATUS)]),
    ],
)
def test_statuses(
    status: str | None, known: DoseStatus | None, counts: bool, query: list[tuple[str, QueryKind]]
) -> None:
    """§13, §14.24."""
    mapped = read(given(status=status))
    assert [(dose.status, dose.given) for dose in mapped.doses] == ([(known, counts)] if known else [])
    assert asked(mapped) == query


@pytest.mark.parametrize(
    ("folder", "medication", "drug"),
    [
        ("international", RITUXIMAB, "rituximab"),
        ("international", {"medicationCodeableConcept": coded(ATC, "L01XC02")}, "rituximab"),
        ("international", {"medicationCodeableConcept": coded(ATC, "L04AG04")}, "belimumab"),
        ("international", {"medicationCodeableConcept": coded(ATC, "L04AA26")}, "belimumab"),
        ("international", {"medicationCodeableConcept": coded(ATC, "J06BA02")}, "immunoglobulin"),
        ("example-cn", {"medicationCodeableConcept": coded("", text="利妥昔单抗")}, "rituximab"),
        ("example-cn", {"medicationCodeableConcept": coded("", text="倍力腾")}, "belimumab"),
        ("example-cn", {"medicationCodeableConcept": coded(LOCAL, "BEL01")}, "belimumab"),
        ("example-cn", {"medicationReference": {"display": "美罗华"}}, "rituximab"),
        (
            "international",
            {
                "medicationReference": {"reference": "#drug"},
                "contained": [{"resourceType": "Medication", "id": "drug", "code": coded(ATC, "L01FA01")}],
            },
            "rituximab",
        ),
    ],
)  # fmt: skip
def test_drugs_by_code_text_and_contained_medication(folder: str, medication: Json, drug: str) -> None:
    """§9: both ATC codes of each drug; Chinese names."""
    (dose,) = read(given(medication), folder).doses
    assert dose.drug == drug


@pytest.mark.parametrize(
    "pointer",
    [{"reference": "Medication/rtx"}, {"reference": "https://hospital.example/fhir/Medication/rtx"}],
)
def test_a_medication_of_the_source(pointer: Json) -> None:
    medication = {"resourceType": "Medication", "id": "rtx", "code": coded(ATC, "L01FA01")}
    (dose,) = read(given({"medicationReference": pointer}), Medication_rtx=medication).doses
    assert dose.drug == "rituximab"


def test_a_medication_that_was_not_received_is_asked_about() -> None:
    mapped = read(given({"medicationReference": {"reference": "Medication/rtx"}}))
    assert (mapped.doses, asked(mapped)) == ([], [("", QueryKind.DOSE_STATUS)])


@pytest.mark.parametrize(
    ("medication", "unknown", "query"),
    [
        ({"medicationCodeableConcept": coded(LOCAL, "TEL01")}, [], []),
        ({"medicationCodeableConcept": coded(LOCAL, "X1")}, [(LOCAL, "X1")], []),
        (
            {"medicationCodeableConcept": coded(LOCAL, "RTX01", "BEL01")},
            [],
            [("", QueryKind.AMBIGUOUS_CODE)],
        ),
    ],
)  # fmt: skip
def test_other_drugs(
    medication: Json, unknown: list[tuple[str, str]], query: list[tuple[str, QueryKind]]
) -> None:
    mapped = read(given(medication), "example-cn")
    assert (mapped.doses, mapped.unknown_codes, asked(mapped)) == ([], unknown, query)


@pytest.mark.parametrize(
    ("when", "day", "query"),
    [
        ({"effectiveDateTime": "2024-04-01T16:30:00Z"}, date(2024, 4, 2), []),
        ({"effectiveDateTime": "2024-04-01"}, date(2024, 4, 1), []),
        (
            {"effectivePeriod": {"start": "2024-04-01T22:00:00+08:00", "end": "2024-04-02T03:00:00+08:00"}},
            date(2024, 4, 1), [],
        ),
        ({"effectiveDateTime": "2024-04"}, None, [("rituximab", QueryKind.DOSE_STATUS)]),
        ({"effectiveDateTime": "2024-04-01T10:00:00"}, None, [("rituximab", QueryKind.NO_TIME_ZONE)]),
        ({}, None, [("rituximab", QueryKind.NO_DATE)]),
    ],
)  # fmt: skip
def test_the_day_of_a_dose(when: Json, day: date | None, query: list[tuple[str, QueryKind]]) -> None:
    """An infusion that runs past midnight belongs to the day on which it began."""
    resource = given()
    del resource["effectiveDateTime"]
    mapped = read(resource | when)
    assert [(dose.day, dose.at.last) for dose in mapped.doses] == ([(day, day)] if day else [])
    assert asked(mapped) == query


@pytest.mark.parametrize(
    ("dosage", "amount", "unit"),
    [
        ({"dose": {"value": 375, "unit": "mg"}}, Fraction(375), "mg"),
        ({"dose": {"value": 0.5, "code": "g"}}, Fraction(1, 2), "g"),
        ({"dose": {"unit": "mg"}}, None, ""),
        ({"text": "one bag"}, None, ""),
        (None, None, ""),
    ],
)
def test_amounts_are_as_sent(dosage: Json | None, amount: Fraction | None, unit: str) -> None:
    (dose,) = read(given(dosage=dosage)).doses
    assert (dose.amount, dose.unit) == (amount, unit)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ([{"text": "fever"}], "fever"),
        ([{"coding": [{"system": "urn:x", "code": "F", "display": "Fever"}]}], "Fever"),
        ([{"coding": [{"system": "urn:x", "code": "F"}]}], "F"),
        ([], ""),
    ],
)
def test_a_missed_dose_keeps_its_reason(reason: list[Json], said: str) -> None:
    """§13."""
    (dose,) = read(given(status="not-done", statusReason=reason)).doses
    assert (dose.given, dose.reason) == (False, said)


@pytest.mark.parametrize(
    ("sent", "first", "last"),
    [
        ({"status": "unknown"}, date(2024, 4, 1), date(2024, 4, 1)),
        ({"status": "on-hold"}, date(2024, 4, 1), date(2024, 4, 1)),
        ({"effectiveDateTime": "2024-01"}, date(2024, 1, 1), date(2024, 1, 31)),
        ({"effectiveDateTime": "2023"}, date(2023, 1, 1), date(2023, 12, 31)),
        ({"effectiveDateTime": None}, None, None),
    ],
)
def test_a_study_drug_of_which_it_is_not_clear_when_it_was_given_clears_nobody(
    sent: Json, first: date | None, last: date | None
) -> None:
    """§8 E1: it is no dose that counts, and it may have been given before the study."""
    mapped = read(given(**sent))
    assert mapped.doses == []
    assert [(each.drug, each.first, each.last, each.certain) for each in mapped.orders] == [
        ("rituximab", first, last, False)
    ]
