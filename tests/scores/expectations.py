"""What a worked case expects, held against outcomes: the same for every path by which they were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fhir_adapter.scores.essdai import WEIGHTS
from fhir_adapter.scores.response import INPUTS
from fhir_adapter.trial.items import HOCEVAR_GLANDS, ITEMS
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import rounded
from tests.scores.inputs import Case

Outcomes = Mapping[tuple[str, str], Outcome]
"""By outcome code and visit."""
Fact = tuple[str, Any, Any]
"""What it is, what is expected, what was found."""


def facts(case: Case, outcomes: Outcomes) -> list[Fact]:
    """Every fact that the case states of its outcomes."""
    return list(_FACTS[case["instrument"]](case, outcomes))


def disagreements(case: Case, outcomes: Outcomes) -> list[str]:
    """The facts that came out otherwise, in words."""
    return [
        f"{case['id']} {what}: expected {expected!r}, found {found!r} ({case['rule']})"
        for what, expected, found in facts(case, outcomes)
        if expected != found
    ]


def _number(outcome: Outcome) -> Decimal | None:
    return None if outcome.number is None else rounded(outcome.number)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else rounded(Fraction(str(value)))


def _essdai(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected = case["expected"]
    scores = {name: outcomes[(name, "baseline")] for name in ("essdai", "clinessdai")}
    if "error" in expected:
        item = f"essdai-{expected['domain']}"
        yield "reason", "invalid-input", scores["essdai"].reason
        yield "named", ITEMS[item].display, scores["essdai"].detail
        yield "score", None, scores["essdai"].number
        return
    for name, score in scores.items():
        yield name, _decimal(expected[name]), _number(score)
    if "category" in expected:
        yield "category", expected["category"], scores["essdai"].component("category").code
    if "essdai_lower" in expected:
        bounds = scores["essdai"].bounds
        assert bounds is not None
        yield "bounds", (expected["essdai_lower"], expected["essdai_upper"]), (bounds.low, bounds.high)
        yield "reason", "missing-input", scores["essdai"].reason
        missing = "; ".join(ITEMS[f"essdai-{domain}"].display for domain in expected["missing"])
        yield "missing", missing, scores["essdai"].detail


def _esspri(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    found: Mapping[str, Callable[[], Any]] = {
        "esspri_baseline": lambda: _number(outcomes[("esspri", "baseline")]),
        "esspri_followup": lambda: _number(outcomes[("esspri", "week-28")]),
        "pass_baseline": lambda: outcomes[("esspri", "baseline")].component("pass").answer,
        "change": lambda: _number(outcomes[("esspri-change", "week-28")]),
        "mcii": lambda: outcomes[("esspri-change", "week-28")].component("mcii").answer,
    }
    for what, expected in case["expected"].items():
        yield what, expected if isinstance(expected, bool) else _decimal(expected), found[what]()


def _star_item(name: str) -> Callable[[Case, Outcomes], Iterator[Fact]]:
    def stated(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
        star = outcomes[("star", "week-28")]
        yield "met", case["expected"]["met"], star.component(name).answer
        yield "points", case["expected"]["points"], star.component("points-nri").number

    return stated


def _star_systemic(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected = case["expected"]
    for name in ("essdai", "clinessdai"):
        yield f"{name} change", expected[f"{name}_change"], outcomes[(f"{name}-change", "week-28")].number
    yield "met", expected["systemic_met"], outcomes[("star", "week-28")].component("systemic").answer


def _star_total(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected, star = case["expected"], outcomes[("star", "week-28")]
    if star.number is not None:
        between = (star.number, star.number)
    else:
        assert star.bounds is not None
        assert star.bounds.low is not None
        assert star.bounds.high is not None
        between = (star.bounds.low, star.bounds.high)
    yield "points", (expected["points_min"], expected["points_max"]), between
    yield "at least 5", expected["responder_ge5"], star.component("responder").answer
    yield "more than 5", expected["responder_gt5"], star.component("responder-more-than-five").answer
    yield "imputed", expected["responder_ge5_nri"], star.component("responder-nri").answer


def _hocevar(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected, score = case["expected"], outcomes[("hocevar", "baseline")]
    if "error" in expected:
        gland, component = expected["field"].split(".")
        assert gland.replace("_", "-") in HOCEVAR_GLANDS
        yield "reason", "invalid-input", score.reason
        yield "named", ITEMS[f"hocevar-{gland.replace('_', '-')}-{component}"].display, score.detail
    yield "score", expected.get("hocevar"), score.number


_RESULTS = {True: "responder", False: "non-responder", None: "undetermined"}


def _indicator(name: str) -> Callable[[Case, Outcomes], Iterator[Fact]]:
    """An indicator among two that are met and two that are not: the result is its own answer."""
    readings = {
        "sensitivity_both": "c-both-markers",
        "sensitivity_either_eye": "d-either-eye",
        "sensitivity_both_eyes": "d-both-eyes",
    }
    flags = {
        "baseline_normal": "baseline-normal",
        "rf_not_evaluable_negative_at_baseline": "rf-negative-at-baseline",
    }

    def stated(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
        expected, response = case["expected"], outcomes[("response", "week-28")]
        yield "met", expected["met"], response.component(name).answer
        yield "result", _RESULTS[expected["met"]], response.result
        for what, reading in readings.items():
            if what in expected:
                yield reading, _RESULTS[expected[what]], response.component(reading).code
        for what in ("flag", "note"):
            if what in expected:
                yield what, True, flags[expected[what]] in response.flags
        if "uwsf_mL_min" in expected:
            flows = [_number(outcomes[("salivary-flow", visit)]) for visit in ("baseline", "week-28")]
            yield "mL/min", [_decimal(value) for value in expected["uwsf_mL_min"]], flows

    return stated


def _response_total(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected, response = case["expected"], outcomes[("response", "week-28")]
    yield "met", expected["met"], response.component("met").number
    yield "possible", expected["possible_max"], response.component("possible").number
    yield "three or more", _RESULTS[expected["responder_ge3"]], response.result
    yield "more than three", _RESULTS[expected["responder_gt3"]], response.component("more-than-three").code
    imputed = response.component("non-responder-imputation").answer
    yield "imputed", expected["responder_ge3_nri"], imputed


def _schirmer(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    """What the record and STAR call abnormal; the classification criteria come with a later issue."""
    expected = case["expected"]
    abnormal = outcomes[("schirmer", "baseline")].component("abnormal").answer
    yield "record", expected["record_abnormal"], abnormal
    # Unchanged at both visits: STAR's item is met exactly where the value is normal.
    unchanged = outcomes[("star", "week-28")].component("lachrymal").answer
    yield "STAR", expected["star_abnormal"], unchanged is False


def _calendar(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected, calendar = case["expected"], outcomes[("calendar", "study")]
    assert calendar.day is not None
    due = [each.day for each in calendar.components if each.name.startswith("upkeep-due-")]
    yield "week 28", expected["week28"], calendar.day.isoformat()
    yield "belimumab", expected["belimumab"], [day.isoformat() for day in due if day]
    yield "belimumab doses", expected["belimumab_doses"], len(due)
    yield "rituximab doses", len(expected["rituximab"]), calendar.component("rituximab-doses").number
    for place, name in ((0, "first-rituximab"), (-1, "last-rituximab")):
        day = calendar.component(name).day
        yield name, expected["rituximab"][place], day and day.isoformat()


def _patient(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected = case["expected"]
    for name in ("essdai", "clinessdai", "esspri"):
        for place, visit in (("baseline", "baseline"), ("week28", "week-28")):
            yield f"{name} {visit}", _decimal(expected[f"{name}_{place}"]), _number(outcomes[(name, visit)])
    for name in ("essdai", "clinessdai"):
        change = _number(outcomes[(f"{name}-change", "week-28")])
        yield f"{name} change", _decimal(expected[f"{name}_change"]), change
    star, response = outcomes[("star", "week-28")], outcomes[("response", "week-28")]
    for name, met in expected["star_items"].items():
        yield f"STAR {name}", met, star.component("patient" if name == "pro" else name).answer
    yield "STAR", expected["star_points"], star.number
    yield "STAR responder", expected["star_responder"], star.component("responder").answer
    names = {name[0]: name for name in INPUTS}
    for letter, met in expected["response_indicators"].items():
        yield letter, met, response.component(names[letter]).answer
    yield "count", expected["response_count"], response.component("met").number
    yield "three or more", _RESULTS[expected["responder_ge3"]], response.result
    yield "more than three", _RESULTS[expected["responder_gt3"]], response.component("more-than-three").code


def _derived(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    """The level that the laboratory proposes beside the rating; its bounds are in words."""
    expected, domain = case["expected"], case["instrument"].removeprefix("ESSDAI.")
    proposed = outcomes[("essdai", "baseline")].component(f"proposed-{domain}")
    yield "level", expected["level"], proposed.number
    if expected["level"] is None:
        yield "bounds", f"{expected['lower']} to {expected['upper']}", proposed.detail
    else:
        points = None if proposed.number is None else proposed.number * WEIGHTS[domain][0]
        yield "points", expected["points"], points


def _entry(outcomes: Outcomes, name: str) -> Component:
    return outcomes[("eligibility", "study")].component(name)


_EXCLUDED = {True: "violated", False: "satisfied", None: "undetermined"}


def _egfr(formula: str) -> Callable[[Case, Outcomes], Iterator[Fact]]:
    def facts(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
        found = _entry(outcomes, f"egfr-{formula}").number
        assert found is not None
        yield "egfr", case["expected"]["egfr"], rounded(found, 2)
        if "excluded_lt30" in case["expected"]:
            yield "E3", _EXCLUDED[case["expected"]["excluded_lt30"]], _entry(outcomes, "kidney").code

    return facts


def _depletion(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    found = outcomes[("calendar", "study")].component("depleted").answer
    yield "depleted", case["expected"]["depleted"], found


def _hepatitis_b(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    yield "hbv", _EXCLUDED[case["expected"]["excluded"]], _entry(outcomes, "infection.hbv").code


def _gate(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    found = _entry(outcomes, "immunoglobulins")
    yield "E10", _EXCLUDED[case["expected"]["blocked"]], found.code
    if "reason" in case["expected"]:
        yield "what is missing", True, "Immunoglobulin G" in found.detail


def _age(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
    expected = case["expected"]
    yield "I1", _EXCLUDED[not expected["eligible"]], _entry(outcomes, "age").code
    if "sensitivity_before_18th_birthday" in expected:
        wanted = _EXCLUDED[not expected["sensitivity_before_18th_birthday"]]
        yield "reading", wanted, _entry(outcomes, "age.before-birthday").code


def _criteria(part: str) -> Callable[[Case, Outcomes], Iterator[Fact]]:
    def facts(case: Case, outcomes: Outcomes) -> Iterator[Fact]:
        yield part, _EXCLUDED[not case["expected"]["met"]], _entry(outcomes, f"criteria.{part}").code

    return facts


_FACTS: Mapping[str, Callable[[Case, Outcomes], Iterator[Fact]]] = {
    "ESSDAI.haematological": _derived,
    "ESSDAI.biological": _derived,
    "ESSDAI.renal": _derived,
    "ESSDAI.muscular": _derived,
    "ESSDAI.pulmonary": _derived,
    "eGFR.bedside_schwartz": _egfr("bedside-schwartz"),
    "eGFR.ckid_u25": _egfr("ckid-u25"),
    "Depletion": _depletion,
    "Eligibility.hbv": _hepatitis_b,
    "Eligibility.igg_before_belimumab": _gate,
    "Eligibility.age": _age,
    "Criteria.AECG2002": _criteria("aecg-2002"),
    "Criteria.Japan1999": _criteria("japan-1999"),
    "ESSDAI": _essdai,
    "ESSPRI": _esspri,
    "STAR.systemic": _star_systemic,
    "STAR.lachrymal.schirmer": _star_item("lachrymal"),
    "STAR.salivary.uwsf": _star_item("salivary"),
    "STAR.salivary.ultrasound": _star_item("salivary"),
    "STAR.biological": _star_item("biological"),
    "STAR.total": _star_total,
    "Hocevar": _hocevar,
    "Response.a_physician_global": _indicator("a-physician-global"),
    "Response.b_esr": _indicator("b-esr"),
    "Response.c_bcell_markers": _indicator("c-b-cell-markers"),
    "Response.d_schirmer": _indicator("d-schirmer"),
    "Response.e_salivary": _indicator("e-salivary"),
    "Response.total": _response_total,
    "Schirmer.threshold": _schirmer,
    "Calendar": _calendar,
    "Patient": _patient,
}
