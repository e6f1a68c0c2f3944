"""The study treatment's calendar: doses given, and the days that follow from them.

Rituximab weekly, two to four doses; belimumab 28 days after the last rituximab and every 28 days while
on or before week 28, the last visit. It is counted from the anchor: A first rituximab (default), B last
rituximab, C first belimumab. Dossier §7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

from fhir_adapter.trial.components import MOST_BELIMUMAB_DUE
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import CalendarRule, Protocol
from fhir_adapter.trial.types import Component, Dose, DoseStatus, Outcome, gathered
from fhir_adapter.trial.windows import course

VISIT = "study"
"""The calendar speaks of the whole study, not of one visit."""


def week_28(anchor: date, rule: CalendarRule) -> date:
    """The target day of the last visit."""
    return anchor + timedelta(days=rule.last_day)


def upkeep_days(course_end: date, anchor: date, rule: CalendarRule) -> list[date]:
    """The planned days of the second drug, up to and including the last day of the study; at most as many as
    have names (``MOST_BELIMUMAB_DUE``).
    """
    end = week_28(anchor, rule)
    day = course_end + timedelta(days=rule.upkeep.after)
    days: list[date] = []
    while day <= end and len(days) < MOST_BELIMUMAB_DUE:
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
    days = {name: dose.day if dose else None for name, dose in anchors.items()}
    week0 = days[protocol.anchor.default]
    course_end = days.get(f"last-{rule.course.drug}")
    counted = {drug: course(doses, drug) for drug in (rule.course.drug, rule.upkeep.drug)}
    due = upkeep_days(course_end, week0, rule) if course_end and week0 else []
    used = tuple(dose for drug in counted.values() for dose in drug)
    statuses = {dose.status for dose in used}
    components = [
        *(Component(f"{drug}-doses", number=Fraction(len(given))) for drug, given in counted.items()),
        *(_day(name, day) for name, day in days.items()),
        *(
            _day(f"week-28-{name}", week_28(day, rule) if day else None)
            for name, day in days.items()
            if name != protocol.anchor.default
        ),
        *(_day(f"{rule.upkeep.drug}-due-{number}", day) for number, day in enumerate(due, start=1)),
    ]
    return Outcome(
        subject,
        VISIT,
        OutcomeCode.CALENDAR,
        day=week_28(week0, rule) if week0 else None,
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
