"""Which result stands for an item at a visit (dossier §6.4, §13, §14.3–5, 14.9, 14.18, 14.19)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.trial.types import Dose, Measurement, Problem
from fhir_adapter.trial.values import Moment
from fhir_adapter.trial.windows import Evidence, evidence, first_day, settled, visit_of
from tests.scores.build import CHILD, DAY0, WEEK28, ZONE, Value, dose, interval, measured, protocol

INFUSION = datetime(2024, 4, 1, 10, tzinfo=ZONE)
LATER = DAY0 + timedelta(days=400)
RULES = protocol().visits


def after(days: int) -> date:
    return DAY0 + timedelta(days=days)


def at(days: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 4, 1, hour, minute, tzinfo=ZONE) + timedelta(days=days)


def month(year: int, number: int, last: int) -> Moment:
    """A month as a partial date."""
    return Moment(date(year, number, 1), date(year, number, last))


def chosen(
    visit: str,
    measurements: Sequence[Measurement],
    *,
    anchor: Dose | None = None,
    as_of: date = LATER,
) -> Evidence:
    start = anchor or dose("rituximab", INFUSION)
    return evidence(CHILD.id, RULES[visit], start, settled(measurements), as_of, baseline=visit == "baseline")


def value_at(visit: str, measurements: Sequence[Measurement]) -> object:
    found = chosen(visit, measurements).at(measurements[0].item)
    return None if found is None else found.sent


# ------------------------------------------------------------------------------------- the window, §6.4


@pytest.mark.parametrize(
    ("item", "day", "counts"),
    [
        ("igg", 181, False),
        ("igg", 182, True),
        ("igg", 196, True),
        ("igg", 210, True),
        ("igg", 211, False),
    ],
)
def test_week_28_is_day_196_and_14_days_on_each_side(item: str, day: int, counts: bool) -> None:
    assert (value_at("week-28", [measured(item, 12, after(day))]) is not None) is counts


@pytest.mark.parametrize(
    ("item", "day", "counts"),
    [
        ("igg", -29, False),
        ("igg", -28, True),
        ("igg", 0, True),
        ("igg", 1, False),
        ("essdai-renal", -29, False),
        ("schirmer-left", -90, True),
        ("schirmer-left", -91, False),
        ("ocular-staining-right", -90, True),
        ("salivary-flow", -90, True),
        ("salivary-flow", -91, False),
        ("hocevar-parotid-left-border", -90, True),
        ("hocevar-total", -91, False),
    ],
)
def test_baseline_is_at_most_28_days_old_and_90_for_slow_tests(item: str, day: int, counts: bool) -> None:
    assert (value_at("baseline", [measured(item, 1, after(day))]) is not None) is counts


def test_the_days_of_a_visit() -> None:
    window = visit_of(RULES["week-28"], DAY0)
    assert (window.first, window.target, window.last) == (after(182), WEEK28, after(210))
    baseline = visit_of(RULES["baseline"], DAY0)
    assert first_day(baseline, "igg") == after(-28)
    assert first_day(baseline, "schirmer-right") == after(-90)


# ------------------------------------------------------------------------------------- nearest, §14.3


@pytest.mark.parametrize(
    ("days", "nearest", "why"),
    [
        ([190, 200], "200", "4 days against 6"),
        ([192, 200], "192", "4 days each: the earlier"),
        ([196, 195], "196", "the target day itself"),
        ([182, 210], "182", "14 days each: the earlier"),
        ([170, 209], "209", "the first is not in the window"),
    ],
)
def test_nearest_to_the_target_and_ties_to_the_earlier(days: list[int], nearest: str, why: str) -> None:
    for order in permutations(days):
        assert value_at("week-28", [measured("esr", day, after(day)) for day in order]) == nearest, why


def test_nearest_at_baseline_is_the_last_before_treatment() -> None:
    assert value_at("baseline", [measured("igg", n, after(-n)) for n in (28, 9, 3, 15)]) == "3"


def test_two_times_of_one_day_are_a_tie() -> None:
    """§14.4: two results at different times of one day: the target-day rule, ties to the earlier."""
    assert value_at("week-28", [measured("esr", 30, at(196, 15)), measured("esr", 40, at(196, 8))]) == "40"


def test_each_item_is_nearest_by_itself() -> None:
    """§14.3: nearest to the target day for every item, not nearest to one encounter."""
    found = chosen("week-28", [measured("igg", 9, after(190)), measured("esr", 20, after(199))])
    assert {item: each.sent for item, each in found.chosen.items()} == {"igg": "9", "esr": "20"}


# ------------------------------------------------------------------------- before treatment, §14.18


@pytest.mark.parametrize(
    ("when", "counts", "why"),
    [
        (at(0, 9, 59), True, "before the infusion's start"),
        (at(0, 10, 0), False, "at its start"),
        (at(0, 15), False, "after it"),
        (DAY0, True, "no time: on or before its date"),
        (after(1), False, "the day after"),
    ],
)
def test_baseline_is_before_the_first_infusion(when: date, counts: bool, why: str) -> None:
    assert (value_at("baseline", [measured("igg", 12, when)]) is not None) is counts, why


def test_without_a_time_of_the_infusion_its_day_decides() -> None:
    found = chosen("baseline", [measured("igg", 12, at(0, 15))], anchor=dose("rituximab", DAY0))
    assert found.at("igg") is not None


def test_week_28_is_not_cut_off_by_the_hour_of_the_infusion() -> None:
    assert value_at("week-28", [measured("igg", 12, at(210, 23, 59))]) == "12"


# --------------------------------------------------------------------------------- partial dates, §14.9


@pytest.mark.parametrize(
    ("when", "counts", "why"),
    [
        (Moment(date(2024, 10, 1), date(2024, 10, 28)), True, "wholly inside day 183 to 210"),
        (month(2024, 10, 31), False, "31 October is day 213"),
        (month(2024, 9, 30), False, "begins before the window"),
        (Moment(date(2024, 1, 1), date(2024, 12, 31)), False, "a year"),
    ],
)
def test_partial_dates_count_only_wholly_inside(when: Moment, counts: bool, why: str) -> None:
    assert (value_at("week-28", [measured("igg", 12, when)]) is not None) is counts, why


def test_a_month_at_baseline_counts_for_slow_tests() -> None:
    assert value_at("baseline", [measured("salivary-flow", 1, month(2024, 3, 31))]) == "1"
    assert value_at("baseline", [measured("igg", 12, month(2024, 3, 31))]) is None


# ------------------------------------------------------------------------------- refused values, §14.19


@pytest.mark.parametrize(
    "problem", [Problem.NO_UNIT, Problem.UNKNOWN_UNIT, Problem.IMPLAUSIBLE, Problem.UNREADABLE]
)
def test_a_refused_value_is_not_replaced_by_the_next(problem: Problem) -> None:
    refused = measured("igg", 1850, WEEK28, problem=problem)
    found = chosen("week-28", [refused, measured("igg", 12, after(197))]).at("igg")
    assert found is not None
    assert (found.problem, found.value) == (problem, None)


def test_a_statement_that_there_is_none_gives_way_to_a_result() -> None:
    absent = measured("igg", None, WEEK28, problem=Problem.ABSENT)
    assert value_at("week-28", [absent, measured("igg", 12, after(205))]) == "12"


# --------------------------------------------------------------- duplicates, conflicts, corrections, §13

EIGHT = at(196, 8)


def test_the_same_result_under_two_ids_is_one_with_both_sources() -> None:
    (one,) = settled([measured("igg", 12, EIGHT, id="b"), measured("igg", 12, EIGHT, id="a")])["igg"]
    assert one.value == interval(12)
    assert [origin.id for origin in one.origins] == ["a", "b"]


def test_the_same_time_said_in_another_zone_is_the_same_time() -> None:
    utc = datetime.fromisoformat("2024-10-14T00:00:00Z")
    assert len(settled([measured("igg", 12, EIGHT, id="a"), measured("igg", 12, utc, id="b")])["igg"]) == 1


def test_two_values_at_one_time_are_a_conflict_without_a_value() -> None:
    (one,) = settled([measured("igg", 13, EIGHT, id="b"), measured("igg", 12, EIGHT, id="a")])["igg"]
    assert (one.value, one.problem, one.sent) == (None, Problem.CONFLICT, "12 | 13")
    assert [origin.id for origin in one.origins] == ["a", "b"]


def test_a_conflict_is_not_replaced_by_the_next() -> None:
    found = chosen(
        "week-28",
        [
            measured("igg", 12, EIGHT, id="a"),
            measured("igg", 13, EIGHT, id="b"),
            measured("igg", 9, after(197)),
        ],
    ).at("igg")
    assert found is not None
    assert found.problem is Problem.CONFLICT


def test_a_censored_value_is_not_the_same_as_its_limit() -> None:
    (one,) = settled(
        [
            measured("rheumatoid-factor", "<20", EIGHT, id="a"),
            measured("rheumatoid-factor", 20, EIGHT, id="b"),
        ]
    )["rheumatoid-factor"]
    assert one.problem is Problem.CONFLICT


CORRECTIONS = [
    # what the correction names, what the first has, which results stand
    ("the same specimen", {"Specimen/5"}, {"Specimen/5"}, ["12"]),
    ("the same accession number", {"urn:lab|A-77"}, {"urn:lab|A-77"}, ["12"]),
    ("another specimen", {"Specimen/6"}, {"Specimen/5"}, ["12 | 18"]),
    ("nothing in common", set(), set(), ["12 | 18"]),
]


@pytest.mark.parametrize(
    ("why", "correction", "first", "standing"), CORRECTIONS, ids=[each[0] for each in CORRECTIONS]
)
def test_a_correction_wins_over_what_it_corrects(
    why: str, correction: set[str], first: set[str], standing: list[str]
) -> None:
    """§14.4: the correction wins; where neither corrects the other, the two contradict."""
    pair = [
        measured("igg", 18, EIGHT, id="first", links=first),
        measured("igg", 12, EIGHT, id="second", corrects=True, links=correction),
    ]
    for order in permutations(pair):
        assert [each.sent for each in settled(order)["igg"]] == standing


NAMES = [
    # what the correction is about, what the first is about and has, which results stand
    ("derivedFrom or focus names the first", {"Observation/first"}, set(), set(), ["12"]),
    ("by its number", {"urn:lab|A-77"}, set(), {"urn:lab|A-77"}, ["12"]),
    ("names another result", {"Observation/other"}, set(), set(), ["18", "12"]),
    ("both derive from a third result", {"Observation/third"}, {"Observation/third"}, set(), ["18", "12"]),
    ("both derive from a third by number", {"urn:lab|A-7"}, {"urn:lab|A-7"}, set(), ["18", "12"]),
]


@pytest.mark.parametrize(
    ("why", "about", "abouts", "links", "standing"), NAMES, ids=[each[0] for each in NAMES]
)
def test_a_correction_may_name_a_result_of_another_time(
    why: str, about: set[str], abouts: set[str], links: set[str], standing: list[str]
) -> None:
    """§14.4."""
    pair = [
        measured("igg", 18, at(190, 8), id="first", about=abouts, links=links),
        measured("igg", 12, EIGHT, id="second", corrects=True, about=about),
    ]
    for order in permutations(pair):
        assert [each.sent for each in settled(order)["igg"]] == standing


@pytest.mark.parametrize(
    ("when", "standing", "why"),
    [
        (EIGHT, ["12"], "one moment"),
        (after(196), ["12"], "of the first only its day is known"),
        (at(196, 7), ["18", "12"], "an hour before"),
        (at(0, 8), ["18", "12"], "the number of the order was used at both visits"),
    ],
)
@pytest.mark.parametrize("link", ["urn:lab|A-77", "Specimen/5"])
def test_a_shared_number_ties_results_of_one_moment(
    when: date, standing: list[str], why: str, link: str
) -> None:
    """§14.4."""
    pair = [
        measured("igg", 18, when, id="first", links={link}),
        measured("igg", 12, EIGHT, id="second", corrects=True, links={link}),
    ]
    assert [each.sent for each in settled(pair)["igg"]] == standing, why


@pytest.mark.parametrize(("about", "links"), [({"Observation/1"}, set()), (set(), {"urn:lab|A-77"})])
def test_a_correction_leaves_other_sources_alone(about: set[str], links: set[str]) -> None:
    """§14.4: ids and numbers mean something within their source only."""
    pair = [
        measured("igg", 18, EIGHT, id="1", source="one", links={"urn:lab|A-77"}),
        measured("igg", 12, EIGHT, id="7", source="two", corrects=True, about=about, links=links),
    ]
    for order in permutations(pair):
        assert [each.problem for each in settled(order)["igg"]] == [Problem.CONFLICT]


def test_what_comes_after_the_last_day_corrects_nothing() -> None:
    """§13: data from after a withdrawal, or after the day of the run, are not used."""
    pair = [
        measured("igg", 18, EIGHT, id="first"),
        measured("igg", 12, at(197, 8), id="second", corrects=True, about={"Observation/first"}),
    ]
    for order in permutations(pair):
        assert [each.sent for each in settled(order, after(197))["igg"]] == ["12"]
        assert [each.sent for each in settled(order, after(196))["igg"]] == ["18"]


def test_a_final_result_corrects_nothing() -> None:
    pair = [
        measured("igg", 18, EIGHT, id="first", links={"Specimen/5"}),
        measured("igg", 12, EIGHT, id="second", links={"Specimen/5"}),
    ]
    assert [each.problem for each in settled(pair)["igg"]] == [Problem.CONFLICT]


def test_the_last_of_a_chain_of_corrections_stands() -> None:
    chain = [
        measured("igg", 18, EIGHT, id="one"),
        measured("igg", 15, EIGHT, id="two", corrects=True, about={"Observation/one"}),
        measured("igg", 12, EIGHT, id="three", corrects=True, about={"Observation/two"}),
    ]
    for order in permutations(chain):
        assert [each.sent for each in settled(order)["igg"]] == ["12"]


def test_a_correction_replaces_even_where_it_cannot_be_used() -> None:
    pair = [
        measured("igg", 18, EIGHT, id="one"),
        measured(
            "igg",
            1850,
            EIGHT,
            id="two",
            problem=Problem.IMPLAUSIBLE,
            corrects=True,
            about={"Observation/one"},
        ),
    ]
    assert [each.problem for each in settled(pair)["igg"]] == [Problem.IMPLAUSIBLE]


def test_two_that_correct_each_other_contradict() -> None:
    pair = [
        measured("igg", 18, EIGHT, id="one", corrects=True, about={"Observation/two"}),
        measured("igg", 12, EIGHT, id="two", corrects=True, about={"Observation/one"}),
    ]
    assert [each.problem for each in settled(pair)["igg"]] == [Problem.CONFLICT]


def test_a_correction_leaves_other_items_alone() -> None:
    found = settled(
        [
            measured("igg", 18, EIGHT, id="one", links={"Specimen/5"}),
            measured("esr", 30, EIGHT, id="two", corrects=True, links={"Specimen/5"}),
        ]
    )
    assert {item: len(group) for item, group in found.items()} == {"esr": 1, "igg": 1}


VALUES: list[Value] = [12, 15, "<20"]


@st.composite
def results(draw: st.DrawFn) -> list[Measurement]:
    count = draw(st.integers(1, 6))
    names = [f"r{number}" for number in range(count)]
    made = []
    for name in names:
        day = draw(st.sampled_from([182, 190, 196, 202]))
        when = draw(st.sampled_from([after(day), at(day, 8), at(day, 15)]))
        problem = draw(st.sampled_from([None, None, None, Problem.ABSENT, Problem.NO_UNIT]))
        value = draw(st.sampled_from(VALUES))
        others = [f"Observation/{each}" for each in names if each != name]
        made.append(
            measured(
                draw(st.sampled_from(["igg", "esr"])),
                value,
                when,
                id=name,
                problem=problem,
                corrects=draw(st.booleans()),
                links=draw(st.sets(st.just("Specimen/5"))),
                about=draw(st.sets(st.sampled_from([*others, "Observation/gone"]))),
            )
        )
    return made


@given(results().flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_the_order_of_the_input_never_changes_the_result(
    orders: tuple[list[Measurement], list[Measurement]],
) -> None:
    one, two = orders
    assert settled(one) == settled(two)
    assert chosen("week-28", one).chosen == chosen("week-28", two).chosen


@given(results())
def test_nothing_is_invented_and_no_item_vanishes(made: list[Measurement]) -> None:
    """Every value that stands was sent, and every origin stands at most once in an item."""
    standing = settled(made)
    assert set(standing) == {each.item for each in made}
    for item, group in standing.items():
        assert group
        sent = [each for each in made if each.item == item]
        origins = [origin for each in group for origin in each.origins]
        assert len(origins) == len(set(origins))
        for each in group:
            assert each.value is None or each.value in [other.value for other in sent]


# ------------------------------------------------------------------------------------- not due, §13


@pytest.mark.parametrize(
    ("as_of", "due"),
    [(195, False), (210, False), (211, True), (212, True)],
)
def test_a_window_that_is_still_open_is_not_due(as_of: int, due: bool) -> None:
    """§13 As of: neither missing nor failed, even where results are there already."""
    found = chosen("week-28", [measured("igg", 12, after(190))], as_of=after(as_of))
    assert found.due is due
    assert bool(found.chosen) is due


def test_without_the_anchor_dose_there_is_no_window() -> None:
    found = evidence(CHILD.id, RULES["week-28"], None, {}, LATER, baseline=False)
    assert (found.window, found.due, dict(found.chosen)) == (None, False, {})
