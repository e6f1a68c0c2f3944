"""All outcomes of one participant: choose the evidence, score it, and again under each other anchor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import Struct

from fhir_adapter.scores import calendar, essdai, esspri, hocevar, response, salivary_flow, schirmer, star
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Component, Dose, Measurement, Outcome, Problem, Subject
from fhir_adapter.trial.windows import Evidence, anchors, course, evidence

Key = tuple[str, str]
"""Outcome code and visit."""


class Assessment(Struct, frozen=True, gc=False):
    """The outcomes of one participant, the evidence of each visit, and the results that contradict others.

    ``dosed`` says whether a study drug was given, on or after consent: only then does the participant count
    in a rate (dossier §13).
    """

    outcomes: tuple[Outcome, ...]
    visits: Mapping[str, Evidence]
    conflicts: tuple[Measurement, ...]
    dosed: bool


def assess(
    subject: Subject,
    measurements: Mapping[str, Sequence[Measurement]],
    doses: Sequence[Dose],
    protocol: Protocol,
    as_of: date,
) -> Assessment:
    """Every outcome that the protocol asks for, as of a day.

    ``measurements`` are settled, and none is from after ``subject.until(as_of)``; nor is a dose from after
    that day used.
    """
    end = subject.until(as_of)
    given = tuple(dose for dose in doses if dose.day <= end)
    found = anchors(given, subject.consent, protocol)
    default = protocol.anchor.default
    by_anchor = {
        name: _visits(subject.id, measurements, found[name], protocol, as_of, brief=name != default)
        for name in (default, *protocol.anchor.alternatives)
    }
    scored = {default: _scored(by_anchor[default], given, protocol)}
    for name in protocol.anchor.alternatives:
        # Days apart, the anchors often choose the same measurements, and then the answers are the same.
        same = _alike(by_anchor[name], by_anchor[default])
        scored[name] = scored[default] if same else _scored(by_anchor[name], given, protocol)
    outcomes = [
        outcome.extended(_alternatives(key, scored, protocol)) for key, outcome in scored[default].items()
    ]
    # What was given before consent is history (§14.5).
    studied = [dose for dose in given if subject.consent is None or dose.day >= subject.consent]
    dosed = any(dose.given and dose.drug in protocol.drugs for dose in studied)
    if dosed and subject.ended:
        outcomes = [response.failed(each) if each.code == OutcomeCode.RESPONSE else each for each in outcomes]
    if protocol.calendar is not None:
        flags = ("no-consent-date",) if subject.consent is None and course(given, protocol.drugs[0]) else ()
        outcomes.append(calendar.score(subject.id, studied, found, protocol, protocol.calendar, flags))
    conflicts = (
        each for group in measurements.values() for each in group if each.problem is Problem.CONFLICT
    )
    return Assessment(tuple(outcomes), by_anchor[default], tuple(conflicts), dosed)


def _visits(
    subject: str,
    measurements: Mapping[str, Sequence[Measurement]],
    anchor: Dose | None,
    protocol: Protocol,
    as_of: date,
    *,
    brief: bool,
) -> dict[str, Evidence]:
    return {
        rule.name: evidence(
            subject, rule, anchor, measurements, as_of, baseline=rule.name == protocol.baseline, brief=brief
        )
        for rule in protocol.visits.values()
    }


def _alike(one: Mapping[str, Evidence], other: Mapping[str, Evidence]) -> bool:
    """Whether the same measurements stand at each visit under two anchors, and both are due or neither."""
    return all(
        (evidence.due, evidence.window is None) == (other[name].due, other[name].window is None)
        and evidence.chosen == other[name].chosen
        for name, evidence in one.items()
    )


def _scored(
    visits: Mapping[str, Evidence], doses: tuple[Dose, ...], protocol: Protocol
) -> dict[Key, Outcome]:
    """The outcomes under one anchor, in the order of the record."""
    found: dict[Key, Outcome] = {}
    base = protocol.baseline
    before = visits[base]

    def keep(outcome: Outcome) -> None:
        found[(outcome.code, outcome.visit)] = outcome

    def followups(names: Sequence[str]) -> list[str]:
        return [name for name in names if name != base]

    if protocol.essdai:
        rule = protocol.essdai
        for index in (OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI):
            for name in rule.visits:
                keep(essdai.score(visits[name], index, rule))
            for name in followups(rule.visits):
                keep(essdai.score_change(found[(index, base)], found[(index, name)], rule))
    if protocol.esspri:
        for name in protocol.esspri.visits:
            keep(esspri.score(visits[name], protocol.esspri))
        for name in followups(protocol.esspri.visits):
            pair = _pair(found, OutcomeCode.ESSPRI, base, name)
            keep(esspri.score_change(*pair, protocol.esspri))
    if protocol.schirmer:
        rise = protocol.response.schirmer_rise if protocol.response else None
        for name in protocol.schirmer.visits:
            keep(schirmer.score(visits[name], protocol.schirmer))
        for name in followups(protocol.schirmer.visits):
            pair = _pair(found, OutcomeCode.SCHIRMER, base, name)
            keep(schirmer.score_change(before, visits[name], *pair, protocol.schirmer, rise))
    if protocol.salivary_flow:
        for name in protocol.salivary_flow.visits:
            keep(salivary_flow.score(visits[name], protocol.salivary_flow))
        for name in followups(protocol.salivary_flow.visits):
            pair = _pair(found, OutcomeCode.SALIVARY_FLOW, base, name)
            keep(salivary_flow.score_change(before, visits[name], *pair))
    if protocol.hocevar:
        for name in protocol.hocevar.visits:
            keep(hocevar.score(visits[name]))
        for name in followups(protocol.hocevar.visits):
            keep(hocevar.score_change(*_pair(found, OutcomeCode.HOCEVAR, base, name)))
    if protocol.star and protocol.essdai and protocol.esspri:
        for name in protocol.star.visits:
            compared = star.Visits(
                before,
                visits[name],
                _pair(found, OutcomeCode.CLINESSDAI, base, name),
                _pair(found, OutcomeCode.ESSDAI, base, name),
                _pair(found, OutcomeCode.ESSPRI, base, name),
            )
            keep(star.score(compared, protocol.star))
    if protocol.response:
        for name in protocol.response.visits:
            keep(response.score(before, visits[name], doses, protocol.response))
    return found


def _pair(found: Mapping[Key, Outcome], code: OutcomeCode, base: str, name: str) -> tuple[Outcome, Outcome]:
    return found[(code, base)], found[(code, name)]


def _alternatives(
    key: Key, scored: Mapping[str, Mapping[Key, Outcome]], protocol: Protocol
) -> list[Component]:
    """What the outcome would be, counted from each other anchor; or why there is nothing (§14.17)."""
    return [_under(f"anchor-{name}", scored[name][key]) for name in protocol.anchor.alternatives]


_NOTHING = ("no-anchor", "not-due", "not-assessed")


def _under(name: str, other: Outcome) -> Component:
    result = None if other.reason in _NOTHING else other.result
    return Component(
        name,
        number=other.number,
        unit=other.unit or "{score}",
        code=result,
        reason=other.reason if other.number is None and result is None else None,
    )
