"""Participants and their outcomes, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from fhir_adapter.pipeline.score import Scored
from fhir_adapter.report import show
from fhir_adapter.report.table import Table
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Outcome
from fhir_adapter.trial.values import Truth

SCORES: Mapping[OutcomeCode, tuple[OutcomeCode, str]] = {
    OutcomeCode.ESSDAI: (OutcomeCode.ESSDAI_CHANGE, "ESSDAI"),
    OutcomeCode.CLINESSDAI: (OutcomeCode.CLINESSDAI_CHANGE, "ClinESSDAI"),
    OutcomeCode.ESSPRI: (OutcomeCode.ESSPRI_CHANGE, "ESSPRI"),
    OutcomeCode.SCHIRMER: (OutcomeCode.SCHIRMER_CHANGE, "Schirmer mm"),
    OutcomeCode.SALIVARY_FLOW: (OutcomeCode.SALIVARY_FLOW_CHANGE, "flow mL/min"),
    OutcomeCode.HOCEVAR: (OutcomeCode.HOCEVAR_CHANGE, "Hočevar"),
}
"""Score → its change, and the heading of its column."""

INDICATORS = ("a-physician-global", "b-esr", "c-b-cell-markers", "d-schirmer", "e-salivary")
"""The five indicators of the response, in their order."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or the reason why there is none and the bounds between which it lies."""

    number: Fraction | None
    unit: str
    reason: str | None
    low: Fraction | None = None
    high: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A score at baseline and at the endpoint, and its change."""

    baseline: Value
    followup: Value
    change: Value


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes, no, or open for a reason."""

    met: Truth
    reason: str | None


@dataclass(frozen=True, slots=True)
class Participant:
    """The outcomes of one participant. An outcome that the protocol does not ask for is not there."""

    subject: str
    status: str
    dosed: bool
    scores: Mapping[str, Score]
    star: Value | None
    star_responder: Answer | None
    indicators: Mapping[str, Answer]
    response: str | None
    reason: str | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotCounted:
    """Somebody on the study's list who does not take part, or not yet."""

    subject: str
    status: str


def participants(scored: Scored, protocol: Protocol) -> list[Participant]:
    """Every participant who counts, by study number."""
    return [_participant(scored, subject, protocol) for subject in sorted(scored.assessments)]


def not_counted(scored: Scored) -> list[NotCounted]:
    """Who is on the list without taking part, with the status that says why."""
    return [
        NotCounted(id, subject.status)
        for id, subject in sorted(scored.subjects.items())
        if id not in scored.assessments
    ]


def _participant(scored: Scored, id: str, protocol: Protocol) -> Participant:
    found = {(each.code, each.visit): each for each in scored.assessments[id].outcomes}
    base, last = protocol.baseline, protocol.endpoint
    scores = {
        str(code): Score(
            _value(found[(code, base)]), _value(found[(code, last)]), _value(found[(change, last)])
        )
        for code, (change, _) in SCORES.items()
        if (code, base) in found and (code, last) in found
    }
    star, response = found.get((OutcomeCode.STAR, last)), found.get((OutcomeCode.RESPONSE, last))
    return Participant(
        id,
        scored.subjects[id].status,
        scored.dosed(id),
        scores,
        _value(star) if star else None,
        _answer(star, "responder") if star else None,
        {name: _answer(response, name) for name in INDICATORS} if response else {},
        response.result if response else None,
        response.reason if response else None,
        response.flags if response else (),
    )


def _value(outcome: Outcome) -> Value:
    between = outcome.bounds
    return Value(
        outcome.number,
        outcome.unit,
        outcome.reason,
        between.low if between else None,
        between.high if between else None,
    )


def _answer(outcome: Outcome, name: str) -> Answer:
    part = outcome.component(name)
    return Answer(part.answer, part.reason)


def table(people: list[Participant], left_out: list[NotCounted], protocol: Protocol) -> Table:
    """The participants as a clinician reads them; what is missing says why in a word."""
    asked = [
        (code, title) for code, (_, title) in SCORES.items() if any(code in one.scores for one in people)
    ]
    columns = (
        "subject",
        "status",
        *(title for _, title in asked),
        *(("STAR", "STAR resp.") if protocol.star else ()),
        *(tuple(name[0] for name in INDICATORS) if protocol.response else ()),
        *(("response",) if protocol.response else ()),
    )
    rows = []
    for one in people:
        cells = [one.subject, one.status, *(_score(one.scores[code]) for code, _ in asked)]
        if one.star and one.star_responder:
            cells += [_points(one.star), _said(one.star_responder)]
        cells += (_said(answer) for answer in one.indicators.values())
        if one.indicators:
            cells.append(_response(one))
        rows.append(tuple(cells))
    notes = [f"Scores: {protocol.baseline} → {protocol.endpoint} (change)."]
    if protocol.response:
        notes[0] += " a physician's global, b ESR, c IgG or RF, d Schirmer, e saliva."
    if left_out:
        notes.append(
            "Not counted: " + ", ".join(f"{each.subject} ({each.status})" for each in left_out) + "."
        )
    return Table(
        f"Participants, {protocol.baseline} and {protocol.endpoint}", columns, tuple(rows), tuple(notes)
    )


def _number(value: Value) -> str:
    return show.reason(value.reason) if value.number is None else show.number(value.number, value.unit)


def _score(score: Score) -> str:
    before, after = _number(score.baseline), _number(score.followup)
    if before == after and score.baseline.number is None:
        return before
    change = score.change
    if change.number is None:
        return f"{before} → {after}"
    return f"{before} → {after} ({show.signed(change.number, change.unit)})"


def _points(star: Value) -> str:
    if star.number is None and star.low is not None and star.high is not None:
        return f"{show.number(star.low)} to {show.number(star.high)}"
    return _number(star)


def _said(answer: Answer) -> str:
    return show.truth(answer.met) if answer.met is not None else show.reason(answer.reason)


def _response(one: Participant) -> str:
    return show.reason(one.reason) if one.response in (None, "not-due") else one.response
