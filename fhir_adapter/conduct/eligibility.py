"""Who may enter: every criterion of the record for one participant.

Inclusions are in ``inclusion``, ``classification``, ``treatment`` and ``activity``, exclusions in
``exclusion``, the laboratory gates before a drug in ``gates``. Dossier §8; polarity §14.13:
*satisfied* speaks for enrolment.
"""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from fhir_adapter.conduct import activity, classification, exclusion, gates, inclusion, treatment
from fhir_adapter.conduct.answers import Answer
from fhir_adapter.conduct.record import Record, days_of
from fhir_adapter.conduct.rules import EgfrRule, EligibilityRule


def judge(record: Record, rule: EligibilityRule, egfr: EgfrRule | None, as_of: date) -> tuple[Answer, ...]:
    """The answer of each criterion that the trial has, in the order of the record, as of a day.

    Before the first study dose the day of the run stands for day 0, and each answer that depends on it
    says so. The order of the record's facts does not matter.
    """
    known = record.known_on(as_of)
    days = days_of(known, rule.day_0, as_of)
    answers: list[Answer] = []
    if rule.age:
        answers.append(inclusion.age(known, rule.age, days))
    if rule.criteria:
        answers.append(classification.classification(known, rule.criteria, days))
    if rule.treatment:
        answers.append(treatment.treatment(known, rule.treatment, days))
    if rule.activity:
        answers.append(activity.activity(known, rule.activity, days))
    if rule.consent:
        answers.append(inclusion.consent(known, rule.consent, days))
    if rule.biologics:
        answers.append(exclusion.biologics(known, rule.biologics, days))
    if rule.other_trial:
        answers.append(exclusion.stated(known, rule.other_trial, days))
    if rule.kidney and egfr:
        answers.append(exclusion.kidney(known, rule.kidney, egfr, days))
    if rule.infection:
        answers.append(exclusion.infection(known, rule.infection, days))
    if rule.suppression:
        answers.append(exclusion.suppression(known, rule.suppression, days))
    if rule.stay:
        answers.append(exclusion.stay(known, rule.stay, days))
    if rule.anti_infective:
        answers.append(exclusion.anti_infective(known, rule.anti_infective, days))
    if rule.vaccine:
        answers.append(exclusion.vaccine(known, rule.vaccine, days))
    if rule.infection_risk:
        answers.append(exclusion.stated(known, rule.infection_risk, days))
    if rule.immunodeficiency:
        answers.append(exclusion.diagnosis(known, rule.immunodeficiency, days))
    if rule.malignancy:
        answers.append(exclusion.diagnosis(known, rule.malignancy, days))
    if rule.severe_disease:
        answers.append(exclusion.stated(known, rule.severe_disease, days))
    if rule.steroid:
        answers.append(exclusion.steroid(known, rule.steroid, days))
    gated = (rule.immunoglobulins, rule.blood_cells)
    answers += [gates.at_first_dose(known, each, days) for each in gated if each]
    if days.begun:
        return tuple(answers)
    at_consent = {rule.age.code} if rule.age else set()
    return tuple(
        each if each.criterion in at_consent else replace(each, remarks=("no-day-0", *each.remarks))
        for each in answers
    )
