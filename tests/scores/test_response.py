"""The composite response: five indicators, their readings, and what is flagged (dossier §6, §14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.scores import response
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.types import Dose, DoseStatus, Measurement, Outcome, Problem
from fhir_adapter.trial.values import Interval, Truth
from fhir_adapter.trial.windows import Evidence
from tests.scores.build import (
    DAY0,
    WEEK28,
    Value,
    baseline,
    dose,
    interval,
    measured,
    response_rule,
    visit,
    week28,
    with_,
)

RULE = response_rule()


def scored(before: Evidence, after: Evidence, *doses: Dose) -> Outcome:
    return response.score(before, after, doses, RULE)


def answer(name: str, before: Evidence, after: Evidence, *doses: Dose) -> Truth:
    return scored(before, after, *doses).component(name).answer


# ------------------------------------------------------------------- a: the physician's scale, §14.11


@pytest.mark.parametrize(
    ("before", "after", "met", "reason"),
    [
        (60, 42, True, None),
        (60, "42.1", False, None),
        (60, 60, False, None),
        (0, 0, None, "not-evaluable"),
        (0, 20, None, "not-evaluable"),
        (60, None, None, "undetermined"),
        (None, 42, None, "undetermined"),
    ],
)
def test_a_physician_falls_by_30_per_cent(
    before: Value | None, after: Value | None, met: Truth, reason: str | None
) -> None:
    """§6.2 a, higher is worse; §14.11: from 0 it is not evaluable."""
    part = scored(baseline(physician_global=before), week28(physician_global=after)).component(
        "a-physician-global"
    )
    assert (part.answer, part.reason) == (met, reason)


# --------------------------------------------------------------------------------------- b: ESR, §6.2


def esr(before: Value, limit: Value | None, after: Value, limit_after: Value | None) -> Outcome:
    return scored(
        visit("baseline", measured("esr", before, DAY0, limit=limit)),
        visit("week-28", measured("esr", after, WEEK28, limit=limit_after)),
    )


@pytest.mark.parametrize(
    ("before", "limit", "after", "limit_after", "met", "flag", "why"),
    [
        (60, 20, 42, 20, True, None, "exactly −30 %"),
        (22, 20, 18, 20, True, None, "−18 % and back within its range"),
        (22, 20, 20, 20, True, None, "the upper limit is within the range"),
        (18, 20, 14, 20, False, "baseline-normal", "−22 % from a normal baseline"),
        (20, 20, 15, 20, False, "baseline-normal", "20 of 20 is not raised"),
        (10, 20, 6, 20, True, "baseline-normal", "−40 % counts by the letter"),
        (22, None, 18, 20, None, "no-range", "whether it was raised is not known"),
        (22, 20, 18, None, None, None, "whether it is normal is not known"),
        (60, None, 30, None, True, "no-range", "−50 % is enough"),
        (22, 20, 18, 15, False, None, "§14.22: 18 is above the range printed with it"),
        (22, 25, 18, 20, False, "baseline-normal", "§14.22: 22 was within the range printed with it"),
        (">140", 20, 90, 20, True, None, "§6.2: more than −35.7 %"),
        (60, 20, 45, 20, False, None, "−25 %"),
    ],
)
def test_b_esr_falls_or_becomes_normal(
    before: Value,
    limit: Value | None,
    after: Value,
    limit_after: Value | None,
    met: Truth,
    flag: str | None,
    why: str,
) -> None:
    found = esr(before, limit, after, limit_after)
    assert found.component("b-esr").answer is met, why
    assert [each for each in found.flags if each in ("baseline-normal", "no-range")] == (
        [flag] if flag else []
    )


# --------------------------------------------------------------------------- c: B-cell markers, §6.2 c


@pytest.mark.parametrize(
    ("igg", "rf", "any_marker", "both", "why"),
    [
        ((20, 15), (80, 78), True, False, "IgG alone"),
        ((20, 19), (80, 60), True, False, "RF alone"),
        ((20, 15), (80, 60), True, True, "both"),
        ((20, 16), (80, 78), False, False, "−20 %: met in STAR, not here"),
        ((20, 19), (24, "<20"), None, False, "RF undecided"),
        ((20, 15), (24, "<20"), True, None, "RF undecided"),
        ((20, 15), ("<20", "<20"), True, True, "RF cannot be evaluated: IgG decides"),
        ((20, 15), (None, None), True, True, "RF was never done"),
        ((20, 15), (80, None), True, None, "RF was done once"),
    ],
)
def test_c_markers(
    igg: tuple[Value, Value],
    rf: tuple[Value | None, Value | None],
    any_marker: Truth,
    both: Truth,
    why: str,
) -> None:
    before = baseline(igg=igg[0], rheumatoid_factor=rf[0])
    after = week28(igg=igg[1], rheumatoid_factor=rf[1])
    found = response.indicators(before, after, (), RULE)["c-b-cell-markers"]
    assert (found.answer, found.readings["both-markers"]) == (any_marker, both), why


@pytest.mark.parametrize(("after", "flagged"), [("3.99", True), ("4", False), ("<4", True), ("10", False)])
def test_c_a_fall_below_4_is_flagged(after: Value, flagged: bool) -> None:
    """§6.2 c: a fall into hypogammaglobulinaemia; it is met all the same."""
    found = scored(baseline(igg=20), week28(igg=after))
    assert found.component("c-b-cell-markers").answer is True
    assert ("igg-below-limit" in found.flags) is flagged


IVIG = "igg-after-immunoglobulin"


@pytest.mark.parametrize(
    ("infused", "status", "evaluable", "why"),
    [
        (date(2024, 7, 14), DoseStatus.GIVEN, False, "exactly three calendar months before 14 October"),
        (date(2024, 7, 13), DoseStatus.GIVEN, True, "longer ago"),
        (date(2024, 10, 14), DoseStatus.GIVEN, False, "on the day of the test"),
        (date(2024, 10, 15), DoseStatus.GIVEN, True, "after it"),
        (date(2024, 1, 1), DoseStatus.GIVEN, False, "exactly three months before baseline, 1 April"),
        (date(2023, 12, 31), DoseStatus.GIVEN, True, "longer ago"),
        (date(2024, 9, 1), DoseStatus.NOT_DONE, True, "it was not given"),
        (date(2024, 9, 1), DoseStatus.STOPPED, False, "some of it was given"),
    ],
)
def test_c_igg_is_not_evaluable_after_immunoglobulin(
    infused: date, status: DoseStatus, evaluable: bool, why: str
) -> None:
    """§6.2 c: immunoglobulin in the last 3 months: IgG is not evaluable, RF decides (here: not met)."""
    before, after = baseline(igg=20, rheumatoid_factor=80), week28(igg=15, rheumatoid_factor=80)
    found = scored(before, after, dose("immunoglobulin", infused, status))
    assert found.component("c-b-cell-markers").answer is evaluable, why
    assert (IVIG in found.flags) is not evaluable


@pytest.mark.parametrize(("months", "evaluable"), [(3, False), (2, True)])
def test_c_how_long_immunoglobulin_counts_is_said_by_the_protocol(months: int, evaluable: bool) -> None:
    """§6.2 c, §13: exactly three months before."""
    found = response.score(
        baseline(igg=20),
        week28(igg=15),
        (dose("immunoglobulin", date(2024, 7, 14)),),
        replace(RULE, immunoglobulin_months=months),
    )
    assert (found.component("c-b-cell-markers").answer is True) is evaluable


def test_c_immunoglobulin_leaves_nothing_where_rf_was_never_done() -> None:
    found = scored(baseline(igg=20), week28(igg=15), dose("immunoglobulin", date(2024, 9, 1)))
    assert found.component("c-b-cell-markers").answer is None


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2024, 5, 31), 3, date(2024, 2, 29)),
        (date(2023, 5, 31), 3, date(2023, 2, 28)),
        (date(2024, 1, 15), 3, date(2023, 10, 15)),
        (date(2024, 7, 31), 1, date(2024, 6, 30)),
        (date(2024, 3, 1), 3, date(2023, 12, 1)),
    ],
)
def test_calendar_months(day: date, months: int, before: date) -> None:
    assert response.months_before(day, months) == before


# ------------------------------------------------------------------------------------ d: tears, §14.12


@pytest.mark.parametrize(
    ("right", "left", "mean", "either", "both", "normal", "why"),
    [
        ((2, 8), (4, 8), True, True, False, True, "mean 3 → 8"),
        ((2, 7), (4, 9), True, True, True, True, "each eye +5"),
        ((2, 7), (4, 4), False, True, False, False, "one eye +5"),
        ((8, 9), (10, 10), False, False, False, True, "normal stays normal"),
        ((8, 4), (10, 4), False, False, False, False, "became abnormal"),
        ((2, 8), (4, None), True, True, None, True, "the right eye at both visits"),
        ((2, 3), (4, None), False, None, False, False, "the right eye at both visits"),
        ((2, None), (None, 8), None, None, None, None, "no eye at both visits"),
        ((2, None), (4, None), None, None, None, None, "no follow-up"),
    ],
)
def test_d_schirmer(
    right: tuple[int | None, int | None],
    left: tuple[int | None, int | None],
    mean: Truth,
    either: Truth,
    both: Truth,
    normal: Truth,
    why: str,
) -> None:
    before = baseline(schirmer_right=right[0], schirmer_left=left[0])
    after = week28(schirmer_right=right[1], schirmer_left=left[1])
    found = response.indicators(before, after, (), RULE)["d-schirmer"]
    assert found.answer is mean, why
    assert found.readings == {"either-eye": either, "both-eyes": both, "normal-stays-normal": normal}, why


# --------------------------------------------------------------------------- the whole and its readings

Pairs = dict[str, tuple[Value | None, Value | None]]
MET: Pairs = {
    "physician_global": (60, 30),
    "esr": (60, 30),
    "igg": (20, 10),
    "schirmer_right": (3, 9),
    "schirmer_left": (3, 9),
    "salivary_flow": ("0.1", "0.2"),
}
NOT_MET: Pairs = {
    "physician_global": (60, 60),
    "esr": (60, 60),
    "igg": (20, 20),
    "schirmer_right": (3, 3),
    "schirmer_left": (3, 3),
    "salivary_flow": ("0.1", "0.1"),
}
READINGS = (
    "more-than-three", "b-abnormal-baseline-only", "c-both-markers", "d-either-eye", "d-both-eyes",
    "d-normal-stays-normal", "e-flow-only", "e-ultrasound-only",
)  # fmt: skip


def both_visits(pairs: Pairs, limit: Value | None = 20) -> tuple[Evidence, Evidence]:
    """The two visits; an ESR is printed with its range."""
    made = []
    for place, name, day in ((0, "baseline", DAY0), (1, "week-28", WEEK28)):
        values = {item.replace("_", "-"): values[place] for item, values in pairs.items()}
        made.append(
            visit(
                name,
                *(
                    measured(item, value, day, limit=limit if item == "esr" else None)
                    for item, value in values.items()
                    if value is not None
                ),
            )
        )
    return made[0], made[1]


@pytest.mark.parametrize(
    ("pairs", "result", "differs", "why"),
    [
        (MET, "responder", {"e-ultrasound-only": "responder"}, "five are met: no reading matters"),
        (
            NOT_MET | {name: MET[name] for name in ("physician_global", "esr", "igg")},
            "responder",
            {"more-than-three": "non-responder"},
            "§6.1: only those with exactly three differ",
        ),
        (
            NOT_MET | {"physician_global": (60, 30), "esr": (10, 6), "igg": (20, 10)},
            "responder",
            {"more-than-three": "non-responder", "b-abnormal-baseline-only": "non-responder"},
            "ESR fell from a normal baseline",
        ),
        (
            NOT_MET
            | {name: MET[name] for name in ("physician_global", "esr", "igg")}
            | {"rheumatoid_factor": (80, 80)},
            "responder",
            {"more-than-three": "non-responder", "c-both-markers": "non-responder"},
            "IgG fell, RF did not",
        ),
        (
            MET
            | {
                "igg": (20, 20),
                "salivary_flow": ("0.1", "0.1"),
                "schirmer_right": (2, 8),
                "schirmer_left": (4, 8),
            },
            "responder",
            {"more-than-three": "non-responder", "d-both-eyes": "non-responder"},
            "the mean rose by 5, the left eye by 4",
        ),
        (
            NOT_MET
            | {name: MET[name] for name in ("physician_global", "esr")}
            | {"schirmer_right": (2, 7), "schirmer_left": (4, 4)},
            "non-responder",
            {"d-either-eye": "responder"},
            "one eye rose by 5, the mean did not",
        ),
        (
            NOT_MET
            | {name: MET[name] for name in ("physician_global", "esr")}
            | {"schirmer_right": (9, 9), "schirmer_left": (9, 9)},
            "non-responder",
            {"d-normal-stays-normal": "responder"},
            "normal tears stayed normal",
        ),
        (
            NOT_MET
            | {name: MET[name] for name in ("physician_global", "esr")}
            | {"salivary_flow": ("0.1", "0.2"), "hocevar_total": (20, 20)},
            "responder",
            {"more-than-three": "non-responder", "e-ultrasound-only": "non-responder"},
            "flow rose, ultrasound did not",
        ),
        (
            NOT_MET | {name: MET[name] for name in ("physician_global", "esr")} | {"hocevar_total": (20, 15)},
            "responder",
            {"more-than-three": "non-responder", "e-flow-only": "non-responder"},
            "ultrasound fell, flow did not rise",
        ),
    ],
)
def test_each_reading_changes_exactly_what_it_should(
    pairs: Pairs, result: str, differs: Mapping[str, str], why: str
) -> None:
    """§0.2, §6.1, §6.2: every reading that is not named gives the default's result."""
    before, after = both_visits(pairs)
    found = scored(before, after)
    readings = {name: found.component(name).code for name in READINGS}
    # A reading by a test that was never done leaves that indicator open.
    for name, item in (("e-ultrasound-only", "hocevar_total"), ("e-flow-only", "salivary_flow")):
        if item not in pairs and name not in differs:
            del readings[name]
    assert found.result == result, why
    assert readings == {name: differs.get(name, result) for name in readings}, why


