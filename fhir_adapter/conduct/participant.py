"""All of one participant's conduct: criteria, dosing, and the levels that the laboratory proposes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.conduct.amounts import Unusual, unusual
from fhir_adapter.conduct.answers import Answer
from fhir_adapter.conduct.derived.proposal import Disagreement, Proposal, disagreement
from fhir_adapter.conduct.derived.proposals import proposals
from fhir_adapter.conduct.dosing import Dosing, Plan, review
from fhir_adapter.conduct.eligibility import judge
from fhir_adapter.conduct.record import Record, days_of
from fhir_adapter.conduct.rules import ConductRule, EgfrRule, EligibilityRule
from fhir_adapter.scores.branches import value_of
from fhir_adapter.trial.history import History
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.windows import Evidence


class Struck(Struct, frozen=True, gc=False):
    """A fact that was entered in error: the answer as it is, and as it would be if the fact counted."""

    fact: History
    answer: Answer
    otherwise: Answer


class Conduct(Struct, frozen=True, gc=False):
    """What is known of one participant's conduct; ``dosing`` is None where the trial plans no doses.

    ``day_0`` is None before the first study dose. ``proposals`` and ``disagreements`` are by visit.
    ``struck`` are facts that were entered in error, each with the answer that it would decide.
    """

    subject: str
    day_0: date | None
    answers: tuple[Answer, ...]
    dosing: Dosing | None
    unusual: tuple[Unusual, ...]
    proposals: Mapping[str, tuple[Proposal, ...]]
    disagreements: Mapping[str, tuple[Disagreement, ...]]
    struck: tuple[Struck, ...] = ()


def conduct(
    record: Record, visits: Mapping[str, Evidence], protocol: Protocol, rule: ConductRule, as_of: date
) -> Conduct:
    """The conduct as of a day; ``visits`` is the evidence of each visit under the default anchor.

    Data from after a withdrawal are not used; that a dose was given all the same is told (§13, §14.16).
    """
    until = record.subject.until(as_of)
    known = record.known_on(until)
    eligibility, plan = rule.eligibility, _plan(protocol, rule)
    days = days_of(known, eligibility.day_0, until) if eligibility else None
    answers = judge(known, eligibility, rule.egfr, until) if eligibility else ()
    proposed = {name: _proposed(known, visits[name], rule) for name in _rated(protocol) if name in visits}
    return Conduct(
        record.subject.id,
        days.zero if days and days.begun else None,
        answers,
        review(record, plan, as_of) if plan else None,
        unusual(known, rule.usual_dose) if rule.usual_dose else (),
        proposed,
        {name: tuple(_disagreements(visits[name], found)) for name, found in proposed.items()},
        tuple(_struck(known, answers, eligibility, rule.egfr, until)) if eligibility else (),
    )


def _struck(
    known: Record, answers: tuple[Answer, ...], rule: EligibilityRule, egfr: EgfrRule | None, until: date
) -> Iterator[Struck]:
    """What was entered in error never was (§13); where it would decide a criterion a person looks at it."""
    for fact in known.struck:
        others = judge(known.counting(fact), rule, egfr, until)
        yield from (
            Struck(fact, answer, other)
            for answer, other in zip(answers, others, strict=True)
            if other.holds not in (None, answer.holds)
        )


def _plan(protocol: Protocol, rule: ConductRule) -> Plan | None:
    if protocol.calendar is None:
        return None
    gated = (rule.eligibility.immunoglobulins, rule.eligibility.blood_cells) if rule.eligibility else ()
    return Plan(
        protocol.calendar, protocol.anchor.default, rule.depletion, tuple(each for each in gated if each)
    )


def _rated(protocol: Protocol) -> tuple[str, ...]:
    return protocol.essdai.visits if protocol.essdai else ()


def _proposed(known: Record, evidence: Evidence, rule: ConductRule) -> tuple[Proposal, ...]:
    if rule.derived is None or rule.egfr is None:
        return ()
    return proposals(known, evidence, rule.derived, rule.egfr)


def _disagreements(evidence: Evidence, found: Iterable[Proposal]) -> Iterator[Disagreement]:
    """The rated level wins; where it lies outside the bounds of the proposal somebody must look (§14.1)."""
    for proposal in found:
        rating = evidence.at(f"essdai-{proposal.domain}")
        value = value_of(rating)
        level = value.exact if value else None
        different = disagreement(None if level is None else int(level), proposal)
        if rating and different:
            yield replace(different, origins=rating.origins)
