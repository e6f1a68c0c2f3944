"""FHIR's dates and times as moments in the study's time zone.

The day of a measurement is the day in that zone: 16:30Z is the next day in Beijing.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fhir_adapter.trial.values import Moment

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


_EFFECTIVE = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming")


class NoDate(ValueError):
    """There is no date, or none that can be read."""


class NoTimeZone(NoDate):
    """A time without a zone, and the hospital's settings name none."""


def moment(text: str, zone: ZoneInfo, hospital_zone: ZoneInfo | None) -> Moment:
    """A FHIR date, dateTime or instant; a year or month is all of its days.

    ``hospital_zone`` is meant by times that are sent without one. Raises NoDate or NoTimeZone.
    """
    partial = _DATE.fullmatch(text) if len(text) <= len("2024-03-31") else None
    try:
        if partial:
            year, month, day = (int(part) if part else 0 for part in partial.groups())
            if day:
                return Moment(date(year, month, day), date(year, month, day))
            last = month or 12
            return Moment(date(year, month or 1, 1), date(year, last, monthrange(year, last)[1]))
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise NoDate(text) from None
    if instant.tzinfo is None:
        if hospital_zone is None:
            raise NoTimeZone(text)
        instant = instant.replace(tzinfo=hospital_zone)
    try:
        local = instant.astimezone(zone).date()
    except OverflowError:  # 0001-01-01 and 9999-12-31 stand for "none" in some systems
        raise NoDate(text) from None
    return Moment(local, local, instant)


def effective(resource: Mapping[str, Any], zone: ZoneInfo, hospital_zone: ZoneInfo | None) -> Moment:
    """When a resource's ``effective[x]`` was. A period lies on all days from its start to its end.

    Raises NoDate, also where it has two of them, or NoTimeZone.
    """
    times = [found for name in _EFFECTIVE if (found := resource.get(name)) is not None]
    time = times[0] if len(times) == 1 else None
    if isinstance(time, str):
        return moment(time, zone, hospital_zone)
    period = resource.get("effectivePeriod")
    if time is None or not isinstance(period, dict):
        raise NoDate("")
    ends = [
        moment(period[end], zone, hospital_zone)
        for end in ("start", "end")
        if isinstance(period.get(end), str)
    ]
    if not ends:
        raise NoDate("")
    return Moment(ends[0].first, max(ends[0].last, ends[-1].last), ends[0].instant)


def started(resource: Mapping[str, Any], element: str) -> str | None:
    """The text of ``elementDateTime``, or the start of ``elementPeriod``, as sent; None where both are."""
    text, period = resource.get(f"{element}DateTime"), resource.get(f"{element}Period")
    if isinstance(period, Mapping):
        text = period.get("start") if text is None else None
    return text if isinstance(text, str) else None


def first_day(text: object, zone: ZoneInfo) -> date | None:
    """The first local day that a date or dateTime may mean, or None where it is missing or unreadable."""
    try:
        return moment(text, zone, zone).first if isinstance(text, str) else None
    except NoDate:
        return None


def day(text: object, zone: ZoneInfo) -> date | None:
    """The local day of a date or dateTime, or None where it is missing, partial or unreadable."""
    if not isinstance(text, str):
        return None
    try:
        found = moment(text, zone, zone)
    except NoDate:
        return None
    return found.first if found.first == found.last else None
