"""The whole path gives what was worked out by hand: fifteen stories, from folders and from a real server.

``tests/hospital/expected.toml`` was written before any scorer existed; its head explains its words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.pipeline.run import Report, rescored, run
from fhir_adapter.scores.rate import response_rates
from fhir_adapter.study import Study, read_study
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import rounded
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study
from tests.servers import running_sekmet

EXPECTED: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "hospital" / "expected.toml").read_text(encoding="utf-8")
)
CHILDREN: dict[str, dict[str, Any]] = {child["id"]: child for child in EXPECTED["participant"]}
ALL_STEPS = frozenset(("pull", "score", "push"))
INDICATORS = {
    "a": "a-physician-global",
    "b": "b-esr",
    "c": "c-b-cell-markers",
    "d": "d-schirmer",
    "e": "e-salivary",
}
SCORES = ("essdai", "clinessdai", "esspri", "schirmer", "salivary-flow", "hocevar")


@pytest.fixture(scope="module", params=["folders", "server"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    home = tmp_path_factory.mktemp("stories")
    hospital = generator.hospital()
    generator.write_ndjson(hospital, home)
    if request.param == "folders":
        path = write_study(home, hospital="hospital", ratings="ratings", target="outcomes")
        yield read_study(path)
        return
    with running_sekmet(home / "server") as base:
        generator.load(hospital.sources["hospital"], base)
        yield read_study(write_study(home, hospital=base, ratings="ratings", target=base))


@pytest.fixture(scope="module")
def report(study: Study) -> Report:
    return run(study, ALL_STEPS, AS_OF)


@pytest.fixture(scope="module")
def outcomes(study: Study, report: Report) -> dict[tuple[str, str, str], Outcome]:
    scored = rescored(study, AS_OF).scored
    assert scored is not None
    return {
        (each.subject, each.code, each.visit): each
        for assessment in scored.assessments.values()
        for each in assessment.outcomes
    }


Outcomes = dict[tuple[str, str, str], Outcome]


def number(value: Fraction | None) -> str | None:
    return None if value is None else str(rounded(value).normalize() + Decimal(0))


def as_number(text: str) -> str:
    return str(Decimal(text).normalize() + Decimal(0))


def answer(component: Component) -> str:
    return {True: "yes", False: "no", None: "undetermined"}[component.answer]


def is_number(expected: object) -> bool:
    return isinstance(expected, str) and expected.removeprefix("-")[:1].isdigit()


def assert_met(component: Component, expected: str) -> None:
    word, _, reason = expected.partition(": ")
    assert {True: "met", False: "not-met", None: "undetermined"}[component.answer] == word, component.name
    if reason:
        assert component.reason == reason, component.name


@pytest.mark.parametrize("visit", ["baseline", "week-28"])
@pytest.mark.parametrize("id", CHILDREN)
def test_scores_of_a_visit(outcomes: Outcomes, id: str, visit: str) -> None:
    for code in SCORES:
        outcome, expected = outcomes[(id, code, visit)], CHILDREN[id][visit][code]
        if isinstance(expected, str):
            assert number(outcome.number) == as_number(expected), code
            continue
        assert outcome.number is None, code
        assert outcome.reason == expected["reason"], code
        bounds = outcome.bounds
        low, high = (number(bounds.low), number(bounds.high)) if bounds else (None, None)
        for end, found in (("low", low), ("high", high)):
            assert found == (as_number(expected[end]) if end in expected else None), code


@pytest.mark.parametrize("id", CHILDREN)
def test_changes(outcomes: Outcomes, id: str) -> None:
    if "change" not in CHILDREN[id]:
        assert {outcomes[(id, f"{code}-change", "week-28")].reason for code in SCORES} == {"not-due"}
    for key, expected in CHILDREN[id].get("change", {}).items():
        code, _, part = key.rpartition("-")
        if part == "mcii":
            assert answer(outcomes[(id, f"{code}-change", "week-28")].component("mcii")) == expected, key
            continue
        found = (
            outcomes[(id, f"{code}-change", "week-28")].component("percent").number
            if part == "percent"
            else outcomes[(id, f"{key}-change", "week-28")].number
        )
        assert number(found) == (as_number(expected) if is_number(expected) else None), key


@pytest.mark.parametrize("id", CHILDREN)
def test_response_and_its_readings(outcomes: Outcomes, id: str) -> None:
    outcome, expected = outcomes[(id, "response", "week-28")], CHILDREN[id]["response"]
    assert outcome.result == expected["result"]
    if expected["result"] == "not-due":
        return
    for letter, name in INDICATORS.items():
        assert_met(outcome.component(name), expected[letter])
    assert outcome.component("met").number == expected["met"]
    assert outcome.component("possible").number == expected["possible"]
    readings = {
        part.name: part.code
        for part in outcome.components
        if part.code is not None and not part.name.startswith("anchor-")
    }
    assert set(expected["differs"]) <= set(readings)
    for name, result in readings.items():
        if name not in expected.get("unstated", ()):
            assert result == expected["differs"].get(name, expected["result"]), name


@pytest.mark.parametrize("id", CHILDREN)
def test_star(outcomes: Outcomes, id: str) -> None:
    outcome, expected = outcomes[(id, "star", "week-28")], CHILDREN[id]["star"]
    if "reason" in expected:
        assert outcome.number is None
        assert outcome.reason == expected["reason"]
        return
    if "points" in expected:
        assert number(outcome.number) == as_number(expected["points"])
    else:
        assert outcome.number is None
    for item in ("systemic", "patient", "lachrymal", "salivary", "biological"):
        if item in expected:
            assert_met(outcome.component(item), expected[item])
    for key, name in (
        ("responder", "responder"),
        ("more-than-five", "responder-more-than-five"),
        ("with-essdai", "responder-with-essdai"),
    ):
        if key in expected:
            assert answer(outcome.component(name)) == expected[key], key
    if "nri" in expected:
        assert number(outcome.component("points-nri").number) == as_number(expected["nri"])


@pytest.mark.parametrize("id", CHILDREN)
def test_calendar(outcomes: Outcomes, id: str) -> None:
    outcome, expected = outcomes[(id, "calendar", "study")], CHILDREN[id]["calendar"]
    assert outcome.day == expected["week-28"]
    due = [part.day for part in outcome.components if part.name.startswith("upkeep-due-")]
    assert due == expected["due"]
    for name in ("rituximab-doses", "belimumab-doses"):
        assert outcome.component(name).number == expected[name]
    for name in expected:
        if name in ("first-rituximab", "last-rituximab", "first-belimumab") or name.startswith("week-28-"):
            day = outcome.component(name).day
            assert day == (expected[name] if not isinstance(expected[name], str) else None), name


@pytest.mark.parametrize("id", [id for id, child in CHILDREN.items() if "anchors" in child])
def test_other_anchors(outcomes: Outcomes, id: str) -> None:
    for anchor, wanted in CHILDREN[id]["anchors"].items():
        for code, expected in wanted.items():
            part = outcomes[(id, code, "week-28")].component(f"anchor-{anchor}")
            if expected == "no data":
                assert part.number is None, (anchor, code)
                assert part.code in (None, "undetermined"), (anchor, code)
            elif is_number(expected):
                assert number(part.number) == as_number(expected), (anchor, code)
            else:
                assert part.code == expected, (anchor, code)


def test_queries_are_exactly_those_expected(report: Report) -> None:
    assert report.scored is not None
    found = {
        (each.subject, each.visit, each.item, each.kind.value) for each in report.scored.queries.values()
    }
    expected = {
        (id, visit, item, kind) for id, child in CHILDREN.items() for visit, item, kind in child["queries"]
    }
    assert found == expected


def test_the_unknown_code_is_reported(report: Report) -> None:
    assert report.scored is not None
    (expected,) = EXPECTED["unknown_code"]
    assert any(
        each.source == expected["source"] and each.code[1] == expected["code"]
        for each in report.scored.unknown_codes
    )


def test_the_rates(report: Report) -> None:
    assert report.scored is not None
    responses = report.scored.outcomes(OutcomeCode.RESPONSE, "week-28")
    rates = response_rates(each for id, each in responses.items() if report.scored.dosed(id))
    cohort = EXPECTED["cohort"]
    for rate, name in zip(rates, ("main", "observed", "best", "worst", "literal"), strict=True):
        assert (rate.responders, rate.n) == (cohort[name]["responders"], cohort[name]["of"]), name
    main = rates[0].clopper_pearson
    assert main is not None
    assert f"{main[0]:.4f}" == cohort["main"]["low"]
    assert f"{main[1]:.4f}" == cohort["main"]["high"]
    assert set(cohort["never_counted"]).isdisjoint(responses)


def test_a_second_run_writes_nothing(study: Study, report: Report) -> None:
    assert report.pushed is not None
    assert report.pushed.written > 0
    assert not report.pushed.clashes
    assert not report.pushed.invalid
    again = run(study, ALL_STEPS, AS_OF)
    assert again.pushed is not None
    assert again.pushed.written == 0
    assert again.pushed.unchanged == report.pushed.written
    assert again.pulled is not None
    assert [(each.new, each.gone) for each in again.pulled] == [(0, 0), (0, 0)]
