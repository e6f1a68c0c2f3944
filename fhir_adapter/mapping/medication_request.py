"""MedicationRequest → orders.

Active ones go on until their period ends; completed and stopped ones are over; cancelled ones and drafts
never were, nor were proposals. One of which it is not known whether it was carried out stands without days,
and is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from fhir_adapter.mapping.context import Context, Mapped, Named, query, said_status, struck
from fhir_adapter.mapping.hospital import listed
from fhir_adapter.mapping.medication import named, order
from fhir_adapter.mapping.span import Day, Span, day, span
from fhir_adapter.mapping.value import is_number
from fhir_adapter.trial.drugs import ORDERED
from fhir_adapter.trial.types import QueryKind

_OVER = {"active": False, "completed": True, "stopped": True}
_NEVER_WERE = ("cancelled", "draft")
_PROPOSED = ("proposal", "plan", "option")
STATUSES = (*_OVER, *_NEVER_WERE, "entered-in-error", "on-hold", "unknown")
"""MedicationRequest.status of R4."""
_DAYS = {"d": 1, "wk": 7}


def read(resource: Mapping[str, Any], medications: Named, conditions: Named, context: Context) -> Mapped:
    """The order of one request, if its drug is one that criteria look at."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "completed"}, medications, conditions, context))
    if status in _NEVER_WERE or resource.get("intent") in _PROPOSED or resource.get("doNotPerform") is True:
        return mapped
    drug = named(resource, medications, context, mapped)
    if drug is None or drug not in ORDERED:
        return mapped
    dosages = listed(resource, "dosageInstruction")
    if str(status) in _OVER:
        days = _days(resource, dosages, context, over=_OVER[str(status)])
    else:
        text = f"The order has {said_status(status, STATUSES)}; say whether the drug was taken, and when."
        mapped.queries.append(query(context, drug, QueryKind.UNCLEAR_STATUS, text))
        days = Span(None, None, False)
    order(resource, drug, days, dosages, conditions, context, mapped)
    return mapped


def _days(
    resource: Mapping[str, Any], dosages: list[dict[str, Any]], context: Context, *, over: bool
) -> Span:
    """From the first of its periods to the last; without one, from the day on which it was written."""
    written = day(resource.get("authoredOn"), context)
    starts, ends = [], []
    for dosage in dosages:
        timing = dosage.get("timing")
        if not isinstance(timing, Mapping):
            continue
        repeat = timing.get("repeat")
        repeat = repeat if isinstance(repeat, Mapping) else {}
        period, duration = repeat.get("boundsPeriod"), repeat.get("boundsDuration")
        if isinstance(period, Mapping):
            starts.append(day(period.get("start"), context))
            ends.append(day(period.get("end"), context))
        elif isinstance(duration, Mapping):
            ends.append(_after(written.day, duration))
        events = timing.get("event")
        for event in events if isinstance(events, list) else ():
            starts.append(day(event, context))
            ends.append(day(event, context))
    begun = [each for each in starts if each.given]
    return span(_outer(begun, first=True) if begun else written, _outer(ends, first=False), over=over)


def _after(first: date | None, duration: Mapping[str, Any]) -> Day:
    """The last day of so many days or weeks; of another unit it is only known that there is one."""
    number, length = duration.get("value"), _DAYS.get(str(duration.get("code") or duration.get("unit")))
    if first is None or length is None or not is_number(number) or not 0 < number < 10_000:
        return Day(given=True)
    return Day(first + timedelta(days=int(number * length) - 1), given=True)


def _outer(days: list[Day], *, first: bool) -> Day:
    """The first or the last of several days; where one of them is not known, nor is this."""
    known = [each.day for each in days if each.day is not None]
    if len(known) < len(days) or not known:
        return next((each for each in days if each.day is None), Day())
    return Day(min(known) if first else max(known), given=True)
