"""IgG and rheumatoid factor as tests of B-cell activation, shared by STAR and the response.

A rheumatoid factor that was negative or censored below at baseline cannot improve: it is not used and
IgG decides. Negative means a word, a value ``<x``, or a value below the laboratory's own limit
(dossier §3.1, §6.2 c, §14.2).
"""

from __future__ import annotations

from fractions import Fraction

from fhir_adapter.scores.branches import UNUSED, Branch, compared, value_of, was_done
from fhir_adapter.trial.types import Measurement
from fhir_adapter.trial.values import fell_by
from fhir_adapter.trial.windows import Evidence

IGG = "igg"
RF = "rheumatoid-factor"


def igg_branch(baseline: Evidence, followup: Evidence, share: Fraction) -> Branch:
    """Whether IgG fell by such a share."""
    if not was_done(baseline, followup, items=(IGG,)):
        return UNUSED
    before, after = value_of(baseline.at(IGG)), value_of(followup.at(IGG))
    return Branch(True, compared(before, after, lambda first, second: fell_by(first, second, share)))


def rf_branch(baseline: Evidence, followup: Evidence, share: Fraction) -> Branch:
    """Whether rheumatoid factor fell by such a share."""
    before = baseline.at(RF)
    if before is not None and before.usable and negative(before):
        return Branch(False, None, ("rf-negative-at-baseline",))
    if not was_done(baseline, followup, items=(RF,)):
        return UNUSED
    answer = compared(
        value_of(before), value_of(followup.at(RF)), lambda first, second: fell_by(first, second, share)
    )
    return Branch(True, answer)


def negative(measurement: Measurement) -> bool:
    """Whether a result is negative: said so, censored below, or below the laboratory's own limit."""
    value, normal = measurement.value, measurement.normal
    if measurement.found is False or (value is not None and value.censored_below):
        return True
    limit = normal.high if normal else None
    return value is not None and limit is not None and value.below(limit) is True
