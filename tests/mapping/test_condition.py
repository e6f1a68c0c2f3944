"""Condition → diagnoses: codes, whether it is confirmed, since and until when (dossier §8 E6, E7)."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.mapping import condition
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.history import Diagnosis
from fhir_adapter.trial.types import QueryKind
from tests.mapping.build import SCT, Json, coded, context, wired

ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
LOCAL = "urn:example-cn:diagnosis"


def diagnosed(code: Json | None = None, **more: object) -> Json:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "verificationStatus": coded(VERIFIED, "confirmed"),
        "code": code or coded(ICD10, "D80.1"),
        "subject": {"reference": "Patient/7"},
        "onsetDateTime": "2023-05-06",
        **more,
    }


def read(resource: Json, folder: str = "international") -> Mapped:
    return condition.read(wired(resource), context(folder, resource))


def asked(mapped: Mapped) -> list[tuple[str, QueryKind]]:
    return [(query.item, query.kind) for query in mapped.queries]


@pytest.mark.parametrize(
    ("status", "confirmed", "query"),
    [
        ("confirmed", [True], []),
        (None, [True], []),
        ("refuted", [], [("D80.1", QueryKind.NOT_CONFIRMED)]),
        ("provisional", [False], [("D80.1", QueryKind.NOT_CONFIRMED)]),
        ("differential", [False], [("D80.1", QueryKind.NOT_CONFIRMED)]),
        ("unconfirmed", [False], [("D80.1", QueryKind.NOT_CONFIRMED)]),
        ("Zhang San", [False], [("D80.1", QueryKind.NOT_CONFIRMED)]),
        ("entered-in-error", [], []),
    ],
)
def test_what_is_not_confirmed_is_named(
    status: str | None, confirmed: list[bool], query: list[tuple[str, QueryKind]]
) -> None:
    """What is refuted does not count, what is not yet confirmed is open; entered-in-error never was."""
    mapped = read(diagnosed(verificationStatus=coded(VERIFIED, status) if status else None))
    assert [(each.codes, each.confirmed) for each in mapped.diagnoses] == [
        (("D80.1",), each) for each in confirmed
    ]
    assert asked(mapped) == query
    assert not any("Zhang" in each.text for each in mapped.queries)


def test_what_was_entered_in_error_is_kept_apart() -> None:
    """§13: it never was; what it said is kept, for a person to look at."""
    mapped = read(diagnosed(verificationStatus=coded(VERIFIED, "entered-in-error")))
    assert (mapped.diagnoses, mapped.queries) == ([], [])
    (struck,) = mapped.struck
    assert isinstance(struck, Diagnosis)
    assert (struck.codes, struck.confirmed) == (("D80.1",), True)
    assert [each.type for each in struck.origins] == ["Condition"]


def test_a_code_that_nobody_knows_is_no_finding_where_it_was_entered_in_error() -> None:
    resource = diagnosed(coded(LOCAL, "ZD9999"), verificationStatus=coded(VERIFIED, "entered-in-error"))
    assert read(resource, "example-cn") == Mapped()


@pytest.mark.parametrize(
    ("status", "confirmed"),
    [
        ({"text": "excluded"}, [False]),
        ({"coding": [{"system": "urn:local", "code": "9"}]}, [False]),
        (
            {"coding": [{"system": "urn:local", "code": "1"}, {"system": VERIFIED, "code": "confirmed"}]},
            [True],
        ),
        ({"coding": [{"system": "urn:local", "code": "1"}, {"system": VERIFIED, "code": "refuted"}]}, []),
    ],
)
def test_a_status_in_words_of_its_own_confirms_nothing(status: Json, confirmed: list[bool]) -> None:
    assert [each.confirmed for each in read(diagnosed(verificationStatus=status)).diagnoses] == confirmed


@pytest.mark.parametrize(
    ("folder", "code", "codes"),
    [
        ("international", coded(ICD10, "C85.1"), ("C85.1",)),
        ("international", coded(ICD10, " c85.1 "), ("C85.1",)),
        ("international", coded(ICD10, "C851"), ("C85.1",)),
        ("international", coded(ICD10, "D86"), ("D86",)),
        ("international", coded(ICD10_CM, "M35.01"), ("M35.01",)),
        ("international", coded(ICD10, "M35.0", "J84.1"), ("J84.1", "M35.0")),
        ("international", coded(SCT, "83901003"), ("M35.0",)),
        (
            "international",
            {"coding": [{"system": SCT, "code": "1"}, {"system": ICD10, "code": "C50"}]},
            ("C50",),
        ),
        ("example-cn", coded("urn:example-cn:icd10", "M35.000x001"), ("M35.000X001",)),
        ("example-cn", coded(LOCAL, "ZD0101"), ("M35.0",)),
        ("example-cn", coded("", text="原发性免疫缺陷病"), ("D84.9",)),
        ("example-cn", coded("", text=" 干燥综合征 "), ("M35.0",)),
    ],
)
def test_codes(folder: str, code: Json, codes: tuple[str, ...]) -> None:
    """ICD-10 as it is, with or without its point; other codes and words by the hospital's table."""
    (found,) = read(diagnosed(code), folder).diagnoses
    assert found.codes == codes


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        (coded(LOCAL, "ZD9999"), (LOCAL, "ZD9999")),
        (coded(ICD10, "malignant"), (ICD10, "malignant")),
        ({"text": "恶性"}, ("https://w3id.org/fhir-adapter/CodeSystem/text", "恶性")),
    ],
)
def test_a_code_that_nobody_knows_is_reported(code: Json, unknown: tuple[str, str]) -> None:
    mapped = read(diagnosed(code), "example-cn")
    assert (mapped.diagnoses, mapped.unknown_codes) == ([], [unknown])


