"""How single values look."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fhir_adapter.report import show
from fhir_adapter.trial.items import REASONS
from fhir_adapter.trial.types import Component, Measurement, Outcome, Problem
from fhir_adapter.trial.values import Interval, on


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (Fraction(12), "{score}", "12"),
        (Fraction(17, 3), "{score}", "5.7"),
        (Fraction(-10, 3), "{score}", "-3.3"),
        (Fraction(19, 2), "mm", "9.5"),
        (Fraction(8, 100), "mL/min", "0.08"),
        (Fraction(19, 150), "mL/min", "0.1267"),
        (Fraction(0), "mL/min", "0"),
        (Fraction(100), "%", "100"),
        (Fraction(1, 1000), "%", "0"),
    ],
)
def test_one_decimal_and_four_for_flows(value: Fraction, unit: str, text: str) -> None:
    assert show.number(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(1, 2), "+0.5"), (Fraction(0), "0"), (Fraction(-3), "-3"), (Fraction(1, 99), "0")],
)
def test_a_rise_has_a_sign(value: Fraction, text: str) -> None:
    assert show.signed(value) == text


def test_every_reason_has_a_short_form() -> None:
    assert set(show.SHORT_REASONS) == set(REASONS)


def test_a_missing_score_shows_why_and_its_bounds() -> None:
    bounds = Interval(Fraction(5), Fraction(6))
    outcome = Outcome("1", "week-28", "star", unit="{score}", reason="missing-input", bounds=bounds)
    assert show.outcome(outcome) == "– (missing, 5 to 6)"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Component("met", number=Fraction(3)), "3"),
        (Component("percent", number=Fraction(-15), unit="%"), "-15 %"),
        (Component("mcii", answer=False), "no"),
        (Component("category", code="low"), "Low activity"),
        (Component("mcii", reason="not-due"), "– (not due)"),
    ],
)
def test_components(part: Component, text: str) -> None:
    assert show.component(part) == text


def _of(item: str, value: Interval | None, problem: Problem | None = None) -> Measurement:
    from datetime import date

    return Measurement("1", item, on(date(2024, 1, 1)), value, "as sent", (), problem=problem)


@pytest.mark.parametrize(
    ("measurement", "text"),
    [
        (_of("igg", Interval(Fraction(24), Fraction(24))), "24 g/L"),
        (_of("rheumatoid-factor", Interval(Fraction(0), Fraction(20), high_open=True)), "<20 [IU]/mL"),
        (_of("rheumatoid-factor", Interval(Fraction(400), None, low_open=True)), ">400 [IU]/mL"),
        (_of("rheumatoid-factor", Interval(Fraction(0), Fraction(20))), "0 to 20 [IU]/mL"),
        (_of("ana-titre", Interval(Fraction(320), Fraction(320))), "1:320"),
        (_of("essdai-renal", Interval(Fraction(2), Fraction(2))), "2"),
        (_of("igg", None, Problem.NO_UNIT), ""),
        (_of("hiv", None), "neither positive nor negative"),
    ],
)
def test_measurements_in_the_units_of_their_items(measurement: Measurement, text: str) -> None:
    assert show.measurement(measurement) == text
