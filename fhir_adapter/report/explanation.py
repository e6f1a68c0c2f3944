"""Why an outcome is what it is: down through components and readings to the source resources.

Every step is data first; ``tree`` makes lines of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from fhir_adapter.conduct.names import CRITERIA
from fhir_adapter.pipeline.score import Scored
from fhir_adapter.report import facts, show
from fhir_adapter.report.facts import Fact, Source
from fhir_adapter.report.table import Branch
from fhir_adapter.scores.assess import Assessment
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.history import History
from fhir_adapter.trial.items import FLAGS, OUTCOMES, REASONS, OutcomeCode
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Component, Dose, Measurement, Outcome

Ground = Measurement | Dose | Outcome | History
"""What an outcome or a component rests on."""


@dataclass(frozen=True, slots=True)
class Window:
    """The days that count for a visit, and the dose that it is counted from."""

    visit: str
    anchor: str
    first: date
    target: date
    last: date
    open: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A component: an intermediate answer or an alternative reading, with what it rests on.

    ``label`` is what the trial calls it, or which ones a number counts; ``detail`` are words on its value.
    """

    name: str
    title: str
    value: str
    number: Fraction | None
    reason: str | None
    label: str
    detail: str
    rests_on: tuple[Fact | Account, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An outcome with everything that it rests on.

    ``windows`` are those of all visits, at the outcome that is asked about only. ``rests_on`` holds what no
    component names as its own.
    """

    subject: str
    visit: str
    outcome: str
    title: str
    value: str
    number: Fraction | None
    reason: str | None
    detail: str
    flags: tuple[str, ...]
    windows: tuple[Window, ...]
    parts: tuple[Part, ...]
    rests_on: tuple[Fact | Account, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """A participant at a glance: dates, windows, and every outcome with its value."""

    subject: str
    status: str
    consent: date | None
    withdrawn: date | None
    patients: tuple[str, ...]
    windows: tuple[Window, ...]
    doses: tuple[Fact, ...]
    outcomes: tuple[Account, ...]


def overview(scored: Scored, subject: str, protocol: Protocol) -> Overview:
    """The participant's dates, doses and outcomes. Raises KeyError for somebody who is not known."""
    who, assessment = scored.subjects[subject], scored.assessments.get(subject)
    windows = _windows(assessment, protocol) if assessment else ()
    outcomes = assessment.outcomes if assessment else ()
    return Overview(
        who.id,
        who.status,
        who.consent,
        who.withdrawn,
        tuple(f"{source}: Patient/{id}" for source, ids in sorted(who.patients.items()) for id in ids),
        windows,
        tuple(facts.given(each) for each in scored.doses[subject]),
        tuple(_account(each, assessment, deep=False) for each in outcomes if assessment),
    )


def accounts(scored: Scored, subject: str, code: str, protocol: Protocol) -> list[Account]:
    """The whole account of an outcome at each of its visits; empty where there is no such outcome."""
    assessment = scored.assessments[subject]
    windows = _windows(assessment, protocol)
    wanted, _, visit = code.partition("@")
    return [
        replace(_account(each, assessment), windows=windows)
        for each in assessment.outcomes
        if each.code == wanted and visit in ("", each.visit)
    ]


def _windows(assessment: Assessment, protocol: Protocol) -> tuple[Window, ...]:
    return tuple(
        Window(
            name,
            protocol.anchor.default,
            evidence.window.first,
            evidence.window.target,
            evidence.window.last,
            not evidence.due,
        )
        for name, evidence in assessment.visits.items()
        if evidence.window is not None
    )


def _account(outcome: Outcome, assessment: Assessment, *, deep: bool = True) -> Account:
    def resting(pieces: tuple[Ground, ...]) -> tuple[Fact | Account, ...]:
        return tuple(_piece(each, assessment) for each in pieces)

    named = [piece for part in outcome.components for piece in part.rests_on]
    rest = tuple(each for each in outcome.rests_on if not any(each is piece for piece in named))
    return Account(
        outcome.subject,
        outcome.visit,
        outcome.code,
        OUTCOMES[OutcomeCode(outcome.code)][0],
        show.outcome(outcome),
        outcome.number,
        outcome.reason,
        outcome.detail,
        outcome.flags,
        (),
        tuple(_part(each, resting(each.rests_on)) for each in outcome.components) if deep else (),
        resting(rest) if deep else (),
    )


def _part(part: Component, rests_on: tuple[Fact | Account, ...]) -> Part:
    title = CRITERIA[part.name] if part.name in CRITERIA else COMPONENTS[part.name]
    return Part(
        part.name, title, show.component(part), part.number, part.reason, part.label, part.detail, rests_on
    )


def _piece(piece: Ground, assessment: Assessment) -> Fact | Account:
    if isinstance(piece, Outcome):
        return _account(piece, assessment)
    if isinstance(piece, Measurement):
        chosen = (name for name, each in assessment.visits.items() if each.chosen.get(piece.item) is piece)
        return facts.measured(piece, next(chosen, ""))
    return facts.fact(piece)


# As lines


def tree(account: Account) -> Branch:
    """The account as a tree of lines, from the outcome to the addresses of the source resources.

    The 20 Hočevar grades of a visit are listed for the Hočevar score only; elsewhere they are one line.
    """
    trunk = Branch(f"{account.subject}, {account.title}, {account.visit}: {account.value}")
    _hang(trunk, account, "" if account.outcome.startswith(OutcomeCode.HOCEVAR) else account.subject)
    return trunk


def _hang(trunk: Branch, account: Account, summed: str) -> None:
    """Hang an account under a line; ``summed`` is the subject where grades are summed, else empty."""
    if account.reason:
        trunk.add(f"why: {REASONS[account.reason]}{f' ({account.detail})' if account.detail else ''}")
    for window in account.windows:
        trunk.add(_window(window))
    for flag in account.flags:
        trunk.add(f"remark: {FLAGS[flag]}")
    for part in account.parts:
        if part.rests_on:
            _rest(trunk.add(_line(part)), part.rests_on, summed)
    plain = [part for part in account.parts if not part.rests_on]
    if plain:
        others = trunk.add("also:") if len(plain) > 2 else trunk
        for part in plain:
            others.add(_line(part))
    _rest(trunk, account.rests_on, summed)


def _line(part: Part) -> str:
    """A component in one line: a criterion by the trial's own name, a count with what it counts."""
    label = f"{part.label} " if part.name in CRITERIA else ""
    counted = f" ({part.label})" if part.label and not label else ""
    detail = f", {part.detail}" if part.detail else ""
    return f"{label}{part.title}: {part.value}{counted}{detail}"


def _rest(trunk: Branch, pieces: tuple[Fact | Account, ...], summed: str) -> None:
    graded: dict[str, list[Fact]] = defaultdict(list)
    for piece in pieces:
        if isinstance(piece, Fact) and _is_grade(piece):
            graded[piece.visit].append(piece)
    for piece in pieces:
        if isinstance(piece, Account):
            _hang(trunk.add(f"{piece.title}, {piece.visit}: {piece.value}"), piece, summed)
            continue
        if summed and _is_grade(piece):
            if piece is graded[piece.visit][0]:
                trunk.add(_grades(graded[piece.visit], summed))
            continue
        addresses = [_address(source) for source in piece.sources]
        if len(addresses) == 1:
            trunk.add(f"{piece.said} ← {addresses[0]}")
            continue
        line = trunk.add(piece.said)
        for address in addresses:
            line.add(f"← {address}")


def _is_grade(fact: Fact) -> bool:
    """Whether it is a Hočevar grade that counts at a visit and has nothing to be said of it."""
    grade = fact.item.startswith("hocevar-") and fact.item != "hocevar-total"
    return grade and bool(fact.visit) and fact.value.isdigit() and not (fact.problem or fact.flags)


def _grades(facts: list[Fact], subject: str) -> str:
    days = " and ".join(sorted({fact.day for fact in facts}))
    total = sum(int(fact.value) for fact in facts)
    return (
        f"Hočevar, {facts[0].visit}, {days}: {len(facts)} grades, sum {total};"
        f" listed with `fhir-adapter explain {subject} hocevar`"
    )


def _address(source: Source) -> str:
    """The address of exactly that version; the version is added where the address does not hold it."""
    named = source.url.endswith(f"/_history/{source.version}")
    return f"{source.source}: {source.url}" + ("" if named else f" (version {source.version})")


def _window(window: Window) -> str:
    state = ", still open" if window.open else ""
    return (
        f"window of {window.visit}: {window.first} to {window.last}, nearest to {window.target} counts"
        f" (from {window.anchor}){state}"
    )


def overview_tree(found: Overview) -> Branch:
    """The participant at a glance."""
    trunk = Branch(f"{found.subject}, {found.status}")
    dates = [f"consent {found.consent or 'not known'}"]
    if found.withdrawn:
        dates.append(f"withdrawn {found.withdrawn}")
    trunk.add(", ".join(dates))
    for patient in found.patients:
        trunk.add(patient)
    for window in found.windows:
        trunk.add(_window(window))
    if found.doses:
        doses = trunk.add("doses:")
        for dose in found.doses:
            doses.add(f"{dose.title}, {dose.day}: {dose.sent} {dose.value}")
    results = trunk.add("outcomes:" if found.outcomes else "no outcomes: this status does not count")
    for each in found.outcomes:
        results.add(f"{each.outcome} {each.visit}: {each.value}")
    return trunk
