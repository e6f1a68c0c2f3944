"""Rates, mean changes and readings of the whole synthetic hospital, against what was worked out by hand."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from sys import getrefcount
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import structs

from fhir_adapter.pipeline.run import rescored, rescoring, run
from fhir_adapter.pipeline.score import Scored, ScoredOne
from fhir_adapter.report import dosing, eligibility, explanation, facts, participants, rates, readings
from fhir_adapter.report.summary import summed
from fhir_adapter.study import Study, read_study
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.types import Measurement
from tests.hospital.generator import hospital, write_ndjson
from tests.hospital.study import AS_OF, write_study

EXPECTED: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "hospital" / "expected.toml").read_text("utf-8")
)
COHORT = EXPECTED["cohort"]


@dataclasses.dataclass(frozen=True)
class Cohort:
    study: Study
    scored: Scored


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    home = tmp_path_factory.mktemp("cohort")
    write_ndjson(hospital(), home)
    study = read_study(write_study(home, hospital="hospital", ratings="ratings", target="outcomes"))
    run(study, frozenset(("pull", "score")), AS_OF)
    scored = rescored(study, AS_OF).scored
    assert scored is not None
    return Cohort(study, scored)


def _found(cohort: Cohort) -> rates.Rates:
    found = rates.rates(cohort.scored, cohort.study.protocol)
    assert found is not None
    return found


def test_the_rates_are_those_worked_out_by_hand(cohort: Cohort) -> None:
    found = _found(cohort)
    wanted = [COHORT[name] for name in ("main", "observed", "best", "worst", "literal")]
    assert [(each.responders, each.n) for each in found.response] == [
        (each["responders"], each["of"]) for each in wanted
    ]
    exact = found.response[0].clopper_pearson
    assert exact is not None
    assert [f"{each:.4f}" for each in exact] == [COHORT["main"]["low"], COHORT["main"]["high"]]
    assert [(each.responders, each.n) for each in found.star] == [
        (each["responders"], each["of"]) for each in (COHORT["star"], COHORT["star_more_than_five"])
    ]


def test_all_enrolled_counts_who_ended_without_a_dose(cohort: Cohort) -> None:
    scored, main = cohort.scored, COHORT["main"]
    enrolled = _found(cohort).enrolled
    assert enrolled is not None
    assert enrolled.n == main["of"]
    untreated = structs.replace(scored.assessments["JSS-05"], dosed=False)
    for status, more in (("withdrawn", 1), ("on-study", 0)):
        subject = structs.replace(scored.subjects["JSS-05"], status=status)
        changed = structs.replace(
            scored,
            subjects={**scored.subjects, "JSS-05": subject},
            assessments={**scored.assessments, "JSS-05": untreated},
        )
        found = rates.rates(changed, cohort.study.protocol)
        assert found is not None
        assert found.enrolled is not None
        assert found.response[0].n == main["of"] - 1
        assert found.enrolled.n == main["of"] - 1 + more


def test_the_mean_changes_are_over_those_who_have_one(cohort: Cohort) -> None:
    found = {each.code: each for each in rates.mean_changes(cohort.scored, cohort.study.protocol)}
    for code in ("essdai", "esspri", "schirmer", "hocevar"):
        known = [
            Fraction(Decimal(each["change"][code]))
            for each in EXPECTED["participant"]
            if each.get("change", {}).get(code, "none") != "none"
        ]
        one = found[code]
        assert (one.n, one.due) == (len(known), COHORT["denominator"])
        assert one.mean is not None
        assert abs(one.mean - sum(known, Fraction(0)) / len(known)) < Fraction(1, 1000)


def test_the_readings_change_whom_the_expectations_name(cohort: Cohort) -> None:
    effects = {
        (each.outcome, each.reading): each for each in readings.readings(cohort.scored, cohort.study.protocol)
    }
    for (outcome, reading), effect in effects.items():
        if outcome != "response" or reading.startswith("anchor-"):
            continue
        wanted = {
            each["id"]: each["response"]["differs"][reading]
            for each in EXPECTED["participant"]
            if reading in each["response"].get("differs", {})
        }
        unstated = {
            each["id"] for each in EXPECTED["participant"] if reading in each["response"].get("unstated", ())
        }
        changed = {one.subject: one.alternative for one in effect.changed if one.subject not in unstated}
        assert changed == wanted, reading
    assert [one.subject for one in effects[("star", "responder-more-than-five")].changed] == [
        "JSS-04",
        "JSS-13",
    ]


def test_no_data_under_an_anchor_is_no_change(cohort: Cohort) -> None:
    effects = {
        (each.outcome, each.reading): each for each in readings.readings(cohort.scored, cohort.study.protocol)
    }
    for each in EXPECTED["participant"]:
        for anchor, wanted in each.get("anchors", {}).items():
            effect = effects[("response", f"anchor-{anchor}")]
            changed = {one.subject: one.alternative for one in effect.changed}
            if wanted.get("response") == "no data":
                assert each["id"] in (*effect.no_data, *effect.no_dose, *effect.not_due)
                assert each["id"] not in changed
            elif wanted.get("response") and wanted["response"] != each["response"]["result"]:
                assert changed[each["id"]] == wanted["response"]


def test_what_is_not_due_is_in_no_reading(cohort: Cohort) -> None:
    for effect in readings.readings(cohort.scored, cohort.study.protocol):
        named = {one.subject for one in effect.changed} | {
            *effect.no_data,
            *effect.no_dose,
            *effect.uncertain,
        }
        assert not named & set(COHORT["not_due"])


def test_the_participants_and_those_who_are_not_counted(cohort: Cohort) -> None:
    people = participants.participants(cohort.scored, cohort.study.protocol)
    left_out = participants.not_counted(cohort.scored)
    assert [each.subject for each in people] == [each["id"] for each in EXPECTED["participant"]]
    assert [each.subject for each in left_out] == COHORT["never_counted"]
    table = participants.table(people, left_out, cohort.study.protocol)
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["JSS-06"]["response"] == rows["JSS-06"]["STAR"] == rows["JSS-06"]["a"] == "not due"
    assert rows["JSS-06"]["ESSDAI"] == "10 → not due"
    assert rows["JSS-10"]["STAR"] == "8 to 9"
    assert rows["JSS-10"]["b"] == "conflict"
    assert rows["JSS-11"]["ESSDAI"] == "13 → refused"
    assert rows["JSS-05"]["response"] == "undetermined"


@pytest.mark.parametrize("code", list(OutcomeCode))
def test_every_outcome_is_explained_down_to_its_sources(cohort: Cohort, code: OutcomeCode) -> None:
    """The addresses that an explanation names are exactly the outcome's own sources.

    As lines, the ultrasound's grades are listed for its own score only.
    """

    def named(pieces: tuple[Any, ...]) -> set[str]:
        found: set[str] = set()
        for piece in pieces:
            if isinstance(piece, facts.Fact):
                found.update(source.url for source in piece.sources)
            else:
                found |= named(piece.rests_on)
                for part in piece.parts:
                    found |= named(part.rests_on)
        return found

    for subject, assessment in cohort.scored.assessments.items():
        grades = {
            origin.url
            for each in assessment.outcomes
            for piece in each.rests_on
            if isinstance(piece, Measurement) and piece.item.startswith("hocevar-")
            for origin in piece.origins
            if code not in (OutcomeCode.HOCEVAR, OutcomeCode.HOCEVAR_CHANGE)
        }
        accounts = explanation.accounts(cohort.scored, subject, code, cohort.study.protocol)
        outcomes = [each for each in assessment.outcomes if each.code == code]
        assert len(accounts) == len(outcomes)
        for account, outcome in zip(accounts, outcomes, strict=True):
            assert named((account,)) == {origin.url for origin in outcome.origins}
            text = "\n".join(explanation.tree(account).lines())
            assert all(origin.url in text for origin in outcome.origins if origin.url not in grades)


def test_a_report_holds_no_participants_evidence_but_that_of_one(cohort: Cohort) -> None:
    """Of thousands, what the answers rest on is most of the memory."""
    held: set[tuple[int, int]] = set()
    rule = cohort.study.conduct.eligibility

    with rescoring(cohort.study, AS_OF) as scoring:
        everybody = scoring.participants

        def watched() -> Iterator[ScoredOne]:
            for one in everybody():
                yield one
                # Each count is one more for the call: this loop and the one that asks, and the participant.
                held.add((getrefcount(one), getrefcount(one.conduct)))

        with patch.object(scoring, "participants", watched):
            found = summed(scoring, rule)
    assert held == {(3, 2)}
    assert rule is not None
    taking_part = [cohort.scored.conduct[id] for id in cohort.scored.assessments]
    tally = eligibility.Tally(rule)
    for each in taking_part:
        tally.add(each)
    assert found.criteria == tally.counts()
    assert len(found.criteria) == 20
    assert found.treatments == list(filter(None, map(dosing.treatment, taking_part)))
    protocol = cohort.study.protocol
    assert rates.rates(found.scored, protocol) == rates.rates(cohort.scored, protocol)
    assert readings.readings(found.scored, protocol) == readings.readings(cohort.scored, protocol)
    assert participants.participants(found.scored, protocol) == participants.participants(
        cohort.scored, protocol
    )
