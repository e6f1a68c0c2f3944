"""STAR, Sjögren's tool for assessing response: five items, 0 to 9 points, responder from 5.

Seror ARD 2022;81:979-89, Table 3: systemic (ClinESSDAI, 3 points), patient (ESSPRI, 3), lachrymal
(Schirmer or ocular staining, 1), salivary (flow or ultrasound, 1), biological (IgG or rheumatoid
factor, 1). An item that cannot be decided gives a range of points. Dossier §3.1, §14.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from fhir_adapter.scores import essdai, esspri, hocevar, salivary_flow, schirmer, serology
from fhir_adapter.scores.branches import UNUSED, Branch, any_branch, compared, was_done
from fhir_adapter.scores.esspri import improved
from fhir_adapter.scores.outcome import (
    answered,
    between,
    brief,
    difference_of,
    effective,
    interval_of,
    threshold_named,
    waiting_for,
    why_open,
)
from fhir_adapter.trial.items import OUTCOMES, OutcomeCode
from fhir_adapter.trial.protocol import StarRule
from fhir_adapter.trial.types import Component, Measurement, Outcome, gathered
from fhir_adapter.trial.values import Interval, Truth, difference
from fhir_adapter.trial.windows import Evidence

POINTS: Mapping[str, int] = {"systemic": 3, "patient": 3, "lachrymal": 1, "salivary": 1, "biological": 1}
"""Item → its points when met."""


class Visits(Struct, frozen=True, gc=False):
    """What STAR compares: the evidence of both visits and the indices scored from it."""

    baseline: Evidence
    followup: Evidence
    clinessdai: tuple[Outcome, Outcome]
    essdai: tuple[Outcome, Outcome]
    esspri: tuple[Outcome, Outcome]


def points(items: Mapping[str, Truth]) -> Interval:
    """The points that are certain and those still possible."""
    low = sum(POINTS[name] for name, met in items.items() if met)
    high = sum(POINTS[name] for name, met in items.items() if met is not False)
    return between(low, high)


def responder(score: Interval, threshold: int, reading: str) -> Truth:
    """Whether the points reach the threshold: ``at-least`` as published, ``more-than`` as in the record."""
    return score.above(threshold) if reading == "more-than" else score.at_least(threshold)


def systemic(before: Outcome, after: Outcome, fall: Fraction) -> Truth:
    """Whether an index of systemic activity fell by so many points."""
    change = difference_of(before, after)
    return change.at_most(-fall) if change else None


def lachrymal(baseline: Evidence, followup: Evidence, rule: StarRule) -> tuple[Truth, tuple[str, ...]]:
    """Schirmer or ocular staining, each over the same eyes at both visits."""
    return any_branch([_wetting(baseline, followup, rule), _staining(baseline, followup, rule)])


def _wetting(baseline: Evidence, followup: Evidence, rule: StarRule) -> Branch:
    if not was_done(baseline, followup, items=schirmer.ITEMS):
        return UNUSED
    before, after, flags = schirmer.paired(baseline, followup)
    limit, millimetres = rule.schirmer_abnormal_below, rule.schirmer_rise
    answer = compared(
        before, after, lambda first, second: schirmer.improved_or_normal(first, second, limit, millimetres)
    )
    return Branch(True, answer, flags)


def _staining(baseline: Evidence, followup: Evidence, rule: StarRule) -> Branch:
    if not was_done(baseline, followup, items=schirmer.STAINING):
        return UNUSED
    before, after, flags = schirmer.paired(baseline, followup, schirmer.STAINING)

    def better(first: Interval, second: Interval) -> Truth:
        abnormal = first.at_least(rule.staining_abnormal_from)
        if abnormal is None:
            return None
        if abnormal:
            return difference(second, first).at_most(-rule.staining_fall)
        return second.below(rule.staining_abnormal_from)

    return Branch(True, compared(before, after, better), flags)


def salivary(baseline: Evidence, followup: Evidence, rule: StarRule) -> tuple[Truth, tuple[str, ...]]:
    """Unstimulated flow or ultrasound."""
    return any_branch(
        [
            salivary_flow.branch(baseline, followup, rule.flow_rise_share),
            hocevar.branch(baseline, followup, rule.ultrasound_fall_share),
        ]
    )


def biological(baseline: Evidence, followup: Evidence, rule: StarRule) -> tuple[Truth, tuple[str, ...]]:
    """IgG or rheumatoid factor."""
    return any_branch(
        [
            serology.igg_branch(baseline, followup, rule.igg_fall_share),
            serology.rf_branch(baseline, followup, rule.rf_fall_share),
        ]
    )


_TESTS: Mapping[str, tuple[str, ...]] = {
    "lachrymal": (*schirmer.ITEMS, *schirmer.STAINING),
    "salivary": (salivary_flow.ITEM, *hocevar.ITEMS),
    "biological": (serology.IGG, serology.RF),
}
"""STAR's item → what is measured for it."""
INPUTS = (*essdai.ITEMS, *esspri.ITEMS, *(item for items in _TESTS.values() for item in items))
"""Everything that the five items look at."""


