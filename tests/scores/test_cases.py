"""The worked cases of the clinical reference, through two paths: the scorers alone, and resources through
the mapping. The case is data, ``expectations`` says what it states; nothing here knows a score."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fhir_adapter.conduct.outcomes import with_conduct
from fhir_adapter.conduct.participant import conduct
from fhir_adapter.pipeline.records import record
from fhir_adapter.scores import calendar, response, star
from fhir_adapter.scores.assess import assess
from fhir_adapter.scores.rate import rate, response_rates
from fhir_adapter.study import Study, study_from_text
from fhir_adapter.trial.doses import one_a_day
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Dose, Measurement, Outcome, Query, QueryKind
from fhir_adapter.trial.values import Interval
from fhir_adapter.trial.windows import anchors, settled
from tests.scores.build import CHILD, CLOSED, DAY0, WEEK28, dose, measured, protocol, scored, visit
from tests.scores.expectations import disagreements, facts
from tests.scores.inputs import Given, Inputs, inputs_of
from tests.scores.resources import DIALECTS, read, resources_of

Case = Mapping[str, Any]
CASES: list[Case] = json.loads(
    Path(__file__).with_name("cases.json").read_text(encoding="utf-8"), parse_float=Decimal
)["examples"]
BY_ID = {case["id"]: case for case in CASES}

IN_SCOPE = (
    "ESSDAI", "ESSPRI", "STAR.systemic", "STAR.lachrymal.schirmer", "STAR.salivary.uwsf",
    "STAR.salivary.ultrasound", "STAR.biological", "STAR.total", "Hocevar", "Response.a_physician_global",
    "Response.b_esr", "Response.c_bcell_markers", "Response.d_schirmer", "Response.e_salivary",
    "Response.total", "ResponseRate", "Calendar", "Schirmer.threshold", "Patient",
)  # fmt: skip

CONDUCT = {
    "ESSDAI.haematological": 17,
    "ESSDAI.biological": 9,
    "ESSDAI.renal": 7,
    "ESSDAI.muscular": 4,
    "ESSDAI.pulmonary": 4,
    "eGFR.bedside_schwartz": 3,
    "eGFR.ckid_u25": 3,
    "Depletion": 3,
    "Eligibility.hbv": 3,
    "Eligibility.igg_before_belimumab": 2,
    "Eligibility.age": 2,
    "Criteria.AECG2002": 3,
    "Criteria.Japan1999": 3,
}
"""Levels that are derived from laboratory values, and conduct: the rules alone are asked for these in
``tests/conduct/test_worked.py``."""

NOT_ONE_CHILD = {
    "RAT-01": ("RSP-02", "RSP-06"),
    "RAT-02": ("RSP-02", "RSP-06"),
}
"""A rate is of many children: so many of them live the first case, a responder, the others the second."""

ONE_CHILD = [case for case in CASES if case["id"] not in NOT_ONE_CHILD]
RATES = [case for case in CASES if case["id"] in NOT_ONE_CHILD]


def _of(*instruments: str) -> list[Any]:
    chosen = [case for case in CASES if case["instrument"] in instruments]
    return [pytest.param(case, id=case["id"]) for case in chosen]


def test_no_case_is_left_out() -> None:
    counted = Counter(case["instrument"] for case in CASES)
    assert {name: count for name, count in counted.items() if name not in IN_SCOPE} == CONDUCT
    assert len(ONE_CHILD) + len(RATES) == len(CASES) == 131
    assert set(counted) == {*IN_SCOPE, *CONDUCT}
    assert len({case["id"] for case in CASES}) == len(CASES)


# --------------------------------------------------------------------------------- the scorers alone


def _measurements(inputs: Inputs) -> tuple[list[Measurement], list[Measurement]]:
    def at(day: date, given: Mapping[str, Given]) -> list[Measurement]:
        return [measured(item, _canonical(each), day, limit=each.limit) for item, each in given.items()]

    return at(DAY0, inputs.baseline), at(WEEK28, inputs.week28)


def _canonical(given: Given) -> Fraction | str | int | Decimal:
    """The value in the item's own unit; of the cases only one is in another, mL in 15 minutes."""
    return Fraction(given.value) / 15 if given.unit == "mL/(15.min)" else given.value


def by_scorers(case: Case) -> dict[tuple[str, str], Outcome]:
    inputs = inputs_of(case)
    before, after = _measurements(inputs)
    if case["instrument"] != "Calendar":
        return scored(visit("baseline", *before), visit("week-28", *after))
    trial = protocol_of(case)
    assert trial.calendar is not None
    given = [dose("rituximab", day) for day in inputs.rituximab]
    found = calendar.score(CHILD.id, given, anchors(given, None, trial), trial, trial.calendar)
    return {(found.code, found.visit): found}


@pytest.mark.parametrize("case", [case for case in _of(*IN_SCOPE) if case.id not in NOT_ONE_CHILD])
def test_scorers_alone(case: Case) -> None:
    found = by_scorers(case)
    assert facts(case, found)
    assert not disagreements(case, found)


@pytest.mark.parametrize("case", _of("STAR.total"))
def test_star_from_its_items(case: Case) -> None:
    """§3.1, the points alone."""
    expected = case["expected"]
    items = {"patient" if name == "pro" else name: met for name, met in case["inputs"]["items"].items()}
    points = star.points(items)
    assert (points.low, points.high) == (expected["points_min"], expected["points_max"])
    assert star.responder(points, 5, "at-least") is expected["responder_ge5"]
    assert star.responder(points, 5, "more-than") is expected["responder_gt5"]


