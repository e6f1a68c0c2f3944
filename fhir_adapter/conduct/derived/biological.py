"""Biological domain, levels 0 to 2: fully from the laboratory, but for the cause of a low IgG.

Low: clonal component, low complement, or IgG from 16 to 20 g/L. Moderate: cryoglobulin, IgG above 20, or
a recent fall of IgG below 5. A low IgG counts until it is said to be drug-caused; both are always shown.
Dossier §1.3, §1.5.1.
"""

from __future__ import annotations

from fhir_adapter.conduct.derived.proposal import Bounds, Proposal, bounds
from fhir_adapter.conduct.rules import BiologicalRule
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of


def biological(
    *,
    igg: Interval | None = None,
    low_complement: Truth = None,
    clonal_component: Truth = None,
    cryoglobulin: Truth = None,
    recent_fall: Truth = None,
    drug_caused: Truth = None,
    rule: BiologicalRule,
) -> Proposal:
    """The proposal from IgG in g/L and what was found; None is not known."""
    low_igg = all_of((igg.below(rule.igg_fall_below), recent_fall)) if igg else None

    def with_low_igg(counted: Truth) -> Bounds:
        moderate = any_of((cryoglobulin, igg.above(rule.igg_moderate_above) if igg else None, counted))
        low = any_of((clonal_component, low_complement, igg.at_least(rule.igg_low_from) if igg else None))
        return bounds((any_of((low, moderate)), moderate))

    # An IgG that was not measured may be high as well as low: no attribution settles it.
    spared = False if igg else None
    found = with_low_igg(spared if drug_caused else low_igg)
    flags = ("low-igg-not-attributed",) if low_igg and drug_caused is None else ()
    return Proposal(
        "biological",
        *found,
        flags,
        {"low-igg-counted": with_low_igg(low_igg), "low-igg-from-drug": with_low_igg(spared)},
    )
