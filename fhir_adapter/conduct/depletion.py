"""B-cell depletion by rituximab: CD19 below 0.5 % of lymphocytes or below 20 per µL, both strict.

Either test suffices; one that was not done is not used. CD20 says nothing after rituximab. Dossier §7, §9.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial

from fhir_adapter.conduct.record import Record, judged, results
from fhir_adapter.conduct.rules import DepletionRule
from fhir_adapter.trial.types import Dose, Measurement
from fhir_adapter.trial.values import Interval, Truth, any_of

PERCENT = "cd19-percent"
COUNT = "cd19-count"

Result = tuple[Measurement, Truth]
"""A CD19 result, and whether it shows depletion."""


def depleted(percent: Interval | None, count: Interval | None, rule: DepletionRule) -> Truth:
    """Whether B cells are depleted, from the tests that were done; None where none was."""
    answers: list[Truth] = []
    if percent is not None:
        answers.append(percent.below(rule.percent_below))
    if count is not None:
        answers.append(count.below(rule.count_below))
    return any_of(answers) if answers else None


def measured(record: Record, first: Dose, before: Dose | None, rule: DepletionRule) -> list[Result]:
    """Every CD19 result after the first rituximab, up to a dose; in order of time."""
    end = before.day if before else date.max
    instant = before.at.instant if before else None
    found = [
        (each, judged(each, partial(Interval.below, limit=limit)))
        for item, limit in ((PERCENT, rule.percent_below), (COUNT, rule.count_below))
        for each in results(record, item, first.day, end, instant)
        if after(each, first)
    ]
    return sorted(found, key=lambda pair: (pair[0].at.order, pair[0].item))


def after(measurement: Measurement, dose: Dose) -> bool:
    """Whether a result is of after a dose: by time where both have one, else of a later day (§14.18)."""
    if measurement.at.instant and dose.at.instant:
        return measurement.at.instant > dose.at.instant
    return measurement.at.first > dose.day


def reached(found: Iterable[Result], last: Dose) -> Truth:
    """Whether depletion was reached: shown once, or measured after the last dose and never shown."""
    known = list(found)
    answer = any_of(truth for _, truth in known)
    since = any(after(piece, last) for piece, _ in known)
    return answer if answer or since else None
