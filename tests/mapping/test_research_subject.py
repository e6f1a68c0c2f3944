"""ResearchSubject → participant: number, consent, withdrawal, study (dossier §13, §14.5)."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.mapping import research_subject
from fhir_adapter.trial.origin import Origin
from tests.mapping.build import Json, wired
from tests.scores.build import ZONE

NUMBERS = "urn:example:trial-participant"
ORIGIN = Origin("hospital", "ResearchSubject", "r1", "1", "https://hospital.example/ResearchSubject/r1")


def enrolled(**more: object) -> Json:
    return wired(
        {
            "resourceType": "ResearchSubject",
            "id": "r1",
            "identifier": [{"system": NUMBERS, "value": "JSS-01"}],
            "status": "on-study",
            "study": {"reference": "ResearchStudy/s1"},
            "individual": {"reference": "Patient/7"},
            **more,
        }
    )


@pytest.mark.parametrize(
    ("status", "period", "consent", "withdrawn"),
    [
        ("on-study", {"start": "2024-03-20"}, date(2024, 3, 20), None),
        ("on-study", {"start": "2024-03-20T16:30:00Z"}, date(2024, 3, 21), None),
        ("withdrawn", {"start": "2024-03-20", "end": "2024-07-01"}, date(2024, 3, 20), date(2024, 7, 1)),
        ("off-study", {"start": "2024-03-20", "end": "2024-11-01"}, date(2024, 3, 20), None),
        ("on-study", {"start": "2024-03"}, None, None),
        ("on-study", None, None, None),
    ],
)
def test_consent_and_withdrawal(
    status: str, period: Json | None, consent: date | None, withdrawn: date | None
) -> None:
    """The end of the period is a withdrawal only where the status says so."""
    found = research_subject.read(enrolled(status=status, period=period), NUMBERS, ORIGIN, ZONE)
    assert found is not None
    subject, names = found
    assert (subject.id, subject.status, subject.consent, subject.withdrawn) == (
        "JSS-01", status, consent, withdrawn
    )  # fmt: skip
    assert names == ["Patient/7"]


@pytest.mark.parametrize(
    "identifier", [[], [{"system": "urn:other", "value": "9"}], [{"system": NUMBERS}], None]
)
def test_without_the_study_s_own_number_it_is_no_participant(identifier: object) -> None:
    assert research_subject.read(enrolled(identifier=identifier), NUMBERS, ORIGIN, ZONE) is None


@pytest.mark.parametrize(
    ("pointer", "belongs"),
    [
        ({"reference": "ResearchStudy/s1"}, True),
        ({"reference": "https://hospital.example/fhir/ResearchStudy/s1"}, True),
        ({"identifier": {"system": "https://clinicaltrials.gov", "value": "NCT06410833"}}, True),
        ({"reference": "urn:uuid:5f1c"}, True),
        ({"reference": "https://other.example/fhir/ResearchStudy/s1"}, False),
        ({"reference": "ResearchStudy/s2"}, False),
        (None, False),
    ],
)
def test_which_study_it_is_of(pointer: Json | None, belongs: bool) -> None:
    study = {
        "resourceType": "ResearchStudy",
        "id": "s1",
        "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT06410833"}],
    }
    names = frozenset(research_subject.study_names(study, "urn:uuid:5f1c"))
    base = "https://hospital.example/fhir"
    assert research_subject.belongs(enrolled(study=pointer), names, base) is belongs
