"""The stories and what is expected of them: complete, readable and free of contradictions."""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.hospital.generator import stories

EXPECTED: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("expected.toml").read_text(encoding="utf-8")
)
BOOK = stories()
STORIES: dict[str, dict[str, Any]] = {story["id"]: story for story in BOOK["participant"]}
CHILDREN: dict[str, dict[str, Any]] = {child["id"]: child for child in EXPECTED["participant"]}
SCORES = {"essdai", "clinessdai", "esspri", "schirmer", "salivary-flow", "hocevar"}
STAR_POINTS = {"systemic": 3, "patient": 3, "lachrymal": 1, "salivary": 1, "biological": 1}
NUMBER = re.compile(r"-?\d+(\.\d{1,4})?")


def due() -> list[str]:
    return [id for id, child in CHILDREN.items() if child["response"]["result"] != "not-due"]


def numbers(value: Any) -> list[str]:
    """Every expected number below ``value``, reasons and answers left out."""
    if isinstance(value, dict):
        return [number for key, part in value.items() if key != "reason" for number in numbers(part)]
    return [value] if isinstance(value, str) and value[:1] in "-0123456789" else []


def test_every_story_has_its_expectation() -> None:
    assert list(STORIES) == list(CHILDREN)
    assert len(STORIES) == EXPECTED["cohort"]["participants"] == 15
    assert EXPECTED["as_of"] == BOOK["as_of"]
    assert [story["id"] for story in BOOK["screened"]] == EXPECTED["cohort"]["never_counted"]


@pytest.mark.parametrize("story", [*BOOK["participant"], *BOOK["screened"]], ids=lambda story: story["id"])
def test_a_story_is_told_and_names_what_decides(story: dict[str, Any]) -> None:
    assert story["story"].endswith(".")
    assert story["traps"]
    assert story["decides"]
    age = (story["consent"] - story["born"]) / timedelta(days=365.25)
    assert 5 <= age < 19


@pytest.mark.parametrize("id", CHILDREN)
def test_the_sums_are_shown(id: str) -> None:
    child = CHILDREN[id]
    assert {"essdai", "clinessdai", "esspri", "schirmer", "response"} <= set(child["why"])
    assert set(child["baseline"]) == set(child["week-28"]) == SCORES
    for part in ("baseline", "week-28", "change", "star", "anchors"):
        assert all(NUMBER.fullmatch(number) for number in numbers(child.get(part, {})))


@pytest.mark.parametrize("id", due())
def test_the_response_follows_from_its_indicators(id: str) -> None:
    response = CHILDREN[id]["response"]
    answers = [response[name].partition(":")[0] for name in "abcde"]
    assert response["met"] == answers.count("met")
    assert response["possible"] == response["met"] + answers.count("undetermined")
    assert response["result"] == result(response["met"], response["possible"], at_least=3)
    literal = response["differs"].get("more-than-three", response["result"])
    assert literal == result(response["met"], response["possible"], at_least=4)


def result(met: int, possible: int, at_least: int) -> str:
    if met >= at_least:
        return "responder"
    return "non-responder" if possible < at_least else "undetermined"


@pytest.mark.parametrize("id", due())
def test_star_follows_from_its_items(id: str) -> None:
    star = CHILDREN[id]["star"]
    answers = {item: star[item].partition(":")[0] for item in STAR_POINTS}
    low = sum(points for item, points in STAR_POINTS.items() if answers[item] == "met")
    high = low + sum(points for item, points in STAR_POINTS.items() if answers[item] == "undetermined")
    assert int(star["nri"]) == low
    if "points" in star:
        assert int(star["points"]) == low == high
    else:
        assert (int(star["low"]), int(star["high"])) == (low, high)
    for name, at_least in (("responder", 5), ("more-than-five", 6)):
        assert star[name] == {"responder": "yes", "non-responder": "no"}.get(
            result(low, high, at_least), "undetermined"
        )


def test_the_rates_follow_from_the_children() -> None:
    cohort = EXPECTED["cohort"]
    of = {name: [id for id in due() if CHILDREN[id]["response"]["result"] == name] for name in RESULTS}
    assert cohort["not_due"] == [id for id in CHILDREN if id not in due()]
    assert [cohort["responders"], cohort["non_responders"], cohort["undetermined"]] == list(of.values())
    all_due, responders, unknown = len(due()), len(of["responder"]), len(of["undetermined"])
    assert cohort["denominator"] == all_due
    assert cohort["literal"]["responders"] == literal_responders()
    stars = [CHILDREN[id]["star"] for id in due()]
    for name, count, total in (
        ("main", responders, all_due),
        ("observed", responders, all_due - unknown),
        ("best", responders + unknown, all_due),
        ("worst", responders, all_due),
        ("literal", cohort["literal"]["responders"], all_due),
        ("star", sum(star["responder"] == "yes" for star in stars), all_due),
        ("star_more_than_five", sum(star["more-than-five"] == "yes" for star in stars), all_due),
    ):
        assert (cohort[name]["responders"], cohort[name]["of"]) == (count, total), name
        assert float(cohort[name]["rate"]) == pytest.approx(count / total, abs=0.00005), name


RESULTS = ("responder", "non-responder", "undetermined")


def literal_responders() -> int:
    literal = [
        response["differs"].get("more-than-three", response["result"])
        for response in (CHILDREN[id]["response"] for id in due())
    ]
    return literal.count("responder")


@pytest.mark.parametrize("id", CHILDREN)
def test_the_calendar_agrees_with_the_doses_told(id: str) -> None:
    story, calendar = STORIES[id], CHILDREN[id]["calendar"]
    told = {"rituximab": list(story["rituximab"]), "belimumab": list(story["belimumab"])}
    for dose in story.get("dose", ()):
        if dose.get("status") != "not-done":
            told[dose["drug"]].append(dose["day"])
    week_28 = timedelta(weeks=28)
    for drug in told:
        assert calendar[f"{drug}-doses"] == len(told[drug])
        assert calendar[f"first-{drug}"] == min(told[drug])
    first, last = min(told["rituximab"]), max(told["rituximab"])
    assert calendar["last-rituximab"] == last
    assert calendar["week-28"] == first + week_28
    assert calendar["last-visit-last-rituximab"] == last + week_28
    assert calendar["last-visit-first-belimumab"] == min(told["belimumab"]) + week_28
    planned: list[date] = [last + timedelta(days=28)]
    while planned[-1] + timedelta(days=28) <= first + week_28:
        planned.append(planned[-1] + timedelta(days=28))
    assert calendar["due"] == planned
