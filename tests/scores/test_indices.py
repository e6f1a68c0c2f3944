"""ESSDAI, ClinESSDAI, ESSPRI, Schirmer, saliva and ultrasound: what the worked cases leave open.

Bounds enclose every completion; an invalid level is missing; eyes are compared with themselves.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.scores import essdai, esspri, hocevar
from fhir_adapter.trial.items import ESSDAI_DOMAINS, ESSPRI_SCALES, ITEMS, OutcomeCode
from fhir_adapter.trial.types import Measurement, Outcome, Problem
from fhir_adapter.trial.values import Interval, Truth, exactly
from fhir_adapter.trial.windows import Evidence
from tests.scores.build import (
    WEEK28,
    Value,
    baseline,
    interval,
    measured,
    protocol,
    scored,
    visit,
    week28,
)
from tests.scores.inputs import quiet

NOTHING = visit("week-28")


def ratings(**levels: int) -> list[Measurement]:
    return [measured(f"essdai-{domain}", level) for domain, level in levels.items()]


def at_baseline(code: str, *measurements: Measurement) -> Outcome:
    return scored(visit("baseline", *measurements), NOTHING)[(code, "baseline")]


# ------------------------------------------------------------------------------------- ESSDAI, §1


@pytest.mark.parametrize(("column", "highest"), [(0, 123), (1, 135)])
def test_weights_sum_to_the_published_maxima(column: int, highest: int) -> None:
    """§1.1."""
    whole = sum(
        essdai.WEIGHTS[domain][column] * max(levels) for domain, (_, levels) in ESSDAI_DOMAINS.items()
    )
    assert whole == highest


@pytest.mark.parametrize(
    ("domain", "missing_levels"),
    [
        ("cns", {1}),
        ("constitutional", {3}),
        ("glandular", {3}),
        ("biological", {3}),
        ("renal", set()),
        ("haematological", set()),
    ],
)
def test_levels_that_a_domain_does_not_have(domain: str, missing_levels: set[int]) -> None:
    """§1.1."""
    assert set(range(4)) - set(ESSDAI_DOMAINS[domain][1]) == missing_levels


@pytest.mark.parametrize(
    ("score", "category"),
    [
        ("0", "low"), ("4", "low"), ("5", "moderate"), ("13", "moderate"), ("14", "high"), ("123", "high"),
        ("0..4", "low"), ("4..5", None), ("5..13", "moderate"), ("13..14", None), ("14..29", "high"),
    ],
)  # fmt: skip
def test_categories(score: str, category: str | None) -> None:
    """§1.2: low below 5, moderate 5 to 13, high from 14; open where the bounds leave it open."""
    rule = protocol().essdai
    assert rule is not None
    assert essdai.category(interval(score), rule) == category


def test_biological_missing() -> None:
    """§1.5.5, ESS-14: ESSDAI can be missing (4 to 6) while ClinESSDAI is complete (6)."""
    levels = {**quiet(articular=2)}
    del levels["biological"]
    missing = at_baseline("essdai", *ratings(**levels))
    assert (missing.number, missing.reason) == (None, "missing-input")
    assert missing.bounds == Interval(Fraction(4), Fraction(6))
    assert at_baseline("clinessdai", *ratings(**levels)).number == 6


def test_a_visit_without_any_rating_has_no_bounds() -> None:
    """§14.20."""
    for code in ("essdai", "clinessdai"):
        nothing = at_baseline(code)
        assert (nothing.number, nothing.bounds, nothing.reason) == (None, None, "not-assessed")


def test_only_the_biological_domain_says_nothing_of_the_clinical_index() -> None:
    """§14.20: none of ClinESSDAI's domains is rated."""
    assert at_baseline("clinessdai", *ratings(biological=1)).bounds is None
    assert at_baseline("essdai", *ratings(biological=1)).bounds == Interval(Fraction(1), Fraction(122))


def test_an_invalid_level_is_missing_with_bounds() -> None:
    """§14.20: counts as missing; the reason says that it was refused."""
    found = at_baseline("essdai", *ratings(**quiet(articular=2, cns=1)))
    assert (found.number, found.reason, found.detail) == (None, "invalid-input", ITEMS["essdai-cns"].display)
    assert found.bounds == Interval(Fraction(4), Fraction(19))


def test_contradicting_ratings_are_the_first_reason() -> None:
    conflict = measured("essdai-renal", 1, problem=Problem.CONFLICT)
    found = at_baseline("essdai", *ratings(cns=1), conflict)
    assert (found.reason, found.detail) == ("conflicting-input", ITEMS["essdai-renal"].display)