def test_a_code_that_is_known_and_not_used_is_no_diagnosis() -> None:
    mapped = read(diagnosed(coded(LOCAL, "ZD0900")), "example-cn")
    assert (mapped.diagnoses, mapped.unknown_codes) == ([], [])


@pytest.mark.parametrize(
    ("onset", "first", "last"),
    [
        ({"onsetDateTime": "2023-05-06"}, date(2023, 5, 6), date(2023, 5, 6)),
        ({"onsetDateTime": "2023"}, date(2023, 1, 1), date(2023, 12, 31)),
        ({"onsetDateTime": "2023-05-06T20:00:00Z"}, date(2023, 5, 7), date(2023, 5, 7)),
        ({"onsetPeriod": {"start": "2023-05", "end": "2023-06"}}, date(2023, 5, 1), date(2023, 5, 31)),
        ({"onsetString": "childhood", "recordedDate": "2024-02-03"}, date.min, date(2024, 2, 3)),
        ({"onsetAge": {"value": 7, "code": "a"}, "recordedDate": "2024-02-03"}, date.min, date(2024, 2, 3)),
        ({"recordedDate": "2024-02-03"}, date.min, date(2024, 2, 3)),
    ],
)
def test_since_when(onset: Json, first: date, last: date) -> None:
    """What was recorded on a day was there by that day; since when, nobody said."""
    resource = diagnosed()
    del resource["onsetDateTime"]
    (found,) = read(resource | onset).diagnoses
    assert found.since is not None
    assert (found.since.first, found.since.last) == (first, last)


def test_without_any_date_it_is_known_and_not_since_when() -> None:
    resource = diagnosed()
    del resource["onsetDateTime"]
    (found,) = read(resource).diagnoses
    assert found.since is None


@pytest.mark.parametrize(
    ("more", "until", "over"),
    [
        ({}, None, False),
        ({"clinicalStatus": coded(CLINICAL, "active")}, None, False),
        ({"clinicalStatus": coded(CLINICAL, "resolved")}, None, True),
        ({"clinicalStatus": coded(CLINICAL, "inactive")}, None, True),
        ({"clinicalStatus": coded(CLINICAL, "remission")}, None, True),
        ({"abatementDateTime": "2023-08-01"}, date(2023, 8, 1), False),
        ({"abatementDateTime": "2023-08"}, date(2023, 8, 31), False),
        ({"abatementPeriod": {"start": "2023-07-01", "end": "2023-08-01"}}, date(2023, 8, 1), False),
        ({"abatementString": "last summer"}, None, True),
        ({"abatementAge": {"value": 12, "code": "a"}}, None, True),
    ],
)
def test_until_when(more: Json, until: date | None, over: bool) -> None:
    (found,) = read(diagnosed(**more)).diagnoses
    assert (found.until, found.over) == (until, over)
