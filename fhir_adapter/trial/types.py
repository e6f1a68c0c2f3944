"""The domain's types. Each is a plain record; nothing here reads, writes or decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from fractions import Fraction

from msgspec import Struct, field
from msgspec.structs import replace

from fhir_adapter.trial.history import History
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.values import Interval, Moment, Truth


class Problem(StrEnum):
    """Why a value that was sent cannot be used. Such a value is never replaced by the next one."""

    NO_UNIT = "no-unit"
    UNKNOWN_UNIT = "unknown-unit"
    IMPLAUSIBLE = "implausible-value"
    UNREADABLE = "unreadable-value"
    INVALID_LEVEL = "invalid-level"
    CONFLICT = "conflicting-values"
    ABSENT = "data-absent"


class Measurement(Struct, frozen=True, gc=False):
    """One value of one item of one participant, with where it came from.

    ``value`` is in the item's canonical unit; for a FINDING, and for a result given as a word, it is
    None and ``found`` answers. ``sent`` is the value as the source wrote it, unit included; ``unit`` is
    the UCUM unit that it was sent in. ``normal`` is the laboratory's own range in the canonical unit.
    ``problem`` says why there is no value. ``flags`` are remarks for people.
    What tells a correction from a second result: ``links`` are its identifiers and specimens, ``about``
    the results that it derives from or is about, as ``Observation/id`` or ``system|value``.
    """

    subject: str
    item: str
    at: Moment
    value: Interval | None
    sent: str
    origins: tuple[Origin, ...]
    unit: str = ""
    found: Truth = None
    normal: Interval | None = None
    problem: Problem | None = None
    corrects: bool = False
    links: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether there is something to score."""
        return self.problem is None


class Rating(Measurement, frozen=True, gc=False):
    """A grade or a mark that a person gave: an ESSDAI level, an ESSPRI scale, a Hočevar grade."""


class DoseStatus(StrEnum):
    """What became of a dose."""

    GIVEN = "given"
    STOPPED = "stopped"
    IN_PROGRESS = "in-progress"
    NOT_DONE = "not-done"


class Dose(Struct, frozen=True, gc=False):
    """One administration of a study drug; bags of one local day are already added up.

    ``amount`` and ``unit`` are as sent, None where no amount was sent. ``reason`` says why a dose was
    not done.
    """

    subject: str
    drug: str
    at: Moment
    status: DoseStatus
    amount: Fraction | None
    unit: str
    origins: tuple[Origin, ...]
    reason: str = ""

    @property
    def given(self) -> bool:
        """Whether the participant received any of it."""
        return self.status is not DoseStatus.NOT_DONE

    @property
    def day(self) -> date:
        """The local day."""
        return self.at.first


class Subject(Struct, frozen=True, gc=False):
    """A participant.

    ``id`` is the study's own identifier. ``status`` is ResearchSubject.status. ``consent`` and
    ``withdrawn`` are local days. ``patients`` are the hospital's records of the same person:
    source → patient ids, the surviving one of a merge first.
    """

    id: str
    status: str
    consent: date | None = None
    withdrawn: date | None = None
    patients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: tuple[Origin, ...] = ()

    def until(self, as_of: date) -> date:
        """The last day whose data are used, as of a day: none from after a withdrawal (dossier §13)."""
        return min(as_of, self.withdrawn) if self.withdrawn else as_of

    @property
    def ended(self) -> bool:
        """Whether the treatment is over: no dose and no visit will follow that is not planned yet."""
        return self.status in ("off-study", "withdrawn", "follow-up")


class Visit(Struct, frozen=True, gc=False):
    """A visit of one participant: the days that count for it and the target that nearest is nearest to.

    ``first`` and ``last`` are inclusive; items that keep longer have their own first day in
    ``first_by_item``.
    """

    name: str
    first: date
    target: date
    last: date
    first_by_item: Mapping[str, date] = field(default_factory=dict)


class Component(Struct, frozen=True, gc=False):
    """A part, an intermediate answer or an alternative reading of an outcome.

    Exactly one of ``number``, ``answer``, ``code`` and ``day`` is set, or ``reason`` says why none is.
    ``unit`` is UCUM for a number. ``label`` is what this trial calls it, or which ones a number counts;
    ``detail`` are words on a code or a reason, such as what is missing. ``rests_on`` is what the answer was
    made from; it explains and is no part of the component's identity.
    """

    name: str
    number: Fraction | None = None
    unit: str = "{score}"
    answer: bool | None = None
    code: str | None = None
    day: date | None = None
    reason: str | None = None
    label: str = ""
    detail: str = ""
    rests_on: tuple[Measurement | Dose | Outcome | History, ...] = ()

    def alone(self) -> Component:
        """The same without what it rests on."""
        return Component(
            self.name, self.number, self.unit, self.answer, self.code, self.day, self.reason, self.label,
            self.detail,
        )  # fmt: skip


