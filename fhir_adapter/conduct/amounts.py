"""Soft warnings where a dose lies far from what is usual. The record states no dose: these are no deviations.

What is usual, by body surface or by weight, is the protocol file's. Body surface by Mosteller, √(cm × kg /
3600); it is compared squared, so that nothing is rounded. Dossier §7.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

from msgspec import Struct

from fhir_adapter.conduct.answers import Piece
from fhir_adapter.conduct.record import Record, latest, study_doses
from fhir_adapter.conduct.rules import UsualDoseRule
from fhir_adapter.scores.branches import value_of
from fhir_adapter.trial.types import Dose, Measurement
from fhir_adapter.trial.values import Interval


class Unusual(Struct, frozen=True, gc=False):
    """A dose of more or less than is usual for the height and weight of the time."""

    dose: Dose
    more: bool
    evidence: tuple[Piece, ...]


def unusual(record: Record, rule: UsualDoseRule) -> tuple[Unusual, ...]:
    """The doses in mg that lie outside the usual; without an amount, height or weight nothing is said."""
    return tuple(_judged(record, rule))


def _judged(record: Record, rule: UsualDoseRule) -> Iterator[Unusual]:
    for drug, usual in rule.amounts.items():
        for dose in study_doses(record, drug):
            if dose.amount is None or dose.unit != "mg":
                continue
            start = dose.day - timedelta(days=rule.days)
            weight = latest(record, "weight", start, dose.day)
            kilograms = _exact(value_of(weight))
            if kilograms is None:
                continue
            height = latest(record, "height", start, dose.day)
            centimetres = _exact(value_of(height))
            low, high = 1 - rule.share, 1 + rule.share
            used: tuple[Measurement | None, ...]
            if usual.mg_per_kg is not None:
                relative, used = dose.amount / (usual.mg_per_kg * kilograms), (weight,)
            elif usual.mg_per_m2 is not None and centimetres is not None:
                # (amount / dose per m²)² against the square of the surface.
                relative = (dose.amount / usual.mg_per_m2) ** 2 * 3600 / (centimetres * kilograms)
                low, high, used = low**2, high**2, (height, weight)
            else:
                continue
            if not low <= relative <= high:
                yield Unusual(dose, relative > high, tuple(each for each in used if each))


def _exact(value: Interval | None) -> Fraction | None:
    number = value.exact if value else None
    return number if number else None
