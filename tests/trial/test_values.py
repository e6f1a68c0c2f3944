"""Exact values: every three-valued answer agrees with every number that the value may be."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.trial.values import (
    Interval,
    Truth,
    all_of,
    any_of,
    difference,
    exactly,
    fell_by,
    negation,
    rose_by,
    rounded,
    total,
    weighted_total,
)
from tests.scores.build import interval

Enclosed = tuple[Interval, Fraction]
"""An interval, and a number inside it."""

NUMBERS = st.fractions(min_value=0, max_value=50, max_denominator=8)
SHARES = st.sampled_from([Fraction(1, 10), Fraction(3, 20), Fraction(1, 4), Fraction(3, 10)])


@st.composite
def enclosed(draw: st.DrawFn) -> Enclosed:
    member = draw(NUMBERS)
    below = draw(st.none() | st.just(Fraction(0)) | NUMBERS)
    above = draw(st.none() | st.just(Fraction(0)) | NUMBERS)
    return (
        Interval(
            None if below is None else member - below,
            None if above is None else member + above,
            bool(below) and draw(st.booleans()),
            bool(above) and draw(st.booleans()),
        ),
        member,
    )


def agrees(answer: Truth, fact: bool) -> bool:
    return answer is None or answer is fact


def contains(value: Interval, number: Fraction) -> bool:
    return value.at_most(number) is not False and value.at_least(number) is not False


@pytest.mark.parametrize(
    ("value", "below", "at_most", "at_least", "above"),
    [
        # value    < 20   <= 20   >= 20   > 20
        ("19.99", True, True, False, False),
        ("20", False, True, True, False),
        ("20.01", False, False, True, True),
        ("<20", True, True, False, False),
        ("<=20", None, True, None, False),
        (">20", False, False, True, True),
        (">=20", False, None, True, None),
        ("<40", None, None, None, None),
        (">5", None, None, None, None),
        ("19..20", None, True, None, False),
        ("20..21", False, None, True, None),
    ],
)
def test_against_a_limit_of_20(
    value: str, below: Truth, at_most: Truth, at_least: Truth, above: Truth
) -> None:
    known = interval(value)
    answers = (known.below(20), known.at_most(20), known.at_least(20), known.above(20))
    assert answers == (below, at_most, at_least, above)


@given(enclosed(), NUMBERS)
def test_comparisons_agree_with_every_member(value: Enclosed, limit: Fraction) -> None:
    known, number = value
    assert agrees(known.below(limit), number < limit)
    assert agrees(known.at_most(limit), number <= limit)
    assert agrees(known.at_least(limit), number >= limit)
    assert agrees(known.above(limit), number > limit)


@given(NUMBERS, NUMBERS, NUMBERS, SHARES)
def test_exact_values_are_always_decided(
    one: Fraction, two: Fraction, limit: Fraction, share: Fraction
) -> None:
    assert exactly(one).below(limit) is (one < limit)
    assert fell_by(exactly(one), exactly(two), share) is (two < one and two <= one * (1 - share))
    assert rose_by(exactly(one), exactly(two), share) is (two >= one * (1 + share))


@given(enclosed(), enclosed(), st.fractions(min_value=Fraction(1, 15), max_value=20, max_denominator=15))
def test_sums_enclose_the_sums_of_members(one: Enclosed, two: Enclosed, factor: Fraction) -> None:
    assert contains(total((one[0], two[0])), one[1] + two[1])
    assert contains(difference(one[0], two[0]), one[1] - two[1])
    assert contains(weighted_total(((one[0], 3), (two[0], 2))), 3 * one[1] + 2 * two[1])
    assert contains(one[0].scaled(factor), one[1] * factor)


@given(enclosed(), enclosed(), SHARES)
def test_falls_and_rises_agree_with_every_member(before: Enclosed, after: Enclosed, share: Fraction) -> None:
    fell = after[1] < before[1] and after[1] <= before[1] * (1 - share)
    assert agrees(fell_by(before[0], after[0], share), fell)
    assert agrees(rose_by(before[0], after[0], share), after[1] >= before[1] * (1 + share))


@pytest.mark.parametrize(
    ("before", "after", "share", "met", "why"),
    [
        ("100", "<20", "1/4", True, "§6.2 a fall of more than 80 %"),
        ("24", "<20", "1/4", None, "§6.2 anything from 16.7 % to 100 %"),
        (">140", "90", "3/10", True, "§6.2 ESR: a fall of more than 35.7 %"),
        (">140", "99", "3/10", None, "from 29.3 %: open"),
        ("<20", "<20", "1/4", None, "open"),
        ("20", "15", "1/4", True, "exactly −25 %"),
        ("0.1", "0.1", "1/4", False, "no change"),
        ("0", "0", "1/4", False, "§3.1 from 0 nothing can fall"),
        ("0", "<5", "1/4", False, "§3.1 from 0 nothing can fall"),
    ],
)
def test_fall(before: str, after: str, share: str, met: Truth, why: str) -> None:
    assert fell_by(interval(before), interval(after), Fraction(share)) is met, why


def test_decimal_thresholds_are_exact() -> None:
    """§0.3: 0.08 → 0.10 mL/min is exactly +25 %, which binary floats get wrong."""
    assert rose_by(exactly(Decimal("0.08")), exactly(Decimal("0.10")), Fraction(1, 4)) is True


@given(st.lists(st.sampled_from([True, False, None]), max_size=5))
def test_and_or_not_agree_with_every_completion(answers: list[Truth]) -> None:
    completions = list(product(*[(True, False) if answer is None else (answer,) for answer in answers]))
    ors, ands = {any(each) for each in completions}, {all(each) for each in completions}
    assert any_of(answers) is (ors.pop() if len(ors) == 1 else None)
    assert all_of(answers) is (ands.pop() if len(ands) == 1 else None)


@pytest.mark.parametrize(("answer", "opposite"), [(True, False), (False, True), (None, None)])
def test_not(answer: Truth, opposite: Truth) -> None:
    assert negation(answer) is opposite


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("17/3", "5.6667"),
        ("-2/3", "-0.6667"),
        ("1/20000", "0.0001"),
        ("-1/20000", "-0.0001"),
        ("1/40000", "0"),
        ("1/2", "0.5"),
        ("100", "100"),
        ("0", "0"),
        ("19/150", "0.1267"),
    ],
)
def test_rounding_for_writing_only(value: str, shown: str) -> None:
    """§13: at most four decimals, halves away from zero, no trailing zeros, no exponents."""
    assert str(rounded(Fraction(value))) == shown


@given(st.fractions(min_value=-1000, max_value=1000, max_denominator=1000))
def test_rounding_is_half_up(value: Fraction) -> None:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    assert rounded(value) == exact.quantize(Decimal("0.0001"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("value", "below"), [("<20", True), ("20", False), (">400", False), ("10..20", False)]
)
def test_censored_below(value: str, below: bool) -> None:
    """§14.2: ``<`` is censored below; ``>400`` is an interval like any other."""
    assert interval(value).censored_below is below
