"""Schirmer I: mm of a paper strip wetted in 5 minutes, per eye, without anaesthesia.

Mean of both eyes where both have values at both visits, else the same single eye at both (dossier §5,
§14.12). Abnormal below 5 mm for the record and for STAR (Seror ARD 2022;81:979-89, Table 3, footnote);
the classification criteria use 5 mm or less. The strip ends at 35 mm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from fhir_adapter.scores.outcome import answered, at_visit, change, numbered
from fhir_adapter.trial.items import EYES, OutcomeCode
from fhir_adapter.trial.protocol import SchirmerRule
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of, difference, negation, total
from fhir_adapter.trial.windows import Evidence

ITEMS = tuple(f"schirmer-{eye}" for eye in EYES)
_HALF = Fraction(1, 2)
STAINING = tuple(f"ocular-staining-{eye}" for eye in EYES)


def mean(values: list[Interval]) -> Interval | None:
    """The mean of one or two eyes; None of none."""
    if len(values) == 1:
        return values[0]
    return total(values).scaled(_HALF) if values else None


def worse(values: list[Interval]) -> Interval | None:
    """The lower of one or two eyes; None of none. ``<5`` beside 10 leaves it open how low it is."""
    if not values:
        return None
    highs = [each.high for each in values if each.high is not None]
    lows = [each.low for each in values if each.low is not None]
    return Interval(
        min(lows) if len(lows) == len(values) else None,
        min(highs, default=None),
    )


def eyes(evidence: Evidence, items: tuple[str, str] | tuple[str, ...] = ITEMS) -> dict[str, Interval]:
    """The values of the eyes that have one."""
    found = zip(items, evidence.values(items), strict=True)
    return {item: value for item, value in found if value is not None}


def paired(
    baseline: Evidence, followup: Evidence, items: tuple[str, ...] = ITEMS
) -> tuple[Interval | None, Interval | None, tuple[str, ...]]:
    """The means at both visits over the same eyes, and a flag where that is one eye only."""
    before, after = eyes(baseline, items), eyes(followup, items)
    common = [item for item in items if item in before and item in after]
    if not common:
        return None, None, ()
    flags = ("one-eye",) if len(common) == 1 else ()
    return mean([before[item] for item in common]), mean([after[item] for item in common]), flags


def rise(baseline: Interval, followup: Interval, millimetres: Fraction) -> Truth:
    """Whether the wetting rose by so many mm or more."""
    return difference(followup, baseline).at_least(millimetres)


def improved_or_normal(
    baseline: Interval, followup: Interval, abnormal_below: Fraction, millimetres: Fraction
) -> Truth:
    """STAR's rule: abnormal at baseline must rise, normal at baseline must not become abnormal."""
    abnormal = baseline.below(abnormal_below)
    return any_of(
        (
            all_of((abnormal, rise(baseline, followup, millimetres))),
            all_of((negation(abnormal), negation(followup.below(abnormal_below)))),
        )
    )


def score(evidence: Evidence, rule: SchirmerRule) -> Outcome:
    """The mean of the eyes at one visit, with each eye and the worse one beside it."""
    values = eyes(evidence)
    value = mean(list(values.values()))
    flags = ("one-eye",) if len(values) == 1 else ()
    return at_visit(OutcomeCode.SCHIRMER, evidence, ITEMS, value, _components(values, value, rule), flags)


def _components(
    values: Mapping[str, Interval], value: Interval | None, rule: SchirmerRule
) -> Iterator[Component]:
    for eye, item in zip(EYES, ITEMS, strict=True):
        yield numbered(eye, values.get(item), "mm")
    yield numbered("worst-eye", worse(list(values.values())), "mm")
    yield answered("abnormal", value.below(rule.abnormal_below) if value else None, "missing-input")


def score_change(
    baseline: Evidence,
    followup: Evidence,
    before: Outcome,
    after: Outcome,
    rule: SchirmerRule,
    asked: Fraction | None,
) -> Outcome:
    """The change of the mean over the same eyes at both visits.

    Flagged where the strip has no room for the rise in mm that a response asks for (None: none does).
    """
    first, second, flags = paired(baseline, followup)
    value = difference(second, first) if first and second else None
    if first and asked is not None and first.above(rule.strip - asked):
        flags = (*flags, "schirmer-ceiling")
    return change(OutcomeCode.SCHIRMER_CHANGE, before, after, value, (), flags)
