"""What a protocol file says of conduct, as types: thresholds, windows, code lists, readings; no defaults.

Each rule opens with the criterion's code and the sentence of the record. A rule that a trial does not
have is None. Code lists are ICD-10 prefixes or ranges of them (``C00-C97``, ``H60.0-H60.1``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from fhir_adapter.trial.protocol import Reading


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Completed years at consent, ``youngest`` and ``oldest`` included.

    Readings of age: ``completed-years``, to the day before the next birthday; ``before-birthday``, to
    the day before the birthday on which ``oldest`` is reached.
    """

    code: str
    sentence: str
    youngest: int
    oldest: int
    age_reading: Reading


@dataclass(frozen=True, slots=True)
class CriteriaRule:
    """Classification by AECG 2002 or Japanese criteria (dossier §8.1).

    Readings of sets: ``aecg-or-japanese`` (a physician's category of 2018 is accepted),
    ``aecg-or-japan-1999``, ``aecg-only``, ``japan-1999-only``. ``categories`` are the statements that
    meet the criteria of 2018; ``exclusions`` are diagnoses that exclude AECG.
    """

    code: str
    sentence: str
    focus_score_from: Fraction
    schirmer_at_most: Fraction
    flow_at_most: Fraction
    categories: tuple[str, ...]
    exclusions: tuple[str, ...]
    sets_reading: Reading


@dataclass(frozen=True, slots=True)
class TreatmentRule:
    """Earlier treatment: so many immunosuppressants, or a glucocorticoid and one, for more than ``months``.

    Orders at most ``pause`` days apart are one treatment. Readings of grouping: ``both-for-months``, the
    duration is asked of either; ``two-at-any-time``, only of the glucocorticoid and one. Readings of
    hydroxychloroquine: ``hydroxychloroquine-not-counted``, ``hydroxychloroquine-counted``.
    """

    code: str
    sentence: str
    immunosuppressants: int
    months: int
    pause: int
    grouping_reading: Reading
    hydroxychloroquine_reading: Reading


@dataclass(frozen=True, slots=True)
class ActivityRule:
    """What must still be active: systemic involvement, B cells or inflammation.

    Values count for ``days`` before day 0. ``levels`` are the ESSDAI levels from which a domain is
    involved; ``diagnoses`` may show involvement if a physician attributes them. The ESR is lasting where
    two raised values lie ``esr_days_apart`` or more apart.
    """

    code: str
    sentence: str
    days: int
    levels: Mapping[str, int]
    diagnoses: tuple[str, ...]
    esr_days_apart: int


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """The drugs that must be agreed to."""

    code: str
    sentence: str
    drugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BiologicsRule:
    """Biologics before day 0: ``washout`` within so many months, any other ever.

    ``study_drugs`` ordered from consent on are the study's own.
    """

    code: str
    sentence: str
    washout: str
    months: int
    study_drugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatementRule:
    """A criterion that only a person can answer, by the statement that says it is *not* met."""

    code: str
    sentence: str
    statement: str


@dataclass(frozen=True, slots=True)
class KidneyRule:
    """eGFR of ``least`` mL/min/1.73 m² or more; values count for so many days before day 0.

    Readings of formula: ``by-age``, ``bedside-schwartz``, ``ckid-u25``.
    """

    code: str
    sentence: str
    least: Fraction
    creatinine_days: int
    height_days: int
    formula_reading: Reading


@dataclass(frozen=True, slots=True)
class InfectionRule:
    """Hepatitis B and C, HIV, active tuberculosis."""

    code: str
    sentence: str
    surface_antibody_from: Fraction
    hiv: tuple[str, ...]
    tuberculosis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuppressionRule:
    """Suppressive therapy on day 0 for one of these chronic infections."""

    code: str
    sentence: str
    statement: str
    infections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StayRule:
    """A stay for one of these infections within so many days of day 0, both ends included.

    ``perhaps_infections`` are reasons that may be an infection or not.
    """

    code: str
    sentence: str
    days: int
    infections: tuple[str, ...]
    perhaps_infections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DaysRule:
    """An event within so many days of day 0, both ends included."""

    code: str
    sentence: str
    days: int


@dataclass(frozen=True, slots=True)
class MonthsRule:
    """An event within so many calendar months of day 0, both ends included."""

    code: str
    sentence: str
    months: int


@dataclass(frozen=True, slots=True)
class DiagnosisRule:
    """A diagnosis ever, up to day 0."""

    code: str
    sentence: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SteroidRule:
    """A glucocorticoid on day 0 for anything but ``related``."""

    code: str
    sentence: str
    statement: str
    related: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateRule:
    """Laboratory values below which ``drug`` is not given, in the days before a dose and on its day.

    ``least`` by item. Readings of result: ``latest-result``, ``any-result``.
    """

    code: str
    sentence: str
    drug: str
    days: int
    least: Mapping[str, Fraction]
    result_reading: Reading