def test_a_reading_by_a_test_that_was_never_done_is_open() -> None:
    pairs = NOT_MET | {name: MET[name] for name in ("physician_global", "esr", "salivary_flow")}
    found = scored(*both_visits(pairs))
    assert found.result == "responder"
    assert found.component("e-ultrasound-only").code == "undetermined"


SENSITIVITIES = ("non-responder-imputation", "observed-cases", "best-case", "worst-case")


@pytest.mark.parametrize(
    ("met", "open_", "result", "sensitivities"),
    [
        # met, open          imputed observed best worst
        (3, 0, "responder", (True, True, True, True)),
        (3, 2, "responder", (True, True, True, True)),
        (2, 1, "undetermined", (False, None, True, False)),
        (0, 3, "undetermined", (False, None, True, False)),
        (2, 0, "non-responder", (False, False, False, False)),
        (0, 2, "non-responder", (False, False, False, False)),
    ],
)
def test_results_and_sensitivities(
    met: int, open_: int, result: str, sensitivities: tuple[Truth, ...]
) -> None:
    """§6.3: responder if k ≥ t, non-responder if k + m < t, else undetermined."""
    tears = ("schirmer_right", "schirmer_left")
    indicators = [("physician_global",), ("esr",), ("igg",), tears, ("salivary_flow",)]
    pairs = {**NOT_MET}
    pairs |= {item: MET[item] for items in indicators[:met] for item in items}
    pairs |= {item: (MET[item][0], None) for items in indicators[met : met + open_] for item in items}
    found = scored(*both_visits(pairs))
    assert found.result == result
    assert tuple(found.component(name).answer for name in SENSITIVITIES) == sensitivities
    assert found.component("met").number == met
    assert found.component("possible").number == met + open_
    assert found.reason == ("missing-input" if result == "undetermined" else None)


