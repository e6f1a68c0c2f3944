"""A participant's conduct as a whole against what was worked out by hand: outcomes and data queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from msgspec import structs

from fhir_adapter.conduct import words
from fhir_adapter.conduct.dosing import DeviationKind
from fhir_adapter.conduct.names import CRITERIA, kinds
from fhir_adapter.conduct.outcomes import with_conduct
from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.conduct.queries import queries
from fhir_adapter.conduct.record import Record
from fhir_adapter.scores.assess import assess
from fhir_adapter.trial.components import COMPONENTS, DEVIATIONS
from fhir_adapter.trial.items import FLAGS, OutcomeCode
from fhir_adapter.trial.types import Component, Outcome
from tests.conduct.build import AS_OF, eligibility_rule, record, rules, tables
from tests.scores.build import protocol

CASES = [pytest.param(case, id=case["id"]) for case in tables("carried.toml")["case"]]


def found(known: Record, as_of: date = AS_OF) -> tuple[Conduct, dict[tuple[str, str], Outcome]]:
    assessment = assess(
        known.subject, known.known_on(known.subject.until(as_of)).measurements, known.doses, protocol(), as_of
    )
    told = conduct(known, assessment.visits, protocol(), rules(), as_of)
    outcomes = with_conduct(assessment.outcomes, told, eligibility_rule())
    return told, {(each.code, each.visit): each for each in outcomes}


def of_case(case: Mapping[str, Any]) -> tuple[Conduct, dict[tuple[str, str], Outcome]]:
    as_of = date.fromisoformat(case["as_of"]) if "as_of" in case else AS_OF
    return found(record(case["record"]), as_of)


def value(part: Component) -> Any:
    if part.number is not None:
        return part.number
    if part.answer is not None:
        return part.answer
    return part.day.isoformat() if part.day else part.detail if " to " in part.detail else part.reason


@pytest.mark.parametrize("case", CASES)
def test_eligibility(case: Mapping[str, Any]) -> None:
    outcome = of_case(case)[1][("eligibility", "study")]
    assert outcome.result == case["eligibility"]
    assert (outcome.reason is None) is (outcome.result != "undetermined")
    main = {part.label: part for part in outcome.components if "." not in part.name}
    assert list(main) == list(kinds(eligibility_rule()))
    assert {label: main[label].code for label in case.get("answers", {})} == case.get("answers", {})
    for label, said in case.get("details", {}).items():
        assert [each for each in said if each not in main[label].detail] == [], main[label].detail


@pytest.mark.parametrize("case", CASES)
def test_calendar(case: Mapping[str, Any]) -> None:
    told, outcomes = of_case(case)
    calendar = outcomes[("calendar", "study")]
    stated = {name: value(calendar.component(name)) for name in case.get("calendar", {})}
    assert stated == case.get("calendar", {})
    counted = {part.name for part in calendar.components if part.name.startswith("deviation-")}
    if "calendar" in case:
        assert counted == {name for name in case["calendar"] if name.startswith("deviation-")}
    assert told.dosing
    if "deviations" in case:
        assert sorted(map(words.deviation, told.dosing.deviations)) == sorted(case["deviations"])
        labels = "; ".join(part.label for part in calendar.components)
        assert all(each in labels for each in case["deviations"])


@pytest.mark.parametrize("case", CASES)
def test_proposed_levels_stand_beside_the_rating(case: Mapping[str, Any]) -> None:
    _, outcomes = of_case(case)
    for visit, wanted in case.get("proposed", {}).items():
        essdai = outcomes[("essdai", visit)]
        shown = {part.name: value(part) for part in essdai.components if part.name.startswith("proposed-")}
        assert {name: shown[name] for name in wanted} == wanted
        # §14.20: a missing rating is never filled.
        assert essdai.number is None


@pytest.mark.parametrize("case", CASES)
def test_queries(case: Mapping[str, Any]) -> None:
    asked = [[each.visit, each.item, each.kind.value] for each in queries(of_case(case)[0])]
    assert sorted(asked) == sorted(case["queries"]) if "queries" in case else True


@pytest.mark.parametrize("case", CASES)
def test_everything_has_its_name_and_rests_on_its_sources(case: Mapping[str, Any]) -> None:
    told, outcomes = of_case(case)
    for outcome in outcomes.values():
        for part in outcome.components:
            assert part.name in (CRITERIA if outcome.code == OutcomeCode.ELIGIBILITY else COMPONENTS)
            assert {origin for piece in part.rests_on for origin in piece.origins} <= set(outcome.origins)
        assert len({part.name for part in outcome.components}) == len(outcome.components)
        assert set(outcome.flags) <= set(FLAGS)
    for query in queries(told):
        assert query.origins or query.kind == "dosing-deviation"


def test_names() -> None:
    assert set(DEVIATIONS) == {kind.value for kind in DeviationKind}
    assert not set(CRITERIA) & set(COMPONENTS)


def test_a_disagreement_names_the_rating_and_the_values() -> None:
    lines = ["lab 2024-10-14 igg 25", "lab 2024-10-14 essdai-biological 0"]
    (query,) = [each for each in queries(found(record(lines))[0]) if each.kind == "rating-disagrees"]
    assert query.values == ("rated 0", "proposed 2")
    assert [origin.id for origin in query.origins] == sorted(lines)[::-1] or set(lines) == {
        origin.id for origin in query.origins
    }


def test_an_unusual_dose_is_a_question_and_a_flag_and_no_deviation() -> None:
    """§7: 144 cm and 36 kg are 1.2 m²; 700 mg of rituximab are more than 450 mg by over 20 %."""
    known = record(["dose rituximab 2024-04-01", "lab 2024-03-29 height 144", "lab 2024-03-29 weight 36"])
    (dose,) = known.doses
    heavy = structs.replace(known, doses=(structs.replace(dose, amount=Fraction(700), unit="mg"),))
    told, outcomes = found(heavy, date(2024, 4, 2))
    assert [(each.item, each.kind.value, each.values) for each in queries(told)] == [
        ("rituximab", "unusual-dose", ("rituximab on 2024-04-01, 700 mg: more than usual",))
    ]
    calendar = outcomes[("calendar", "study")]
    assert "unusual-dose" in calendar.flags
    assert calendar.component("deviations").number == 0


def test_a_trial_without_criteria_of_entry_has_no_such_outcome() -> None:
    known = record([])
    told = conduct(known, {}, protocol(), replace(rules(), eligibility=None, derived=None), AS_OF)
    assert told.answers == ()
    assert with_conduct((), told, None) == ()


@pytest.mark.parametrize(
    ("withdrawn", "answer"),
    [(date(2024, 3, 31), False), (date(2024, 4, 1), True), (date(2024, 4, 2), True), (None, True)],
)
def test_a_consent_that_ended_before_day_0_is_none(withdrawn: date | None, answer: bool) -> None:
    """§8 I4, §13: what was given after the end is not used, so it is as if treatment had never begun."""
    ended = withdrawn.isoformat() if withdrawn else ""
    known = record([f"consent rituximab,belimumab given 2024-03-18..{ended}"])
    told = found(structs.replace(known, subject=structs.replace(known.subject, withdrawn=withdrawn)))[0]
    (consent,) = [each for each in told.answers if each.criterion == "I4"]
    assert consent.holds is answer


def test_what_comes_after_a_withdrawal_is_not_used() -> None:
    """§13: but a dose that was given all the same is told (§14.16)."""
    lines = ["dose rituximab 2024-04-01", "dose rituximab 2024-04-08", "diagnosis C50.9 since 2020-01-01"]
    known = record(lines)
    gone = structs.replace(known, subject=structs.replace(known.subject, withdrawn=date(2024, 4, 5)))
    told, _ = found(gone, date(2024, 4, 30))
    assert told.dosing
    assert (
        words.deviation(told.dosing.deviations[0]) == "rituximab 2 on 2024-04-08: 3 days after the withdrawal"
    )


def test_what_was_entered_in_error_is_named_and_changes_nothing() -> None:
    """§13, §8 E7: a malignancy that was entered in error is as if it never was, and somebody looks at it."""
    line = "error diagnosis C50.9 since 2020-01-01"
    told, outcomes = found(record([line]))
    assert outcomes == found(record([]))[1]
    (query,) = [each for each in queries(told) if each.kind == "entered-in-error"]
    assert (query.item, query.values) == ("E7", ("satisfied", "violated if it counted"))
    assert [each.id for each in query.origins] == [line]
    for part in ("entered in error", "does not count", "correct its status"):
        assert part in query.text


def test_of_several_in_error_each_that_would_decide_is_named() -> None:
    """What would leave the criterion open decides nothing; nor does asthma."""
    lines = [
        "error diagnosis C50.9 since 2020-01-01",
        "error diagnosis C81.0 since 2021-01-01",
        "error diagnosis C64 since 2022-01-01 unconfirmed",
        "error diagnosis J45.9 since 2020-01-01",
    ]
    asked = [each for each in queries(found(record(lines))[0]) if each.kind == "entered-in-error"]
    (malignancy,) = [each for each in asked if each.item == "E7"]
    assert malignancy.values == ("satisfied", "violated if it counted")
    assert {each.id for each in malignancy.origins} == set(lines[:2])
