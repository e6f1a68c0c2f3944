"""Exact values: intervals of rational numbers, and moments that may be known only to the day or month.

A result such as ``<20`` is not a number but an interval, and so is a total with a missing part.
Every question about an interval has three answers: yes, no, and None for "it depends".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

Truth = bool | None
"""Three-valued: True, False, or None for undetermined."""

Number = Fraction | Decimal | int


class Interval(Struct, frozen=True, gc=False):
    """The exact rational numbers between ``low`` and ``high``.

    None is no limit; ``low_open``/``high_open`` say that the limit itself is excluded.
    An exact value is the interval from itself to itself.
    """

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False

    @property
    def exact(self) -> Fraction | None:
        """The one number that the interval holds, or None where it holds several."""
        one = self.low is self.high or self.low == self.high
        return self.low if one else None

    @property
    def censored_below(self) -> bool:
        """Whether the value is only known to lie below a limit, as in ``<20``."""
        return self.exact is None and self.high is not None and self.high_open

    def scaled(self, factor: Fraction | int) -> Interval:
        """The interval in another unit; ``factor`` is positive."""
        low = None if self.low is None else self.low * factor
        if self.high is self.low:
            return Interval(low, low, self.low_open, self.high_open)
        return Interval(low, None if self.high is None else self.high * factor, self.low_open, self.high_open)

    def below(self, limit: Number) -> Truth:
        """Whether the value is less than ``limit``."""
        if self.high is not None and _order(self.high, limit) < (1 if self.high_open else 0):
            return True
        if self.low is not None and _order(self.low, limit) >= 0:
            return False
        return None

    def at_most(self, limit: Number) -> Truth:
        """Whether the value is less than or equal to ``limit``."""
        if self.high is not None and _order(self.high, limit) <= 0:
            return True
        if self.low is not None and _order(self.low, limit) > (-1 if self.low_open else 0):
            return False
        return None

    def at_least(self, limit: Number) -> Truth:
        """Whether the value is greater than or equal to ``limit``."""
        return negation(self.below(limit))

    def above(self, limit: Number) -> Truth:
        """Whether the value is greater than ``limit``."""
        return negation(self.at_most(limit))


def _order(number: Fraction, limit: Number) -> int:
    """Below, at or above 0 as ``number`` is less than, equal to or more than ``limit``; in whole numbers."""
    numerator, denominator = number.as_integer_ratio()
    limit_numerator, limit_denominator = limit.as_integer_ratio()
    return numerator * limit_denominator - limit_numerator * denominator


def exactly(value: Number) -> Interval:
    """The interval that holds just ``value``."""
    number = Fraction(value)
    return Interval(number, number)


def total(parts: Iterable[Interval]) -> Interval:
    """The sum of intervals; an open or missing limit of one part makes the sum's so."""
    return weighted_total((part, 1) for part in parts)


def weighted_total(parts: Iterable[tuple[Interval, int]]) -> Interval:
    """The sum of so many times each interval; a weight is a whole number above 0."""
    lows, highs = list[_Times](), list[_Times]()
    exact, low_open, high_open = True, False, False
    for part, weight in parts:
        lows.append((part.low, weight))
        highs.append((part.high, weight))
        exact = exact and part.low is part.high
        low_open = low_open or part.low_open
        high_open = high_open or part.high_open
    low = _sum(lows)
    return Interval(low, low if exact else _sum(highs), low_open, high_open)


_Times = tuple[Fraction | None, int]


def _sum(numbers: Iterable[_Times]) -> Fraction | None:
    """The sum of so many times each number, None if one is: in whole numbers over one denominator."""
    total, denominator = 0, 1
    for number, times in numbers:
        if number is None:
            return None
        numerator, own = number.as_integer_ratio()
        if own == denominator:
            total += times * numerator
        else:
            total, denominator = total * own + times * numerator * denominator, denominator * own
    return Fraction(total, denominator)


def difference(minuend: Interval, subtrahend: Interval) -> Interval:
    """``minuend - subtrahend``; for a change, follow-up minus baseline."""
    low = high = _minus(minuend.low, subtrahend.high)
    if minuend.low is not minuend.high or subtrahend.low is not subtrahend.high:
        high = _minus(minuend.high, subtrahend.low)
    return Interval(
        low,
        high,
        minuend.low_open or subtrahend.high_open,
        minuend.high_open or subtrahend.low_open,
    )


def _minus(number: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if number is None or other is None else number - other


def less(one: Interval, other: Interval) -> Truth:
    """Whether one value is less than another, of which nothing else is known."""
    if one.high is not None and other.low is not None:
        order = _order(one.high, other.low)
        if order < 0 or (order == 0 and (one.high_open or other.low_open)):
            return True
    if one.low is not None and other.high is not None and _order(one.low, other.high) >= 0:
        return False
    return None


def fell_by(baseline: Interval, followup: Interval, share: Fraction) -> Truth:
    """Whether a positive value fell by at least ``share`` of its baseline (``share`` between 0 and 1).

    A fall of 25 % or more is ``followup <= 3/4 of baseline``, so censored values are decided where
    their limits allow it: 100 to ``<20`` fell by more than 80 %. From 0 nothing can fall.
    """
    return all_of((less(followup, baseline), negation(less(baseline.scaled(1 - share), followup))))


def rose_by(baseline: Interval, followup: Interval, share: Fraction) -> Truth:
    """Whether a positive value rose by at least ``share`` of its baseline."""
    return negation(less(followup, baseline.scaled(1 + share)))


def negation(answer: Truth) -> Truth:
    """Three-valued *not*."""
    return None if answer is None else not answer


def any_of(answers: Iterable[Truth]) -> Truth:
    """Three-valued *or*: True if any is met, False if none is and all are known. Of nothing: False."""
    known = list(answers)
    if True in known:
        return True
    return None if None in known else False


def all_of(answers: Iterable[Truth]) -> Truth:
    """Three-valued *and*: False if any fails, True if all are known and none does. Of nothing: True."""
    known = list(answers)
    if False in known:
        return False
    return None if None in known else True


@lru_cache(maxsize=4096)
def rounded(value: Fraction, places: int = 4) -> Decimal:
    """``value`` as a decimal with at most ``places`` digits after the point, halves away from zero.

    For showing and writing only: no value is rounded before it is compared. Trailing zeros are cut.
    """
    scale = 10**places
    numerator = abs(value.numerator) * scale * 2 + value.denominator
    units = numerator // (2 * value.denominator)
    digits = Decimal(units if value >= 0 else -units).scaleb(-places)
    return digits.quantize(Decimal(1)) if digits == digits.to_integral_value() else digits.normalize()


class Moment(Struct, frozen=True, gc=False):
    """When something was: the local days that it may lie on, and the instant where it is known.

    ``first`` and ``last`` are days in the study's time zone, equal unless the date is partial
    (``2024-03``) or a period over several days; ``instant`` is timezone-aware or None.
    """

    first: date
    last: date
    instant: datetime | None = None

    @property
    def order(self) -> tuple[date, bool, date]:
        """What moments are sorted by: the day, then the time; a day without a time comes first."""
        return (self.first, self.instant is not None, self.instant or self.first)


def on(day: date) -> Moment:
    """The moment of a whole day without a time."""
    return Moment(day, day)
