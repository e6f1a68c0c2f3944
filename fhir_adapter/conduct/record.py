"""All that is known of one participant, and how it is looked up: windows, latest values, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.conduct.answers import Judged, Missing, Supplier
from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.trial.history import (
    Agreement,
    Diagnosis,
    FocusScore,
    History,
    Order,
    Person,
    Statement,
    Stay,
    Vaccination,
)
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Dose, Measurement, Problem, Subject
from fhir_adapter.trial.values import Interval, Moment, Truth
from fhir_adapter.trial.windows import course

ORDERS = ("MedicationRequest", "MedicationStatement")
"""The resource types that tell of orders; one of them is enough."""


class Record(Struct, frozen=True, gc=False):
    """Everything known of one participant.

    ``measurements`` are settled (``trial.windows.settled``), ``doses`` one a day. ``pulled`` are the
    resource types that were asked for and received for this participant, even if nothing came. ``struck``
    is what records that were entered in error said; it never counts.
    """

    subject: Subject
    person: Person | None
    measurements: Mapping[str, Sequence[Measurement]]
    doses: tuple[Dose, ...]
    diagnoses: tuple[Diagnosis, ...]
    orders: tuple[Order, ...]
    stays: tuple[Stay, ...]
    vaccinations: tuple[Vaccination, ...]
    agreements: tuple[Agreement, ...]
    statements: tuple[Statement, ...]
    focus_scores: tuple[FocusScore, ...]
    pulled: frozenset[str]
    struck: tuple[History, ...] = ()

    def has(self, *types: str) -> bool:
        """Whether one of the resource types was pulled."""
        return not self.pulled.isdisjoint(types)

    def counting(self, fact: History) -> Record:
        """The record in which a fact counts that does not."""
        match fact:
            case Diagnosis():
                return replace(self, diagnoses=(*self.diagnoses, fact))
            case Order():
                return replace(self, orders=(*self.orders, fact))
            case Stay():
                return replace(self, stays=(*self.stays, fact))
            case Vaccination():
                return replace(self, vaccinations=(*self.vaccinations, fact))
            case Agreement():
                return replace(self, agreements=(*self.agreements, fact))
            case _:
                return self

    def known_on(self, day: date) -> Record:
        """What was measured and given up to and including a day; itself where nothing came later."""
        if all(each.at.last <= day for group in self.measurements.values() for each in group) and all(
            dose.day <= day for dose in self.doses
        ):
            return self
        return replace(
            self,
            measurements={
                item: kept
                for item, group in self.measurements.items()
                if (kept := tuple(each for each in group if each.at.last <= day))
            },
            doses=tuple(dose for dose in self.doses if dose.day <= day),
        )


class Days(Struct, frozen=True, gc=False):
    """The reference days of one participant (dossier §8).

    ``zero`` is the first dose of the study on or after consent; before it is given, the day of the run
    stands in and ``begun`` is False.
    """

    consent: date | None
    zero: date
    begun: bool


def days_of(record: Record, drug: str, as_of: date) -> Days:
    """The reference days, where day 0 is the first dose of ``drug``; earlier ones are history (§14.5)."""
    first = next(iter(study_doses(record, drug)), None)
    return Days(record.subject.consent, first.day if first else as_of, first is not None)


def study_doses(record: Record, drug: str) -> list[Dose]:
    """The doses of a study drug that were given on or after consent, in order."""
    consent = record.subject.consent
    return [dose for dose in course(record.doses, drug) if consent is None or dose.day >= consent]


def within(code: str, ranges: Iterable[str]) -> bool:
    """Whether an ICD-10 code lies in one of the ranges: ``C00-C97`` by category, else by prefix."""
    for each in ranges:
        first, _, last = each.partition("-")
        if last and first <= code[: len(first)] and code[: len(last)] <= last:
            return True
        if not last and code.startswith(first):
            return True
    return False


def has_code(codes: Iterable[str], ranges: Sequence[str]) -> bool:
    """Whether one of the codes lies in one of the ranges."""
    return any(within(code, ranges) for code in codes)


def overlaps(fact: Order | Stay, start: date, end: date) -> Truth:
    """Whether an order or a stay touches the days from ``start`` to ``end``.

    Without an end it goes on, unless it is over. Without a beginning, it may have begun at any time before
    its end.
    """
    first, last = fact.first, fact.last
    if (last is not None and last < start) or (first is not None and first > end):
        return False
    if last is None and fact.over:
        return True if first is not None and first >= start else None
    if first is not None or (last is not None and last <= end):
        return True
    return None


def inside(at: Moment, start: date, end: date) -> Truth:
    """Whether a moment that may be known to the month or year only lies in the days given."""
    if start <= at.first and at.last <= end:
        return True
    return None if at.first <= end and start <= at.last else False


def diagnosed(diagnosis: Diagnosis, end: date) -> Truth:
    """Whether a diagnosis was there by a day; without a day of its own it was, unconfirmed it is open."""
    there = True if diagnosis.since is None else inside(diagnosis.since, date.min, end)
    return there if diagnosis.confirmed or not there else None


def latest(
    record: Record, item: str, start: date, end: date, before: datetime | None = None
) -> Measurement | None:
    """The last result of an item in a window, usable or refused.

    ``before`` is a time that it must precede, where it has a time itself (§14.18). A statement that
    there is no result never stands in the way of a result; a refused value does (§14.19).
    """
    found = results(record, item, start, end, before)
    return found[0] if len(found) == 1 else max(found, key=lambda each: each.at.order, default=None)


def results(
    record: Record, item: str, start: date, end: date, before: datetime | None = None
) -> list[Measurement]:
    """Every result of an item that lies wholly in a window (§14.9)."""
    return [
        each
        for each in record.measurements.get(item, ())
        if each.problem is not Problem.ABSENT
        and start <= each.at.first
        and each.at.last <= end
        and not (before and each.at.instant and each.at.instant >= before)
    ]


def judged(measurement: Measurement | None, test: Callable[[Interval], Truth]) -> Truth:
    """A test on a value; None where there is none that can be used."""
    if measurement is None or not measurement.usable or measurement.value is None:
        return None
    return test(measurement.value)


def positive(measurement: Measurement) -> Truth:
    """Whether a finding is positive; None where it is refused or neither."""
    return measurement.found if measurement.usable else None


def ever(
    record: Record, item: str, end: date, test: Callable[[Measurement], Truth] = positive
) -> tuple[Truth, list[tuple[Measurement, Truth]]]:
    """Whether a result up to a day was ever positive; else the latest one decides. Never done: None."""
    found = [(each, test(each)) for each in results(record, item, date.min, end)]
    if not found:
        return None, []
    shown = [pair for pair in found if pair[1]]
    if shown:
        return True, shown
    last = max(found, key=lambda pair: pair[0].at.order)
    return last[1], [last]


def said(record: Record, code: str, end: date, start: date = date.min) -> tuple[Truth, list[Judged]]:
    """The latest answer of a person in a window; two different ones at one time are none."""
    asked = [
        each
        for each in record.statements
        if each.code == code and start <= each.at.first and each.at.last <= end
    ]
    if not asked:
        return None, []
    time = max(each.at.order for each in asked)
    last = [each for each in asked if each.at.order == time]
    answers = {each.answer for each in last}
    answer = answers.pop() if len(answers) == 1 else None
    return answer, [(each, answer) for each in last]


def agreed(person: Truth, records: Truth) -> tuple[Truth, tuple[str, ...]]:
    """One answer from a person's and the records': each fills the other's gap, contradicting is open."""
    if person is None or records is None:
        return (records if person is None else person), ()
    return (person, ()) if person is records else (None, ("contradiction",))


def ask(code: str) -> Missing:
    """The question to the person who can answer it."""
    question, supplier = STATEMENTS[code]
    return Missing(supplier, question)


def ask_laboratory(*items: str) -> list[Missing]:
    """Results that the laboratory must supply."""
    return [Missing(Supplier.LABORATORY, ITEMS[item].display) for item in items]


def not_pulled(*types: str) -> Missing:
    """Records that were not pulled."""
    return Missing(Supplier.RECORDS, " or ".join(types))
