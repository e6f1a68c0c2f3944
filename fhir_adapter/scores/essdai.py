"""ESSDAI and ClinESSDAI: systemic disease activity, rated by a physician.

Score of a domain = weight × level (none 0, low 1, moderate 2, high 3); total = plain sum, 0 to 123 and
0 to 135. Not every domain has every level. Weights of the ESSDAI: Seror ARD 2010;69:1103-9, Table 3.
ClinESSDAI keeps the levels, drops the biological domain and changes five other weights:
Seror ARD 2016;75:1945-50. Categories and MCII: Seror ARD 2016;75:382-9. Dossier §1.1, §1.2, §1.5.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fhir_adapter.scores.outcome import answered, at_visit, change, coded, difference_of
from fhir_adapter.trial.items import ESSDAI_DOMAINS, OutcomeCode
from fhir_adapter.trial.protocol import EssdaiRule
from fhir_adapter.trial.types import Outcome
from fhir_adapter.trial.values import Interval, weighted_total
from fhir_adapter.trial.windows import Evidence

WEIGHTS: Mapping[str, tuple[int, int]] = {
    "constitutional": (3, 4),
    "lymphadenopathy": (4, 4),
    "glandular": (2, 2),
    "articular": (2, 3),
    "cutaneous": (3, 3),
    "pulmonary": (5, 6),
    "renal": (5, 6),
    "muscular": (6, 7),
    "pns": (5, 5),
    "cns": (5, 5),
    "haematological": (2, 2),
    "biological": (1, 0),
}
"""Domain → its weight in the ESSDAI and in the ClinESSDAI."""

ITEMS = tuple(f"essdai-{domain}" for domain in WEIGHTS)
"""The twelve domains."""

_WEIGHTS: Mapping[OutcomeCode, Mapping[str, int]] = {
    index: {domain: pair[column] for domain, pair in WEIGHTS.items() if pair[column]}
    for column, index in enumerate((OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI))
}
"""Index → its domains with their weights."""

_ITEMS = {index: [f"essdai-{domain}" for domain in weights] for index, weights in _WEIGHTS.items()}
_ANY_LEVEL = {
    domain: Interval(Fraction(0), Fraction(max(levels))) for domain, (_, levels) in ESSDAI_DOMAINS.items()
}


def weighted_sum(levels: Mapping[str, Interval | None], index: OutcomeCode) -> Interval | None:
    """The total of one index; a missing domain lies between none and its highest level.

    ``levels`` by domain; None or absent is not rated. Where no domain of the index is rated at all,
    nothing is known and the answer is None.
    """
    weights = _WEIGHTS[index]
    if all(levels.get(domain) is None for domain in weights):
        return None
    return weighted_total(
        (levels.get(domain) or _ANY_LEVEL[domain], weight) for domain, weight in weights.items()
    )


def category(score: Interval | None, rule: EssdaiRule) -> str | None:
    """Low, moderate or high activity, or None where the bounds leave it open."""
    if score is None:
        return None
    if score.below(rule.low_below):
        return "low"
    if score.at_least(rule.high_from):
        return "high"
    if score.at_least(rule.low_below) and score.below(rule.high_from):
        return "moderate"
    return None


def score(evidence: Evidence, index: OutcomeCode, rule: EssdaiRule) -> Outcome:
    """ESSDAI or ClinESSDAI at one visit."""
    levels = dict(zip(_WEIGHTS[index], evidence.values(_ITEMS[index]), strict=True))
    value = weighted_sum(levels, index)
    name = category(value, rule)
    return at_visit(
        index,
        evidence,
        _ITEMS[index],
        value,
        [coded("category", name, "missing-input")],
    )


def score_change(baseline: Outcome, followup: Outcome, rule: EssdaiRule) -> Outcome:
    """The change of either index; MCII is a fall of so many points or more."""
    fall = difference_of(baseline, followup)
    improved = fall.at_most(-rule.mcii) if fall else None
    code = OutcomeCode(f"{followup.code}-change")
    return change(code, baseline, followup, fall, [answered("mcii", improved, "missing-input")])
