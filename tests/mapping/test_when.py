"""FHIR's dates and times in the study's time zone (dossier §14.9)."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from fhir_adapter.mapping import when
from tests.mapping.build import Json
from tests.scores.build import ZONE

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "day", "why"),
    [
        ("2024-04-01T16:30:00Z", date(2024, 4, 2), "the next day in Beijing"),
        ("2024-04-01T15:59:59.999Z", date(2024, 4, 1), "23:59 in Beijing"),
        ("2024-04-01T16:00:00Z", date(2024, 4, 2), "midnight in Beijing"),
        ("2024-04-01T23:30:00+08:00", date(2024, 4, 1), "as written"),
        ("2024-04-01T00:30:00-05:00", date(2024, 4, 1), "13:30 in Beijing"),
        ("2024-04-01T12:00:00-05:00", date(2024, 4, 2), "01:00 in Beijing"),
        ("2024-04-01", date(2024, 4, 1), "a date is a day of the study's zone"),
        ("2024-02-29", date(2024, 2, 29), "leap day"),
    ],
)
def test_the_day_is_the_day_in_the_study_s_zone(text: str, day: date, why: str) -> None:
    found = when.moment(text, ZONE, None)
    assert (found.first, found.last) == (day, day), why


@pytest.mark.parametrize(
    ("hospital", "day"),
    [(ZONE, date(2024, 4, 1)), (ZoneInfo("UTC"), date(2024, 4, 2)), (NEW_YORK, date(2024, 4, 2))],
)
def test_a_time_without_a_zone_is_the_hospital_s(hospital: ZoneInfo, day: date) -> None:
    assert when.moment("2024-04-01T20:00:00", ZONE, hospital).first == day


def test_a_time_without_any_zone_is_not_guessed_at() -> None:
    with pytest.raises(when.NoTimeZone):
        when.moment("2024-04-01T20:00:00", ZONE, None)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-02", date(2023, 2, 1), date(2023, 2, 28)),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_a_partial_date_is_all_of_its_days(text: str, first: date, last: date) -> None:
    found = when.moment(text, ZONE, None)
    assert (found.first, found.last, found.instant) == (first, last, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "01.04.2024",
        "2024-13",
        "2024-02-30",
        "0000",
        "2024-04-01T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
    ],
)
def test_what_cannot_be_read_is_no_date(text: str) -> None:
    """The ends of the calendar stand for *none* in some systems."""
    with pytest.raises(when.NoDate):
        when.moment(text, ZONE, ZONE)


@pytest.mark.parametrize(
    ("resource", "first", "last", "has_time"),
    [
        ({"effectiveDateTime": "2024-04-01T08:00:00+08:00"}, date(2024, 4, 1), date(2024, 4, 1), True),
        ({"effectiveInstant": "2024-04-01T16:30:00Z"}, date(2024, 4, 2), date(2024, 4, 2), True),
        (
            {"effectivePeriod": {"start": "2024-04-01T08:00:00+08:00", "end": "2024-04-01T09:00:00+08:00"}},
            date(2024, 4, 1), date(2024, 4, 1), True,
        ),
        (
            {"effectivePeriod": {"start": "2024-04-01T08:00:00+08:00", "end": "2024-04-02T08:00:00+08:00"}},
            date(2024, 4, 1), date(2024, 4, 2), True,
        ),
        (
            {"effectivePeriod": {"start": "2024-04-01", "end": "2024-04"}},
            date(2024, 4, 1), date(2024, 4, 30), False,
        ),
        ({"effectivePeriod": {"start": "2024-04-01"}}, date(2024, 4, 1), date(2024, 4, 1), False),
        ({"effectivePeriod": {"end": "2024-04-01"}}, date(2024, 4, 1), date(2024, 4, 1), False),
    ],
)  # fmt: skip
def test_effective(resource: Json, first: date, last: date, has_time: bool) -> None:
    """A period lies on all days from its start to its end."""
    found = when.effective(resource, ZONE, None)
    assert (found.first, found.last, found.instant is not None) == (first, last, has_time)


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"effectivePeriod": {}},
        {"effectiveTiming": {"event": ["2024-04-01"]}},
        {"issued": "2024-04-01"},
        {"effectiveDateTime": "2024-04-01", "effectivePeriod": {"start": "2024-04-01"}},
        {"effectiveDateTime": "2024-04-01", "effectiveInstant": "2024-04-01T08:00:00+08:00"},
        {"effectiveInstant": "2024-04-01T08:00:00+08:00", "effectiveTiming": {"event": ["2024-04-01"]}},
    ],
)
def test_without_an_effective_date_there_is_none(resource: Json) -> None:
    """When a result was sent is not when it was taken; which of two times is meant, only people can say."""
    with pytest.raises(when.NoDate):
        when.effective(resource, ZONE, None)


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ({"onsetDateTime": "2023-01"}, "2023-01"),
        ({"onsetPeriod": {"start": "2023-02", "end": "2023-03"}}, "2023-02"),
        ({"onsetDateTime": None, "onsetPeriod": {"start": "2023-02"}}, "2023-02"),
        ({"onsetDateTime": "2023-01", "onsetPeriod": {"start": "2023-02"}}, None),
        ({"onsetPeriod": {"end": "2023-03"}}, None),
        ({"onsetAge": {"value": 9}}, None),
        ({}, None),
    ],
)
def test_when_something_began(resource: Json, text: str | None) -> None:
    assert when.started(resource, "onset") == text


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-20", date(2024, 3, 20)),
        ("2024-03-20T16:30:00Z", date(2024, 3, 21)),
        ("2024-03", None),
        ("?", None),
        (None, None),
    ],
)
def test_a_single_day(text: object, day: date | None) -> None:
    assert when.day(text, ZONE) == day