@pytest.mark.parametrize(
    ("window", "result", "reason"), [(True, "not-due", "not-due"), (False, None, "no-anchor")]
)
def test_not_due_is_neither_missing_nor_failed(window: bool, result: str | None, reason: str) -> None:
    """§13 As of; without the dose that the visit is counted from there is no visit that could fall due."""
    before, _ = both_visits(MET)
    found = scored(before, visit("week-28", due=False, window=window))
    assert (found.result, found.reason) == (result, reason)
    for part in found.components:
        assert part.number is None, part.name
        assert part.answer is None, part.name
        asked = part.name in READINGS and result is not None
        assert (part.code, part.reason) == ((result, None) if asked else (None, reason)), part.name


@pytest.mark.parametrize("place", [0, 1])
def test_no_data_at_a_visit_is_told_apart(place: int) -> None:
    """§14.17: nothing that the response needs was recorded, though other results were."""
    visits = list(both_visits(MET))
    visits[place] = visit(visits[place].visit, measured("haemoglobin", 120))
    found = scored(visits[0], visits[1])
    assert (found.result, found.reason) == ("undetermined", "not-assessed")


def test_every_component_has_a_name_in_the_package() -> None:
    found = scored(*both_visits(MET))
    assert {part.name for part in found.components} <= set(COMPONENTS)
    assert set(READINGS) | set(SENSITIVITIES) <= {part.name for part in found.components}


