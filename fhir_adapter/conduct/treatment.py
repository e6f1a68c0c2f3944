"""I3a: earlier treatment with immunosuppressants and glucocorticoids.

Two immunosuppressants, or a glucocorticoid and one, together or one after the other, for more than 3
calendar months; the grouping of the sentence and hydroxychloroquine are readings. Dossier §8 I3a.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from fhir_adapter.conduct.answers import (
    Answer,
    Missing,
    Supplier,
    listed,
    unique,
)
from fhir_adapter.conduct.record import (
    ORDERS,
    Days,
    Record,
    not_pulled,
)
from fhir_adapter.conduct.rules import TreatmentRule
from fhir_adapter.scores.response import months_before
from fhir_adapter.trial.drugs import Group, of_group
from fhir_adapter.trial.history import Order
from fhir_adapter.trial.values import Truth

_GLUCOCORTICOIDS = of_group(Group.GLUCOCORTICOID)
_COUNTED = {
    "hydroxychloroquine-not-counted": of_group(Group.IMMUNOSUPPRESSANT),
    "hydroxychloroquine-counted": of_group(Group.IMMUNOSUPPRESSANT, Group.HYDROXYCHLOROQUINE),
}
_Course = tuple[date, date, str]
"""First day, last day, drug."""


def treatment(record: Record, rule: TreatmentRule, days: Days) -> Answer:
    """I3a: what was taken up to day 0; together or one after the other."""
    every = _COUNTED["hydroxychloroquine-counted"] | _GLUCOCORTICOIDS
    orders = [
        each for each in record.orders if each.drug in every and not (each.first and each.first > days.zero)
    ]
    certain = [course for each in orders if (course := _certain(each, days.zero))]
    possible = [(each.first or date.min, _end(each, days.zero), each.drug) for each in orders]

    def answer(grouping: str, counted: str) -> Truth:
        drugs = _COUNTED[counted]
        if not orders:
            return None
        if _enough(certain, drugs, grouping, rule):
            return True
        # What was not pulled may hold the rest.
        return None if _enough(possible, drugs, grouping, rule) or not record.has(*ORDERS) else False

    grouping, counted = rule.grouping_reading, rule.hydroxychloroquine_reading
    holds = answer(grouping.default, counted.default)
    readings = {
        **{name: answer(name, counted.default) for name in grouping.alternatives},
        **{name: answer(grouping.default, name) for name in counted.alternatives},
    }
    missing: list[Missing] = []
    if holds is None:
        missing = [
            Missing(Supplier.PHYSICIAN, f"When {each.drug} was {'begun' if each.first is None else 'ended'}")
            for each in orders
            if each.first is None or (each.over and each.last is None)
        ]
        if not record.has(*ORDERS):
            missing.append(not_pulled(*ORDERS))
        elif not orders:
            missing.append(Missing(Supplier.PHYSICIAN, "Immunosuppressants and glucocorticoids taken before"))
    return Answer(rule.code, holds, readings, evidence=unique(orders), missing=listed(missing))


def _certain(order: Order, end: date) -> _Course | None:
    """The days on which a drug was surely taken: where only one end is known, that day."""
    if order.first is not None and order.over and order.last is None:
        return (order.first, order.first, order.drug)
    if order.first is not None:
        return (order.first, _end(order, end), order.drug)
    if order.last is not None and order.last <= end:
        return (order.last, order.last, order.drug)
    return None


def _end(order: Order, end: date) -> date:
    return min(order.last or end, end)


def _enough(
    courses: list[_Course], immunosuppressants: frozenset[str], grouping: str, rule: TreatmentRule
) -> bool:
    used = [each for each in courses if each[2] in immunosuppressants | _GLUCOCORTICOIDS]
    several = len({drug for _, _, drug in used} & immunosuppressants) >= rule.immunosuppressants
    if grouping == "two-at-any-time" and several:
        return True
    for first, last, drugs in _stretches(used, rule.pause):
        taken = drugs & immunosuppressants
        with_steroid = bool(taken) and bool(drugs & _GLUCOCORTICOIDS)
        long_enough = months_before(last, rule.months) > first
        if long_enough and (with_steroid or len(taken) >= rule.immunosuppressants):
            return True
    return False


def _stretches(courses: Iterable[_Course], pause: int) -> list[tuple[date, date, frozenset[str]]]:
    """The courses joined where at most ``pause`` days lie between them."""
    joined: list[tuple[date, date, frozenset[str]]] = []
    for first, last, drug in sorted(courses):
        if joined and (first - joined[-1][1]).days - 1 <= pause:
            start, end, drugs = joined[-1]
            joined[-1] = (start, max(end, last), drugs | {drug})
        else:
            joined.append((first, last, frozenset({drug})))
    return joined
