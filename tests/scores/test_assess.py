"""A whole participant: anchors, withdrawal, the day of the run, the calendar (dossier §7, §13, §14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from msgspec import structs

from fhir_adapter.scores.assess import assess
from fhir_adapter.trial.components import COMPONENTS, MOST_UPKEEP_DUE
from fhir_adapter.trial.items import FLAGS, OUTCOMES, REASONS, OutcomeCode
from fhir_adapter.trial.types import Dose, DoseStatus, Measurement, Outcome, Problem, Subject
from fhir_adapter.trial.windows import settled
from tests.scores.build import (
    CHILD,
    CLOSED,
    DAY0,
    WEEK28,
    ZONE,
    Key,
    belimumab,
    dose,
    measured,
    protocol,
    rituximab,
)

DOSES = [*rituximab(0, 7), *belimumab(35, 63, 91, 119, 147, 175)]
LATE = DAY0 + timedelta(days=400)


def after(days: int) -> date:
    return DAY0 + timedelta(days=days)


def igg(*pairs: tuple[int, int]) -> list[Measurement]:
    """IgG by day."""
    return [measured("igg", value, after(day)) for day, value in pairs]


def outcomes(
    measurements: Sequence[Measurement],
    doses: Sequence[Dose] = DOSES,
    *,
    subject: Subject = CHILD,
    as_of: date = LATE,
) -> dict[Key, Outcome]:
    found = assess(subject, settled(measurements, subject.until(as_of)), doses, protocol(), as_of)
    return {(each.code, each.visit): each for each in found.outcomes}


def marker(found: dict[Key, Outcome]) -> bool | None:
    """Indicator c, here IgG −25 %: which two values were compared."""
    return found[("response", "week-28")].component("c-b-cell-markers").answer


# ------------------------------------------------------------------------------- the day of the run, §13


@pytest.mark.parametrize(
    ("as_of", "result"),
    [
        (after(100), "not-due"),
        (after(210), "not-due"),
        (after(211), "undetermined"),
        (CLOSED, "undetermined"),
    ],
)
def test_a_window_that_is_open_on_the_day_is_not_due(as_of: date, result: str) -> None:
    found = outcomes(igg((-3, 20), (190, 10)), as_of=as_of)
    assert found[("response", "week-28")].result == result
    assert found[("star", "week-28")].reason == ("not-due" if result == "not-due" else "missing-input")
    assert found[("essdai", "week-28")].reason == ("not-due" if result == "not-due" else "not-assessed")


def test_data_from_after_the_day_of_the_run_are_not_used() -> None:
    doses = [*rituximab(0, 7), *belimumab(35, 63)]
    found = outcomes(igg((-3, 20)), doses, as_of=after(40))[("calendar", "study")]
    assert found.component("belimumab-doses").number == 1


# ------------------------------------------------------------------------------------- withdrawal, §13


@pytest.mark.parametrize(
    ("withdrawn", "met", "why"),
    [
        (None, True, "not withdrawn"),
        (after(195), None, "the result is from after that day"),
        (after(196), True, "the day itself still counts"),
        (after(50), None, "long before"),
    ],
)
def test_data_from_after_a_withdrawal_are_not_used(
    withdrawn: date | None, met: bool | None, why: str
) -> None:
    subject = structs.replace(CHILD, status="withdrawn", withdrawn=withdrawn)
    found = outcomes(igg((-3, 20), (196, 10)), subject=subject)
    assert marker(found) is met, why
    assert found[("salivary-flow", "baseline")].reason == "not-assessed"


def test_a_drop_out_is_a_failure_once_the_window_has_closed() -> None:
    """§13, §6.3: undetermined and drop-outs count as non-responders in the main table; not before."""
    subject = structs.replace(CHILD, status="withdrawn", withdrawn=after(60))
    for as_of, imputed in ((after(100), None), (LATE, False)):
        found = outcomes(igg((-3, 20)), subject=subject, as_of=as_of)[("response", "week-28")]
        assert found.component("non-responder-imputation").answer is imputed


def test_outcomes_that_rest_on_earlier_data_stay() -> None:
    subject = structs.replace(CHILD, status="withdrawn", withdrawn=after(60))
    found = outcomes([measured("salivary-flow", "0.1", after(-3))], subject=subject)
    assert found[("salivary-flow", "baseline")].number == Fraction(1, 10)


def test_doses_from_after_a_withdrawal_are_not_counted() -> None:
    subject = structs.replace(CHILD, status="withdrawn", withdrawn=after(100))
    found = outcomes([], subject=subject)[("calendar", "study")]
    assert found.component("belimumab-doses").number == 3


# ------------------------------------------------------------------------------------- anchors, §7, §14.17

B, C = "anchor-last-rituximab", "anchor-first-belimumab"


def test_each_anchor_has_windows_of_its_own() -> None:
    """§7: A counts from day 0, B from day 7, C from day 35: week 28 is day 217 to 245, baseline 7 to 35."""
    results = igg((-3, 20), (10, 16), (190, 15), (216, 14), (231, 12))
    flows = [
        measured("salivary-flow", value, after(day))
        for day, value in ((-3, "0.1"), (10, "0.2"), (190, "0.3"), (216, "0.4"), (231, "0.5"))
    ]
    found = outcomes([*results, *flows])[("salivary-flow", "week-28")]
    assert found.number == Fraction(3, 10)
    # B: target day 203, window 189 to 217: 190 is 13 days away, 216 too: the earlier.
    assert found.component(B).number == Fraction(3, 10)
    assert found.component(C).number == Fraction(5, 10)
    before = outcomes([*results, *flows])[("salivary-flow", "baseline")]
    assert (before.number, before.component(C).number) == (Fraction(1, 10), Fraction(2, 10))
    assert before.component(B).number == Fraction(1, 10)


@pytest.mark.parametrize(
    ("measurements", "doses", "as_of", "b", "c"),
    [
        (igg((-3, 20), (196, 10)), DOSES, LATE, "undetermined", "not-assessed"),
        (igg((-3, 20), (196, 10)), rituximab(0, 7), LATE, "undetermined", "no-anchor"),
        (igg((-3, 20), (196, 10)), DOSES, after(212), "not-due", "not-due"),
        (igg((-25, 20), (196, 10)), DOSES, LATE, "not-assessed", "not-assessed"),
    ],
)
def test_no_data_is_told_apart_from_another_result(
    measurements: list[Measurement], doses: list[Dose], as_of: date, b: str, c: str
) -> None:
    """§14.17: for anchors B and C, no data in the window is no changed classification."""
    found = outcomes(measurements, doses, as_of=as_of)[("response", "week-28")]
    for name, expected in ((B, b), (C, c)):
        part = found.component(name)
        assert (part.code or part.reason) == expected, name
        assert (part.code is None) is (part.reason is not None)


def test_without_rituximab_there_is_no_visit() -> None:
    found = outcomes(igg((-3, 20)), belimumab(35))
    for key in (
        ("essdai", "baseline"),
        ("essdai-change", "week-28"),
        ("star", "week-28"),
        ("calendar", "study"),
    ):
        assert found[key].reason == "no-anchor", key
    response = found[("response", "week-28")]
    assert (response.result, response.reason) == (None, "no-anchor")


# ------------------------------------------------------------------------------------- what is chosen


def test_baseline_is_before_the_first_infusion() -> None:
    """§14.18: of two results on day 0, the one before 10:00."""
    noon = datetime(2024, 4, 1, 12, tzinfo=ZONE)
    eight = datetime(2024, 4, 1, 8, tzinfo=ZONE)
    two = [measured("salivary-flow", "0.2", noon), measured("salivary-flow", "0.1", eight)]
    assert outcomes(two)[("salivary-flow", "baseline")].number == Fraction(1, 10)


def test_a_contradiction_is_kept_for_a_query() -> None:
    """§13: undetermined for that visit, with a data query."""
    pair = [measured("igg", value, WEEK28, id=str(value)) for value in (10, 12)]
    found = assess(CHILD, settled([*igg((-3, 20)), *pair]), DOSES, protocol(), LATE)
    assert [(each.item, each.problem) for each in found.conflicts] == [("igg", Problem.CONFLICT)]
    assert found.visits["week-28"].chosen["igg"].problem is Problem.CONFLICT


# ------------------------------------------------------------------------------------- calendar, §7


def test_the_calendar_of_six_belimumab() -> None:
    found = outcomes([])[("calendar", "study")]
    days = {part.name: part.day for part in found.components if part.day}
    assert found.day == WEEK28
    assert days == {
        "first-rituximab": DAY0,
        "last-rituximab": after(7),
        "first-belimumab": after(35),
        "last-visit-last-rituximab": after(203),
        "last-visit-first-belimumab": after(231),
        **{f"upkeep-due-{number}": after(35 + 28 * (number - 1)) for number in range(1, 7)},
    }
    assert found.component("rituximab-doses").number == 2
    assert found.component("belimumab-doses").number == 6
    assert set(days) <= set(COMPONENTS)


def test_weekly_belimumab_for_years_has_a_name_for_each_day() -> None:
    """Anchor C with a late first belimumab opens a long grid; no more days than names are planned."""
    trial = protocol()
    assert trial.calendar is not None
    weekly = replace(
        trial,
        calendar=replace(trial.calendar, upkeep=replace(trial.calendar.upkeep, gap=7)),
        anchor=replace(trial.anchor, default="first-belimumab", alternatives=("last-rituximab",)),
    )
    doses = [*rituximab(0, 7), dose("belimumab", after(300))]
    (found,) = [
        each
        for each in assess(CHILD, {}, doses, weekly, after(900)).outcomes
        if each.code == OutcomeCode.CALENDAR
    ]
    planned = [part.name for part in found.components if part.name.startswith("upkeep-due-")]
    assert len(planned) == MOST_UPKEEP_DUE
    assert set(planned) <= set(COMPONENTS)


@pytest.mark.parametrize(("rise", "flagged"), [(4, False), (5, True)])
def test_the_ceiling_of_the_strip_is_the_rise_that_the_response_asks_for(rise: int, flagged: bool) -> None:
    """§5: from 31 of 35 mm a rise of 4 can be read, one of 5 cannot."""
    trial = protocol()
    assert trial.response is not None
    changed = replace(trial, response=replace(trial.response, schirmer_rise=Fraction(rise)))
    tears = [
        measured(f"schirmer-{eye}", value, after(day))
        for eye in ("right", "left")
        for value, day in ((31, -1), (35, 196))
    ]
    found = {each.code: each.flags for each in assess(CHILD, settled(tears), DOSES, changed, LATE).outcomes}
    assert ("schirmer-ceiling" in found["schirmer-change"]) is flagged


@pytest.mark.parametrize(
    ("doses", "rituximab_doses", "flags", "why"),
    [
        (rituximab(0, 7, 14, 21), 4, (), "four weekly doses"),
        (rituximab(-20, 0, 7), 2, (), "§14.5: before consent is history"),
        ([*rituximab(0), dose("rituximab", after(7), DoseStatus.NOT_DONE)], 1, (), "a missed dose"),
        ([*rituximab(0), dose("rituximab", after(7), DoseStatus.STOPPED)], 2, ("dose-stopped",), "§14.24"),
        (
            [*rituximab(0), dose("rituximab", after(7), DoseStatus.IN_PROGRESS)],
            2,
            ("dose-in-progress",),
            "§14.24",
        ),
    ],
)
def test_doses_given(doses: list[Dose], rituximab_doses: int, flags: tuple[str, ...], why: str) -> None:
    found = outcomes([], doses)[("calendar", "study")]
    assert found.component("rituximab-doses").number == rituximab_doses, why
    assert found.flags == flags, why


def test_history_rests_under_nothing() -> None:
    """§14.5: what was given before consent is no source of the study's calendar."""
    found = outcomes([], rituximab(-20, 0, 7))[("calendar", "study")]
    assert len(found.origins) == 2


def test_without_a_day_of_consent_the_first_rituximab_is_day_0_and_flagged() -> None:
    found = outcomes([], subject=structs.replace(CHILD, consent=None))[("calendar", "study")]
    assert found.flags == ("no-consent-date",)
    assert found.component("first-rituximab").day == DAY0


def test_all_that_is_said_has_a_name() -> None:
    """Outcomes, components, reasons and flags are codes of the package."""
    for doses in (DOSES, [], rituximab(0)):
        for as_of in (LATE, after(100)):
            for each in outcomes(igg((-3, 20), (196, 3)), doses, as_of=as_of).values():
                assert each.code in OUTCOMES
                assert {part.name for part in each.components} <= set(COMPONENTS)
                assert {part.reason for part in each.components} | {each.reason} <= {*REASONS, None}
                assert set(each.flags) <= set(FLAGS)
                for part in each.components:
                    said = (part.number, part.answer, part.code, part.day, part.reason)
                    assert sum(value is not None for value in said) == 1, part.name
