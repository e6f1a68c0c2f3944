"""How the drugs were given, against the deviations worked out by hand; and what holds for any treatment."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fhir_adapter.conduct.amounts import unusual
from fhir_adapter.conduct.depletion import depleted
from fhir_adapter.conduct.dosing import Deviation, DeviationKind, Dosing, Plan, review
from fhir_adapter.conduct.record import Record
from fhir_adapter.trial.types import Dose, DoseStatus, Measurement
from fhir_adapter.trial.values import Moment, exactly
from fhir_adapter.trial.windows import settled
from tests.conduct.build import CHILD, eligibility_rule, origin, record, rules, tables
from tests.scores.build import ZONE, interval, protocol

CASES = tables("dosing.toml")
DAY0 = date(2024, 4, 1)
ANSWERS = {"yes": True, "no": False, "unknown": None}


def plan(anchor: str = "first-rituximab") -> Plan:
    calendar = protocol().calendar
    eligibility = eligibility_rule()
    depletion = rules().depletion
    assert calendar
    assert depletion
    assert eligibility.immunoglobulins
    assert eligibility.blood_cells
    return Plan(calendar, anchor, depletion, (eligibility.immunoglobulins, eligibility.blood_cells))


def at(text: str | int, hour: int | None = None) -> Moment:
    days, _, time = str(text).partition("T")
    day = DAY0 + timedelta(days=int(days))
    if time:
        hour = int(time[:2])
    instant = None if hour is None else datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)
    return Moment(day, day, instant)


def dose(
    drug: str, day: int, status: DoseStatus = DoseStatus.GIVEN, reason: str = "", mg: int | None = None
) -> Dose:
    amount = None if mg is None else Fraction(mg)
    source = origin(f"{drug} {day} {status}", "MedicationAdministration")
    return Dose(CHILD, drug, at(day, 10), status, amount, "mg", (source,), reason)


def lab(day: str | int, item: str, value: str) -> Measurement:
    return Measurement(CHILD, item, at(day), interval(value), value, (origin(f"{day} {item} {value}"),))


def of_case(case: Mapping[str, Any]) -> Record:
    doses = [dose(drug, day) for drug in ("rituximab", "belimumab") for day in case[drug]]
    for line in case.get("not_done", ()):
        drug, day, reason = line.split()
        doses.append(dose(drug, int(day), DoseStatus.NOT_DONE, reason))
    labs = []
    for line in case["cd19"]:
        day, test, value = line.split()
        labs.append(lab(day, f"cd19-{test}", value))
    if case.get("gates", True):
        for day in case["belimumab"]:
            usual = {"igg": "8", "iga": "1", "wbc": "5", "neutrophils": "3"}
            labs += [lab(day - 1, item, value) for item, value in usual.items()]
    for line in case.get("labs", ()):
        labs.append(lab(*line.split()))
    known = record([])
    withdrawn = DAY0 + timedelta(days=case["withdrawn"]) if "withdrawn" in case else None
    return structs.replace(
        known,
        subject=structs.replace(known.subject, consent=DAY0 - timedelta(days=14), withdrawn=withdrawn),
        doses=tuple(doses),
        measurements=settled(labs),
    )


def reviewed(case: Mapping[str, Any]) -> Dosing:
    return review(of_case(case), plan(), DAY0 + timedelta(days=case.get("as_of", 400)))


def line(deviation: Deviation) -> str:
    size = deviation.criterion or str(deviation.size)
    return f"{deviation.kind} {deviation.drug} {deviation.number} {size}"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES["case"]])
def test_cases(case: Mapping[str, Any]) -> None:
    found = reviewed(case)
    assert sorted(map(line, found.deviations)) == sorted(case["deviations"]), case["section"]
    if "depleted" in case:
        assert found.depleted is ANSWERS[case["depleted"]]
    assert [each.reason for each in found.deviations if each.reason] == case.get("reasons", [])


def test_every_kind_has_its_case() -> None:
    named = {deviation.split()[0] for case in CASES["case"] for deviation in case["deviations"]}
    assert named == {kind.value for kind in DeviationKind}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES["case"]])
def test_order_does_not_matter(case: Mapping[str, Any]) -> None:
    known = of_case(case)
    doses = list(known.doses)
    labs = [each for group in known.measurements.values() for each in group]
    random.Random(3).shuffle(doses)
    random.Random(3).shuffle(labs)
    shuffled = structs.replace(known, doses=tuple(doses), measurements=settled(labs))
    as_of = DAY0 + timedelta(days=case.get("as_of", 400))
    assert review(shuffled, plan(), as_of) == review(known, plan(), as_of)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES["depletion"]])
def test_depletion(case: Mapping[str, Any]) -> None:
    percent, count = (interval(case[name]) if name in case else None for name in ("percent", "count"))
    rule = rules().depletion
    assert rule
    assert depleted(percent, count, rule) is ANSWERS[case["is"]]


@given(st.lists(st.integers(1, 240), max_size=9, unique=True))
def test_each_dose_and_each_planned_day_is_accounted_for_once(days: list[int]) -> None:
    """Given = matched + extra, planned = matched + missing, whatever was given."""
    case = {"rituximab": [0, 7], "cd19": [], "belimumab": sorted(day + 7 for day in days), "gates": False}
    found = reviewed(case)
    count = {
        kind: sum(each.kind is kind and each.drug == "belimumab" for each in found.deviations)
        for kind in (DeviationKind.EXTRA, DeviationKind.MISSING)
    }
    matched = len(found.upkeep) - count[DeviationKind.EXTRA]
    assert matched + count[DeviationKind.MISSING] == len(found.planned)
    assert count[DeviationKind.EXTRA] >= 0


def test_a_deviation_names_what_it_rests_on() -> None:
    found = reviewed({"rituximab": [0, 7, 14], "cd19": ["8 percent 0.4"], "belimumab": [42, 78], "as_of": 80})
    continued, late = found.deviations
    assert [piece.origins[0].id for piece in continued.evidence] == [
        "rituximab 14 given",
        "8 percent 0.4".replace("percent", "cd19-percent"),
    ]
    assert late.planned == DAY0 + timedelta(days=70)
    assert found.depleted_on == DAY0 + timedelta(days=8)


def test_doses_far_from_the_usual_are_warnings_only() -> None:
    """§7: 375 mg/m²; 144 cm and 36 kg are 1.2 m², so 450 mg, 20 % less 360; 10 mg/kg is 360 mg."""
    usual = rules().usual_dose
    assert usual
    body = settled([lab(-3, "height", "144"), lab(-3, "weight", "36")])
    doses = (
        dose("rituximab", 0, mg=450), dose("rituximab", 7, mg=360), dose("rituximab", 14, mg=359),
        dose("belimumab", 42, mg=432), dose("belimumab", 70, mg=433),
    )  # fmt: skip
    known = structs.replace(record([]), doses=doses, measurements=body)
    found = unusual(known, usual)
    assert [(each.dose, each.more) for each in found] == [(doses[2], False), (doses[4], True)]
    assert unusual(structs.replace(known, measurements={}), usual) == ()


def test_a_limit_that_is_met_exactly_is_not_below() -> None:
    rule = rules().depletion
    assert rule
    assert depleted(exactly(rule.percent_below), exactly(rule.count_below), rule) is False


@pytest.mark.parametrize(
    ("anchor", "belimumab", "last", "why"),
    [
        ("first-rituximab", [35], 175, "week 28 is day 196"),
        ("last-rituximab", [35], 203, "week 28 is day 7 + 196"),
        ("first-belimumab", [35], 231, "week 28 is day 35 + 196, and belimumab is due on it"),
        ("first-belimumab", [], 231, "not begun: taken for given on its planned day, 7 + 28"),
    ],
)
def test_the_plan_ends_with_the_last_visit(anchor: str, belimumab: list[int], last: int, why: str) -> None:
    """§7: belimumab every 28 days while on or before week 28, counted from A, B or C."""
    case = {"rituximab": [0, 7], "belimumab": belimumab, "cd19": ["10 percent 0.1"]}
    found = review(of_case(case), plan(anchor), DAY0 + timedelta(days=40))
    assert (found.planned[-1] - DAY0).days == last, why
