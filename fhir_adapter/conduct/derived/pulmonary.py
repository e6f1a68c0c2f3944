"""Pulmonary domain, levels 0 to 3: lung function, once HRCT shows active interstitial disease.

Interstitial disease: low; moderate with NYHA II, DLCO below 70 % or FVC below 80 % of predicted; high with
NYHA III, DLCO below 40 % or FVC below 60 %. A lasting cough of proven bronchial involvement: low. What HRCT
shows, and whether it is active, a physician says. Dossier §1.3.
"""

from __future__ import annotations

from fhir_adapter.conduct.derived.proposal import Proposal, attributed, bounds, open_attribution, worst
from fhir_adapter.conduct.rules import PulmonaryRule
from fhir_adapter.trial.values import Interval, Truth, any_of


def pulmonary(
    *,
    interstitial: Truth = None,
    dlco: Interval | None = None,
    fvc: Interval | None = None,
    nyha: Interval | None = None,
    cough: Truth = None,
    rule: PulmonaryRule,
) -> Proposal:
    """The proposal from % of predicted and the NYHA class; None is not known."""
    high = any_of(
        (
            dlco.below(rule.dlco_high_below) if dlco else None,
            fvc.below(rule.fvc_high_below) if fvc else None,
            nyha.at_least(rule.nyha_high_from) if nyha else None,
        )
    )
    moderate = any_of(
        (
            high,
            dlco.below(rule.dlco_moderate_below) if dlco else None,
            fvc.below(rule.fvc_moderate_below) if fvc else None,
            nyha.at_least(rule.nyha_moderate_from) if nyha else None,
        )
    )
    found = bounds((True, moderate, high))
    return Proposal(
        "pulmonary",
        *worst((attributed(found, interstitial), bounds((cough,)))),
        open_attribution(found, interstitial),
    )
