"""ESSPRI: what the participant feels. Mean of dryness, fatigue and pain, each 0 to 10.

Seror ARD 2011;70:968-72. MCII (a fall of 1 point or of 15 %) and PASS (below 5): Seror ARD
2016;75:382-9. A missing scale makes the score missing; no imputation is published. Dossier §2.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from fhir_adapter.scores.outcome import answered, at_visit, change, difference_of, interval_of, numbered
from fhir_adapter.trial.items import ESSPRI_SCALES, OutcomeCode
from fhir_adapter.trial.protocol import EsspriRule
from fhir_adapter.trial.types import Outcome
from fhir_adapter.trial.values import Interval, Truth, any_of, difference, fell_by, total
from fhir_adapter.trial.windows import Evidence

_ANY = Interval(Fraction(0), Fraction(10))
_SHARE = {count: Fraction(1, count) for count in (1, 2, 3)}
ITEMS = tuple(f"esspri-{scale}" for scale in ESSPRI_SCALES)
"""The three scales."""


def mean(scales: Sequence[Interval | None]) -> Interval | None:
    """The mean of the three scales; a missing one lies anywhere in 0 to 10. None where all are missing."""
    if not any(scales):
        return None
    return total(scale or _ANY for scale in scales).scaled(_SHARE[len(scales)])


def improved(
    baseline: Interval | None, followup: Interval | None, points: Fraction, share: Fraction
) -> Truth:
    """Whether the score fell by so many points or by such a share; from 0 nothing improves."""
    if baseline is None or followup is None:
        return None
    return any_of((difference(followup, baseline).at_most(-points), fell_by(baseline, followup, share)))


def score(evidence: Evidence, rule: EsspriRule) -> Outcome:
    """ESSPRI at one visit."""
    scales = evidence.values(ITEMS)
    value = mean(scales)
    acceptable = value.below(rule.pass_below) if value else None
    components = [answered("pass", acceptable, "missing-input")]
    known = [scale for scale in scales if scale is not None]
    if len(known) == len(ITEMS) - 1:
        # A sensitivity result: nothing else is made from it.
        components.append(numbered("mean-of-two", mean(known)))
    return at_visit(OutcomeCode.ESSPRI, evidence, ITEMS, value, components)


def score_change(baseline: Outcome, followup: Outcome, rule: EsspriRule) -> Outcome:
    """The change of the ESSPRI with its MCII."""
    answer = improved(interval_of(baseline), interval_of(followup), rule.mcii_points, rule.mcii_share)
    return change(
        OutcomeCode.ESSPRI_CHANGE,
        baseline,
        followup,
        difference_of(baseline, followup),
        [answered("mcii", answer, "missing-input")],
    )
