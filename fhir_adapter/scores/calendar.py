"""The study treatment's calendar: doses given, and the days that follow from them.

A course of one drug, then upkeep by another: so many days after the last dose of the course, and again after
each gap while on or before the last visit. In NCT06410833 rituximab weekly, two to four doses; belimumab 28
days after the last and every 28 days until week 28. It is counted from the anchor: A first rituximab
(default), B last rituximab, C first belimumab. Dossier §7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

from fhir_adapter.trial.components import MOST_UPKEEP_DUE
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import CalendarRule, Protocol
from fhir_adapter.trial.types import Component, Dose, DoseStatus, Outcome, gathered
from fhir_adapter.trial.windows import course

VISIT = "study"
"""The calendar speaks of the whole study, not of one visit."""


def last_visit(anchor: date, rule: CalendarRule) -> date:
    """The target day of the last visit."""
    return anchor + timedelta(days=rule.last_day)


def upkeep_days(course_end: date, anchor: date, rule: CalendarRule) -> list[date]:
    """The planned days of the second drug, up to and including the last day of the study; at most as many as
    have names (``MOST_UPKEEP_DUE``).
    """
    end = last_visit(anchor, rule)
    day = course_end + timedelta(days=rule.upkeep.after)
    days: list[date] = []
    while day <= end and len(days) < MOST_UPKEEP_DUE:
        days.append(day)
        day += timedelta(days=rule.upkeep.gap)
    return days


def score(
    subject: str,
    doses: Sequence[Dose],
    anchors: Mapping[str, Dose | None],
    protocol: Protocol,
    rule: CalendarRule,
    flags: Sequence[str] = (),
) -> Outcome:
    """The calendar of one participant from the doses that were given."""
    asked = (protocol.anchor.default, *protocol.anchor.alternatives)
    days = {name: dose.day if (dose := anchors[name]) else None for name in asked}
    week0 = days[protocol.anchor.default]
    last = anchors[f"last-{rule.course.drug}"]
    counted = {drug: course(doses, drug) for drug in (rule.course.drug, rule.upkeep.drug)}
    due = upkeep_days(last.day, week0, rule) if last and week0 else []
    used = tuple(dose for drug in counted.values() for dose in drug)
    statuses = {dose.status for dose in used}
    components = [
        *(Component(f"{drug}-doses", number=Fraction(len(given))) for drug, given in counted.items()),
        *(_day(name, day) for name, day in days.items()),
        *(
            _day(f"last-visit-{name}", last_visit(day, rule) if day else None)
            for name, day in days.items()
            if name != protocol.anchor.default
        ),
        *(_day(f"upkeep-due-{number}", day) for number, day in enumerate(due, start=1)),
    ]
    return Outcome(
        subject,
        VISIT,
        OutcomeCode.CALENDAR,
        day=last_visit(week0, rule) if week0 else None,
        reason=None if week0 else "no-anchor",
        components=tuple(components),
        flags=(
            *flags,
            *(("dose-stopped",) if DoseStatus.STOPPED in statuses else ()),
            *(("dose-in-progress",) if DoseStatus.IN_PROGRESS in statuses else ()),
        ),
        effective=(week0, week0) if week0 else None,
        origins=gathered(used),
        rests_on=used,
    )


def _day(name: str, day: date | None) -> Component:
    return Component(name, day=day, reason=None if day else "no-anchor")