@pytest.mark.parametrize("case", _of("Response.total"))
def test_response_from_its_indicators(case: Case) -> None:
    """§6.3, the count alone."""
    expected = case["expected"]
    count = response.met_and_possible(case["inputs"])
    assert count == Interval(Fraction(expected["met"]), Fraction(expected["possible_max"]))
    assert response.responds(count, 3, "at-least") is expected["responder_ge3"]
    assert response.responds(count, 3, "more-than") is expected["responder_gt3"]


@pytest.mark.parametrize("case", _of("Calendar"))
def test_calendar_from_the_plan(case: Case) -> None:
    """§7, the plan alone: weekly rituximab, belimumab on the grid that ends with week 28."""
    rule = protocol().calendar
    assert rule is not None
    given, expected = case["inputs"], case["expected"]
    first, gap = date.fromisoformat(given["first_rituximab"]), timedelta(days=rule.course.gap)
    planned = [first + gap * number for number in range(given["rituximab_doses"])]
    anchor = planned[0] if given["week0_anchor"] == "first_rituximab" else planned[-1]
    assert [day.isoformat() for day in planned] == expected["rituximab"]
    due = calendar.upkeep_days(planned[-1], anchor, rule)
    assert [day.isoformat() for day in due] == expected["belimumab"]
    assert calendar.last_visit(anchor, rule).isoformat() == expected["week28"]


@pytest.mark.parametrize("case", _of("ResponseRate"))
def test_rate_from_its_counts(case: Case) -> None:
    """§6.3, §14.8: Clopper-Pearson, exact and two-sided."""
    found = rate("main", case["inputs"]["responders"], case["inputs"]["n"])
    assert found.share == pytest.approx(float(case["expected"]["rate"]))
    assert found.clopper_pearson == pytest.approx(_interval(case), abs=5e-5)


def _interval(case: Case) -> tuple[float, ...]:
    return tuple(float(end) for end in case["expected"]["clopper_pearson_95"])


# ---------------------------------------------------------------------- resources through the mapping


def protocol_of(case: Case) -> Protocol:
    """The shipped protocol, counted from the dose that the case counts from."""
    trial = protocol()
    if case["inputs"].get("week0_anchor") == "last_rituximab":
        reading = replace(
            trial.anchor, default="last-rituximab", alternatives=("first-rituximab", "first-belimumab")
        )
        return replace(trial, anchor=reading)
    return replace(trial)


def by_resources(case: Case, hospital: str) -> tuple[dict[tuple[str, str], Outcome], list[Query]]:
    mapped = read(resources_of(case, hospital), hospital)
    assert mapped.unknown_codes == []
    doses: tuple[Dose, ...] = one_a_day(mapped.doses)
    # The calendar's cases have days of their own; a run long after them closes every window.
    as_of = date(2026, 1, 1) if case["instrument"] in ("Calendar", "Eligibility.age") else CLOSED
    child = structs.replace(CHILD, consent=inputs_of(case).consent or CHILD.consent)
    trial = replace(study(), protocol=protocol_of(case))
    measurements = settled(mapped.measurements, child.until(as_of))
    assessment = assess(child, measurements, doses, trial.protocol, as_of)
    known = record(trial, child, mapped, measurements, doses, frozenset())
    told = conduct(known, assessment.visits, trial.protocol, trial.conduct, as_of)
    outcomes = with_conduct(assessment.outcomes, told, trial.conduct.eligibility)
    return {(each.code, each.visit): each for each in outcomes}, mapped.queries


@cache
def study() -> Study:
    """A study of the shipped protocol; it has no places that anything is read from."""
    return study_from_text(STUDY, Path("study.toml"))


STUDY = b"""
[study]
identifier = "https://clinicaltrials.gov|NCT06410833"
protocol = "nct06410833"
timezone = "Asia/Shanghai"
workspace = "study.sqlite"
[participants]
file = "participants.csv"
identifier_system = "urn:example:trial-participant"
match = "mrn"
[[source]]
name = "hospital"
folder = "hospital"
mapping = "international"
[target]
folder = "outcomes"
"""


@pytest.mark.parametrize("hospital", DIALECTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in ONE_CHILD])
def test_resources_through_the_mapping(case: Case, hospital: str) -> None:
    found, queries = by_resources(case, hospital)
    assert facts(case, found)
    assert not disagreements(case, found)
    asked = {query.kind for query in queries}
    assert asked == ({QueryKind.INVALID_LEVEL} if "error" in case["expected"] else set())


@pytest.mark.parametrize("hospital", DIALECTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RATES])
def test_rate_through_the_mapping(case: Case, hospital: str) -> None:
    """So many children with the resources of a responder, the others with those of a non-responder."""
    responder, other = (
        by_resources(BY_ID[id], hospital)[0][("response", "week-28")] for id in NOT_ONE_CHILD[case["id"]]
    )
    responders, n = case["inputs"]["responders"], case["inputs"]["n"]
    main = response_rates([responder] * responders + [other] * (n - responders))[0]
    assert (main.responders, main.n) == (responders, n)
    assert main.clopper_pearson == pytest.approx(_interval(case), abs=5e-5)
