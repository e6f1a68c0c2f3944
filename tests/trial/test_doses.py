"""One dose a day (dossier §13, §14.24)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import permutations

import pytest

from fhir_adapter.trial.doses import one_a_day
from fhir_adapter.trial.types import DoseStatus
from fhir_adapter.trial.windows import anchors, course
from tests.scores.build import CHILD, DAY0, ZONE, belimumab, dose, protocol, rituximab

GIVEN, STOPPED = DoseStatus.GIVEN, DoseStatus.STOPPED
IN_PROGRESS, NOT_DONE = DoseStatus.IN_PROGRESS, DoseStatus.NOT_DONE
NINE = datetime(2024, 4, 1, 9, tzinfo=ZONE)


def test_three_bags_are_one_dose() -> None:
    """§13: an infusion in three bags is no third rituximab; its amounts are added."""
    bags = [
        dose("rituximab", NINE + timedelta(hours=hour), amount=200 + hour, id=f"bag-{hour}")
        for hour in range(3)
    ]
    for order in permutations(bags):
        (one,) = one_a_day(order)
        assert one.amount == 603
        assert one.at.instant == NINE
        assert [origin.id for origin in one.origins] == ["bag-0", "bag-1", "bag-2"]


@pytest.mark.parametrize(
    ("bags", "whole", "given"),
    [
        ([GIVEN], GIVEN, True),
        ([GIVEN, GIVEN], GIVEN, True),
        ([GIVEN, STOPPED], STOPPED, True),
        ([STOPPED], STOPPED, True),
        ([GIVEN, IN_PROGRESS], IN_PROGRESS, True),
        ([IN_PROGRESS, STOPPED], STOPPED, True),
        ([GIVEN, NOT_DONE], GIVEN, True),
        ([STOPPED, NOT_DONE], STOPPED, True),
        ([NOT_DONE], NOT_DONE, False),
        ([NOT_DONE, NOT_DONE], NOT_DONE, False),
    ],
)
def test_status_of_a_day(bags: list[DoseStatus], whole: DoseStatus, given: bool) -> None:
    """§14.24: stopped and in progress count as given, flagged; not done is a missed dose."""
    doses = [dose("rituximab", NINE + timedelta(hours=n), status) for n, status in enumerate(bags)]
    (one,) = one_a_day(doses)
    assert (one.status, one.given) == (whole, given)


@pytest.mark.parametrize(
    ("amounts", "whole"),
    [
        ([(200, "mg"), (300, "mg")], Fraction(500)),
        ([(200, "mg"), (None, "mg")], None),
        ([(200, "mg"), (1, "g")], None),
        ([(None, "")], None),
    ],
)
def test_amounts_are_added_only_where_they_can_be(
    amounts: list[tuple[int | None, str]], whole: Fraction | None
) -> None:
    doses = [
        dose("rituximab", NINE, amount=amount, unit=unit, id=f"bag-{n}")
        for n, (amount, unit) in enumerate(amounts)
    ]
    assert one_a_day(doses)[0].amount == whole


def test_a_bag_that_was_not_given_adds_nothing() -> None:
    doses = [dose("rituximab", NINE, amount=200, id="a"), dose("rituximab", NINE, NOT_DONE, 300, id="b")]
    assert one_a_day(doses)[0].amount == 200


def test_other_days_and_other_drugs_are_other_doses() -> None:
    doses = [*rituximab(0, 7), *belimumab(0), dose("rituximab", NINE + timedelta(hours=14, minutes=59))]
    assert [(each.drug, (each.day - DAY0).days) for each in one_a_day(doses)] == [
        ("belimumab", 0),
        ("rituximab", 0),
        ("rituximab", 7),
    ]


def test_the_missed_dose_keeps_its_reason() -> None:
    (missed,) = one_a_day([dose("belimumab", DAY0, NOT_DONE, reason="fever")])
    assert (missed.given, missed.reason) == (False, "fever")


# ---------------------------------------------------------------------------------- anchors, §7, §14.5


@pytest.mark.parametrize(
    ("rituximab_days", "belimumab_days", "first", "last", "first_belimumab", "last_belimumab", "why"),
    [
        ([0, 7], [35], 0, 7, 35, 35, "A, B and C"),
        ([0, 7, 14, 21], [], 0, 21, None, None, "no belimumab yet"),
        ([], [35], None, None, 35, 35, "no rituximab"),
        ([], [], None, None, None, None, "no dose"),
        ([-20, 0, 7], [35], 0, 7, 35, 35, "§14.5: rituximab before consent (day −14) is history"),
        ([-14, 0], [28], -14, 0, 28, 28, "§14.5: the day of consent counts"),
        ([0, 7, 180], [35, 63], 0, 7, 35, 63, "a later course does not move the last rituximab"),
        ([0, 7], [-30, 35], 0, 7, 35, 35, "belimumab before consent is history"),
    ],
)
def test_anchors(
    rituximab_days: list[int],
    belimumab_days: list[int],
    first: int | None,
    last: int | None,
    first_belimumab: int | None,
    last_belimumab: int | None,
    why: str,
) -> None:
    doses = [*rituximab(*rituximab_days), *belimumab(*belimumab_days)]
    found = anchors(doses, CHILD.consent, protocol())
    days = {name: None if each is None else (each.day - DAY0).days for name, each in found.items()}
    assert days == {
        "first-rituximab": first, "last-rituximab": last,
        "first-belimumab": first_belimumab, "last-belimumab": last_belimumab,
    }, why  # fmt: skip


@pytest.mark.parametrize(
    ("drugs", "expected", "why"),
    [
        (
            ("rituximab",),
            {"first-rituximab": 0, "last-rituximab": 180},
            "one study drug: its last is its last",
        ),
        (
            ("belimumab", "rituximab"),
            {"first-belimumab": 35, "last-belimumab": 63, "first-rituximab": 180, "last-rituximab": 180},
            "the other way round: rituximab begins no earlier than belimumab",
        ),
        (
            ("abatacept", "belimumab"),
            {"first-abatacept": None, "last-abatacept": None, "first-belimumab": 35, "last-belimumab": 63},
            "a drug that was never given holds nothing back",
        ),
    ],
)
def test_anchors_are_those_of_the_protocols_drugs(
    drugs: tuple[str, ...], expected: dict[str, int | None], why: str
) -> None:
    doses = [*rituximab(0, 7, 180), *belimumab(35, 63)]
    found = anchors(doses, CHILD.consent, replace(protocol(), drugs=drugs))
    assert {name: each and (each.day - DAY0).days for name, each in found.items()} == expected, why


def test_a_dose_that_was_not_done_is_no_anchor() -> None:
    doses = [dose("rituximab", DAY0, NOT_DONE), *rituximab(7)]
    first = anchors(doses, None, protocol())["first-rituximab"]
    assert first is not None
    assert first.day == DAY0 + timedelta(days=7)
    assert [each.day for each in course(doses, "rituximab")] == [first.day]


def test_a_dose_that_was_stopped_is_an_anchor() -> None:
    first = anchors([dose("rituximab", DAY0, STOPPED)], None, protocol())["first-rituximab"]
    assert first is not None
    assert first.day == DAY0