class Outcome(Struct, frozen=True, gc=False):
    """A computed result of one participant at one visit, with everything that it rests on.

    ``number``, ``result`` (a code of a response) or ``day`` is the value; where all are None, ``reason`` is a
    code of ``items.REASONS``, ``detail`` names what is missing, and ``bounds`` encloses the number.
    ``effective`` are the local days that it speaks of: one day, or the visit's window.
    """

    subject: str
    visit: str
    code: str
    number: Fraction | None = None
    unit: str = ""
    result: str | None = None
    day: date | None = None
    reason: str | None = None
    detail: str = ""
    bounds: Interval | None = None
    components: tuple[Component, ...] = ()
    flags: tuple[str, ...] = ()
    effective: tuple[date, date] | None = None
    origins: tuple[Origin, ...] = ()
    rests_on: tuple[Measurement | Dose | Outcome, ...] = ()

    def extended(self, components: Iterable[Component]) -> Outcome:
        """The outcome with more components."""
        # Every outcome of everybody passes here, and ``replace`` takes three times as long.
        return Outcome(
            self.subject, self.visit, self.code, self.number, self.unit, self.result, self.day, self.reason,
            self.detail, self.bounds, (*self.components, *components), self.flags, self.effective,
            self.origins, self.rests_on,
        )  # fmt: skip

    def alone(self) -> Outcome:
        """The same without what it rests on: of thousands that are kept that is most of the memory."""
        components = tuple(part.alone() if part.rests_on else part for part in self.components)
        return replace(self, components=components, origins=(), rests_on=())

    def component(self, name: str) -> Component:
        """The component of that name; raises KeyError if there is none."""
        for part in self.components:
            if part.name == name:
                return part
        raise KeyError(name)


class QueryKind(StrEnum):
    """What a data manager is asked about."""

    NO_UNIT = "no-unit"
    UNKNOWN_UNIT = "unknown-unit"
    IMPLAUSIBLE = "implausible-value"
    UNREADABLE = "unreadable-value"
    INVALID_LEVEL = "invalid-level"
    CONFLICT = "conflicting-values"
    TOTAL_DISAGREES = "total-disagrees"
    NO_BODY_SITE = "no-body-site"
    AMBIGUOUS_CODE = "ambiguous-code"
    NOT_FINAL = "not-final"
    NO_DATE = "no-date"
    NO_TIME_ZONE = "no-time-zone"
    DOSE_STATUS = "dose-status"
    NO_CONSENT_DATE = "no-consent-date"
    UNMATCHED_PATIENT = "unmatched-patient"
    SHARED_PATIENT = "shared-patient"
    DUPLICATE_PARTICIPANT = "duplicate-participant"
    PARTIAL_DATE = "partial-date"
    NO_AMOUNT = "no-amount"
    RANGE_AS_TEXT = "range-as-text"
    NOT_CONFIRMED = "not-confirmed"
    UNCLEAR_STATUS = "unclear-status"
    CONSENTS_DISAGREE = "consents-disagree"
    CONTRADICTION = "contradiction"
    ENTERED_IN_ERROR = "entered-in-error"
    DOSING_DEVIATION = "dosing-deviation"
    UNUSUAL_DOSE = "unusual-dose"
    RATING_DISAGREES = "rating-disagrees"
    NOT_VALID = "not-valid"
    NOT_UNDERSTOOD = "not-understood"


class Query(Struct, frozen=True, gc=False):
    """A question to the people who entered the data.

    Its identity is subject, visit, item and kind; ``values`` are what stands against what, as sent.
    ``at`` is when the values were taken, where that is known.
    """

    subject: str
    visit: str
    item: str
    kind: QueryKind
    text: str
    values: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    at: Moment | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same query in the next run."""
        return (self.subject, self.visit, self.item, self.kind.value)


def gathered(evidence: Iterable[Measurement | Dose | Outcome | History]) -> tuple[Origin, ...]:
    """All origins of the evidence, each once, in a fixed order."""
    # A dictionary keeps the order: what is sorted piece by piece is quickly sorted as a whole.
    return tuple(sorted(dict.fromkeys([origin for piece in evidence for origin in piece.origins])))
