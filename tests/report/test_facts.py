"""How people read what an answer rests on."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from fhir_adapter.report.facts import fact
from fhir_adapter.trial.history import (
    Agreement,
    Diagnosis,
    FocusScore,
    History,
    Order,
    Person,
    Statement,
    Stay,
    Vaccination,
)
from fhir_adapter.trial.types import Dose, DoseStatus, Origin
from fhir_adapter.trial.values import Interval, Moment, exactly, on

FROM = (Origin("hospital", "Condition", "c1", "2", "https://fhir.example/Condition/c1/_history/2"),)
MAY, JUNE = date(2024, 5, 1), date(2024, 6, 30)
SPRING = Moment(date(2024, 3, 1), date(2024, 3, 31))


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (Person("JSS-01", (MAY, MAY), "male"), "Participant: born 2024-05-01, male"),
        (Person("JSS-01", (MAY, JUNE), None), "Participant: born between 2024-05-01 and 2024-06-30"),
        (Diagnosis("JSS-01", ("M35.0",), on(MAY), None, FROM), "Diagnosis M35.0, 2024-05-01"),
        (
            Diagnosis("JSS-01", ("A15.0",), None, JUNE, FROM),
            "Diagnosis A15.0, since when is not known: until 2024-06-30",
        ),
        (
            Order("JSS-01", "prednisone", MAY, JUNE, False, ("M35.0",), FROM),
            "Prednisone, from 2024-05-01 to 2024-06-30: not into vein or muscle, for M35.0",
        ),
        (
            Order("JSS-01", "antibacterial", MAY, None, True, (), FROM),
            "Antibacterial, from 2024-05-01, not ended: into vein or muscle",
        ),
        (
            Order("JSS-01", "methotrexate", None, None, None, (), FROM, over=True),
            "Methotrexate, begun on a day that is not known, over, since when is not known: route not known",
        ),
        (
            Stay("JSS-01", MAY, JUNE, True, FROM),
            "Stay in hospital, from 2024-05-01 to 2024-06-30: for an infection",
        ),
        (Stay("JSS-01", MAY, MAY, None, FROM), "Stay in hospital, 2024-05-01: reason not known"),
        (
            Vaccination("JSS-01", None, SPRING, FROM),
            "Vaccination, 2024-03-01 to 2024-03-31: vaccine not known",
        ),
        (Vaccination("JSS-01", True, on(MAY), FROM), "Vaccination, 2024-05-01: live vaccine"),
        (
            Agreement("JSS-01", frozenset(("rituximab", "belimumab")), True, MAY, None, FROM),
            "Consent to belimumab, rituximab, from 2024-05-01, not ended: given",
        ),
        (
            Statement("JSS-01", "high-infection-risk", None, on(MAY), FROM),
            "At high risk of infection, 2024-05-01: not sure",
        ),
        (FocusScore("JSS-01", exactly(2), on(MAY), FROM), "Biopsy, focus score, 2024-05-01: 2"),
        (
            FocusScore("JSS-01", Interval(Fraction(0), Fraction(1), high_open=True), on(MAY), FROM),
            "Biopsy, focus score, 2024-05-01: <1",
        ),
    ],
)
def test_a_fact_in_one_line(piece: History, said: str) -> None:
    assert fact(piece).said == said


def test_a_fact_names_its_resource() -> None:
    (source,) = fact(Diagnosis("JSS-01", ("M35.0",), None, None, FROM)).sources
    assert (source.resource, source.version) == ("Condition/c1", "2")


def test_a_dose_that_was_not_given_says_why() -> None:
    dose = Dose("JSS-01", "belimumab", on(MAY), DoseStatus.NOT_DONE, None, "", FROM, "fever")
    assert fact(dose).said == "Belimumab, 2024-05-01: not-done (fever)"
