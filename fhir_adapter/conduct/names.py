"""What criteria, their readings and their parts are called in a written outcome.

A criterion is called by its kind, which is the software's and the same in every trial (``kidney``); what a
trial calls it (``E3``) is its label. A reading or a part is ``kidney.ckid-u25``, ``infection.hbv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from fhir_adapter.conduct.rules import EligibilityRule
from fhir_adapter.trial.drugs import STUDY_DRUGS

_KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "age": (
        "Age at consent",
        {
            "completed-years": "if the limits are completed years",
            "before-birthday": "if the upper limit is the day before that birthday",
        },
    ),
    "criteria": (
        "Classification criteria of Sjögren's syndrome",
        {
            "aecg-or-japanese": "if a physician's category of 2018 is accepted",
            "aecg-or-japan-1999": "if no category of 2018 is accepted",
            "aecg-only": "by AECG 2002 alone",
            "japan-1999-only": "by the Japanese criteria of 1999 alone",
            "aecg-2002": "AECG 2002 met",
            "japan-1999": "Japanese criteria of 1999 met",
            "japan-2018": "Category of the Japanese guidance of 2018 accepted",
        },
    ),
    "treatment": (
        "Earlier immunosuppression",
        {
            "both-for-months": "if the duration is asked of every combination",
            "two-at-any-time": "if two immunosuppressants count whatever their duration",
            "hydroxychloroquine-not-counted": "if hydroxychloroquine is no immunosuppressant",
            "hydroxychloroquine-counted": "if hydroxychloroquine is an immunosuppressant",
        },
    ),
    "activity": (
        "Disease that is still active",
        {
            "systemic": "Systemic involvement",
            "b-cells": "Activated B cells",
            "inflammation": "Lasting raised sedimentation rate",
        },
    ),
    "consent": (
        "Consent to the study drugs",
        {drug: f"Consent to {name}" for drug, name in STUDY_DRUGS.items()},
    ),
    "biologics": ("No earlier biologics", {}),
    "other_trial": ("No other trial", {}),
    "kidney": (
        "Kidney function",
        {
            "by-age": "if the age chooses the formula",
            "bedside-schwartz": "by bedside Schwartz at every age",
            "ckid-u25": "by CKiD U25 at every age",
        },
    ),
    "infection": (
        "No hepatitis B or C, HIV or active tuberculosis",
        {"hbv": "No hepatitis B", "hcv": "No hepatitis C", "hiv": "No HIV", "tb": "No active tuberculosis"},
    ),
    "suppression": ("No suppressive therapy for a chronic infection", {}),
    "stay": ("No stay in hospital for an infection", {}),
    "anti_infective": ("No parenteral anti-infective", {}),
    "vaccine": ("No live vaccine", {}),
    "infection_risk": ("No high risk of infection", {}),
    "immunodeficiency": ("No primary immunodeficiency", {}),
    "malignancy": ("No malignancy", {}),
    "severe_disease": ("No severe or uncontrolled disease", {}),
    "steroid": ("No other disease that needs a glucocorticoid", {}),
    "immunoglobulins": (
        "Immunoglobulins at the first dose of the drug",
        {
            "latest-result": "if the latest result decides",
            "any-result": "if any result of the window counts",
        },
    ),
    "blood_cells": (
        "Blood cells at the first dose of the drug",
        {
            "latest-result": "if the latest result decides",
            "any-result": "if any result of the window counts",
        },
    ),
}

GATES = ("immunoglobulins", "blood-cells")
"""The criteria that can only be judged once treatment has begun: gates of a drug, not of entry (§8)."""


def _name(kind: str) -> str:
    return kind.replace("_", "-")


CRITERIA: Mapping[str, str] = {
    name: display
    for kind, (title, more) in _KINDS.items()
    for name, display in (
        (_name(kind), title),
        *((f"{_name(kind)}.{part}", f"{title}: {words}") for part, words in more.items()),
    )
}
"""Every criterion, reading and part by its name, with its display."""


def kinds(rule: EligibilityRule) -> dict[str, str]:
    """What the trial calls each of its criteria → what it is called in every trial."""
    rules = ((each.name, getattr(rule, each.name)) for each in fields(rule) if each.name in _KINDS)
    return {criterion.code: _name(name) for name, criterion in rules if criterion is not None}
