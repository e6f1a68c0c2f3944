"""The few elements by which a resource is judged before it is read whole.

Skipping the rest of a line costs a fraction of decoding it; ``\\u`` escapes and odd spacing are handled
by the decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from fhir_adapter.mapping import reference, when
from fhir_adapter.mapping.hospital import NO_CODE, AmbiguousCode, Code, Hospital, UnknownCode
from fhir_adapter.mapping.observation import NEVER_WERE
from fhir_adapter.trial.items import CANONICAL, NOT_USED

_OUTCOMES = f"{CANONICAL}/CodeSystem/outcomes"


class Identifier(msgspec.Struct):
    """A business identifier."""

    system: str = ""
    value: str = ""


class Reference(msgspec.Struct):
    """A reference, literal or logical."""

    reference: str = ""
    identifier: Identifier | None = None

    def names(self, base: str | None) -> list[str]:
        """As ``reference.names`` of the reference as it stands in a resource of the server ``base``."""
        found = [reference.own(self.reference, base)] if self.reference else []
        if self.identifier and self.identifier.value:
            found.append(f"{self.identifier.system}|{self.identifier.value}")
        return found


class Coding(msgspec.Struct):
    """A code of a code system."""

    system: str = ""
    code: str = ""


class Concept(msgspec.Struct):
    """A CodeableConcept."""

    coding: list[Coding] = []


class Period(msgspec.Struct):
    """A period."""

    start: str = ""


class Head(msgspec.Struct, rename="camel"):
    """Whose it is, what it is about, and when it was; each type has its own elements for it."""

    resource_type: str = ""
    subject: Reference | None = None
    patient: Reference | None = None
    code: Concept | None = None
    authored: str = ""
    effective_date_time: str = ""
    effective_instant: str = ""
    effective_period: Period | None = None
    onset_date_time: str = ""
    recorded_date: str = ""
    authored_on: str = ""
    occurrence_date_time: str = ""
    date_time: str = ""
    period: Period | None = None
    performed_date_time: str = ""
    performed_period: Period | None = None

    def whose(self, base: str | None) -> list[str]:
        """The names of the patient, from a resource of the server ``base``."""
        pointer = self.subject or self.patient
        return pointer.names(base) if pointer else []

    @property
    def ours(self) -> bool:
        """Whether it is an outcome that the adapter itself wrote."""
        return self.code is not None and _OUTCOMES in [coding.system for coding in self.code.coding]

    def after(self, last: date, zone: ZoneInfo, hospital_zone: ZoneInfo | None) -> bool:
        """Whether it speaks of a day after ``last``; what has no readable date is not said to."""
        periods = (self.effective_period, self.period, self.performed_period)
        text = (
            self.effective_date_time
            or self.effective_instant
            or next((period.start for period in periods if period), "")
            or self.authored
            or self.onset_date_time
            or self.recorded_date
            or self.authored_on
            or self.occurrence_date_time
            or self.date_time
            or self.performed_date_time
        )
        try:
            return bool(text) and when.moment(text, zone, hospital_zone).first > last
        except when.NoDate:
            return False


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_heads = msgspec.json.Decoder(Head)


def subject_of(resource: Mapping[str, Any]) -> object:
    """The reference to the patient: ``subject``, or ``patient`` in the types that call it so."""
    return resource.get("subject") or resource.get("patient")


def head(body: bytes) -> Head | None:
    """The head of a resource, or None where one of its elements has a wrong shape: then read it whole."""
    try:
        return _heads.decode(body)
    except _UNREADABLE:
        return None


class _Component(msgspec.Struct):
    code: msgspec.Raw = msgspec.Raw(b"{}")


class _Coded(msgspec.Struct):
    """What an Observation is about; its codes stay undecoded."""

    status: str = ""
    code: msgspec.Raw = msgspec.Raw(b"{}")
    component: list[_Component] = []
    subject: Reference | None = None


_coded = msgspec.json.Decoder(_Coded)
_concepts = msgspec.json.Decoder(float_hook=Decimal)


class Sifted(msgspec.Struct, frozen=True, gc=False):
    """What there is to say of an Observation before it is read.

    ``asked`` is whether it may hold something for the trial, else ``unknown_codes`` are those that nobody
    knows; ``subject`` are the patient's names, None where they are seen only when it is read whole.
    """

    asked: bool
    subject: Sequence[str] | None = ()
    unknown_codes: tuple[Code, ...] = ()


_NOTHING = Sifted(asked=False)
_WHOLE = Sifted(asked=True, subject=None)


def whose(body: bytes, base: str | None = None) -> Sifted:
    """Whose a resource of another type is; it is asked for as soon as its type is."""
    top = head(body)
    return _WHOLE if top is None else Sifted(asked=True, subject=top.whose(base))


class Sieve:
    """Tells the Observations of one hospital that the trial asks for from all others, undecoded.

    A hospital writes the same concept in the same bytes again and again: each spelling is judged once,
    by the look-up that reads it in ``observation.read``, and then known by its bytes.
    """

    def __init__(self, hospital: Hospital) -> None:
        self._hospital = hospital
        self._codes = lru_cache(maxsize=16_384)(self._judged)

    def sift(self, body: bytes, base: str | None = None) -> Sifted:
        """Whether the trial asks for an Observation of the server ``base``, whose it is, and what is unknown.

        It is asked for where ``observation.read`` must decide: an item of the trial, codes that disagree,
        no code at all, an element of a wrong shape.
        """
        try:
            coded = _coded.decode(body)
        except _UNREADABLE:
            return _WHOLE
        if coded.status in NEVER_WERE:
            return _NOTHING
        unknown = self._unknown_codes(coded)
        if unknown is not None and (not unknown or coded.subject is None):
            return _NOTHING
        subject = coded.subject.names(base) if coded.subject else ()
        return Sifted(unknown is None, subject, unknown or ())

    def _unknown_codes(self, coded: _Coded) -> tuple[Code, ...] | None:
        """The unknown codes of what the trial does not ask for; None where it may ask for it."""
        unknown = self._codes(bytes(coded.code))
        # Whether a panel's own code counts depends on its having a value, which is not looked at here.
        if unknown is None or (unknown and coded.component):
            return None
        for component in coded.component:
            more = self._codes(bytes(component.code))
            if more is None:
                return None
            unknown += more
        return unknown

    def _judged(self, concept: bytes) -> tuple[Code, ...] | None:
        """The unknown codes of a concept that the trial does not ask for; None where it may ask for it."""
        try:
            decoded = _concepts.decode(concept)
        except _UNREADABLE:
            return None
        try:
            target = self._hospital.target("items", decoded if isinstance(decoded, dict) else {})
        except UnknownCode as unknown:
            # Without any code it may be of the trial, and of a wrong shape.
            return None if unknown.code == NO_CODE else (unknown.code,)
        except AmbiguousCode:
            return None
        return () if target == NOT_USED else None
