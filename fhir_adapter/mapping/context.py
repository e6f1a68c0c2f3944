"""What every reader of a resource needs to know, and what it hands back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.mapping.hospital import Code, Hospital
from fhir_adapter.mapping.statement import ASKED
from fhir_adapter.trial.history import (
    Agreement,
    Diagnosis,
    History,
    Order,
    Person,
    Statement,
    Stay,
    Vaccination,
)
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Dose, Measurement, Problem, Query, QueryKind
from fhir_adapter.trial.values import Moment

Named = Mapping[str, Mapping[str, Any]]
"""Resources of a source that others refer to, by each of their names (``reference.own_names``)."""


class Context(Struct, frozen=True, gc=False):
    """Whose resource it is, where it came from, and how its source speaks.

    ``dosed`` are the drugs whose administrations are doses; those of all others are orders.
    """

    subject: str
    origin: Origin
    hospital: Hospital
    zone: ZoneInfo
    dosed: frozenset[str]


@dataclass(slots=True)
class Mapped:
    """What came of one or many resources: facts by their kind, questions, and codes nobody knows.

    ``unread`` are the types of records of which it is not known what they are about; ``struck`` is what
    records that were entered in error said.
    """

    measurements: list[Measurement] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    vaccinations: list[Vaccination] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    unknown_codes: list[Code] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    struck: list[History] = field(default_factory=list)

    @property
    def facts(self) -> int:
        """How many facts there are, of all kinds."""
        return (
            len(self.measurements) + len(self.doses) + len(self.persons) + len(self.diagnoses)
            + len(self.orders) + len(self.stays) + len(self.vaccinations) + len(self.agreements)
            + len(self.statements)
        )  # fmt: skip

    def add(self, other: Mapped) -> None:
        """Take over everything of ``other``."""
        for name in _KINDS:
            found = getattr(other, name)
            if found:
                getattr(self, name).extend(found)


def struck(said: Mapped) -> Mapped:
    """What came of a record that was entered in error: what it ``said`` is kept apart, and asks nothing."""
    groups: tuple[Iterable[History], ...] = (
        said.diagnoses, said.orders, said.stays, said.vaccinations, said.agreements,
    )  # fmt: skip
    return Mapped(struck=[fact for group in groups for fact in group])


_KINDS = tuple(each.name for each in fields(Mapped))


def query(context: Context, item: str, kind: QueryKind, text: str, values: Iterable[str] = ()) -> Query:
    """A question about one resource; its visit is found later, from its date."""
    return Query(context.subject, "", item, kind, text, tuple(values), (context.origin,))


_PROBLEM_TEXTS: Mapping[Problem, str] = {
    Problem.NO_UNIT: "The value has no unit; name the unit at the source, or a default unit for this code.",
    Problem.UNKNOWN_UNIT: "The unit does not convert for this item; correct it, or add its spelling.",
    Problem.IMPLAUSIBLE: "The value cannot be believed in this unit; correct the value or the unit.",
    Problem.UNREADABLE: "The value cannot be read as a result of this item; correct it, or add its word.",
    Problem.INVALID_LEVEL: "This level does not exist for the item; correct it.",
}


def query_of_problem(measurement: Measurement) -> Query | None:
    """The question that a refused value raises; none where the source itself says that there is no value."""
    text = _PROBLEM_TEXTS.get(measurement.problem) if measurement.problem else None
    if measurement.problem is None or text is None:
        return None
    return Query(
        measurement.subject,
        "",
        measurement.item,
        QueryKind(measurement.problem.value),
        f"{ASKED[measurement.item].display}: {text}",
        (measurement.sent,),
        measurement.origins,
        measurement.at,
    )


def said_status(status: object, codes: Collection[str]) -> str:
    """A status for people. What is none of the ``codes`` that FHIR has for it may be anything: not quoted."""
    return f"the status {status!r}" if isinstance(status, str) and status in codes else "an unknown status"


def dated(query: Query, at: Moment | None) -> Query:
    """The query with the moment that it speaks of."""
    return replace(query, at=at)