@dataclass(frozen=True, slots=True)
class EgfrRule:
    """Bedside Schwartz under ``u25_from_age`` years, CKiD U25 from then on; flagged where both disagree."""

    u25_from_age: int
    flag_about: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EligibilityRule:
    """Every criterion of a trial, in the order of the record; day 0 is the first dose of ``day_0``."""

    day_0: str
    age: AgeRule | None
    criteria: CriteriaRule | None
    treatment: TreatmentRule | None
    activity: ActivityRule | None
    consent: ConsentRule | None
    biologics: BiologicsRule | None
    other_trial: StatementRule | None
    kidney: KidneyRule | None
    infection: InfectionRule | None
    suppression: SuppressionRule | None
    stay: StayRule | None
    anti_infective: DaysRule | None
    vaccine: MonthsRule | None
    infection_risk: StatementRule | None
    immunodeficiency: DiagnosisRule | None
    malignancy: DiagnosisRule | None
    severe_disease: StatementRule | None
    steroid: SteroidRule | None
    immunoglobulins: GateRule | None
    blood_cells: GateRule | None


@dataclass(frozen=True, slots=True)
class DepletionRule:
    """B cells are depleted below either limit, both strict: % of lymphocytes, cells per µL."""

    percent_below: Fraction
    count_below: Fraction


@dataclass(frozen=True, slots=True)
class UsualAmount:
    """What is usually given of a drug: by body surface or by weight, exactly one of both."""

    mg_per_m2: Fraction | None
    mg_per_kg: Fraction | None


@dataclass(frozen=True, slots=True)
class UsualDoseRule:
    """What is usually given, by drug, for soft warnings only.

    ``share`` is how far a dose may lie from it; height and weight are at most ``days`` old.
    """

    share: Fraction
    days: int
    amounts: Mapping[str, UsualAmount]


@dataclass(frozen=True, slots=True)
class BiologicalRule:
    """IgG in g/L: low from, moderate above, and a fall below that counts as moderate."""

    igg_low_from: Fraction
    igg_moderate_above: Fraction
    igg_fall_below: Fraction
    recent_days: int


@dataclass(frozen=True, slots=True)
class LineageRule:
    """A blood cell: low below, moderate at or below, high below; None where there is no high."""

    low_below: Fraction
    moderate_at_most: Fraction
    high_below: Fraction | None


@dataclass(frozen=True, slots=True)
class RenalRule:
    """Proteinuria in g/day: low from, moderate above, high above; GFR below which it is worse."""

    protein_low_from: Fraction
    protein_moderate_above: Fraction
    protein_high_above: Fraction
    gfr_below: Fraction


@dataclass(frozen=True, slots=True)
class MuscularRule:
    """CK as a multiple of its upper limit; the weakest muscle of the MRC scale, 0 to 5."""

    ck_moderate_above: Fraction
    ck_high_above: Fraction
    strength_moderate_below: Fraction
    strength_high_at_most: Fraction


@dataclass(frozen=True, slots=True)
class PulmonaryRule:
    """DLCO and FVC in % of predicted: moderate below, high below; NYHA classes from which it is worse."""

    dlco_moderate_below: Fraction
    dlco_high_below: Fraction
    fvc_moderate_below: Fraction
    fvc_high_below: Fraction
    nyha_moderate_from: Fraction
    nyha_high_from: Fraction


@dataclass(frozen=True, slots=True)
class ConstitutionalRule:
    """Temperature in °C and loss of weight in % of the previous weight: low from, moderate above."""

    fever_low_from: Fraction
    fever_moderate_above: Fraction
    loss_low_from: Fraction
    loss_moderate_above: Fraction
    previous_weight_days: int


@dataclass(frozen=True, slots=True)
class DerivedRule:
    """The limits of the domains that the laboratory can speak of (dossier §1.3)."""

    biological: BiologicalRule
    haematological: Mapping[str, LineageRule]
    renal: RenalRule
    muscular: MuscularRule
    pulmonary: PulmonaryRule
    constitutional: ConstitutionalRule


@dataclass(frozen=True, slots=True)
class ConductRule:
    """All of conduct; None for what a trial does not ask for."""

    eligibility: EligibilityRule | None
    egfr: EgfrRule | None
    depletion: DepletionRule | None
    usual_dose: UsualDoseRule | None
    derived: DerivedRule | None
