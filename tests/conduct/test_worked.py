"""The worked cases of the clinical reference that speak of conduct: derived levels, eGFR, depletion,
eligibility and criteria. The case is data; each instrument has one way to ask for its facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.conduct.criteria import aecg_2002, japan_1999
from fhir_adapter.conduct.depletion import depleted
from fhir_adapter.conduct.derived.biological import biological
from fhir_adapter.conduct.derived.haematological import LINEAGES, haematological
from fhir_adapter.conduct.derived.muscular import muscular
from fhir_adapter.conduct.derived.proposal import Proposal
from fhir_adapter.conduct.derived.pulmonary import pulmonary
from fhir_adapter.conduct.derived.renal import renal
from fhir_adapter.conduct.egfr import schwartz, u25
from fhir_adapter.conduct.inclusion import completed_years
from fhir_adapter.conduct.rules import DerivedRule
from fhir_adapter.scores.essdai import WEIGHTS
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.values import Interval, exactly
from tests.conduct.build import record, rules
from tests.conduct.test_eligibility import answers

Case = Mapping[str, Any]
Facts = Iterator[tuple[str, Any, Any]]
"""What it is, what is expected, what was found."""
CASES: list[Case] = json.loads(
    (Path(__file__).parent.parent / "scores" / "cases.json").read_text(encoding="utf-8"), parse_float=Decimal
)["examples"]


def derived() -> DerivedRule:
    rule = rules().derived
    assert rule
    return rule


def number(value: Any) -> Interval | None:
    return None if value is None else exactly(value)


def level(domain: str, found: Proposal, case: Case) -> Facts:
    expected = case["expected"]
    if expected["level"] is None:
        yield "bounds", (expected["lower"], expected["upper"]), (found.lower, found.upper)
    else:
        yield "points", expected["points"], None if found.level is None else found.level * WEIGHTS[domain][0]
    yield "level", expected["level"], found.level
    if "flag" in expected:
        yield "flag", True, expected["flag"].replace("_", "-") in found.flags


def of_haematological(case: Case) -> Facts:
    given = dict(case["inputs"])
    cause = {"autoimmune": True, "drug_induced": False, None: None}[given.pop("attribution")]
    units = {"10e9_L": Fraction(1), "g_L": Fraction(1), "per_uL": ITEMS["platelets"].factors["/uL"]}
    counts = {}
    for name, value in given.items():
        item, _, unit = name.partition("_")
        counts[item] = exactly(Fraction(value) * units[unit])
    causes = dict.fromkeys(LINEAGES, cause)
    yield from level("haematological", haematological(counts, causes, derived().haematological), case)


def of_biological(case: Case) -> Facts:
    given = dict(case["inputs"])
    factors = ITEMS["igg"].factors
    igg = given.pop("igg_g_L", None)
    milligrams = given.pop("igg_mg_dL", None)
    value = number(igg) if milligrams is None else exactly(milligrams * factors["mg/dL"])
    yield from level("biological", biological(igg=value, **given, rule=derived().biological), case)


def of_renal(case: Case) -> Facts:
    given = case["inputs"]
    found = renal(
        proteinuria=number(given["proteinuria_g_day"]), haematuria=given["haematuria_glomerular"],
        gfr=number(given["gfr"]), tubular_acidosis=given["tubular_acidosis"],
        glomerular=given["glomerular_involvement"], active=given["active_not_damage"],
        histology=given["histology"], rule=derived().renal,
    )  # fmt: skip
    yield from level("renal", found, case)


def of_muscular(case: Case) -> Facts:
    given = case["inputs"]
    found = muscular(
        proven=given["myositis_proven_emg_mri_biopsy"], ck_multiple=number(given["ck_times_uln"]),
        weakest=number(given["weakest_mrc"]), rule=derived().muscular,
    )  # fmt: skip
    yield from level("muscular", found, case)


def of_pulmonary(case: Case) -> Facts:
    given = case["inputs"]
    found = pulmonary(
        interstitial=given["ild_on_hrct_active"], dlco=number(given["dlco_pct"]),
        fvc=number(given["fvc_pct"]), nyha=number(given["nyha"]), rule=derived().pulmonary,
    )  # fmt: skip
    yield from level("pulmonary", found, case)


def _creatinine(given: Mapping[str, Any]) -> Interval:
    factors = ITEMS["creatinine"].factors
    if "creatinine_umol_L" in given:
        return exactly(Fraction(given["creatinine_umol_L"]) * factors["umol/L"])
    return exactly(given["creatinine_mg_dL"])


def of_schwartz(case: Case) -> Facts:
    given, expected = case["inputs"], case["expected"]
    found = schwartz(exactly(given["height_cm"]), _creatinine(given))
    yield "egfr", Fraction(expected["egfr"]), found.exact
    yield "below 30", expected["excluded_lt30"], found.below(30)


def of_u25(case: Case) -> Facts:
    given = case["inputs"]
    age, height = exactly(given["age_years"]), exactly(Fraction(given["height_m"]) * 100)
    found = u25(age, given["sex"], height, _creatinine(given))
    assert found
    assert found.low
    yield (
        "egfr",
        case["expected"]["egfr"],
        (Decimal(found.low.numerator) / found.low.denominator).quantize(Decimal("0.01")),
    )


def of_depletion(case: Case) -> Facts:
    rule = rules().depletion
    assert rule
    given = case["inputs"]
    found = depleted(number(given["cd19_pct"]), number(given["cd19_per_uL"]), rule)
    yield "depleted", case["expected"]["depleted"], found


def of_hepatitis_b(case: Case) -> Facts:
    words = {True: "positive", False: "negative"}
    lines = [f"lab 2024-03-20 {item} {words[found]}" for item, found in case["inputs"].items()]
    part = answers(record(lines))["E4"].parts["hbv"]
    yield "excluded", case["expected"]["excluded"], None if part is None else not part


def of_gate(case: Case) -> Facts:
    given, expected = case["inputs"], case["expected"]
    lines = [f"lab {day} igg {value}" for day, value in given["igg_g_L"]]
    doses = ["dose rituximab 2024-04-01", f"dose belimumab {given['first_belimumab']}"]
    answer = answers(record([*lines, *doses]))["E10"]
    yield "blocked", expected["blocked"], None if answer.holds is None else not answer.holds
    if "reason" in expected:
        yield "missing", True, bool(answer.missing)


def of_age(case: Case) -> Facts:
    given, expected = case["inputs"], case["expected"]
    consent = date.fromisoformat(given["consent"])
    yield "age", expected["age"], completed_years(date.fromisoformat(given["birth"]), consent)
    answer = answers(record([f"born {given['birth']}", "dose rituximab 2025-04-02"], consent=consent))["I1"]
    yield "eligible", expected["eligible"], answer.holds
    if "sensitivity_before_18th_birthday" in expected:
        yield "reading", expected["sensitivity_before_18th_birthday"], answer.readings["before-birthday"]


def of_aecg(case: Case) -> Facts:
    yield "met", case["expected"]["met"], aecg_2002(case["inputs"], False)


def of_japan(case: Case) -> Facts:
    yield "met", case["expected"]["met"], japan_1999(case["inputs"])


INSTRUMENTS: Mapping[str, Callable[[Case], Facts]] = {
    "ESSDAI.haematological": of_haematological,
    "ESSDAI.biological": of_biological,
    "ESSDAI.renal": of_renal,
    "ESSDAI.muscular": of_muscular,
    "ESSDAI.pulmonary": of_pulmonary,
    "eGFR.bedside_schwartz": of_schwartz,
    "eGFR.ckid_u25": of_u25,
    "Depletion": of_depletion,
    "Eligibility.hbv": of_hepatitis_b,
    "Eligibility.igg_before_belimumab": of_gate,
    "Eligibility.age": of_age,
    "Criteria.AECG2002": of_aecg,
    "Criteria.Japan1999": of_japan,
}
WORKED = [case for case in CASES if case["instrument"] in INSTRUMENTS]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in WORKED])
def test_worked_cases(case: Case) -> None:
    facts = list(INSTRUMENTS[case["instrument"]](case))
    assert facts
    wrong = [fact for fact in facts if fact[1] != fact[2]]
    assert not wrong, case["rule"]


def test_every_instrument_of_conduct_has_its_cases() -> None:
    assert {case["instrument"] for case in WORKED} == set(INSTRUMENTS)
    assert len(WORKED) == 63
