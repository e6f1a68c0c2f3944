"""For whom an ambiguous sentence of the record matters: each alternative reading, and each anchor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_adapter.pipeline.score import Scored
from fhir_adapter.report.table import Table
from fhir_adapter.scores import star
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import exactly


@dataclass(frozen=True, slots=True)
class Changed:
    """A participant whose classification is another one under a reading."""

    subject: str
    default: str
    alternative: str


@dataclass(slots=True)
class ReadingEffect:
    """What one alternative reading or anchor does to one classification.

    ``same`` counts those for whom nothing changes; ``no_data`` have no data in the window of that anchor
    (§14.17), ``no_dose`` never had the dose that it counts from, ``not_due`` have a window that is still
    open; of the points of those in ``uncertain`` an input is missing there.
    """

    outcome: str
    reading: str
    title: str
    same: int = 0
    changed: list[Changed] = field(default_factory=list)
    no_data: list[str] = field(default_factory=list)
    no_dose: list[str] = field(default_factory=list)
    not_due: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)


def readings(scored: Scored, protocol: Protocol) -> list[ReadingEffect]:
    """Every alternative at the endpoint, whether it changes anything or not."""
    last = protocol.endpoint
    effects: dict[tuple[str, str], ReadingEffect] = {}
    for code in (OutcomeCode.RESPONSE, OutcomeCode.STAR):
        for subject, outcome in scored.outcomes(code, last).items():
            default = outcome.result or _responder(outcome)
            if outcome.reason in ("not-due", "no-anchor"):
                continue
            for part in _alternatives(outcome):
                title = COMPONENTS[part.name]
                effect = effects.setdefault((code, part.name), ReadingEffect(str(code), part.name, title))
                _note(effect, subject, default, part, protocol)
    return list(effects.values())


def _alternatives(outcome: Outcome) -> Iterator[Component]:
    """The components that answer the same question under another reading."""
    for part in outcome.components:
        if part.name.startswith("anchor-"):
            yield part
        elif outcome.code == OutcomeCode.RESPONSE:
            if part.code is not None:
                yield part
        elif part.name.startswith("responder-") and part.name != "responder-nri":
            yield part


def _responder(outcome: Outcome) -> str:
    return _said(outcome.component("responder").answer)


def _said(answer: bool | None) -> str:
    return "undetermined" if answer is None else "responder" if answer else "non-responder"


def _note(effect: ReadingEffect, subject: str, default: str, part: Component, protocol: Protocol) -> None:
    if part.reason == "no-anchor":
        effect.no_dose.append(subject)
        return
    if part.reason == "not-due" or part.code == "not-due":
        effect.not_due.append(subject)
        return
    if part.name.startswith("anchor-") and part.reason is not None:
        (effect.no_data if part.reason == "not-assessed" else effect.uncertain).append(subject)
        return
    if part.code is not None:
        other = part.code
    elif part.number is not None and protocol.star is not None:
        reading = protocol.star.threshold_reading.default
        other = _said(star.responder(exactly(part.number), protocol.star.threshold, reading))
    else:
        other = _said(part.answer)
    if other == default:
        effect.same += 1
    else:
        effect.changed.append(Changed(subject, default, other))


def table(effects: list[ReadingEffect]) -> Table:
    """One row a reading, with the participants whose classification it changes."""
    rows = []
    for each in effects:
        changed = ", ".join(f"{one.subject} ({one.default} → {one.alternative})" for one in each.changed)
        groups = (("no dose", each.no_dose), ("not due", each.not_due), ("points open", each.uncertain))
        cannot = [f"{one} ({why})" for why, subjects in groups for one in subjects]
        rows.append(
            (
                each.outcome,
                each.reading,
                changed or "nobody",
                ", ".join(each.no_data) or "–",
                ", ".join(cannot) or "–",
            )
        )
    return Table(
        "Readings: whose classification changes",
        ("outcome", "reading", "changes for", "no data in the window", "cannot be told"),
        tuple(rows),
    )
