"""Muscular domain, levels 0 to 3: creatine kinase and strength, and none of it without proof of myositis.

Proven by EMG, MRI or biopsy: low; moderate with a weakness no worse than 4/5 or CK above 2 times its
limit; high with a weakness of 3/5 or worse or CK above 4 times. Dossier §1.3.
"""

from __future__ import annotations

from fhir_adapter.conduct.derived.proposal import Proposal, attributed, bounds, open_attribution
from fhir_adapter.conduct.rules import MuscularRule
from fhir_adapter.trial.values import Interval, Truth, any_of


def muscular(
    *,
    proven: Truth = None,
    ck_multiple: Interval | None = None,
    weakest: Interval | None = None,
    rule: MuscularRule,
) -> Proposal:
    """The proposal from CK as a multiple of its limit and the weakest muscle, 0 to 5; None is not known."""
    high = any_of(
        (
            ck_multiple.above(rule.ck_high_above) if ck_multiple else None,
            weakest.at_most(rule.strength_high_at_most) if weakest else None,
        )
    )
    moderate = any_of(
        (
            high,
            ck_multiple.above(rule.ck_moderate_above) if ck_multiple else None,
            weakest.below(rule.strength_moderate_below) if weakest else None,
        )
    )
    found = bounds((True, moderate, high))
    return Proposal("muscular", *attributed(found, proven), open_attribution(found, proven))
