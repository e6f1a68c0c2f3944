"""Exact values: intervals of rational numbers, and moments that may be known only to the day or month.

A result such as ``<20`` is not a number but an interval, and so is a total with a missing part.
Every question about an interval has three answers: yes, no, and None for "it depends".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

Truth = bool | None
"""Three-valued: True, False, or None for undetermined."""

Number = Fraction | Decimal | int


@dataclass(frozen=True, slots=True)
class Interval:
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
        return self.low if self.low is not None and self.low == self.high else None

    @property
    def censored_below(self) -> bool:
        """Whether the value is only known to lie below a limit, as in ``<20``."""
        return self.exact is None and self.high is not None and self.high_open

    def scaled(self, factor: Fraction) -> Interval:
        """The interval in another unit; ``factor`` is positive."""
        return Interval(
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
            self.low_open,
            self.high_open,
        )

    def below(self, limit: Number) -> Truth:
        """Whether the value is less than ``limit``."""
        if self.high is not None and (self.high < limit or (self.high == limit and self.high_open)):
            return True
        if self.low is not None and self.low >= limit:
            return False
        return None

    def at_most(self, limit: Number) -> Truth:
        """Whether the value is less than or equal to ``limit``."""
        if self.high is not None and self.high <= limit:
            return True
        if self.low is not None and (self.low > limit or (self.low == limit and self.low_open)):
            return False
        return None

    def at_least(self, limit: Number) -> Truth:
        """Whether the value is greater than or equal to ``limit``."""
        return negation(self.below(limit))

    def above(self, limit: Number) -> Truth:
        """Whether the value is greater than ``limit``."""
        return negation(self.at_most(limit))


def exactly(value: Number) -> Interval:
    """The interval that holds just ``value``."""
    number = Fraction(value)
    return Interval(number, number)


def total(parts: Iterable[Interval]) -> Interval:
    """The sum of intervals; an open or missing limit of one part makes the sum's so."""
    low: Fraction | None = Fraction(0)
    high: Fraction | None = Fraction(0)
    low_open = high_open = False
    for part in parts:
        low = None if low is None or part.low is None else low + part.low
        high = None if high is None or part.high is None else high + part.high
        low_open |= part.low_open
        high_open |= part.high_open
    return Interval(low, high, low_open, high_open)


def difference(minuend: Interval, subtrahend: Interval) -> Interval:
    """``minuend - subtrahend``; for a change, follow-up minus baseline."""
    return total((minuend, negated(subtrahend)))


def negated(value: Interval) -> Interval:
    """The interval of the opposite numbers."""
    return Interval(
        None if value.high is None else -value.high,
        None if value.low is None else -value.low,
        value.high_open,
        value.low_open,
    )


def fell_by(baseline: Interval, followup: Interval, share: Fraction) -> Truth:
    """Whether a positive value fell by at least ``share`` of its baseline (``share`` between 0 and 1).

    A fall of 25 % or more is ``followup <= 3/4 of baseline``, so censored values are decided where
    their limits allow it: 100 to ``<20`` fell by more than 80 %. From 0 nothing can fall.
    """
    return all_of(
        (
            difference(followup, baseline).below(0),
            difference(followup, baseline.scaled(1 - share)).at_most(0),
        )
    )


def rose_by(baseline: Interval, followup: Interval, share: Fraction) -> Truth:
    """Whether a positive value rose by at least ``share`` of its baseline."""
    return difference(followup, baseline.scaled(1 + share)).at_least(0)


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
    """Three-valued *and*. Of nothing: True."""
    return negation(any_of(negation(answer) for answer in answers))


def rounded(value: Fraction, places: int = 4) -> Decimal:
    """``value`` as a decimal with at most ``places`` digits after the point, halves away from zero.

    For showing and writing only: no value is rounded before it is compared. Trailing zeros are cut.
    """
    scale = 10**places
    numerator = abs(value.numerator) * scale * 2 + value.denominator
    units = numerator // (2 * value.denominator)
    digits = Decimal(units if value >= 0 else -units).scaleb(-places)
    return digits.quantize(Decimal(1)) if digits == digits.to_integral_value() else digits.normalize()


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was: the local days that it may lie on, and the instant where it is known.

    ``first`` and ``last`` are days in the study's time zone, equal unless the date is partial
    (``2024-03``) or a period over several days; ``instant`` is timezone-aware or None.
    """

    first: date
    last: date
    instant: datetime | None = None

    @property
    def order(self) -> tuple[date, float]:
        """What moments are sorted by: the day, then the time; a day without a time comes first."""
        return (self.first, self.instant.timestamp() if self.instant else float("-inf"))


def on(day: date) -> Moment:
    """The moment of a whole day without a time."""
    return Moment(day, day)
