"""What all scores share: from an interval to an Outcome, and from two Outcomes to their change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from functools import cache

from fhir_adapter.trial.components import NUMERALS
from fhir_adapter.trial.items import ITEMS, OUTCOMES, OutcomeCode
from fhir_adapter.trial.types import Component, Measurement, Outcome, Problem, gathered
from fhir_adapter.trial.values import Interval, Truth, difference
from fhir_adapter.trial.windows import Evidence


def closed(value: Interval) -> Interval:
    """The interval with its limits included: what is shown and written as bounds."""
    return Interval(value.low, value.high)


@cache
def between(low: int, high: int) -> Interval:
    """The interval of what is certain and what is possible, where things are counted."""
    return Interval(Fraction(low), Fraction(high))


@cache
def answered(name: str, answer: Truth, reason: str = "undetermined") -> Component:
    """A component with a yes or no, or with the reason why there is neither."""
    return Component(name, answer=answer, reason=reason if answer is None else None)


@cache
def coded(name: str, code: str | None, reason: str | None) -> Component:
    """A component with a code, or with the reason why there is none."""
    return Component(name, code=code, reason=reason if code is None else None)


def numbered(
    name: str, value: Interval | None, unit: str = "{score}", reason: str = "missing-input"
) -> Component:
    """A component with a number, or with the reason why there is none."""
    number = value.exact if value else None
    return Component(name, number=number, unit=unit, reason=reason if number is None else None)


def why_missing(evidence: Evidence, items: Sequence[str]) -> tuple[str, str]:
    """The reason why a score of these items has no value, and which items are at fault.

    A value that contradicts another or was refused is the stronger reason: it can be mended.
    """
    waiting = waiting_for(evidence)
    if waiting:
        return waiting, ""
    recorded = evidence.of(items)
    if not recorded:
        return "not-assessed", ""
    conflicting = [each.item for each in recorded if each.problem is Problem.CONFLICT]
    refused = [each.item for each in recorded if each.problem and each.problem is not Problem.ABSENT]
    absent = [item for item in items if (found := evidence.at(item)) is None or not found.usable]
    if conflicting:
        return "conflicting-input", named(conflicting)
    if refused:
        return "invalid-input", named(refused)
    if not any(each.usable for each in recorded):
        return "not-assessed", ""
    return "missing-input", named(absent)


def waiting_for(evidence: Evidence) -> str | None:
    """Why a visit cannot be judged yet, or at all: its dose was not given, or its window is open."""
    if evidence.window is None:
        return "no-anchor"
    return None if evidence.due else "not-due"


def threshold_named(reading: str, threshold: int) -> str:
    """A reading of a threshold as components are named: ``more-than-three``."""
    return f"{reading}-{NUMERALS[threshold]}"


def why_open(inputs: Iterable[Measurement | Outcome], otherwise: str = "undetermined") -> str:
    """The reason why an answer made from these inputs is open: a fault that can be mended goes first."""
    reasons = {_fault(each) for each in inputs}
    return next((fault for fault in ("conflicting-input", "invalid-input") if fault in reasons), otherwise)


def _fault(piece: Measurement | Outcome) -> str | None:
    if isinstance(piece, Outcome):
        return piece.reason
    if piece.problem is Problem.CONFLICT:
        return "conflicting-input"
    return None if piece.problem in (None, Problem.ABSENT) else "invalid-input"


def named(items: Iterable[str]) -> str:
    """Items as people call them, in their order."""
    return "; ".join(ITEMS[item].display for item in items)


def at_visit(
    code: OutcomeCode,
    evidence: Evidence,
    items: Sequence[str],
    value: Interval | None,
    components: Iterable[Component] = (),
    flags: Sequence[str] = (),
) -> Outcome:
    """The outcome of one visit from the interval that the score lies in; None is nothing known at all.

    The ``components`` are not looked at where only the value is asked for.
    """
    number = value.exact if value else None
    reason, detail = (None, "") if number is not None else why_missing(evidence, items)
    if evidence.brief:
        return brief(evidence, code, number=number, bounds=closed(value) if value else None, reason=reason)
    used = evidence.of(items)
    return Outcome(
        evidence.subject,
        evidence.visit,
        code,
        number=number,
        unit=OUTCOMES[code][1],
        reason=reason,
        detail=detail,
        bounds=closed(value) if value and number is None else None,
        components=tuple(components),
        flags=tuple(flags),
        effective=effective(evidence, used),
        origins=gathered(used),
        rests_on=used,
    )


def brief(
    evidence: Evidence,
    code: OutcomeCode,
    *,
    reason: str | None,
    number: Fraction | None = None,
    bounds: Interval | None = None,
    result: str | None = None,
) -> Outcome:
    """An outcome without what explains it."""
    unit = OUTCOMES[code][1]
    return Outcome(evidence.subject, evidence.visit, code, number, unit, result, None, reason, "", bounds)


def effective(evidence: Evidence, used: Sequence[Measurement]) -> tuple[date, date] | None:
    """The local days that an outcome speaks of: those of what it used, else the visit's window."""
    days = [each.at.last for each in used if each.problem is None]
    if days:
        last = max(days)
        return (last, last)
    return (evidence.window.first, evidence.window.last) if evidence.window else None


def interval_of(outcome: Outcome) -> Interval | None:
    """Where the outcome's number lies: exactly there, between its bounds, or nowhere known."""
    if outcome.number is not None:
        return Interval(outcome.number, outcome.number)
    return outcome.bounds


def change(
    code: OutcomeCode,
    baseline: Outcome,
    followup: Outcome,
    value: Interval | None,
    components: Sequence[Component] = (),
    flags: Sequence[str] = (),
) -> Outcome:
    """The outcome of a change, which rests on the outcomes of both visits.

    ``value`` is where the change lies. Without a number the follow-up's reason stands first: a visit
    that is not due yet makes the change not due, whatever the baseline lacks.
    """
    number = value.exact if value else None
    reason = detail = None
    if number is None:
        reason, detail = next(
            ((each.reason, _at(each)) for each in _by_weight(baseline, followup) if each.reason),
            ("missing-input", ""),
        )
    return Outcome(
        followup.subject,
        followup.visit,
        code,
        number=number,
        unit=OUTCOMES[code][1],
        reason=reason,
        detail=detail or "",
        bounds=closed(value) if value and number is None else None,
        components=tuple(components),
        flags=tuple(flags),
        effective=followup.effective,
        origins=gathered((baseline, followup)),
        rests_on=(baseline, followup),
    )


def _by_weight(baseline: Outcome, followup: Outcome) -> tuple[Outcome, Outcome]:
    waiting = ("not-due", "no-anchor")
    return (followup, baseline) if followup.reason in waiting else (baseline, followup)


def _at(outcome: Outcome) -> str:
    return f"{outcome.visit}: {outcome.detail}" if outcome.detail else f"at {outcome.visit}"


def difference_of(baseline: Outcome, followup: Outcome) -> Interval | None:
    """Follow-up minus baseline, as far as both are enclosed."""
    before, after = interval_of(baseline), interval_of(followup)
    return difference(after, before) if before and after else None


def percent(baseline: Outcome, followup: Outcome) -> Component:
    """The change in per cent of the baseline; from 0 there is none."""
    before, after = baseline.number, followup.number
    if before is None or after is None:
        return Component("percent", unit="%", reason="missing-input")
    if before == 0:
        return Component("percent", unit="%", reason="not-evaluable")
    return Component("percent", number=Fraction(100) * (after - before) / before, unit="%")
