"""The laboratory gates before a drug: IgG and IgA (E10), leucocytes and neutrophils (E11).

Below a limit, strictly, it is not given. The latest result of each item in the days before the dose and
on its day decides; no result leaves it open. They are criteria at the drug's first dose and gates before
every one (dossier §7, §8).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

from fhir_adapter.conduct.answers import Answer, Judged, by_reading, deciding, listed
from fhir_adapter.conduct.record import Days, Record, ask_laboratory, judged, results, study_doses
from fhir_adapter.conduct.rules import GateRule
from fhir_adapter.trial.types import Dose, Measurement
from fhir_adapter.trial.values import Truth, any_of, negation


def gate(record: Record, rule: GateRule, dose: Dose) -> Answer:
    """Whether the laboratory allowed a dose."""
    start = dose.day - timedelta(days=rule.days)
    found = {item: results(record, item, start, dose.day, dose.at.instant) for item in rule.least}
    if not any(found.values()):
        readings = dict.fromkeys(rule.result_reading.alternatives)
        return Answer(rule.code, None, readings, missing=listed(ask_laboratory(*rule.least)))
    latest: dict[str, Measurement | None] = {
        item: max(group, key=lambda each: each.at.order, default=None) for item, group in found.items()
    }
    low = {item: _low(each, rule.least[item]) for item, each in latest.items()}
    holds, readings = by_reading(
        rule.result_reading,
        {
            "latest-result": negation(any_of(low.values())),
            "any-result": negation(_any_low(found, rule.least)),
        },
    )
    seen: list[Judged] = [(each, low[item]) for item, each in latest.items() if each is not None]
    missing = [item for item, answer in low.items() if answer is None] if holds is None else []
    return Answer(
        rule.code, holds, readings, evidence=deciding(seen), missing=listed(ask_laboratory(*missing))
    )


def at_first_dose(record: Record, rule: GateRule, days: Days) -> Answer:
    """The gate as a criterion: judged at the first dose from day 0 on, and not before it is given."""
    doses = study_doses(record, rule.drug) if days.begun else ()
    first = next((dose for dose in doses if dose.day >= days.zero), None)
    if first is None:
        readings = dict.fromkeys(rule.result_reading.alternatives)
        return Answer(rule.code, None, readings, remarks=("no-dose-yet",))
    return gate(record, rule, first)


def _low(measurement: Measurement | None, least: Fraction) -> Truth:
    return judged(measurement, lambda value: value.below(least))


def _any_low(found: Mapping[str, list[Measurement]], least: Mapping[str, Fraction]) -> Truth:
    """Whether any result of any item was low; an item without a result leaves it open."""
    return any_of(
        any_of(_low(each, least[item]) for each in group) if group else None for item, group in found.items()
    )