@pytest.mark.parametrize(
    ("articular", "cutaneous", "change", "mcii"),
    [(2, 0, -4, True), (2, 1, -1, False), (1, 0, -2, False), (0, 0, 0, False), (0, 1, 3, False)],
)
def test_essdai_improves_by_a_fall_of_3(articular: int, cutaneous: int, change: int, mcii: Truth) -> None:
    """§1.2; articular weighs 2, cutaneous 3. The change is week 28 minus baseline: negative is better."""
    before = visit("baseline", *ratings(**quiet(articular=articular)))
    after = visit("week-28", *ratings(**quiet(cutaneous=cutaneous)))
    found = scored(before, after)[("essdai-change", "week-28")]
    assert found.number == change
    assert found.component("mcii").answer is mcii


def test_mcii_may_be_decided_by_bounds() -> None:
    """§14.21: 18 → at most 15 has improved, whatever the missing domain is."""
    before = visit("baseline", *ratings(**quiet(muscular=3)))
    levels = quiet()
    del levels["pns"]
    after = scored(before, visit("week-28", *ratings(**levels)))[("essdai-change", "week-28")]
    assert (after.number, after.bounds) == (None, Interval(Fraction(-18), Fraction(-3)))
    assert after.component("mcii").answer is True


@st.composite
def partly_rated(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int]]:
    """The levels of all domains, and those of them that were recorded."""
    whole = {domain: draw(st.sampled_from(levels)) for domain, (_, levels) in ESSDAI_DOMAINS.items()}
    return whole, {domain: level for domain, level in whole.items() if draw(st.booleans())}


@given(partly_rated(), st.sampled_from([OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI]))
def test_bounds_enclose_every_completion(
    levels: tuple[dict[str, int], dict[str, int]], code: OutcomeCode
) -> None:
    whole, known = ({name: exactly(level) for name, level in each.items()} for each in levels)
    exact, enclosed = essdai.weighted_sum(whole, code), essdai.weighted_sum(known, code)
    assert exact is not None
    assert exact.exact is not None
    if enclosed is not None:
        assert enclosed.at_least(exact.exact) is not False
        assert enclosed.at_most(exact.exact) is not False
    rule = protocol().essdai
    assert rule is not None
    assert essdai.category(enclosed, rule) in (None, essdai.category(exact, rule))


# ------------------------------------------------------------------------------------- ESSPRI, §2


@pytest.mark.parametrize(
    ("before", "after", "mcii", "why"),
    [
        ((5, 4, 4), (4, 4, 3), True, "13 → 11 is −15.4 %"),
        ((5, 5, 4), (4, 4, 4), False, "14 → 12 is −14.3 %"),
        ((0, 0, 0), (0, 0, 0), False, "from 0 nothing improves"),
        ((7, 7, 6), (7, 6, 4), True, "20 → 17: 3 points of the sum, exactly −15 %"),
        ((8, 7, 6), (7, 6, 6), False, "21 → 19: −9.5 %"),
        ((4, 4, 4), (5, 4, 4), False, "worse"),
    ],
)
def test_esspri_improves_by_1_point_or_15_per_cent(
    before: tuple[int, int, int], after: tuple[int, int, int], mcii: Truth, why: str
) -> None:
    found = scored(_esspri("baseline", before), _esspri("week-28", after))
    assert found[("esspri-change", "week-28")].component("mcii").answer is mcii, why


def _esspri(name: str, marks: tuple[int, ...]) -> Evidence:
    pairs = zip(ESSPRI_SCALES, marks, strict=False)
    return visit(name, *(measured(f"esspri-{scale}", mark) for scale, mark in pairs))


@pytest.mark.parametrize(
    ("marks", "bounds", "acceptable"),
    [
        ((7, 5), ("4", "22/3"), None),
        ((1, 0), ("1/3", "11/3"), True),
        ((9, 9), ("6", "28/3"), False),
    ],
)
def test_a_missing_scale_makes_the_score_missing(
    marks: tuple[int, ...], bounds: tuple[str, str], acceptable: Truth
) -> None:
    """§2: no imputation; bounds, and the acceptable state (below 5) where they decide it (§14.21)."""
    found = scored(_esspri("baseline", marks), NOTHING)[("esspri", "baseline")]
    assert (found.number, found.reason) == (None, "missing-input")
    assert found.bounds == Interval(Fraction(bounds[0]), Fraction(bounds[1]))
    assert found.component("pass").answer is acceptable


MARKS = st.integers(0, 10)