def score(visits: Visits, rule: StarRule) -> Outcome:
    """STAR at the follow-up visit."""
    baseline, followup = visits.baseline, visits.followup
    index = _index(visits, rule.systemic_reading.default)
    tears, tear_flags = lachrymal(baseline, followup, rule)
    saliva, saliva_flags = salivary(baseline, followup, rule)
    blood, blood_flags = biological(baseline, followup, rule)
    items: dict[str, Truth] = {
        "systemic": systemic(*index, rule.systemic_fall),
        "patient": improved(
            interval_of(visits.esspri[0]),
            interval_of(visits.esspri[1]),
            rule.patient_points,
            rule.patient_share,
        ),
        "lachrymal": tears,
        "salivary": saliva,
        "biological": blood,
    }
    total = points(items)
    open_items = [name for name, met in items.items() if met is None]
    reason, detail = _reason(visits, open_items)
    if followup.brief:
        return brief(followup, OutcomeCode.STAR, number=total.exact, reason=reason)
    measured = {name: (baseline.of(tests), followup.of(tests)) for name, tests in _TESTS.items()}
    rests: dict[str, tuple[Measurement | Outcome, ...]] = {
        "systemic": index,
        "patient": visits.esspri,
        **{name: (*before, *after) for name, (before, after) in measured.items()},
    }
    evidence = tuple(piece for pieces in rests.values() for piece in pieces)
    waiting = waiting_for(followup)
    decided = responder(total, rule.threshold, rule.threshold_reading.default)
    return Outcome(
        followup.subject,
        followup.visit,
        OutcomeCode.STAR,
        number=total.exact,
        unit=OUTCOMES[OutcomeCode.STAR][1],
        reason=reason,
        detail=detail,
        bounds=total if open_items and len(open_items) < len(items) else None,
        components=(
            *(
                Component(
                    name,
                    answer=met,
                    reason=waiting or why_open(rests[name]) if met is None else None,
                    rests_on=rests[name],
                )
                for name, met in items.items()
            ),
            answered("responder", decided, waiting or "undetermined"),
            *(
                answered(
                    f"responder-{threshold_named(name, rule.threshold)}",
                    responder(total, rule.threshold, name),
                    waiting or "undetermined",
                )
                for name in rule.threshold_reading.alternatives
            ),
            *(
                answered(
                    f"responder-with-{name}", _with(name, visits, items, rule), waiting or "undetermined"
                )
                for name in rule.systemic_reading.alternatives
            ),
            # What is not due has not failed: it counts as nothing yet (dossier §13).
            Component("responder-nri", answer=None if waiting else decided is True, reason=waiting),
            Component("points-nri", number=None if waiting else total.low, reason=waiting),
        ),
        flags=_once((*tear_flags, *saliva_flags, *blood_flags)),
        effective=effective(followup, [each for _, after in measured.values() for each in after]),
        origins=gathered(evidence),
        rests_on=evidence,
    )  # fmt: skip


def _index(visits: Visits, reading: str) -> tuple[Outcome, Outcome]:
    return visits.essdai if reading == "essdai" else visits.clinessdai


def _with(reading: str, visits: Visits, items: Mapping[str, Truth], rule: StarRule) -> Truth:
    """The answer if another index stood for the systemic item."""
    changed = {**items, "systemic": systemic(*_index(visits, reading), rule.systemic_fall)}
    return responder(points(changed), rule.threshold, rule.threshold_reading.default)


def _reason(visits: Visits, open_items: list[str]) -> tuple[str | None, str]:
    if not open_items:
        return None, ""
    waiting = waiting_for(visits.followup) or waiting_for(visits.baseline)
    if waiting:
        return waiting, ""
    nothing = not (visits.baseline.of(INPUTS) and visits.followup.of(INPUTS))
    return ("not-assessed" if nothing else "missing-input"), "undetermined: " + ", ".join(open_items)


def _once(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flags))