RANGES: Mapping[str, list[Value]] = {
    "physician-global": [0, 30, 42, 60, 100],
    "esr": [10, 20, 22, 60],
    "igg": [3, 10, 15, 20],
    "rheumatoid-factor": [5, 60, 80],
    "schirmer-right": [2, 5, 8, 35],
    "schirmer-left": [3, 4, 9],
    "salivary-flow": [0, "0.08", "0.1", "0.2"],
    "hocevar-total": [0, 15, 20, 48],
}


@st.composite
def two_visits(draw: st.DrawFn) -> tuple[list[Measurement], list[Measurement], set[tuple[str, int]]]:
    whole = [
        [measured(item, draw(st.sampled_from(values)), day, limit=20 if item == "esr" else None)
         for item, values in RANGES.items()]
        for day in (DAY0, WEEK28)
    ]  # fmt: skip
    lost = draw(st.sets(st.sampled_from([(item, place) for item in RANGES for place in (0, 1)])))
    return whole[0], whole[1], lost


@given(two_visits())
def test_an_open_result_leaves_room_for_every_completion(
    drawn: tuple[list[Measurement], list[Measurement], set[tuple[str, int]]],
) -> None:
    """What is decided without some of the values is what they decide: refused values, not unused tests."""
    before, after, lost = drawn
    whole = visit("baseline", *before), visit("week-28", *after)
    partial = [
        with_(
            whole[place],
            *(measured(item, None, problem=Problem.NO_UNIT) for item, where in lost if where == place),
        )
        for place in (0, 1)
    ]
    complete, known = scored(*whole), scored(partial[0], partial[1])
    # Where one eye is refused the other is used (§14.12): another test, whose result may differ.
    for name in ("a-physician-global", "b-esr", "c-b-cell-markers", "e-salivary"):
        assert known.component(name).answer in (None, complete.component(name).answer), name
    if not {item for item, _ in lost} & {"schirmer-right", "schirmer-left"}:
        assert known.result in ("undetermined", complete.result)
        low, high = (known.component(name).number for name in ("met", "possible"))
        met = complete.component("met").number
        assert low is not None
        assert high is not None
        assert met is not None
        assert low <= met <= high


def test_bounds_of_a_count() -> None:
    assert response.met_and_possible({"a": True, "b": None, "c": False}) == Interval(
        interval(1).low, interval(2).low
    )