@given(st.tuples(MARKS, MARKS, MARKS), st.tuples(MARKS, MARKS, MARKS), st.sets(st.integers(0, 5)))
def test_esspri_of_any_completion(before: tuple[int, ...], after: tuple[int, ...], missing: set[int]) -> None:
    marks = [*before, *after]
    exact: list[Interval | None] = [exactly(mark) for mark in marks]
    known = [None if place in missing else value for place, value in enumerate(exact)]
    one, three = Fraction(1), Fraction(3, 20)
    truth = esspri.improved(esspri.mean(exact[:3]), esspri.mean(exact[3:]), one, three)
    assert truth is (
        sum(before) - sum(after) >= 3 or (100 * (sum(before) - sum(after)) >= 15 * sum(before) > 0)
    )
    assert esspri.improved(esspri.mean(known[:3]), esspri.mean(known[3:]), one, three) in (None, truth)
    enclosed = esspri.mean(known[:3])
    if enclosed is not None:
        assert enclosed.at_least(Fraction(sum(before), 3)) is not False
        assert enclosed.at_most(Fraction(sum(before), 3)) is not False


# ------------------------------------------------------------------------------------- Schirmer, §5


@pytest.mark.parametrize(
    ("before", "after", "change", "flags", "why"),
    [
        ((2, 4), (8, 8), "5", (), "§14.12: the mean of both eyes"),
        ((2, None), (8, 8), "6", ("one-eye",), "§14.12: the right eye at both visits"),
        ((2, 4), (None, 8), "4", ("one-eye",), "§14.12: the left eye at both visits"),
        ((2, None), (None, 8), None, (), "§14.12: no eye at both visits"),
        ((31, 31), (35, 35), "4", ("schirmer-ceiling",), "§5: above 30 it cannot rise by 5"),
        ((30, 30), (35, 35), "5", (), "§5: at 30 it can"),
    ],
)
def test_eyes_are_compared_with_themselves(
    before: tuple[int | None, int | None],
    after: tuple[int | None, int | None],
    change: str | None,
    flags: tuple[str, ...],
    why: str,
) -> None:
    found = scored(
        baseline(schirmer_right=before[0], schirmer_left=before[1]),
        week28(schirmer_right=after[0], schirmer_left=after[1]),
    )[("schirmer-change", "week-28")]
    assert found.number == (None if change is None else Fraction(change)), why
    assert found.flags == flags
    assert found.reason == (None if change else "missing-input")


@pytest.mark.parametrize(
    ("right", "left", "mean", "worst", "abnormal"),
    [
        (5, 5, "5", "5", False),
        (4, 5, "9/2", "4", True),
        (2, 10, "6", "2", False),
        (None, 4, "4", "4", True),
        ("<5", 10, None, None, False),
        (">30", 4, None, "4", False),
    ],
)
def test_schirmer_at_one_visit(
    right: Value | None, left: Value | None, mean: str | None, worst: str | None, abnormal: Truth
) -> None:
    """§5: the mean, abnormal below 5 mm; the worse eye beside it, open where a censored eye may be it."""
    found = scored(baseline(schirmer_right=right, schirmer_left=left), NOTHING)[("schirmer", "baseline")]
    assert found.number == (None if mean is None else Fraction(mean))
    assert found.component("worst-eye").number == (None if worst is None else Fraction(worst))
    assert found.component("abnormal").answer is abnormal
    assert ("one-eye" in found.flags) is (right is None)


@pytest.mark.parametrize(
    ("before", "after", "met", "why"),
    [
        (3, 8, True, "abnormal, +5"),
        (3, "7.5", False, "abnormal, +4.5"),
        (5, 5, True, "5 is normal and stays so"),
        (5, "4.9", False, "became abnormal"),
        ("<5", 20, True, "abnormal, at least +15"),
        ("<5", 4, False, "abnormal, at most +4"),
        (">4", 12, None, "normal, or abnormal and +7 to +8"),
    ],
)
def test_star_schirmer(before: Value, after: Value, met: Truth, why: str) -> None:
    """§3.1."""
    found = scored(
        baseline(schirmer_right=before, schirmer_left=before),
        week28(schirmer_right=after, schirmer_left=after),
    )
    assert found[("star", "week-28")].component("lachrymal").answer is met, why


@pytest.mark.parametrize(
    ("before", "after", "met", "why"),
    [
        ((4, 4), (2, 2), True, "abnormal, −2"),
        ((4, 4), (3, 2), False, "abnormal, −1.5"),
        ((3, 3), (1, 1), True, "3 is abnormal"),
        ((2, 2), (2, 2), True, "normal stays normal"),
        ((2, 2), (3, 3), False, "became abnormal"),
        ((4, None), (2, 9), True, "the right eye at both visits"),
    ],
)
def test_star_ocular_staining(
    before: tuple[int | None, int | None], after: tuple[int | None, int | None], met: Truth, why: str
) -> None:
    """§3.1: abnormal from 3; abnormal must fall by 2, normal must stay normal; the mean of both eyes."""
    found = scored(
        baseline(ocular_staining_right=before[0], ocular_staining_left=before[1]),
        week28(ocular_staining_right=after[0], ocular_staining_left=after[1]),
    )[("star", "week-28")]
    assert found.component("lachrymal").answer is met, why
    assert "single-test" in found.flags


