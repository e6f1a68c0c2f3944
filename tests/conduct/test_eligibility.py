"""Every criterion against the answers worked out by hand; and what holds for any participant."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fhir_adapter.conduct.answers import REMARKS, Answer, Verdict, verdict
from fhir_adapter.conduct.eligibility import judge
from fhir_adapter.conduct.record import Record
from fhir_adapter.conduct.statements import STATEMENTS
from tests.conduct.build import AS_OF, CONSENT, EVERY_TYPE, eligibility_rule, record, rules, tables

CASES = tables("cases.toml")
ALL = [
    pytest.param(criterion, case, id=f"{criterion}-{case['id']}")
    for criterion, cases in CASES.items()
    for case in cases
]


def answers(known: Record) -> dict[str, Answer]:
    return {each.criterion: each for each in judge(known, eligibility_rule(), rules().egfr, AS_OF)}


def of_case(case: Mapping[str, Any]) -> Record:
    consent = None if case.get("consent") == "" else CONSENT
    return record(case["record"], consent=consent, pulled=case.get("pulled", EVERY_TYPE))


@pytest.mark.parametrize(("criterion", "case"), ALL)
def test_cases(criterion: str, case: Mapping[str, Any]) -> None:
    found = answers(of_case(case))[criterion]
    stated: dict[str, Any] = {"is": found.verdict.value}
    for key, named in (("readings", found.readings), ("parts", found.parts)):
        wanted = case.get(key, {})
        stated[key] = {name: verdict(named[name]).value for name in wanted}
    stated["evidence"] = sorted({piece.origins[0].id for piece in found.evidence})
    stated["missing"] = sorted({each.supplier.value for each in found.missing})
    stated["remarks"] = list(found.remarks)
    for key, value in stated.items():
        wanted = case.get(key, value)
        assert value == (sorted(wanted) if key in ("evidence", "missing") else wanted), (
            key,
            found,
            case["section"],
        )


def test_every_row_has_its_four_kinds_of_case() -> None:
    assert set(CASES) == set(answers(record([])))
    for criterion, cases in CASES.items():
        assert {case["is"] for case in cases} == {each.value for each in Verdict}, criterion
        assert any(case["id"].startswith("boundary") for case in cases), criterion


@pytest.mark.parametrize(("criterion", "case"), ALL)
def test_whatever_is_open_says_who_can_close_it(criterion: str, case: Mapping[str, Any]) -> None:
    for found in answers(of_case(case)).values():
        if found.holds is None:
            assert found.missing or "no-dose-yet" in found.remarks
        assert set(found.remarks) <= set(REMARKS)
        assert all(piece.origins for piece in found.evidence)


@pytest.mark.parametrize(("criterion", "case"), ALL)
def test_order_does_not_matter(criterion: str, case: Mapping[str, Any]) -> None:
    lines = list(case["record"])
    random.Random(7).shuffle(lines)
    shuffled = record(
        reversed(lines), consent=of_case(case).subject.consent, pulled=case.get("pulled", EVERY_TYPE)
    )
    assert answers(of_case(case)) == answers(shuffled)


OPEN = {
    "order antibacterial 2024-03-10..2024-03-15": (" parenteral", " oral"),
    "order antiviral 2024-03-10.. oral": (" for B25.9", " for J06.9"),
    "order prednisone 2023-03-10.. oral": (" for M35.0", " for J45.9"),
    "stay 2024-03-01..2024-03-05": (" for J18.9", " for S52.5"),
    "vaccine 2024-03-01 unknown": ("live", "dead"),
    "vaccine 2024 live": ("-03", "-11"),
    "lab 2024-03-20 hcv-ab indeterminate": ("positive", "negative"),
    "lab 2024-03-20 igra indeterminate": ("positive", "negative"),
    "lab 2024-05-10 igg <5": ("3.9", "4.1"),
    "says 2024-03-20 other-trial unsure": ("yes", "no"),
    "says 2024-03-20 suppressive-therapy unsure": ("yes", "no"),
    "says 2024-03-20 steroid-for-other-disease unsure": ("yes", "no"),
    "says 2024-03-20 eye-symptoms unsure": ("yes", "no"),
    "diagnosis D83.1 since 2024": ("-02-01", "-05-01"),
    "diagnosis A15.0 since 2024": ("-02-01", "-05-01"),
    "born 2019": ("-01-05", "-11-05"),
    "order rituximab ..2023-11-01 parenteral": (),
    "order methotrexate .. oral": (),
}
"""Facts with something left open, and what it may turn out to be: put behind, or instead of the last word."""
INSTEAD = ("unknown", "indeterminate", "unsure", "<5")


def _filled(line: str, choice: str) -> str:
    if line == "vaccine 2024 live":
        return f"vaccine 2024{choice}-01 live"
    word = line.split()[-1]
    return line.removesuffix(word) + choice if word in INSTEAD else line + choice


@given(data=st.data())
def test_what_is_decided_stays_decided_once_more_is_known(data: st.DataObject) -> None:
    """No completion of an open fact turns an answer round; a person may contradict the records."""
    lines = data.draw(st.lists(st.sampled_from(sorted(OPEN)), unique=True, max_size=8))
    filled = [_filled(line, data.draw(st.sampled_from(OPEN[line]))) if OPEN[line] else line for line in lines]
    before, after = answers(record(lines)), answers(record(filled))
    for criterion, answer in before.items():
        now = after[criterion]
        if answer.holds is not None and "contradiction" not in now.remarks:
            assert now.holds is answer.holds, (criterion, lines, filled)


def test_before_the_first_dose_the_day_of_the_run_stands_for_day_0() -> None:
    known = structs.replace(record(["vaccine 2024-11-01 live", "born 2011-06-01"]), doses=())
    found = answers(known)
    assert found["E5d"].verdict is Verdict.VIOLATED
    assert found["E5d"].remarks == ("no-day-0",)
    assert found["I1"].remarks == ()


def test_what_comes_after_the_day_of_the_run_is_not_known() -> None:
    known = record(["lab 2024-05-10 igg 3.1"])
    early = judge(known, eligibility_rule(), rules().egfr, AS_OF.replace(month=5, day=12))
    assert {each.criterion: each for each in early}["E10"].remarks == ("no-dose-yet",)


def test_a_trial_without_a_criterion_has_no_answer_to_it() -> None:
    rule = replace(eligibility_rule(), kidney=None, age=None)
    found = {each.criterion for each in judge(record([]), rule, rules().egfr, AS_OF)}
    assert found == set(CASES) - {"E3", "I1"}


def test_every_statement_that_is_asked_for_has_its_question() -> None:
    rule = eligibility_rule()
    asked = {rule.other_trial, rule.infection_risk, rule.severe_disease}
    assert {each.statement for each in asked if each} <= set(STATEMENTS)
    assert rule.criteria
    assert set(rule.criteria.categories) <= set(STATEMENTS)
