"""What a record says beyond measurements and doses: diagnoses, orders, stays, vaccinations, consent.

Each has its origins, like a measurement. A day that is not known is None; an interval without an end goes on,
unless ``over`` says that it has ended on a day that is not known.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.values import Interval, Moment, Truth


class Person(Struct, frozen=True, gc=False):
    """What is known of the participant: the days that the birth may lie on, and ``male`` or ``female``."""

    subject: str
    born: tuple[date, date] | None
    sex: str | None
    origins: tuple[Origin, ...] = ()


class Diagnosis(Struct, frozen=True, gc=False):
    """A condition; ``codes`` are its ICD-10 codes without a system (``M35.0``).

    One that is not ``confirmed`` is suspected only: neither there nor excluded.
    """

    subject: str
    codes: tuple[str, ...]
    since: Moment | None
    until: date | None
    origins: tuple[Origin, ...]
    over: bool = False
    confirmed: bool = True


class Order(Struct, frozen=True, gc=False):
    """A drug that was ordered, stated or taken, other than a study dose that is clear.

    ``drug`` is a code of ``trial.drugs``; ``parenteral`` says whether it went into vein or muscle (None
    where the route is not known); ``indication`` are ICD-10 codes of what it was given for. Where it is not
    ``certain``, nobody knows whether, or on which of the days, it was given.
    """

    subject: str
    drug: str
    first: date | None
    last: date | None
    parenteral: Truth
    indication: tuple[str, ...]
    origins: tuple[Origin, ...]
    over: bool = False
    certain: bool = True


class Reason(Struct, frozen=True, gc=False):
    """One reason of a stay by its ICD-10 codes, none where they are not known.

    What the stay was for ``leads``; what the patient had besides does not.
    """

    codes: tuple[str, ...]
    leads: bool


class Stay(Struct, frozen=True, gc=False):
    """A stay in hospital, and why; ``admitted`` is None where it may have been a visit only."""

    subject: str
    first: date | None
    last: date | None
    admitted: Truth
    reasons: tuple[Reason, ...]
    origins: tuple[Origin, ...]
    over: bool = False


class Vaccination(Struct, frozen=True, gc=False):
    """A vaccination that was given; ``live`` is None for a vaccine that no mapping knows."""

    subject: str
    live: Truth
    at: Moment
    origins: tuple[Origin, ...]


class Agreement(Struct, frozen=True, gc=False):
    """A consent: to which drugs, since when, and until when it was withdrawn."""

    subject: str
    drugs: frozenset[str]
    given: bool
    since: date | None
    until: date | None
    origins: tuple[Origin, ...]


class Statement(Struct, frozen=True, gc=False):
    """An answer that only a person can give, such as "high risk of infection": by its code, yes or no."""

    subject: str
    code: str
    answer: Truth
    at: Moment
    origins: tuple[Origin, ...]


class FocusScore(Struct, frozen=True, gc=False):
    """A biopsy's focus score: lymphocytic foci per 4 mm², maybe censored (``<1``)."""

    subject: str
    value: Interval
    at: Moment
    origins: tuple[Origin, ...]


History = Person | Diagnosis | Order | Stay | Vaccination | Agreement | Statement | FocusScore
"""One fact of these."""
