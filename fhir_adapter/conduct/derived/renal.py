"""Renal domain, levels 0 to 3: from proteinuria, GFR, haematuria and histology; biopsy first.

Tubular acidosis: low, moderate with GFR < 60. Glomerular: low from 0.5 g/day, moderate above 1.0, high
above 1.5, with haematuria or GFR < 60. Histology: membranous or interstitial is moderate, proliferative or
cryoglobulin-related high. Whether it is active disease, and glomerular or tubular, a physician says.
Dossier §1.3, §1.5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fhir_adapter.conduct.derived.proposal import (
    Bounds,
    Proposal,
    attributed,
    bounds,
    open_attribution,
    worst,
)
from fhir_adapter.conduct.rules import RenalRule
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of

HISTOLOGY: Mapping[str, int] = {"membranous": 2, "interstitial": 2, "proliferative": 3, "cryoglobulin": 3}
"""What a biopsy shows → its level."""


def renal(
    *,
    proteinuria: Interval | None = None,
    haematuria: Truth = None,
    gfr: Interval | None = None,
    tubular_acidosis: Truth = None,
    glomerular: Truth = None,
    active: Truth = None,
    histology: str | None = None,
    rule: RenalRule,
) -> Proposal:
    """The proposal from g/day and mL/min/1.73 m²; None is not known."""
    reduced = gfr.below(rule.gfr_below) if gfr else None
    if histology is not None:
        level = HISTOLOGY[histology]
        found: Bounds = (level, level)
    else:
        high = any_of((_above(proteinuria, rule.protein_high_above), haematuria, reduced))
        moderate = any_of((high, _above(proteinuria, rule.protein_moderate_above)))
        low = any_of((moderate, proteinuria.at_least(rule.protein_low_from) if proteinuria else None))
        found = worst(
            (
                bounds(all_of((glomerular, step)) for step in (low, moderate, high)),
                bounds((tubular_acidosis, all_of((tubular_acidosis, reduced)))),
            )
        )
    return Proposal("renal", *attributed(found, active), open_attribution(found, active))


def _above(value: Interval | None, limit: Fraction) -> Truth:
    return value.above(limit) if value else None
