"""Visits of one participant, and which measurement stands for an item at a visit (dossier §6.4, §13, §14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.trial.protocol import Protocol, VisitRule
from fhir_adapter.trial.types import Dose, Measurement, Problem, Visit
from fhir_adapter.trial.values import Interval, Moment


def visit_of(rule: VisitRule, anchor: date) -> Visit:
    """The days of a visit whose week 0 is ``anchor``."""
    target = anchor + timedelta(days=rule.day)
    return Visit(
        rule.name,
        target - timedelta(days=rule.before),
        target,
        target + timedelta(days=rule.after),
        {item: target - timedelta(days=days) for item, days in rule.before_by_item.items()},
    )


def first_day(visit: Visit, item: str) -> date:
    """The first day that counts for ``item``; families such as ``hocevar`` speak for all their items."""
    days = visit.first_by_item
    family = _family(item, tuple(days)) if days else None
    return visit.first if family is None else days[family]


@cache
def _family(item: str, families: tuple[str, ...]) -> str | None:
    """The family that speaks for an item, if any: the same few are asked for at every visit."""
    return next((family for family in families if item == family or item.startswith(f"{family}-")), None)


class Evidence(Struct, frozen=True, gc=False):
    """What stands for each item at one visit of one participant.

    ``window`` is None where the anchor dose was not given; ``due`` says that the window has closed.
    ``chosen`` holds the one measurement of each item, usable or refused. ``brief`` asks of a score only for
    its value or why there is none, as under another anchor, and not for what explains it.
    """

    subject: str
    visit: str
    window: Visit | None
    due: bool
    chosen: Mapping[str, Measurement]
    brief: bool = False

    def at(self, item: str) -> Measurement | None:
        """The measurement of ``item``, whether it can be used or not."""
        return self.chosen.get(item)

    def values(self, items: Iterable[str]) -> list[Interval | None]:
        """The value of each of the ``items``, None where there is none that can be used."""
        chosen = self.chosen
        return [
            found.value if (found := chosen.get(item)) is not None and found.problem is None else None
            for item in items
        ]

    def of(self, items: Iterable[str]) -> tuple[Measurement, ...]:
        """The measurements of those of the ``items`` that were recorded at all."""
        chosen = self.chosen
        if not chosen:
            return ()
        return tuple([chosen[item] for item in items if item in chosen])


def evidence(
    subject: str,
    rule: VisitRule,
    anchor: Dose | None,
    measurements: Mapping[str, Sequence[Measurement]],
    as_of: date,
    *,
    baseline: bool,
    brief: bool = False,
) -> Evidence:
    """Choose each item's measurement at the visit.

    ``measurements`` are those of the participant by item, settled (see ``settled``). Before treatment,
    that is at a baseline, only what precedes the anchor dose counts: by time where both have one,
    else by day (§14.18).
    """
    if anchor is None:
        return Evidence(subject, rule.name, None, False, {}, brief)
    window = visit_of(rule, anchor.day)
    if as_of <= window.last:
        return Evidence(subject, rule.name, window, False, {}, brief)
    start = anchor.at.instant if baseline else None
    last, families = window.last, tuple(window.first_by_item)
    chosen = {}
    for item, candidates in measurements.items():
        family = _family(item, families)
        first = window.first if family is None else window.first_by_item[family]
        inside = [
            candidate
            for candidate in candidates
            if (at := candidate.at).first >= first
            and at.last <= last
            and not (start and at.instant and at.instant >= start)
        ]
        if inside:
            chosen[item] = inside[0] if len(inside) == 1 else _nearest(inside, window.target)
    return Evidence(subject, rule.name, window, True, chosen, brief)


def _nearest(candidates: Sequence[Measurement], target: date) -> Measurement:
    """The candidate nearest to the target day, ties to the earlier (§14.3).

    A statement that there is no result never stands in the way of a result; a refused value does (§14.19).
    """

    def distance(candidate: Measurement) -> tuple[bool, int, tuple[date, bool, date]]:
        days = max(abs((candidate.at.first - target).days), abs((candidate.at.last - target).days))
        return (candidate.problem is Problem.ABSENT, days, candidate.at.order)

    return min(candidates, key=distance)


def settled(
    measurements: Iterable[Measurement], until: date = date.max
) -> dict[str, tuple[Measurement, ...]]:
    """The measurements of one participant by item, with corrections and duplicates settled.

    Nothing from after the day ``until`` is used.

    A correction replaces what it corrects (§14.4). The same value at the same time under several ids is
    one measurement with all origins; different values at the same time are one measurement without a
    value, whose problem is the conflict (§13). The order of the input does not matter.
    """
    by_item: dict[str, list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        if measurement.at.last <= until:
            by_item[measurement.item].append(measurement)
    return {item: _settled(group) for item, group in sorted(by_item.items())}


def _settled(group: list[Measurement]) -> tuple[Measurement, ...]:
    if len(group) == 1:
        return tuple(group)
    corrections = [measurement for measurement in group if measurement.corrects]
    standing = (
        group
        if not corrections
        else [
            measurement
            for measurement in group
            if not any(
                _corrects(correction, measurement)
                # Two that name each other contradict: neither makes the other vanish.
                and not (measurement.corrects and _corrects(measurement, correction))
                for correction in corrections
            )
        ]
        or group
    )
    if len({_time(each) for each in standing}) < len(standing):
        by_time: dict[object, list[Measurement]] = defaultdict(list)
        for measurement in standing:
            by_time[_time(measurement)].append(measurement)
        standing = [_merged(same_time) for same_time in by_time.values()]
    return tuple(sorted(standing, key=lambda each: (each.at.order, each.at.last, each.origins)))


def _time(measurement: Measurement) -> object:
    at = measurement.at
    return at.instant or (at.first, at.last)


def _corrects(correction: Measurement, other: Measurement) -> bool:
    """Whether ``correction`` names ``other`` or shares a specimen or an accession number with it (§14.4).

    Ids and numbers mean something within their source only. A number ties results of one moment: orders
    and reports use theirs again. To derive from the same result is no tie between two results.
    """
    if correction is other or other.origins == correction.origins:
        return False
    if {origin.source for origin in correction.origins}.isdisjoint(origin.source for origin in other.origins):
        return False
    if correction.about & {*(f"{origin.type}/{origin.id}" for origin in other.origins), *other.links}:
        return True
    return (
        not other.corrects
        and not correction.links.isdisjoint(other.links)
        and _may_be_one_moment(correction.at, other.at)
    )


def _may_be_one_moment(one: Moment, other: Moment) -> bool:
    """Whether both are of the same day, and of the same time where both have one."""
    same_days = (one.first, one.last) == (other.first, other.last)
    return same_days and (not one.instant or not other.instant or one.instant == other.instant)


def _merged(same_time: list[Measurement]) -> Measurement:
    if len(same_time) == 1:
        return same_time[0]
    same_time.sort(key=lambda each: each.origins)
    stated = [each for each in same_time if each.problem is not Problem.ABSENT] or same_time
    origins = tuple(sorted({origin for each in stated for origin in each.origins}))
    kept = stated[0]
    if all(
        (each.value, each.found, each.problem) == (kept.value, kept.found, kept.problem) for each in stated
    ):
        return replace(kept, origins=origins)
    sent = " | ".join(sorted({each.sent for each in stated}))
    return replace(
        kept, value=None, found=None, normal=None, problem=Problem.CONFLICT, sent=sent, origins=origins
    )


def anchors(doses: Sequence[Dose], consent: date | None, protocol: Protocol) -> dict[str, Dose | None]:
    """The first and the last dose of each study drug, or None where it was not given (dossier §7, §14.5).

    Day 0 is the first dose of the first drug on or after consent; what was given before is history. A drug
    begins no earlier than the one before it. Its last dose is the last one not after the first of the next
    drug, so that a later course moves nothing.
    """
    given = [dose for dose in doses if dose.given and (consent is None or dose.day >= consent)]
    courses: list[tuple[str, list[Dose]]] = []
    start: date | None = None
    for drug in protocol.drugs:
        own = [dose for dose in course(given, drug) if start is None or dose.day >= start]
        start = own[0].day if own else start
        courses.append((drug, own))
    found: dict[str, Dose | None] = {}
    end: date | None = None
    for drug, own in reversed(courses):
        before = [dose for dose in own if end is None or dose.day <= end]
        found[f"first-{drug}"] = own[0] if own else None
        found[f"last-{drug}"] = before[-1] if before else None
        end = own[0].day if own else end
    return found


def course(doses: Iterable[Dose], drug: str) -> list[Dose]:
    """The doses of one drug that were given, in order of their days."""
    return sorted(
        (dose for dose in doses if dose.drug == drug and dose.given), key=lambda dose: dose.at.order
    )