# ------------------------------------------------------------------------- saliva and ultrasound, §4, §5


@pytest.mark.parametrize(
    ("value", "abnormal"), [("0.1", True), ("0.11", False), ("0", True), ("<0.1", True), ("<0.2", None)]
)
def test_saliva_is_abnormal_at_a_tenth(value: Value, abnormal: Truth) -> None:
    found = scored(baseline(salivary_flow=value), NOTHING)[("salivary-flow", "baseline")]
    assert found.component("abnormal").answer is abnormal


@pytest.mark.parametrize(
    ("before", "after", "percent", "reason"),
    [("0.08", "0.1", 25, None), ("0", "0.05", None, "not-evaluable"), ("0.1", None, None, "missing-input")],
)
def test_percent_of_the_baseline(
    before: Value, after: Value | None, percent: int | None, reason: str | None
) -> None:
    found = scored(baseline(salivary_flow=before), week28(salivary_flow=after))
    part = found[("salivary-flow-change", "week-28")].component("percent")
    assert (part.number, part.reason) == (percent, reason)


def test_saliva_collected_over_other_times_is_flagged() -> None:
    """§5: baseline and follow-up must share the duration."""
    first = visit("baseline", measured("salivary-flow", "0.1", unit="mL/(15.min)"))
    second = visit("week-28", measured("salivary-flow", "0.2", WEEK28, unit="mL/min"))
    assert scored(first, second)[("salivary-flow-change", "week-28")].flags == ("collection-differs",)
    assert scored(first, first)[("salivary-flow-change", "baseline")].flags == ()


def grades(value: int = 1) -> list[Measurement]:
    """All 20 grades alike: value 1 is a score of 20."""
    return [measured(item, value) for item in hocevar.GRADES]


def test_a_missing_gland_makes_the_ultrasound_missing() -> None:
    """§4: never double one side. Without the left parotid, 15 grades of 1 and 0 to 13 more."""
    seen = [each for each in grades() if "parotid-left" not in each.item]
    found = at_baseline("hocevar", *seen)
    assert (found.number, found.reason) == (None, "missing-input")
    assert found.bounds == Interval(Fraction(15), Fraction(28))


@pytest.mark.parametrize(
    ("parts", "total", "number", "flags", "why"),
    [
        (grades(), None, 20, (), "the sum of the grades"),
        (grades(), 20, 20, (), "both agree"),
        (grades(), 21, 20, ("total-disagrees",), "§13: the parts are used, the total is asked about"),
        ([], 20, 20, ("total-as-recorded",), "only the total was recorded"),
        (grades()[:15], 22, 22, ("total-as-recorded",), "15 to 26: the total may be right"),
        (grades()[:15], 40, None, ("total-disagrees",), "§13: 15 to 26: the total cannot be right"),
    ],
)
def test_recorded_totals(
    parts: list[Measurement], total: int | None, number: int | None, flags: tuple[str, ...], why: str
) -> None:
    recorded = [] if total is None else [measured("hocevar-total", total)]
    found = at_baseline("hocevar", *parts, *recorded)
    assert (found.number, found.flags) == (number, flags), why


@given(st.data())
def test_bounds_of_the_ultrasound_enclose_every_completion(data: st.DataObject) -> None:
    whole = {item: exactly(data.draw(st.sampled_from(ITEMS[item].levels))) for item in hocevar.GRADES}
    kept = data.draw(st.sets(st.sampled_from(hocevar.GRADES)))
    exact, enclosed = hocevar.summed(whole), hocevar.summed({item: whole[item] for item in kept})
    assert exact is not None
    assert exact.exact is not None
    if enclosed is None:
        assert not kept
    else:
        assert enclosed.at_least(exact.exact) is not False
        assert enclosed.at_most(exact.exact) is not False


# ------------------------------------------------------------------------------------- not due, §13


CODES = ("essdai", "clinessdai", "esspri", "schirmer", "salivary-flow", "hocevar")


@pytest.mark.parametrize(("due", "window", "reason"), [(False, True, "not-due"), (False, False, "no-anchor")])
def test_a_change_waits_for_its_follow_up(due: bool, window: bool, reason: str) -> None:
    """§13: not due is neither missing nor failed, whatever the baseline lacks."""
    found = scored(visit("baseline"), visit("week-28", due=due, window=window))
    for code in CODES:
        assert found[(code, "baseline")].reason == "not-assessed"
        assert found[(code, "week-28")].reason == reason
        assert found[(f"{code}-change", "week-28")].reason == reason


def test_every_outcome_names_its_sources() -> None:
    before = baseline(schirmer_right=3, schirmer_left=5)
    found = scored(before, week28(schirmer_right=8, schirmer_left=9))[("schirmer-change", "week-28")]
    assert len(found.origins) == 4
