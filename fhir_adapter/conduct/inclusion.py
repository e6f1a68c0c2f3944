"""I1 and I4: age and consent.

Dossier §8. What leaves a criterion open is named with who must supply it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from fhir_adapter.conduct.answers import (
    Answer,
    Missing,
    Piece,
    Supplier,
    by_reading,
    listed,
    unique,
)
from fhir_adapter.conduct.record import (
    Days,
    Record,
)
from fhir_adapter.conduct.rules import AgeRule, ConsentRule
from fhir_adapter.trial.history import Agreement
from fhir_adapter.trial.values import Interval, Truth, all_of


def completed_years(born: date, day: date) -> int:
    """Age in completed years; who was born on 29 February turns a year older on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def age(record: Record, rule: AgeRule, days: Days) -> Answer:
    """I1: completed years at consent. A birth date of a year or month only is an interval."""
    born = record.person.born if record.person else None
    missing = []
    if born is None:
        missing.append(Missing(Supplier.RECORDS, "Date of birth"))
    if days.consent is None:
        missing.append(Missing(Supplier.FORM, "Day of consent"))
    if born is None or days.consent is None:
        return Answer(rule.code, None, dict.fromkeys(rule.age_reading.alternatives), missing=listed(missing))
    years = Interval(
        Fraction(completed_years(born[1], days.consent)), Fraction(completed_years(born[0], days.consent))
    )
    old_enough = years.at_least(rule.youngest)
    holds, readings = by_reading(
        rule.age_reading,
        {
            "completed-years": all_of((old_enough, years.at_most(rule.oldest))),
            "before-birthday": all_of((old_enough, years.below(rule.oldest))),
        },
    )
    if None in (holds, *readings.values()):
        missing.append(Missing(Supplier.RECORDS, "Date of birth to the day"))
    evidence = (record.person,) if record.person else ()
    return Answer(rule.code, holds, readings, evidence=evidence, missing=listed(missing))


def consent(record: Record, rule: ConsentRule, days: Days) -> Answer:
    """I4: agreed to each drug on or before day 0, and not withdrawn by then."""
    by_drug = {drug: _agreement(record.agreements, drug, days.zero) for drug in rule.drugs}
    # Whoever withdrew before day 0 has none: the day on which the data end only stands in for it.
    withdrew = record.subject.withdrawn is not None and not days.begun
    answers = {drug: False if withdrew and answer else answer for drug, (answer, _) in by_drug.items()}
    holds = all_of(answers.values())
    pieces: list[Piece] = [each for _, found in by_drug.values() for each in found]
    missing = [
        Missing(Supplier.FORM, f"Consent to {drug} with its day")
        for drug, each in answers.items()
        if each is None
    ]
    return Answer(rule.code, holds, {}, answers, unique(pieces), listed(missing) if holds is None else ())


def _agreement(agreements: Iterable[Agreement], drug: str, end: date) -> tuple[Truth, list[Agreement]]:
    """The latest agreement on a drug.

    Open without one that has a day, and where others of the same day, or of no known day, disagree with it.
    """
    about = [each for each in agreements if drug in each.drugs]
    dated = [each for each in about if each.since is not None and each.since <= end]
    if not dated:
        return None, [each for each in about if each.since is None]
    day = max(each.since for each in dated if each.since is not None)
    last = [each for each in dated if each.since == day]
    said = {each.given for each in last}
    doubted = [each for each in about if each.since is None and said != {each.given}]
    standing = {each.given and (each.until is None or each.until >= end) for each in last}
    return (standing.pop() if len(standing) == 1 and not doubted else None), [*last, *doubted]
