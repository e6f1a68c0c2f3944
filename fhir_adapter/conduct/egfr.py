"""Estimated glomerular filtration rate of children and young adults, mL/min/1.73 m².

Bedside Schwartz 2009 (PMC2653687): 0.413 × height (cm) / creatinine (mg/dL). CKiD U25
(github.com/ckidstudy/CKiD_U25): k × height (m) / creatinine (mg/dL), where k is for boys
39.0 × 1.008^(age−12) under 12 years, 39.0 × 1.045^(age−12) from 12, 50.8 from 18, and for girls
36.1 × 1.008^(age−12), 36.1 × 1.023^(age−12), 41.4. Age in years is days / 365.25 (dossier §8.2, §14.7).

Exactness: Schwartz is a rational number. For U25 a whole exponent is computed exactly; any other power of
these bases is irrational, so it never equals a limit, and an enclosure of 40 digits tells on which side
it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from fhir_adapter.conduct.rules import EgfrRule
from fhir_adapter.trial.values import Interval, exactly

SCHWARTZ = Fraction(413, 1000)
"""Bedside Schwartz, per cm."""

U25: Mapping[str, tuple[Fraction, Fraction, Fraction, Fraction]] = {
    "male": (Fraction("39.0"), Fraction("1.008"), Fraction("1.045"), Fraction("50.8")),
    "female": (Fraction("36.1"), Fraction("1.008"), Fraction("1.023"), Fraction("41.4")),
}
"""Sex → k at 12 years, its growth a year before and after, k from 18 years; per m."""

_ADULT = 18
_TURN = 12
_DIGITS = 40


class Egfr(Struct, frozen=True, gc=False):
    """Both formulas, and the one that leads. ``value`` is None where an input is missing.

    Where the age leaves open which formula leads, or the sex is not known, the interval encloses all that
    is possible. ``flags`` say about which limits the formulas disagree.
    """

    value: Interval | None
    leads: str | None
    schwartz: Interval | None
    u25: Interval | None
    flags: tuple[str, ...]


def years(born: date, day: date) -> Fraction:
    """Age in decimal years: days / 365.25."""
    return Fraction((day - born).days * 4, 1461)


def schwartz(height: Interval, creatinine: Interval) -> Interval:
    """Bedside Schwartz from cm and mg/dL."""
    return quotient(height.scaled(SCHWARTZ), creatinine)


def u25(age: Interval, sex: str | None, height: Interval, creatinine: Interval) -> Interval | None:
    """CKiD U25 from years, ``male`` or ``female``, cm and mg/dL.

    Of another or an unknown sex: enclosed by both. None where the age has no limits.
    """
    if age.low is None or age.high is None:
        return None
    # k only grows with age, so the ends of the age enclose it.
    factors = [
        Interval(_k(age.low, each).low, _k(age.high, each).high) for each in ([sex] if sex in U25 else U25)
    ]
    return quotient(product(hull(*factors), height.scaled(Fraction(1, 100))), creatinine)


@lru_cache(maxsize=1024)
def _k(age: Fraction, sex: str | None) -> Interval:
    at_12, before, after, adult = U25[sex or ""]
    if age >= _ADULT:
        return exactly(adult)
    return power(before if age < _TURN else after, age - _TURN).scaled(at_12)


def power(base: Fraction, exponent: Fraction) -> Interval:
    """``base ** exponent``: exact for a whole exponent, else enclosed by 40 digits."""
    if exponent.denominator == 1:
        return exactly(base**exponent.numerator)
    with localcontext(prec=_DIGITS + 10):
        approximately = Fraction(_decimal(base) ** _decimal(exponent))
    margin = approximately / 10**_DIGITS
    return Interval(approximately - margin, approximately + margin, low_open=True, high_open=True)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def estimate(
    age: Interval | None,
    sex: str | None,
    height: Interval | None,
    creatinine: Interval | None,
    rule: EgfrRule,
) -> Egfr:
    """Both formulas and the one that leads: Schwartz under so many years, U25 from then on."""
    if height is None or creatinine is None:
        return Egfr(None, None, None, None, ())
    simple = schwartz(height, creatinine)
    by_age = u25(age, sex, height, creatinine) if age else None
    adult = age.at_least(rule.u25_from_age) if age else None
    flags = tuple(
        f"formulas-disagree-about-{limit}"
        for limit in rule.flag_about
        if by_age and {simple.below(limit), by_age.below(limit)} == {True, False}
    )
    if adult is None:
        return Egfr(hull(simple, by_age) if by_age else None, None, simple, by_age, flags)
    if adult:
        return Egfr(by_age, "ckid-u25", simple, by_age, flags)
    return Egfr(simple, "bedside-schwartz", simple, by_age, flags)


def hull(*values: Interval) -> Interval:
    """The smallest closed interval that encloses all."""
    lows = [each.low for each in values if each.low is not None]
    highs = [each.high for each in values if each.high is not None]
    if len(values) == 1:
        return values[0]
    return Interval(
        min(lows) if len(lows) == len(values) else None, max(highs) if len(highs) == len(values) else None
    )


def product(one: Interval, other: Interval) -> Interval:
    """The product of two intervals that do not lie below 0."""
    low = Fraction(0) if one.low is None or other.low is None else one.low * other.low
    high = None if one.high is None or other.high is None else one.high * other.high
    return Interval(low, high, one.low_open or other.low_open, one.high_open or other.high_open)


def quotient(dividend: Interval, divisor: Interval) -> Interval:
    """The quotient of two intervals that do not lie below 0; without an end where the divisor reaches 0."""
    low = Fraction(0) if dividend.low is None or not divisor.high else dividend.low / divisor.high
    high = None if dividend.high is None or not divisor.low else dividend.high / divisor.low
    return Interval(low, high, dividend.low_open or divisor.high_open, dividend.high_open or divisor.low_open)
