"""The few elements by which a resource is judged before it is read whole.

Skipping the rest of a line costs a fraction of decoding it; ``\\u`` escapes and odd spacing are handled
by the decoder.
"""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from fhir_adapter.mapping import when
from fhir_adapter.trial.items import CANONICAL

_OUTCOMES = f"{CANONICAL}/CodeSystem/outcomes"


class Identifier(msgspec.Struct):
    """A business identifier."""

    system: str = ""
    value: str = ""


class Reference(msgspec.Struct):
    """A reference, literal or logical."""

    reference: str = ""
    identifier: Identifier | None = None

    def document(self) -> dict[str, object]:
        """The reference as it stands in a resource."""
        logical = (
            {"system": self.identifier.system, "value": self.identifier.value} if self.identifier else None
        )
        return {"reference": self.reference or None, "identifier": logical}


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
    """Whose it is, what it is about, and when it was."""

    resource_type: str = ""
    subject: Reference | None = None
    code: Concept | None = None
    authored: str = ""
    effective_date_time: str = ""
    effective_instant: str = ""
    effective_period: Period | None = None

    @property
    def ours(self) -> bool:
        """Whether it is an outcome that the adapter itself wrote."""
        return self.code is not None and any(coding.system == _OUTCOMES for coding in self.code.coding)

    def after(self, last: date, zone: ZoneInfo, hospital_zone: ZoneInfo | None) -> bool:
        """Whether it speaks of a day after ``last``; what has no readable date is not said to."""
        started = self.effective_period.start if self.effective_period else ""
        text = self.effective_date_time or self.effective_instant or started or self.authored
        try:
            return bool(text) and when.moment(text, zone, hospital_zone).first > last
        except when.NoDate:
            return False


_decoder = msgspec.json.Decoder(Head)


def head(body: bytes) -> Head | None:
    """The head of a resource, or None where one of its elements has a wrong shape: then read it whole."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return None
