"""eGFR against values worked out by hand, and how near to a limit it still decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.conduct.egfr import estimate, power, schwartz, u25, years
from fhir_adapter.trial.values import Interval, exactly
from tests.conduct.build import egfr_rule, tables
from tests.scores.build import interval

CASES = [pytest.param(case, id=case["id"]) for case in tables("egfr.toml")["case"]]
CENT = Decimal("0.01")


def rounded(value: Interval | None) -> str:
    assert value
    assert value.low is not None
    assert value.high is not None
    ends = {str((Decimal(end.numerator) / end.denominator).quantize(CENT)) for end in (value.low, value.high)}
    (shown,) = ends
    return shown


@pytest.mark.parametrize("case", CASES)
def test_cases(case: Mapping[str, Any]) -> None:
    found = estimate(
        exactly(Fraction(case["age"])), case["sex"], interval(case["height"]), interval(case["creatinine"]),
        egfr_rule(),
    )  # fmt: skip
    assert rounded(found.schwartz) == case["schwartz"]
    assert rounded(found.u25) == case["u25"]
    assert found.leads == case["leads"]
    assert found.flags == tuple(f"formulas-disagree-about-{limit}" for limit in case.get("disagree", ()))


def test_a_limit_that_is_met_exactly_is_not_below() -> None:
    """0.413 × 150 / 2.065 = 30; of a boy of exactly 12 years 39.0 × 2 / 2.6 = 30."""
    assert schwartz(exactly(150), interval("2.065")).below(30) is False
    found = u25(exactly(12), "male", exactly(200), interval("2.6"))
    assert found is not None
    assert found.exact == 30


@given(st.fractions(-8, 6, max_denominator=1461))
def test_a_power_is_enclosed_narrowly(exponent: Fraction) -> None:
    """The enclosure, raised to the denominator, holds the exact rational power."""
    base = Fraction("1.045")
    found = power(base, exponent)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < Fraction(1, 10**38)
    if exponent.denominator == 1:
        assert found.exact == base**exponent.numerator
    elif exponent.denominator < 50:
        exact = base**exponent.numerator
        assert found.low**exponent.denominator < exact < found.high**exponent.denominator


def test_age_in_decimal_years() -> None:
    """§14.7: days / 365.25; four years with one leap day are exactly 4."""
    assert years(date(2020, 4, 1), date(2024, 4, 1)) == 4
    assert years(date(2023, 4, 1), date(2024, 4, 1)) == Fraction(366 * 4, 1461)


def test_unknown_sex_and_a_year_of_birth_are_enclosed() -> None:
    age = Interval(Fraction(12), Fraction(13))
    both = u25(age, None, exactly(150), exactly(1))
    assert both is not None
    for sex in ("male", "female"):
        for year in (12, 13):
            one = u25(exactly(year), sex, exactly(150), exactly(1))
            assert one is not None
            assert one.exact is not None
            assert both.at_least(one.exact) is not False or both.at_most(one.exact) is not False
            assert both.low is not None
            assert both.high is not None
            assert both.low <= one.exact <= both.high


def test_around_18_years_both_formulas_are_possible() -> None:
    age = Interval(Fraction("17.9"), Fraction("18.1"))
    found = estimate(age, "female", exactly(160), exactly(Fraction("2.205")), egfr_rule())
    assert found.leads is None
    assert found.value is not None
    assert found.value.at_least(30) is None


def test_creatinine_below_what_the_laboratory_can_measure() -> None:
    found = schwartz(exactly(120), interval("<0.3"))
    assert found.at_least(30) is True
    assert found.high is None


def test_without_height_or_creatinine_there_is_none() -> None:
    assert estimate(exactly(10), "male", None, exactly(1), egfr_rule()).value is None
    assert estimate(exactly(10), "male", exactly(120), None, egfr_rule()).value is None
