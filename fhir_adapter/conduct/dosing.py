"""How the study drugs were given, and each deviation from the plan with its size.

Rituximab weekly, two to four doses, until CD19 is below 0.5 % or 20/µL. Belimumab 28 days after the last
rituximab and every 28 days, counted from the first belimumab, while on or before week 28; before each
dose the laboratory gates E10 and E11. Tolerance 3 days for rituximab, 7 for belimumab. What was given
before consent is history; what was given after a withdrawal is named and not judged otherwise. Dossier §7,
§8, §14.5, §14.16.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise

from fhir_adapter.conduct.answers import Missing, Piece, Supplier, unique
from fhir_adapter.conduct.depletion import measured, reached
from fhir_adapter.conduct.gates import gate
from fhir_adapter.conduct.record import Record, study_doses
from fhir_adapter.conduct.rules import DepletionRule, DosingRule, GateRule
from fhir_adapter.scores.calendar import week_28
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


@dataclass(frozen=True, slots=True)
class Deviation:
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


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules of dosing together."""

    calendar: CalendarRule
    dosing: DosingRule
    depletion: DepletionRule
    gates: tuple[GateRule, ...]


@dataclass(frozen=True, slots=True)
class Dosing:
    """The treatment of one participant.

    ``rituximab`` is the course, ``belimumab`` all doses up to a withdrawal; ``planned`` are the days of
    belimumab. ``depleted`` says whether B cells were depleted, ``depleted_on`` when that was first shown,
    ``evidence`` the measurements behind it; ``missing`` what would settle it.
    """

    subject: str
    rituximab: tuple[Dose, ...]
    belimumab: tuple[Dose, ...]
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
    until = min(as_of, withdrawn) if withdrawn else as_of
    given = {drug: study_doses(known, drug) for drug in ("rituximab", "belimumab")}
    deviations = _after_withdrawal(given, withdrawn)
    rituximab, belimumab = (
        [dose for dose in given[drug] if dose.day <= until] for drug in ("rituximab", "belimumab")
    )
    first_belimumab = belimumab[0] if belimumab else None
    course = [dose for dose in rituximab if first_belimumab is None or dose.day <= first_belimumab.day]
    deviations += [
        Deviation(DeviationKind.EXTRA, "rituximab", number, dose.day, 1, evidence=(dose,))
        for number, dose in enumerate(rituximab, start=1)
        if dose not in course
    ]
    found = measured(known, course[0], first_belimumab, plan.depletion) if course else []
    found = [pair for pair in found if pair[0].at.last <= until]
    depleted = reached(found, course[-1]) if course else None
    shown = [piece.at.last for piece, truth in found if truth]
    over = bool(course) and (
        first_belimumab is not None
        or until > _due(course[-1], plan) + timedelta(days=plan.dosing.rituximab_tolerance)
    )
    deviations += _course(course, first_belimumab, over, depleted, plan, known)
    deviations += _continued(known, course, plan)
    planned = _planned(course, belimumab, plan)
    deviations += _calendar(known, course, belimumab, planned, until, plan)
    deviations += [
        each for number, dose in enumerate(belimumab, 1) for each in _gates(known, plan, number, dose)
    ]
    open_ = (
        (Missing(Supplier.LABORATORY, "CD19 after the last rituximab"),)
        if course and depleted is None
        else ()
    )
    return Dosing(
        record.subject.id,
        tuple(course),
        tuple(belimumab),
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
    return dose.day + timedelta(days=plan.calendar.rituximab_gap)


def _after_withdrawal(given: dict[str, list[Dose]], withdrawn: date | None) -> list[Deviation]:
    return [
        Deviation(
            DeviationKind.WITHDRAWN, drug, number, dose.day, (dose.day - withdrawn).days, evidence=(dose,)
        )
        for drug, doses in given.items()
        for number, dose in enumerate(doses, start=1)
        if withdrawn and dose.day > withdrawn
    ]


# ----------------------------------------------------------------------------------------- rituximab


def _course(
    course: Sequence[Dose],
    first_belimumab: Dose | None,
    over: bool,
    depleted: Truth,
    plan: Plan,
    record: Record,
) -> list[Deviation]:
    """Intervals from dose to dose, and how many there were."""
    rule = plan.dosing
    found = [
        deviation
        for number, (before, dose) in enumerate(pairwise(course), start=2)
        if (deviation := _off(dose, _due(before, plan), number, rule.rituximab_tolerance))
    ]
    found += [
        Deviation(DeviationKind.EXTRA, "rituximab", number, dose.day, 1, evidence=(dose,))
        for number, dose in enumerate(course, start=1)
        if number > rule.most_rituximab
    ]
    begun = over or first_belimumab is not None
    if begun and len(course) < rule.least_rituximab:
        day = _due(course[-1], plan) if course else first_belimumab.day if first_belimumab else date.min
        found += [
            _missing(record, "rituximab", number, day, plan.calendar.rituximab_gap)
            for number in range(len(course) + 1, rule.least_rituximab + 1)
        ]
    elif over and depleted is False and len(course) < rule.most_rituximab:
        last, more = course[-1], rule.most_rituximab - len(course)
        found.append(
            Deviation(DeviationKind.STOPPED, "rituximab", len(course), last.day, more, evidence=(last,))
        )
    return found


def _continued(record: Record, course: Sequence[Dose], plan: Plan) -> list[Deviation]:
    """Doses beyond the least that were given although depletion had been shown."""
    found = []
    for number, dose in enumerate(course, start=1):
        if number <= plan.dosing.least_rituximab:
            continue
        shown = [piece for piece, truth in measured(record, course[0], dose, plan.depletion) if truth]
        if shown:
            size = (dose.day - shown[0].at.last).days
            found.append(
                Deviation(
                    DeviationKind.CONTINUED, "rituximab", number, dose.day, size, evidence=(dose, shown[0])
                )
            )
    return found


# ----------------------------------------------------------------------------------------- belimumab


def _planned(course: Sequence[Dose], belimumab: Sequence[Dose], plan: Plan) -> list[date]:
    """The days of belimumab up to week 28: from the first that was given, else after the last rituximab."""
    if not course:
        return []
    gap = timedelta(days=plan.calendar.belimumab_gap)
    after_rituximab = course[-1].day + timedelta(days=plan.calendar.belimumab_after_rituximab)
    day = belimumab[0].day if belimumab else after_rituximab
    end = week_28(course[0].day, plan.calendar)
    days: list[date] = []
    while day <= end or not days:
        days.append(day)
        day += gap
    return days


def _calendar(
    record: Record,
    course: Sequence[Dose],
    belimumab: Sequence[Dose],
    planned: Sequence[date],
    until: date,
    plan: Plan,
) -> list[Deviation]:
    """The doses against the plan: late, early, missing, extra."""
    tolerance = plan.dosing.belimumab_tolerance
    slots = _matched(tuple(planned), tuple(dose.day for dose in belimumab), plan.calendar.belimumab_gap)
    found = []
    for number, day in enumerate(planned, start=1):
        index = slots.get(number - 1)
        if index is None:
            if until > day + timedelta(days=tolerance):
                found.append(_missing(record, "belimumab", number, day, plan.calendar.belimumab_gap))
            continue
        due = day
        if number == 1:
            due = course[-1].day + timedelta(days=plan.calendar.belimumab_after_rituximab)
        deviation = _off(belimumab[index], due, number, tolerance)
        if deviation:
            found.append(deviation)
    taken = set(slots.values())
    found += [
        Deviation(DeviationKind.EXTRA, "belimumab", index + 1, dose.day, 1, evidence=(dose,))
        for index, dose in enumerate(belimumab)
        if planned and index not in taken
    ]
    return found


def _matched(planned: tuple[date, ...], given: tuple[date, ...], gap: int) -> dict[int, int]:
    """Which dose stands for which planned one: in order, with the fewest days off altogether.

    A planned dose without one, and a dose without a planned one, cost half an interval each. The first
    dose is the first planned one.
    """

    @cache
    def best(slot: int, dose: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        left = (len(planned) - slot) + (len(given) - dose)
        if slot == len(planned) or dose == len(given):
            return left * gap // 2, ()
        cost, pairs = best(slot + 1, dose + 1)
        choices = [(cost + abs((given[dose] - planned[slot]).days), ((slot, dose), *pairs))]
        if slot or dose:
            skipped = (best(slot + 1, dose), best(slot, dose + 1))
            choices += [(following[0] + gap // 2, following[1]) for following in skipped]
        return min(choices, key=lambda choice: choice[0])

    return dict(best(0, 0)[1])


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
        answer = gate(record, rule, dose)
        if answer.holds:
            continue
        kind = DeviationKind.GATE_UNDETERMINED if answer.holds is None else DeviationKind.GATE_NOT_MET
        found.append(
            Deviation(
                kind, "belimumab", number, dose.day, None, criterion=rule.code,
                evidence=(dose, *answer.evidence), missing=answer.missing,
            )
        )  # fmt: skip
    return found
