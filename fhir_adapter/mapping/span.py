"""From when to when something went on, from FHIR's periods, with what must be asked about its days.

A day that is known to the month or year only is not known: which day it was decides, and is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from msgspec import Struct

from fhir_adapter.mapping import when
from fhir_adapter.mapping.context import Context, query
from fhir_adapter.trial.types import Query, QueryKind
from fhir_adapter.trial.values import Moment


class Day(Struct, frozen=True, gc=False):
    """A day as it was sent: known, or with the fault that it has; ``given``: whether anything was sent."""

    day: date | None = None
    fault: QueryKind | None = None
    given: bool = False


def day(text: object, context: Context) -> Day:
    """The local day of a date or dateTime."""
    if text is None:
        return Day()
    found = moment(text, context)
    if isinstance(found, QueryKind):
        return Day(fault=found, given=True)
    if found.first != found.last:
        return Day(fault=QueryKind.PARTIAL_DATE, given=True)
    return Day(found.first, given=True)


def moment(text: object, context: Context) -> Moment | QueryKind:
    """The moment of a date or dateTime, or the kind of the question that it raises."""
    try:
        if isinstance(text, str):
            return when.moment(text, context.zone, context.hospital.timezone)
    except when.NoTimeZone:
        return QueryKind.NO_TIME_ZONE
    except when.NoDate:
        pass
    return QueryKind.NO_DATE


class Span(Struct, frozen=True, gc=False):
    """The first and the last day, as far as they are known; ``over``: it has ended on a day not known."""

    first: date | None
    last: date | None
    over: bool
    faults: frozenset[QueryKind] = frozenset()

    def queries(self, what: str, item: str, context: Context) -> Iterator[Query]:
        """A question for each fault; ``what`` names the record in its text."""
        for kind in sorted(self.faults):
            yield query(context, item, kind, f"{what} {_TEXTS[kind]}")


_TEXTS: Mapping[QueryKind, str] = {
    QueryKind.NO_DATE: "has no date that can be read, or ends before it begins; correct its dates.",
    QueryKind.NO_TIME_ZONE: "has a time without a time zone; name the hospital's in its settings.",
    QueryKind.PARTIAL_DATE: "has a date that is no day; add the day.",
}


def span(start: Day, end: Day, *, over: bool) -> Span:
    """What went from one day to another; ``over`` says whether its status is that of something ended.

    Without a beginning there is a question. One that ends before it begins has neither day.
    """
    faults = {each.fault for each in (start, end) if each.fault is not None}
    if not start.given:
        faults.add(QueryKind.NO_DATE)
    first, last = start.day, end.day
    if first is not None and last is not None and last < first:
        return Span(None, None, True, frozenset({QueryKind.NO_DATE}))
    return Span(first, last, last is None and (over or end.given), frozenset(faults))
