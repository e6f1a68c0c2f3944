"""How the study drugs were given, and each deviation from the plan with its size.

First a course of one drug until the B cells are gone, in the trial of the dossier rituximab weekly, two to
four doses; then the upkeep by another, belimumab every 28 days, counted from its first dose, while on or
before the last visit; before each dose the laboratory's gates. What was given before consent is history;
what was given after a withdrawal is named and not judged otherwise. Dossier §7, §8, §14.5, §14.16.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise

from msgspec import Struct

from fhir_adapter.conduct.answers import Missing, Piece, Supplier, unique
from fhir_adapter.conduct.depletion import measured, reached
from fhir_adapter.conduct.gates import gate
from fhir_adapter.conduct.record import Record, study_doses
from fhir_adapter.conduct.rules import DepletionRule, GateRule
from fhir_adapter.scores.calendar import last_visit
from fhir_adapter.trial.protocol import CalendarRule
from fhir_adapter.trial.types import Dose
from fhir_adapter.trial.values import Truth


class DeviationKind(StrEnum):
    """What differs from the plan (§14.16)."""

    LATE = "late"
    EARLY = "early"
    MISSING = "missing"
    EXTRA = "extra"
    STOPPED = "stopped-before-depletion"
    CONTINUED = "continued-after-depletion"
    GATE_NOT_MET = "gate-not-met"
    GATE_UNDETERMINED = "gate-undetermined"
    WITHDRAWN = "after-withdrawal"


class Deviation(Struct, frozen=True, gc=False):
    """One deviation.

    ``number`` counts the planned doses for late, early and missing, else the doses that were given. ``day``
    is the day of the dose, or the planned day of one that was not given. ``size`` is in days for late,
    early (from the planned day), continued (since depletion was shown) and after withdrawal; in doses for
    missing, extra and stopped (how many more were allowed); None for a gate, which has its ``criterion``.
    ``reason`` is why a dose was not done, where that was recorded.
    """

    kind: DeviationKind
    drug: str
    number: int
    day: date
    size: int | None
    planned: date | None = None
    criterion: str = ""
    reason: str = ""
    evidence: tuple[Piece, ...] = ()
    missing: tuple[Missing, ...] = ()


class Plan(Struct, frozen=True, gc=False):
    """The rules of dosing together; without one of depletion nothing is asked of the B cells.

    ``anchor`` is the dose that the last visit is counted from.
    """

    calendar: CalendarRule
    anchor: str
    depletion: DepletionRule | None
    gates: tuple[GateRule, ...]


class Dosing(Struct, frozen=True, gc=False):
    """The treatment of one participant.

    ``course`` are the doses of the first drug, ``upkeep`` those of the second, up to a withdrawal;
    ``planned`` are the days of the second. ``depleted`` says whether B cells were depleted, ``depleted_on``
    when that was first shown, ``evidence`` the measurements behind it; ``missing`` what would settle it.
    """

    subject: str
    course: tuple[Dose, ...]
    upkeep: tuple[Dose, ...]
    planned: tuple[date, ...]
    depleted: Truth
    depleted_on: date | None
    evidence: tuple[Piece, ...]
    missing: tuple[Missing, ...]
    deviations: tuple[Deviation, ...]


def review(record: Record, plan: Plan, as_of: date) -> Dosing:
    """The treatment as of a day, with every deviation in order of days."""
    known = record.known_on(as_of)
    withdrawn = record.subject.withdrawn
    until = record.subject.until(as_of)
    rules = (plan.calendar.course, plan.calendar.upkeep)
    given = {rule.drug: study_doses(known, rule.drug) for rule in rules}
    deviations = _after_withdrawal(given, withdrawn)
    first, upkeep = ([dose for dose in given[rule.drug] if dose.day <= until] for rule in rules)
    follows = upkeep[0] if upkeep else None
    course = [dose for dose in first if follows is None or dose.day <= follows.day]
    deviations += [
        Deviation(DeviationKind.EXTRA, dose.drug, number, dose.day, 1, evidence=(dose,))
        for number, dose in enumerate(first, start=1)
        if dose not in course
    ]
    found = measured(known, course[0], follows, plan.depletion) if course and plan.depletion else []
    found = [pair for pair in found if pair[0].at.last <= until]
    depleted = reached(found, course[-1]) if course and plan.depletion else None
    shown = [piece.at.last for piece, truth in found if truth]
    over = bool(course) and (
        follows is not None or until > _due(course[-1], plan) + timedelta(days=plan.calendar.course.tolerance)
    )
    deviations += _course(course, follows, over, depleted, plan, known)
    deviations += _continued(known, course, plan)
    planned = _planned(course, upkeep, plan)
    deviations += _calendar(known, course, upkeep, planned, until, plan)
    deviations += [
        each
        for doses in (course, upkeep)
        for number, dose in enumerate(doses, start=1)
        for each in _gates(known, plan, number, dose)
    ]
    open_ = (
        (Missing(Supplier.LABORATORY, f"CD19 after the last {plan.calendar.course.drug}"),)
        if course and plan.depletion and depleted is None
        else ()
    )
    return Dosing(
        record.subject.id,
        tuple(course),
        tuple(upkeep),
        tuple(planned),
        depleted,
        min(shown, default=None),
        unique(piece for piece, _ in found),
        open_,
        tuple(
            sorted(deviations, key=lambda each: (each.day, each.drug, each.number, each.kind, each.criterion))
        ),
    )


def _due(dose: Dose, plan: Plan) -> date:
    return dose.day + timedelta(days=plan.calendar.course.gap)


def _after_withdrawal(given: dict[str, list[Dose]], withdrawn: date | None) -> list[Deviation]:
    return [
        Deviation(
            DeviationKind.WITHDRAWN, drug, number, dose.day, (dose.day - withdrawn).days, evidence=(dose,)
        )
        for drug, doses in given.items()
        for number, dose in enumerate(doses, start=1)
        if withdrawn and dose.day > withdrawn
    ]


# ----------------------------------------------------------------------------------------- the course


def _course(
    course: Sequence[Dose],
    follows: Dose | None,
    over: bool,
    depleted: Truth,
    plan: Plan,
    record: Record,
) -> list[Deviation]:
    """Intervals from dose to dose, and how many there were."""
    rule = plan.calendar.course
    found = [
        deviation
        for number, (before, dose) in enumerate(pairwise(course), start=2)
        if (deviation := _off(dose, _due(before, plan), number, rule.tolerance))
    ]
    found += [
        Deviation(DeviationKind.EXTRA, rule.drug, number, dose.day, 1, evidence=(dose,))
        for number, dose in enumerate(course, start=1)
        if number > rule.most
    ]
    begun = over or follows is not None
    if begun and len(course) < rule.least:
        day = _due(course[-1], plan) if course else follows.day if follows else date.min
        found += [
            _missing(record, rule.drug, number, day, rule.gap)
            for number in range(len(course) + 1, rule.least + 1)
        ]
    elif over and depleted is False and len(course) < rule.most:
        last, more = course[-1], rule.most - len(course)
        found.append(
            Deviation(DeviationKind.STOPPED, rule.drug, len(course), last.day, more, evidence=(last,))
        )
    return found


def _continued(record: Record, course: Sequence[Dose], plan: Plan) -> list[Deviation]:
    """Doses beyond the least that were given although depletion had been shown."""
    found: list[Deviation] = []
    if plan.depletion is None:
        return found
    for number, dose in enumerate(course, start=1):
        if number <= plan.calendar.course.least:
            continue
        shown = [piece for piece, truth in measured(record, course[0], dose, plan.depletion) if truth]
        if shown:
            size = (dose.day - shown[0].at.last).days
            found.append(
                Deviation(
                    DeviationKind.CONTINUED, dose.drug, number, dose.day, size, evidence=(dose, shown[0])
                )
            )
    return found


# ----------------------------------------------------------------------------------------- the upkeep


def _planned(course: Sequence[Dose], upkeep: Sequence[Dose], plan: Plan) -> list[date]:
    """The days of the upkeep up to the last visit: from its first dose, else after the last of the course."""
    if not course:
        return []
    gap = timedelta(days=plan.calendar.upkeep.gap)
    day = upkeep[0].day if upkeep else course[-1].day + timedelta(days=plan.calendar.upkeep.after)
    end = last_visit(_week_0(course, upkeep, day, plan), plan.calendar)
    days: list[date] = []
    while day <= end or not days:
        days.append(day)
        day += gap
    return days


def _week_0(course: Sequence[Dose], upkeep: Sequence[Dose], planned: date, plan: Plan) -> date:
    """The day that visits are counted from; an upkeep to come is taken for given as planned."""
    end, _, drug = plan.anchor.partition("-")
    doses = upkeep if drug == plan.calendar.upkeep.drug else course
    return doses[0 if end == "first" else -1].day if doses else planned


def _calendar(
    record: Record,
    course: Sequence[Dose],
    upkeep: Sequence[Dose],
    planned: Sequence[date],
    until: date,
    plan: Plan,
) -> list[Deviation]:
    """The doses against the plan: late, early, missing, extra."""
    rule = plan.calendar.upkeep
    slots = _matched(tuple(planned), tuple(dose.day for dose in upkeep), rule.gap)
    found = []
    for number, day in enumerate(planned, start=1):
        index = slots.get(number - 1)
        if index is None:
            if until > day + timedelta(days=rule.tolerance):
                found.append(_missing(record, rule.drug, number, day, rule.gap))
            continue
        due = day
        if number == 1:
            due = course[-1].day + timedelta(days=rule.after)
        deviation = _off(upkeep[index], due, number, rule.tolerance)
        if deviation:
            found.append(deviation)
    taken = set(slots.values())
    found += [
        Deviation(DeviationKind.EXTRA, rule.drug, index + 1, dose.day, 1, evidence=(dose,))
        for index, dose in enumerate(upkeep)
        if planned and index not in taken
    ]
    return found


def _matched(planned: tuple[date, ...], given: tuple[date, ...], gap: int) -> dict[int, int]:
    """Which dose stands for which planned one: in order, with the fewest days off altogether.

    A planned dose without one, and a dose without a planned one, cost half an interval each. The first
    dose is the first planned one.
    """
    if len(planned) == len(given) and sum(map(_apart, planned, given)) < gap // 2 * 2:
        # Any other way leaves at least one of each without the other.
        return {number: number for number in range(len(planned))}

    @cache
    def best(slot: int, dose: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        left = (len(planned) - slot) + (len(given) - dose)
        if slot == len(planned) or dose == len(given):
            return left * gap // 2, ()
        cost, pairs = best(slot + 1, dose + 1)
        choices = [(cost + _apart(planned[slot], given[dose]), ((slot, dose), *pairs))]
        if slot or dose:
            skipped = (best(slot + 1, dose), best(slot, dose + 1))
            choices += [(following[0] + gap // 2, following[1]) for following in skipped]
        return min(choices, key=lambda choice: choice[0])

    return dict(best(0, 0)[1])


def _apart(one: date, other: date) -> int:
    return abs((other - one).days)


def _off(dose: Dose, due: date, number: int, tolerance: int) -> Deviation | None:
    days = (dose.day - due).days
    if abs(days) <= tolerance:
        return None
    kind = DeviationKind.LATE if days > 0 else DeviationKind.EARLY
    return Deviation(kind, dose.drug, number, dose.day, abs(days), planned=due, evidence=(dose,))


def _missing(record: Record, drug: str, number: int, day: date, gap: int) -> Deviation:
    """A dose that was not given, with the reason that was recorded within half an interval of its day."""
    refused = sorted(
        (dose for dose in record.doses if dose.drug == drug and not dose.given),
        key=lambda dose: (abs((dose.day - day).days), dose.origins),
    )
    near = tuple(dose for dose in refused[:1] if abs((dose.day - day).days) * 2 <= gap)
    reason = near[0].reason if near else ""
    return Deviation(DeviationKind.MISSING, drug, number, day, 1, planned=day, reason=reason, evidence=near)


def _gates(record: Record, plan: Plan, number: int, dose: Dose) -> list[Deviation]:
    found = []
    for rule in plan.gates:
        if rule.drug != dose.drug:
            continue
        answer = gate(record, rule, dose)
        if answer.holds:
            continue
        kind = DeviationKind.GATE_UNDETERMINED if answer.holds is None else DeviationKind.GATE_NOT_MET
        found.append(
            Deviation(
                kind, dose.drug, number, dose.day, None, criterion=rule.code,
                evidence=(dose, *answer.evidence), missing=answer.missing,
            )
        )  # fmt: skip
    return found
