"""Soft warnings where a dose lies far from what is usual. The record states no dose: these are no deviations.

Usual are rituximab 375 mg/m² and belimumab 10 mg/kg. Body surface by Mosteller, √(cm × kg / 3600); it is
compared squared, so that nothing is rounded. Dossier §7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from fhir_adapter.conduct.answers import Piece
from fhir_adapter.conduct.record import Record, latest, study_doses
from fhir_adapter.conduct.rules import UsualDoseRule
from fhir_adapter.scores.branches import value_of
from fhir_adapter.trial.types import Dose
from fhir_adapter.trial.values import Interval


@dataclass(frozen=True, slots=True)
class Unusual:
    """A dose of more or less than is usual for the height and weight of the time."""

    dose: Dose
    more: bool
    evidence: tuple[Piece, ...]


def unusual(record: Record, rule: UsualDoseRule) -> tuple[Unusual, ...]:
    """The doses in mg that lie outside the usual; without an amount, height or weight nothing is said."""
    return tuple(_judged(record, rule))


def _judged(record: Record, rule: UsualDoseRule) -> Iterator[Unusual]:
    for drug in ("rituximab", "belimumab"):
        for dose in study_doses(record, drug):
            if dose.amount is None or dose.unit != "mg":
                continue
            start = dose.day - timedelta(days=rule.days)
            height, weight = (latest(record, item, start, dose.day) for item in ("height", "weight"))
            centimetres, kilograms = _exact(value_of(height)), _exact(value_of(weight))
            if kilograms is None or (drug == "rituximab" and centimetres is None):
                continue
            if drug == "rituximab" and centimetres is not None:
                # (amount / dose per m²)² against the square of the surface.
                relative = (dose.amount / rule.rituximab_mg_per_m2) ** 2 * 3600 / (centimetres * kilograms)
                low, high = (1 - rule.share) ** 2, (1 + rule.share) ** 2
            else:
                relative = dose.amount / (rule.belimumab_mg_per_kg * kilograms)
                low, high = 1 - rule.share, 1 + rule.share
            if not low <= relative <= high:
                used = (height, weight) if drug == "rituximab" else (weight,)
                yield Unusual(dose, relative > high, tuple(each for each in used if each))


def _exact(value: Interval | None) -> Fraction | None:
    number = value.exact if value else None
    return number if number else None
