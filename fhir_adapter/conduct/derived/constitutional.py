"""Constitutional domain, levels 0 to 2: temperature, loss of weight and night sweats of the disease.

Low: fever from 37.5 to 38.5 °C, night sweats alone, or an unwanted loss of 5 to 10 % of one's own previous
weight. Moderate: above 38.5 °C or above 10 %. Dossier §1.3.
"""

from __future__ import annotations

from fhir_adapter.conduct.derived.proposal import Proposal, attributed, bounds, open_attribution
from fhir_adapter.conduct.rules import ConstitutionalRule
from fhir_adapter.trial.values import Interval, Truth, any_of


def constitutional(
    *,
    temperature: Interval | None = None,
    weight_loss: Interval | None = None,
    night_sweats: Truth = None,
    from_disease: Truth = None,
    rule: ConstitutionalRule,
) -> Proposal:
    """The proposal from °C and the loss in % of the previous weight; None is not known."""
    moderate = any_of(
        (
            temperature.above(rule.fever_moderate_above) if temperature else None,
            weight_loss.above(rule.loss_moderate_above) if weight_loss else None,
        )
    )
    low = any_of(
        (
            moderate,
            night_sweats,
            temperature.at_least(rule.fever_low_from) if temperature else None,
            weight_loss.at_least(rule.loss_low_from) if weight_loss else None,
        )
    )
    found = bounds((low, moderate))
    return Proposal("constitutional", *attributed(found, from_disease), open_attribution(found, from_disease))
