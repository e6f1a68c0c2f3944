"""What a report tells of everybody, summed up one participant after another."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_adapter.conduct.rules import EligibilityRule
from fhir_adapter.pipeline.score import Scored, ScoredOne, Scoring
from fhir_adapter.report.dosing import Treatment, treatment
from fhir_adapter.report.eligibility import Count, Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores without evidence, and how often those who take part satisfy each criterion and were treated."""

    scored: Scored
    criteria: list[Count]
    treatments: list[Treatment]


def summed(scoring: Scoring, rule: EligibilityRule | None) -> Summary:
    """Everybody on the list; memory grows with the outcomes, not with what they rest on."""
    kept: list[ScoredOne] = []
    treatments: list[Treatment] = []
    tally = Tally(rule) if rule else None
    for one in scoring.participants():
        kept.append(one.without_evidence())
        if one.assessment is None or one.conduct is None:
            continue
        if tally:
            tally.add(one.conduct)
        treated = treatment(one.conduct)
        if treated:
            treatments.append(treated)
    return Summary(scoring.scored(kept), tally.counts() if tally else [], treatments)
