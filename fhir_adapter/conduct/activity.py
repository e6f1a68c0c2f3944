"""I3b: what must still be active: systemic involvement, B cells, or a lasting raised ESR.

Whether Sjögren's is the cause of an involvement is a physician's answer or rating, never the software's.
Dossier §8 I3b.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from functools import partial

from fhir_adapter.conduct.answers import (
    Answer,
    Judged,
    Part,
    deciding,
    listed,
    shown,
)
from fhir_adapter.conduct.record import (
    Days,
    Record,
    agreed,
    ask,
    ask_laboratory,
    has_code,
    judged,
    latest,
    results,
    said,
)
from fhir_adapter.conduct.rules import ActivityRule
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Measurement
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of


def activity(record: Record, rule: ActivityRule, days: Days) -> Answer:
    """I3b: systemic involvement, activated B cells or a lasting raised ESR."""
    start = days.zero - timedelta(days=rule.days)
    systemic, remarks = _systemic(record, rule, start, days.zero)
    parts = {
        "systemic": systemic,
        "b-cells": _b_cells(record, start, days.zero),
        "inflammation": _inflammation(record, rule, start, days.zero),
    }
    answers = {name: each.answer for name, each in parts.items()}
    holds = any_of(answers.values())
    facts = [pair for each in parts.values() for pair in each.judged]
    missing = [each for part in parts.values() for each in part.open] if holds is None else []
    return Answer(rule.code, holds, {}, answers, deciding(facts), listed(missing), remarks)


def _systemic(record: Record, rule: ActivityRule, start: date, end: date) -> tuple[Part, tuple[str, ...]]:
    """From a person's answer and the rated domains; a diagnosis alone needs a physician's attribution."""
    told, facts = said(record, "systemic-involvement", end)
    domains: list[Truth] = []
    rated: list[Judged] = []
    for domain, level in rule.levels.items():
        found = latest(record, f"essdai-{domain}", start, end)
        answer = judged(found, partial(Interval.at_least, limit=Fraction(level)))
        domains.append(answer)
        rated += [(found, answer)] if found else []
    diagnosed: list[Judged] = [
        (each, None)
        for each in record.diagnoses
        if has_code(each.codes, rule.diagnoses)
        and (each.since is None or each.since.first <= end)
        and (each.until is None or each.until >= start)
    ]
    answer, remarks = agreed(told, any_of([*domains, *(truth for _, truth in diagnosed)]))
    open_ = (ask("systemic-involvement"),) if answer is None else ()
    return Part(answer, (*facts, *rated, *diagnosed), open_), remarks


def _b_cells(record: Record, start: date, end: date) -> Part:
    """IgG, light chains or β2-microglobulin above, C4 below the laboratory's limits; two proteins found."""

    def one(item: str) -> tuple[Measurement | None, Truth]:
        found = latest(record, item, start, end)
        if found is None or not found.usable:
            return found, None
        if ITEMS[item].kind == "finding":
            return found, found.found
        return found, _beyond(found, low=item == "c4")

    tests = {
        item: one(item) for item in ("igg", "b2-microglobulin", "c4", "cryoglobulin", "monoclonal-protein")
    }
    chains = {item: one(item) for item in ("flc-kappa", "flc-lambda", "flc-ratio")}
    done = [answer for found, answer in chains.values() if found is not None]
    answers = [answer for _, answer in tests.values()]
    answers.append(any_of(done) if done else None)
    answer = any_of(answers)
    wanting = [item for item, (_, each) in tests.items() if each is None]
    wanting += list(chains) if answers[-1] is None else []
    return Part(
        answer,
        tuple((found, each) for found, each in (*tests.values(), *chains.values()) if found),
        tuple(ask_laboratory(*wanting)) if answer is None else (),
    )


def _beyond(measurement: Measurement, *, low: bool = False) -> Truth:
    """Whether a value lies above, or below, the laboratory's own limit; None without one."""
    value, normal = measurement.value, measurement.normal
    if value is None or normal is None:
        return None
    if low:
        return None if normal.low is None else value.below(normal.low)
    return None if normal.high is None else value.above(normal.high)


def _inflammation(record: Record, rule: ActivityRule, start: date, end: date) -> Part:
    """Whether the latest ESR is raised, and so was one at least so many days earlier."""
    now = latest(record, "esr", start, end)
    ask_for = tuple(ask_laboratory("esr"))
    if now is None or not now.usable:
        return Part(None, ((now, None),) if now else (), ask_for)
    last_day = now.at.first - timedelta(days=rule.esr_days_apart)
    earlier: list[Judged] = [
        (each, _beyond(each) if each.usable else None) for each in results(record, "esr", date.min, last_day)
    ]
    raised = _beyond(now)
    answer = all_of((raised, shown(earlier) if earlier else None))
    facts: tuple[Judged, ...] = (
        (now, answer),
        *((piece, all_of((truth, answer))) for piece, truth in earlier),
    )
    return Part(answer, facts, ask_for if answer is None else ())
