"""Items that are met by one test or another (dossier §14.10, §14.11, §3.1, §6.2 c and e)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fhir_adapter.scores import hocevar, salivary_flow, serology, star
from fhir_adapter.scores.branches import UNUSED, Branch, any_branch, every_branch
from fhir_adapter.trial.types import Measurement, Problem
from fhir_adapter.trial.values import Truth
from fhir_adapter.trial.windows import Evidence
from tests.scores.build import (
    DAY0,
    WEEK28,
    Value,
    baseline,
    interval,
    measured,
    scored,
    star_rule,
    visit,
    week28,
)

QUARTER = star_rule().rf_fall_share
MET, FAILED, OPEN = Branch(True, True), Branch(True, False), Branch(True, None)


@pytest.mark.parametrize(
    ("one", "two", "any_met", "both_met", "single"),
    [
        (MET, MET, True, True, False),
        (MET, FAILED, True, False, False),
        (MET, OPEN, True, None, False),
        (FAILED, FAILED, False, False, False),
        (FAILED, OPEN, None, False, False),
        (OPEN, OPEN, None, None, False),
        (MET, UNUSED, True, True, True),
        (FAILED, UNUSED, False, False, True),
        (OPEN, UNUSED, None, None, True),
        (UNUSED, UNUSED, None, None, False),
    ],
)
def test_met_if_any_used_test_is_met(
    one: Branch, two: Branch, any_met: Truth, both_met: Truth, single: bool
) -> None:
    """§14.10: met if any is; not met if all used ones fail; a test that was never done is not used."""
    for pair in ((one, two), (two, one)):
        answer, flags = any_branch(pair)
        assert answer is any_met
        assert every_branch(pair) is both_met
        assert ("single-test" in flags) is single


FLOW_ROSE, FLOW_SAME = ("0.1", "0.2"), ("0.1", "0.1")
ULTRASOUND_FELL, ULTRASOUND_SAME = (20, 15), (20, 20)


@pytest.mark.parametrize(
    ("flow", "ultrasound", "met", "why"),
    [
        (FLOW_ROSE, ULTRASOUND_SAME, True, "one is enough"),
        (FLOW_SAME, ULTRASOUND_FELL, True, "the other is enough"),
        (FLOW_SAME, ULTRASOUND_SAME, False, "both fail"),
        (FLOW_ROSE, (None, None), True, "the only test is met"),
        (FLOW_SAME, (None, None), False, "the only test fails, the other was never done"),
        (FLOW_SAME, (20, None), None, "the other was done once"),
        (FLOW_SAME, (None, 20), None, "the other was done once"),
        (FLOW_ROSE, (20, None), True, "met all the same"),
        (("0.1", None), (None, None), None, "done once"),
        ((None, None), (None, None), None, "none was done"),
    ],
)
def test_saliva_by_flow_or_ultrasound(
    flow: tuple[Value | None, Value | None],
    ultrasound: tuple[Value | None, Value | None],
    met: Truth,
    why: str,
) -> None:
    before = baseline(salivary_flow=flow[0], hocevar_total=ultrasound[0])
    after = week28(salivary_flow=flow[1], hocevar_total=ultrasound[1])
    outcomes = scored(before, after)
    assert outcomes[("star", "week-28")].component("salivary").answer is met, why
    assert outcomes[("response", "week-28")].component("e-salivary").answer is met, why


def _refused(item: str, problem: Problem) -> Measurement:
    return measured(item, 1, WEEK28, problem=problem)


@pytest.mark.parametrize(
    ("problem", "met"),
    [(Problem.NO_UNIT, None), (Problem.IMPLAUSIBLE, None), (Problem.CONFLICT, None), (Problem.ABSENT, None)],
)
def test_a_refused_test_is_undetermined_and_not_never_done(problem: Problem, met: Truth) -> None:
    """§14.10, §14.19: refused or unusable is undetermined, even if the other test fails."""
    before = baseline(igg=20, rheumatoid_factor=100)
    after = visit("week-28", measured("igg", 20, WEEK28), _refused("rheumatoid-factor", problem))
    answer, flags = star.biological(before, after, star_rule())
    assert answer is met
    assert flags == ()


def test_stated_absent_at_both_visits_is_never_done() -> None:
    def absent(name: str) -> Evidence:
        return visit(
            name, measured("igg", 20, DAY0), measured("rheumatoid-factor", None, DAY0, problem=Problem.ABSENT)
        )

    assert star.biological(absent("baseline"), absent("week-28"), star_rule()) == (False, ("single-test",))


@pytest.mark.parametrize(
    ("before", "after", "met", "why"),
    [
        (0, 0, False, "§14.11: from 0 it cannot fall"),
        (0, 5, False, "§14.11: from 0 it cannot fall"),
        (32, 24, True, "exactly −25 %"),
        (32, 25, False, "−21.9 %"),
        ("30..34", 20, True, "§14.21: at least −33 %, whatever is missing"),
        ("20..30", 20, None, "0 to −33 %"),
        (20, "16..18", False, "at most −20 %"),
    ],
)
def test_ultrasound(before: Value, after: Value, met: Truth, why: str) -> None:
    first, second = (
        visit(name, replace(measured("hocevar-total", 0), value=interval(value)))
        for name, value in (("baseline", before), ("week-28", after))
    )
    assert hocevar.branch(first, second, QUARTER).answer is met, why


@pytest.mark.parametrize(
    ("before", "after", "met", "why"),
    [
        ("0", "0.05", True, "§3.1: from 0 any rise"),
        ("0", "0", False, "zero stays zero"),
        ("0.08", "0.1", True, "exactly +25 %"),
        ("0.1", "0.12", False, "+20 %"),
        ("<0.1", "0.2", True, "§14.21: at least +100 %, or any rise from 0"),
        ("<0.1", "0.1", None, "any rise from 0, or maybe a fall"),
        ("0.1", "<0.1", False, "it fell"),
        (">0.5", "0.5", False, "it fell"),
    ],
)
def test_flow(before: Value, after: Value, met: Truth, why: str) -> None:
    branch = salivary_flow.branch(
        visit("baseline", measured("salivary-flow", before)),
        visit("week-28", measured("salivary-flow", after)),
        QUARTER,
    )
    assert branch.answer is met, why
    assert ("zero-baseline" in branch.flags) is (interval(before).exact == 0)


NOT_EVALUABLE = "rf-negative-at-baseline"


@pytest.mark.parametrize(
    ("before", "limit", "after", "used", "met", "why"),
    [
        ("<20", None, "<20", False, None, "§14.2: censored below"),
        ("<20", None, "40", False, None, "§14.2: censored below"),
        ("12", 20, "5", False, None, "§14.2: below the laboratory's own limit"),
        ("12", None, "5", True, True, "no limit is printed: a number like any other"),
        ("20", 20, "15", True, True, "at the limit is not below it"),
        ("20.1", 20, "15", True, True, "above the limit"),
        (">400", 20, "300", True, True, "§14.2: an interval: at least −25 %"),
        (">400", 20, "310", True, None, "from −22.5 %"),
        ("100", 20, "<20", True, True, "§6.2: more than −80 %"),
        ("24", 20, "<20", True, None, "§6.2: undecided"),
        ("100", 20, "75", True, True, "exactly −25 %"),
        ("100", 20, "76", True, False, "−24 %"),
    ],
)
def test_rheumatoid_factor(
    before: Value, limit: Value | None, after: Value, used: bool, met: Truth, why: str
) -> None:
    branch = serology.rf_branch(
        visit("baseline", measured("rheumatoid-factor", before, limit=limit)),
        visit("week-28", measured("rheumatoid-factor", after, WEEK28, limit=limit)),
        QUARTER,
    )
    assert (branch.used, branch.answer) == (used, met), why
    assert branch.flags == (() if used else (NOT_EVALUABLE,))


def test_rheumatoid_factor_that_is_negative_as_a_word() -> None:
    before = visit("baseline", measured("rheumatoid-factor", None, found=False))
    assert serology.rf_branch(before, week28(rheumatoid_factor=5), QUARTER) == Branch(
        False, None, (NOT_EVALUABLE,)
    )


@pytest.mark.parametrize(
    ("igg", "met"), [((20, 18), True), ((20, "18.1"), False), ((20, None), None), ((None, None), None)]
)
def test_igg_decides_where_rheumatoid_factor_was_negative(
    igg: tuple[Value | None, Value | None], met: Truth
) -> None:
    """§3.1, §6.2 c: RF-negative children: IgG decides. It was done, so no single test is flagged."""
    before = baseline(igg=igg[0], rheumatoid_factor="<20")
    answer, flags = star.biological(before, week28(igg=igg[1], rheumatoid_factor="<20"), star_rule())
    assert answer is met
    assert NOT_EVALUABLE in flags
    assert "single-test" not in flags
