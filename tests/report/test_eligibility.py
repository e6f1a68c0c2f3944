"""Counts of criteria, and whom another reading concerns; the treatment of a participant."""

from __future__ import annotations

from msgspec.structs import replace

from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.report import dosing, eligibility
from tests.conduct.build import AS_OF, eligibility_rule, record, rules
from tests.scores.build import protocol


def told(subject: str, *lines: str) -> Conduct:
    known = record(lines)
    found = conduct(known, {}, protocol(), rules(), AS_OF)
    return replace(found, subject=subject)


def test_each_criterion_is_counted() -> None:
    """§8 I1: 18 years are inside, before the 18th birthday they are not; a year alone leaves it open."""
    everybody = [told("A", "born 2005-06-01"), told("B", "born 2010-06-01"), told("C", "born 2019")]
    tally = eligibility.Tally(eligibility_rule())
    for each in reversed(everybody):
        tally.add(each)
    counts = {each.criterion: each for each in tally.counts()}
    age = counts["I1"]
    assert (age.satisfied, age.violated, age.undetermined) == (2, 0, 1)
    assert age.changes == {"before-birthday": {"A": "violated"}}
    assert (counts["E6"].satisfied, counts["E2"].undetermined) == (3, 3)
    table = eligibility.counts_table(list(counts.values()))
    assert ("I1", "Age at consent", "2", "0", "1", "before-birthday: A (violated)") in table.rows


def test_gates_do_not_decide_who_may_enter() -> None:
    """§8: E10 can only be judged after rituximab; IgG 3.0 is below 4."""
    found = eligibility.eligibility(
        told("A", "lab 2024-05-10 igg 3.0"), record([]).subject, eligibility_rule()
    )
    assert {each.criterion: each.answer for each in found.criteria}["E10"] == "violated"
    assert found.answer == "undetermined"


def test_a_treatment_in_few_rows() -> None:
    """Five belimumab are missing, and the one that was given had no results before it."""
    treated = dosing.treatment(told("A"))
    assert treated
    assert (treated.course, treated.upkeep, treated.depleted) == (3, 1, None)
    assert [each.kind for each in treated.deviations].count("missing") == 5
    assert treated.said[-2:] == (
        "E10 cannot be judged at belimumab 1", "E11 cannot be judged at belimumab 1",
    )  # fmt: skip
    table = dosing.table([treated], depletion=True)
    assert table.rows[0][:4] == ("A", "3", "1", "open")
    assert len(table.rows) == 7


def test_who_had_no_dose_is_not_listed() -> None:
    known = replace(record([]), doses=())
    assert dosing.treatment(conduct(known, {}, protocol(), rules(), AS_OF)) is None
