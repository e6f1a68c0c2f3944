"""The names of an outcome's components, and of the coded answers that a hospital's codes are mapped to."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.trial.drugs import STUDY_DRUGS

BOUNDS = "bounds"
"""The component that encloses a number which is not known."""

REASON = "reason"
"""The component that says why a response is undetermined or not due: such a result is a value."""

MOST_UPKEEP_DUE = 52
"""As many planned doses as have a name: those of a year, weekly."""

NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Thresholds are named in words: a component is ``more-than-three``."""


def _thresholds(prefix: str, sentence: str, highest: int) -> dict[str, str]:
    return {
        f"{prefix}{reading}-{numeral}": sentence.format(f"{reading.replace('-', ' ')} {numeral}")
        for reading in ("at-least", "more-than")
        for numeral in NUMERALS[: highest + 1]
    }


_ANCHORS: Mapping[str, str] = {
    f"{end}-{drug}": f"the {end} {name}" for drug, name in STUDY_DRUGS.items() for end in ("first", "last")
}
"""The doses that visits may be counted from, as a sentence calls them."""

DERIVED_DOMAINS = ("biological", "haematological", "renal", "muscular", "pulmonary", "constitutional")
"""The domains of the ESSDAI that laboratory values can speak of (dossier §1.4)."""

_PROPOSED: Mapping[str, str] = {
    "": "",
    "-low-igg-counted": ", if a low immunoglobulin G counts",
    "-low-igg-from-drug": ", if a drug is the cause of a low immunoglobulin G",
    "-worst-value": ", from the worst value of the window",
}

DEVIATIONS: Mapping[str, str] = {
    "late": "Doses that were given late",
    "early": "Doses that were given early",
    "missing": "Planned doses that were not given",
    "extra": "Doses beyond the plan",
    "stopped-before-depletion": "Course that was stopped before the B cells were depleted",
    "continued-after-depletion": "Doses that were given after the B cells were depleted",
    "gate-not-met": "Doses that were given although the laboratory's gate was not met",
    "gate-undetermined": "Doses whose laboratory gate cannot be judged",
    "after-withdrawal": "Doses that were given after the withdrawal",
}
"""How a dose may differ from the plan (dossier §14.16)."""

COMPONENTS: Mapping[str, str] = {
    "egfr-bedside-schwartz": "eGFR by bedside Schwartz",
    "egfr-ckid-u25": "eGFR by CKiD U25",
    BOUNDS: "The limits between which the missing number lies",
    REASON: "Why the response is open",
    # ESSDAI, ClinESSDAI, ESSPRI
    "category": "Category of disease activity",
    "mcii": "Minimal clinically important improvement reached",
    "pass": "Patient acceptable symptom state reached",
    "mean-of-two": "Mean of the two scales that are known, where one is missing",
    # Schirmer, salivary flow, ultrasound
    "right": "Right eye",
    "left": "Left eye",
    "worst-eye": "The worse of both eyes",
    "abnormal": "Below the limit of normal",
    "percent": "Change in percent of baseline",
    # STAR
    "systemic": "STAR, systemic item met",
    "patient": "STAR, patient reported item met",
    "lachrymal": "STAR, lachrymal gland item met",
    "salivary": "STAR, salivary gland item met",
    "biological": "STAR, biological item met",
    "responder": "STAR responder by the default reading",
    **_thresholds("responder-", "STAR responder if {} points are asked for", 9),
    "responder-with-clinessdai": "STAR responder if the systemic item were read from ClinESSDAI",
    "responder-with-essdai": "STAR responder if the systemic item were read from ESSDAI",
    "responder-nri": "STAR responder, undecided items counted as not met",
    "points-nri": "STAR points, undecided items counted as 0",
    # Response at week 28: indicators, readings, sensitivity
    "a-physician-global": "Indicator a met: physician's global assessment",
    "b-esr": "Indicator b met: erythrocyte sedimentation rate",
    "c-b-cell-markers": "Indicator c met: markers of B-cell activity",
    "d-schirmer": "Indicator d met: Schirmer test",
    "e-salivary": "Indicator e met: salivary flow or ultrasound",
    "met": "Number of indicators that are met",
    "possible": "Number of indicators that are met or undecided",
    **_thresholds("", "Response if {} indicators are asked for", 5),
    "b-any-baseline": "Response if a fall of the sedimentation rate counts from any baseline",
    "b-abnormal-baseline-only": "Response if a normal sedimentation rate counts only after an abnormal one",
    "c-any-marker": "Response if immunoglobulin G or rheumatoid factor must fall",
    "c-both-markers": "Response if both immunoglobulin G and rheumatoid factor must fall",
    "d-mean": "Response if the mean of both eyes must improve",
    "d-either-eye": "Response if one eye is enough",
    "d-both-eyes": "Response if each eye must improve",
    "d-normal-stays-normal": "Response if a Schirmer test that stays normal counts as met",
    "e-flow-or-ultrasound": "Response if salivary flow or ultrasound must improve",
    "e-flow-only": "Response by salivary flow without ultrasound",
    "e-ultrasound-only": "Response by ultrasound without salivary flow",
    "non-responder-imputation": "Responder, an undetermined response counted as none",
    "best-case": "Responder, undecided indicators counted as met",
    "worst-case": "Responder, undecided indicators counted as not met",
    "observed-cases": "Responder, decided participants only",
    # Other days to count the visits from
    **{f"anchor-{name}": f"The value if visits are counted from {dose}" for name, dose in _ANCHORS.items()},
    # What laboratory values propose for a domain of the ESSDAI, beside the rating
    **{
        f"proposed-{domain}{reading}": f"Level that the laboratory proposes, {domain} domain{words}"
        for domain in DERIVED_DOMAINS
        for reading, words in _PROPOSED.items()
        if domain == "biological" or "igg" not in reading
    },
    # Calendar of the study treatment
    "depleted": "B cells depleted by the first drug",
    "depleted-on": "Day on which depletion was first shown",
    "deviations": "Deviations from the plan of the doses",
    **{f"deviation-{kind}": words for kind, words in DEVIATIONS.items()},
    **{f"{drug}-doses": f"Doses of {name} given" for drug, name in STUDY_DRUGS.items()},
    **{name: f"Day of {dose}" for name, dose in _ANCHORS.items()},
    **{f"last-visit-{name}": f"Last visit counted from {dose}" for name, dose in _ANCHORS.items()},
    **{
        f"upkeep-due-{number}": f"Planned day of dose {number} of the drug that follows"
        for number in range(1, MOST_UPKEEP_DUE + 1)
    },
}
"""Every component of every outcome by its name."""

LEVELS: Mapping[int, str] = {0: "None", 1: "Low", 2: "Moderate", 3: "High", 4: "Grade 4", 5: "Grade 5"}
"""The grades that a coded answer may stand for: an ESSDAI level, a Hočevar grade, an NYHA class, MRC."""

FINDINGS: Mapping[str, str] = {
    "positive": "Positive",
    "negative": "Negative",
    "indeterminate": "Neither positive nor negative",
}
"""What a coded result of a FINDING may say."""
