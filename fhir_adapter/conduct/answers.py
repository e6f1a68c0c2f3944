"""What a criterion answers: satisfied, violated or undetermined; why; and what would settle it.

Polarity (dossier §14.13): *satisfied* speaks for enrolment, *violated* against it, for inclusions and
exclusions alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

from fhir_adapter.trial.history import History
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.protocol import Reading
from fhir_adapter.trial.types import Dose, Measurement, gathered
from fhir_adapter.trial.values import Interval, Truth, any_of

Piece = Measurement | Dose | History
"""One fact of the record that an answer may rest on."""

Judged = tuple[Piece, Truth]
"""A fact, and whether it shows what is asked about."""


class Verdict(StrEnum):
    """The three answers of a criterion."""

    SATISFIED = "satisfied"
    VIOLATED = "violated"
    UNDETERMINED = "undetermined"


def verdict(holds: Truth) -> Verdict:
    """The name of an answer."""
    if holds is None:
        return Verdict.UNDETERMINED
    return Verdict.SATISFIED if holds else Verdict.VIOLATED


class Supplier(StrEnum):
    """Who must supply what is missing."""

    LABORATORY = "laboratory"
    PHYSICIAN = "physician"
    FORM = "form"
    RECORDS = "records"
    """The hospital's own records: a type of resource that was not pulled, or a birth date."""


class Missing(Struct, frozen=True, order=True, gc=False):
    """What would settle an answer, and who must supply it."""

    supplier: Supplier
    what: str


REMARKS: Mapping[str, str] = {
    "no-record": "There is no such record; the type of resource was pulled, so its absence counts as none",
    "no-day-0": "No study dose has been given yet; judged as if the day of the run were day 0",
    "no-dose-yet": "The drug has not been given yet; this can only be judged at its first dose",
    "contradiction": "What a person answered and what the records show contradict each other",
    "core-antibody-alone": "Hepatitis B core antibody alone is positive: not excluded by the letter",
    "igra-positive": "A positive IGRA shows latent, not active, tuberculosis",
    "formulas-disagree-about-30": "Bedside Schwartz and CKiD U25 lie on different sides of 30",
    "formulas-disagree-about-60": "Bedside Schwartz and CKiD U25 lie on different sides of 60",
    "no-2018-category": "The 1999 criteria are not met; a physician may enter a category of 2018",
}
"""Remarks on an answer, for people."""


class Answer(Struct, frozen=True, gc=False):
    """The answer of one criterion for one participant.

    ``holds`` is True for satisfied, False for violated, None for undetermined, under the default reading;
    ``readings`` are the same under each alternative, ``parts`` those of its sub-criteria. ``evidence`` is
    what decides, or where nothing does, what was looked at. ``missing`` is sorted; ``remarks`` are codes
    of ``REMARKS``. ``numbers`` are computed values that are judged, by the name of their component.
    """

    criterion: str
    holds: Truth
    readings: Mapping[str, Truth] = field(default_factory=dict)
    parts: Mapping[str, Truth] = field(default_factory=dict)
    evidence: tuple[Piece, ...] = ()
    missing: tuple[Missing, ...] = ()
    remarks: tuple[str, ...] = ()
    numbers: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The default reading's answer by name."""
        return verdict(self.holds)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """All resources that the answer rests on, each once, in a fixed order."""
        return gathered(self.evidence)


def deciding(judged: Iterable[Judged]) -> tuple[Piece, ...]:
    """The facts that decide an *or*: those that show it, else those that leave it open, else all."""
    known = list(judged)
    for wanted in (True, None, False):
        found = [piece for piece, shown in known if shown is wanted]
        if found:
            return unique(found)
    return ()


def unique(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The facts, each once, in a fixed order that does not depend on the input's."""
    known = list({id(piece): piece for piece in pieces}.values())
    if len(known) < 2:
        return tuple(known)
    by_origins = {piece.origins: piece for piece in known}
    if len(by_origins) == len(known):
        return tuple([by_origins[origins] for origins in sorted(by_origins)])
    kept: list[Piece] = []
    for piece in sorted(known, key=_order):
        if piece not in kept:
            kept.append(piece)
    return tuple(kept)


def _order(piece: Piece) -> tuple[object, ...]:
    """By resource; of one resource by what is measured, else by everything."""
    if isinstance(piece, Measurement) and piece.value is not None:
        return (piece.origins, "Measurement", piece.item, piece.at.order, piece.sent)
    return (piece.origins, type(piece).__name__, repr(piece))


def shown(judged: Sequence[Judged]) -> Truth:
    """Whether any of the facts shows it. Of nothing: False."""
    return any_of(truth for _, truth in judged)


def by_reading(reading: Reading, answers: Mapping[str, Truth]) -> tuple[Truth, dict[str, Truth]]:
    """The answer under the default reading, and under each alternative; KeyError for an unknown one."""
    return answers[reading.default], {name: answers[name] for name in reading.alternatives}


def listed(missing: Iterable[Missing]) -> tuple[Missing, ...]:
    """What is missing, each once, sorted."""
    known = set(missing)
    return tuple(sorted(known)) if len(known) > 1 else tuple(known)


class Part(Struct, frozen=True, gc=False):
    """A part of a criterion: its answer, the facts, and what could settle it."""

    answer: Truth
    judged: tuple[Judged, ...]
    open: tuple[Missing, ...]
