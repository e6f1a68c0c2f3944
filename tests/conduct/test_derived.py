"""Derived levels against those worked out by hand; and that bounds enclose whatever turns out to be true."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.conduct.derived.biological import biological
from fhir_adapter.conduct.derived.constitutional import constitutional
from fhir_adapter.conduct.derived.haematological import haematological
from fhir_adapter.conduct.derived.muscular import muscular
from fhir_adapter.conduct.derived.proposal import FLAGS, Proposal, disagreement
from fhir_adapter.conduct.derived.proposals import proposals
from fhir_adapter.conduct.derived.pulmonary import pulmonary
from fhir_adapter.conduct.derived.renal import renal
from fhir_adapter.conduct.rules import DerivedRule
from fhir_adapter.trial.items import ESSDAI_DOMAINS
from fhir_adapter.trial.types import Visit
from fhir_adapter.trial.windows import Evidence
from tests.conduct.build import DOSES, day, egfr_rule, lab, record, rules, tables
from tests.scores.build import interval

CASES = tables("derived.toml")
ALL = [
    pytest.param(domain, case, id=f"{domain}-{case['id']}")
    for domain, cases in CASES.items()
    if domain != "rating"
    for case in cases
]
FUNCTIONS: Mapping[str, Callable[..., Proposal]] = {
    "biological": biological,
    "renal": renal,
    "muscular": muscular,
    "pulmonary": pulmonary,
    "constitutional": constitutional,
}


def derived() -> DerivedRule:
    rule = rules().derived
    assert rule
    return rule


def values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None
        if each == "none"
        else interval(each)
        if isinstance(each, str) and name != "histology"
        else each
        for name, each in inputs.items()
    }


def proposed(domain: str, case: Mapping[str, Any]) -> Proposal:
    if domain == "haematological":
        return haematological(values(case["inputs"]), case["autoimmune"], derived().haematological)
    return FUNCTIONS[domain](**values(case["inputs"]), rule=getattr(derived(), domain))


@pytest.mark.parametrize(("domain", "case"), ALL)
def test_cases(domain: str, case: Mapping[str, Any]) -> None:
    found = proposed(domain, case)
    assert [found.lower, found.upper] == case["bounds"], case.get("section")
    assert found.level == (found.lower if found.lower == found.upper else None)
    if "flags" in case:
        assert list(found.flags) == case["flags"]
    for name in ("low_igg_counted", "low_igg_from_drug"):
        if name in case:
            assert list(found.alternatives[name.replace("_", "-")]) == case[name]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES["rating"]])
def test_a_rating_disagrees_only_outside_the_bounds(case: Mapping[str, Any]) -> None:
    found = disagreement(case.get("rated"), Proposal("renal", *case["bounds"]))
    assert (found is not None) is case["disagrees"]


TRUTH = st.sampled_from([True, False])
KNOWN: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "biological": {
        "igg": st.sampled_from(["3", "5", "12", "16", "20", "21"]), "low_complement": TRUTH,
        "clonal_component": TRUTH, "cryoglobulin": TRUTH, "recent_fall": TRUTH, "drug_caused": TRUTH,
    },
    "renal": {
        "proteinuria": st.sampled_from(["0.1", "0.5", "1", "1.2", "1.5", "2"]), "haematuria": TRUTH,
        "gfr": st.sampled_from(["30", "60", "100"]), "tubular_acidosis": TRUTH, "glomerular": TRUTH,
        "active": TRUTH,
    },
    "muscular": {
        "proven": TRUTH, "ck_multiple": st.sampled_from(["1", "2", "3", "4", "5"]),
        "weakest": st.sampled_from(["2", "3", "4", "5"]),
    },
    "pulmonary": {
        "interstitial": TRUTH, "dlco": st.sampled_from(["30", "40", "70"]),
        "fvc": st.sampled_from(["50", "60", "80"]), "nyha": st.sampled_from(["1", "2", "3", "4"]),
        "cough": TRUTH,
    },
    "constitutional": {
        "temperature": st.sampled_from(["36", "37.5", "38.5", "39"]),
        "weight_loss": st.sampled_from(["0", "5", "10", "11"]), "night_sweats": TRUTH, "from_disease": TRUTH,
    },
}  # fmt: skip


@pytest.mark.parametrize("domain", KNOWN)
@given(data=st.data())
def test_bounds_enclose_every_completion(domain: str, data: st.DataObject) -> None:
    """What is left out narrows the bounds once it is known, and never moves the level outside them.

    A low IgG of which nobody said that a drug caused it is the exception by decision: it counts (§1.5.1).
    """
    full = {name: data.draw(each) for name, each in KNOWN[domain].items()}
    kept = {name for name in full if data.draw(st.booleans())}
    if domain == "biological":
        kept.add("drug_caused")
    rule = getattr(derived(), domain)
    partly = FUNCTIONS[domain](**values({name: full[name] for name in kept}), rule=rule)
    wholly = FUNCTIONS[domain](**values(full), rule=rule)
    assert wholly.level is not None
    assert partly.lower <= wholly.level <= partly.upper
    assert wholly.level in ESSDAI_DOMAINS[domain][1]


@given(data=st.data())
def test_bounds_of_blood_cells_enclose_every_completion(data: st.DataObject) -> None:
    counts = {
        "neutrophils": ["0.4", "0.5", "1", "1.5"], "haemoglobin": ["79", "80", "100", "120"],
        "platelets": ["49", "50", "100", "150"], "lymphocytes": ["0.4", "0.5", "1"],
    }  # fmt: skip
    full = {name: data.draw(st.sampled_from(choices)) for name, choices in counts.items()}
    causes = {name: data.draw(TRUTH) for name in counts}
    partly = haematological(
        values({name: each if data.draw(st.booleans()) else "none" for name, each in full.items()}),
        {name: each for name, each in causes.items() if data.draw(st.booleans())},
        derived().haematological,
    )
    wholly = haematological(values(full), causes, derived().haematological)
    assert wholly.level is not None
    assert partly.lower <= wholly.level <= partly.upper


# ------------------------------------------------------------------------------------------- a visit

VISIT = Visit("week-28", day("2024-09-30"), day("2024-10-14"), day("2024-10-28"))


def at_visit(*lines: str, due: bool = True) -> dict[str, Proposal]:
    """The proposals of week 28; the last line of an item is the one that the visit chose."""
    facts = [*lines, *DOSES]
    known = record(facts)
    chosen = {each.item: each for each in map(lab, (line for line in facts if line.startswith("lab")))}
    inside = {item: each for item, each in chosen.items() if VISIT.first <= each.at.first <= VISIT.last}
    evidence = Evidence("JSS-01", "week-28", VISIT, due, inside)
    random.Random(1).shuffle(facts)
    found = proposals(known, evidence, derived(), egfr_rule())
    assert found == proposals(record(facts), evidence, derived(), egfr_rule())
    assert {flag for each in found for flag in each.flags} <= {*FLAGS, "formulas-disagree-about-60"}
    return {each.domain: each for each in found}


def test_of_what_nothing_is_known_nothing_is_proposed() -> None:
    assert at_visit() == {}
    assert set(at_visit("lab 2024-10-14 igg 25", "says 2024-10-14 night-sweats no")) == {
        "biological", "constitutional",
    }  # fmt: skip


@pytest.mark.parametrize("domain", sorted(KNOWN))
def test_nothing_known_encloses_every_level(domain: str) -> None:
    found = FUNCTIONS[domain](rule=getattr(derived(), domain))
    assert (found.lower, found.upper) == (0, max(ESSDAI_DOMAINS[domain][1]))


def test_a_visit_that_is_not_due_proposes_nothing() -> None:
    assert at_visit("lab 2024-10-14 igg 25", due=False) == {}


def test_low_igg_after_rituximab_is_shown_both_ways() -> None:
    """§1.5.1: 0 only with an explicit attribution, else 2."""
    normal = ("lab 2024-10-14 c3 1 0.8..1.6", "lab 2024-10-14 c4 0.2 0.1..0.4",
              "lab 2024-10-14 ch50 40 30..60", "lab 2024-10-14 cryoglobulin negative",
              "lab 2024-10-14 monoclonal-protein negative", "lab 2024-05-10 igg 9",
              "lab 2024-10-14 igg 4.2")  # fmt: skip
    found = at_visit(*normal)["biological"]
    assert (found.level, found.flags) == (2, ("low-igg-not-attributed",))
    assert found.alternatives["low-igg-from-drug"] == (0, 0)
    cleared = at_visit(*normal, "says 2024-10-14 low-igg-drug-caused yes")["biological"]
    assert (cleared.level, cleared.alternatives["low-igg-counted"]) == (0, (2, 2))
    at_baseline = at_visit(*normal, "says 2024-04-01 low-igg-drug-caused yes")["biological"]
    assert at_baseline.level == 2


def test_a_low_igg_that_was_low_before_is_no_recent_fall() -> None:
    lines = ("lab 2024-05-10 igg 4.5", "lab 2024-10-14 igg 4.2", "lab 2024-10-14 cryoglobulin negative")
    assert at_visit(*lines)["biological"].upper == 1


def test_the_worst_value_of_the_window_stands_beside() -> None:
    """§1.5.7: the value of the visit leads."""
    cells = ("lab 2024-10-14 neutrophils 3", "lab 2024-10-14 haemoglobin 130", "lab 2024-10-14 lymphocytes 2",
             "says 2024-10-14 thrombocytopenia-autoimmune yes")  # fmt: skip
    found = at_visit(*cells, "lab 2024-10-02 platelets 60", "lab 2024-10-14 platelets 160")["haematological"]
    assert found.level == 0
    assert found.alternatives["worst-value"] == (2, 2)


def test_the_laboratorys_own_range_is_a_flag_only() -> None:
    """§1.5.4."""
    found = at_visit("lab 2024-10-14 haemoglobin 115 110..145", "says 2024-10-14 anaemia-autoimmune yes")
    assert found["haematological"].lower == 1
    assert "within-laboratory-range" in found["haematological"].flags


def test_kidneys_from_the_ratio_where_no_24_hours_were_collected() -> None:
    """§1.5.3, §8.2: 0.413 × 140 / 0.5 is above 60."""
    says = [f"says 2024-10-14 {each}" for each in (
        "glomerular-disease yes", "glomerular-haematuria no", "tubular-acidosis no", "renal-active yes",
    )]  # fmt: skip
    body = ("born 2011-06-01", "female", "lab 2024-10-14 height 140", "lab 2024-10-14 creatinine 0.5")
    found = at_visit(*says, *body, "lab 2024-10-14 upcr 1.2")["renal"]
    assert (found.level, found.flags) == (2, ("proteinuria-from-ratio",))
    assert (
        at_visit(*says, *body, "lab 2024-10-14 upcr 1.2", "lab 2024-10-14 urine-protein-24h 0.3")[
            "renal"
        ].level
        == 0
    )


def test_weight_is_held_against_the_childs_own() -> None:
    """§1.3: 36 of 40 kg is a loss of exactly 10 %, which is low."""
    lines = ("lab 2024-10-14 temperature 36.8", "says 2024-10-14 night-sweats no",
             "says 2024-10-14 constitutional-from-disease yes")  # fmt: skip
    assert (
        at_visit(*lines, "lab 2024-06-01 weight 40", "lab 2024-10-14 weight 36")["constitutional"].level == 1
    )
    assert (
        at_visit(*lines, "lab 2024-06-01 weight 40", "lab 2024-10-14 weight 35.9")["constitutional"].level
        == 2
    )
    assert (
        at_visit(*lines, "lab 2024-06-01 weight 40", "lab 2024-10-14 weight 42")["constitutional"].level == 0
    )
    assert at_visit(*lines, "lab 2024-10-14 weight 36")["constitutional"].upper == 2


def test_creatine_kinase_counts_in_multiples_of_its_limit() -> None:
    found = at_visit("lab 2024-10-14 ck 340 ..170", "says 2024-10-14 myositis-proven yes")["muscular"]
    assert (found.lower, found.upper) == (1, 3)
    assert at_visit("lab 2024-10-14 ck 700", "says 2024-10-14 myositis-proven no")["muscular"].level == 0


def test_a_proposal_names_what_it_rests_on() -> None:
    found = at_visit("lab 2024-10-14 ck 340 ..170", "says 2024-10-14 myositis-proven yes")["muscular"]
    assert [piece.origins[0].id for piece in found.evidence] == [
        "lab 2024-10-14 ck 340 ..170", "says 2024-10-14 myositis-proven yes",
    ]  # fmt: skip


def test_how_far_back_an_earlier_value_reaches() -> None:
    """196 days before 2024-10-14 is 2024-04-01, 180 days is 2024-04-17."""
    low = ("lab 2024-10-14 igg 4.2",)
    assert at_visit("lab 2024-04-01 igg 9", *low)["biological"].level == 2
    assert at_visit("lab 2024-03-31 igg 9", *low)["biological"].level is None
    weighed = ("lab 2024-10-14 weight 35", "lab 2024-10-14 temperature 36.8",
               "says 2024-10-14 constitutional-from-disease yes",
               "says 2024-10-14 night-sweats no")  # fmt: skip
    assert at_visit("lab 2024-04-17 weight 40", *weighed)["constitutional"].level == 2
    assert at_visit("lab 2024-04-16 weight 40", *weighed)["constitutional"].level is None
