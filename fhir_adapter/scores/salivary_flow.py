"""Unstimulated whole salivary flow in mL/min, drained or spat for 5 to 15 minutes.

Abnormal at 0.1 mL/min or less (ACR/EULAR 2016 = 1.5 mL in 15 min, AECG 2002). Baseline and follow-up
should be collected over the same time. From 0 any rise counts (STAR). Dossier §5, §3.1.
"""

from __future__ import annotations

from fractions import Fraction

from fhir_adapter.scores.branches import UNUSED, Branch, compared, value_of, was_done
from fhir_adapter.scores.outcome import answered, at_visit, change, difference_of, percent
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import SalivaryFlowRule
from fhir_adapter.trial.types import Outcome
from fhir_adapter.trial.values import Interval, Truth, rose_by
from fhir_adapter.trial.windows import Evidence

ITEM = "salivary-flow"


def rise(baseline: Interval, followup: Interval, share: Fraction) -> Truth:
    """Whether the flow rose by such a share, or at all from 0.

    Where it is open whether the baseline was 0, the answer holds if both rules give it.
    """
    any_rise, relative = followup.above(0), rose_by(baseline, followup, share)
    zero = baseline.at_most(0)
    if zero is None:
        return any_rise if any_rise == relative else None
    return any_rise if zero else relative


def branch(baseline: Evidence, followup: Evidence, share: Fraction) -> Branch:
    """The flow as one of two tests of the salivary glands."""
    if not was_done(baseline, followup, items=(ITEM,)):
        return UNUSED
    before, after = value_of(baseline.at(ITEM)), value_of(followup.at(ITEM))
    answer = compared(before, after, lambda first, second: rise(first, second, share))
    return Branch(True, answer, ("zero-baseline",) if before and before.at_most(0) else ())


def score(evidence: Evidence, rule: SalivaryFlowRule) -> Outcome:
    """The flow at one visit."""
    value = value_of(evidence.at(ITEM))
    abnormal = value.at_most(rule.abnormal_at_most) if value else None
    return at_visit(
        OutcomeCode.SALIVARY_FLOW, evidence, [ITEM], value, [answered("abnormal", abnormal, "missing-input")]
    )


def score_change(baseline: Evidence, followup: Evidence, before: Outcome, after: Outcome) -> Outcome:
    """The change of the flow, absolute and in per cent."""
    units = {each.unit for visit in (baseline, followup) if (each := visit.at(ITEM)) and each.usable}
    return change(
        OutcomeCode.SALIVARY_FLOW_CHANGE,
        before,
        after,
        difference_of(before, after),
        [percent(before, after)],
        ("collection-differs",) if len(units) > 1 else (),
    )
