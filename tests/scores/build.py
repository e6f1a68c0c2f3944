"""Short ways to say what was measured, for tests: measurements, visits, doses, and the shipped protocol.

Day 0 is the day of the first rituximab; week 28 is day 196.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from fhir_adapter import shipped
from fhir_adapter.scores import essdai, esspri, hocevar, response, salivary_flow, schirmer, star
from fhir_adapter.study import read_protocol
from fhir_adapter.trial.items import ITEMS, Kind, OutcomeCode
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.protocol import Protocol, ResponseRule, StarRule
from fhir_adapter.trial.types import Dose, DoseStatus, Measurement, Outcome, Problem, Rating, Subject, Visit
from fhir_adapter.trial.values import Interval, Moment, Truth, exactly, on
from fhir_adapter.trial.windows import Evidence

ZONE = ZoneInfo("Asia/Shanghai")
DAY0 = date(2024, 4, 1)
WEEK28 = DAY0 + timedelta(days=196)
CLOSED = WEEK28 + timedelta(days=15)
"""The first day on which the window of week 28 (± 14 days) is closed."""
CHILD = Subject("JSS-01", "on-study", consent=DAY0 - timedelta(days=14))

Value = int | str | Decimal | Fraction | Interval
Key = tuple[str, str]
"""Outcome code and visit."""


@cache
def protocol() -> Protocol:
    """The protocol of NCT06410833 as it ships."""
    return read_protocol(shipped.PROTOCOLS / "nct06410833.toml")


def star_rule() -> StarRule:
    rule = protocol().star
    assert rule is not None
    return rule


def response_rule() -> ResponseRule:
    rule = protocol().response
    assert rule is not None
    return rule


def interval(value: Value) -> Interval:
    """``"<20"``, ``">=5"``, ``"3..7"`` or a number, as an interval; nothing here lies below 0."""
    if isinstance(value, Interval):
        return value
    text = str(value)
    if ".." in text:
        low, _, high = text.partition("..")
        return Interval(Fraction(low), Fraction(high))
    comparator = "".join(re.findall(r"^[<>]=?", text))
    number = Fraction(text.removeprefix(comparator))
    if comparator.startswith("<"):
        return Interval(Fraction(0), number, high_open=comparator == "<")
    if comparator.startswith(">"):
        return Interval(number, None, low_open=comparator == ">")
    return exactly(number)


def origin(name: str, type: str = "Observation", source: str = "hospital") -> Origin:
    return Origin(source, type, name, "1", f"https://hospital.example/{type}/{name}/_history/1")


def measured(
    item: str,
    value: Value | None,
    at: date | datetime | Moment = DAY0,
    *,
    id: str = "",
    limit: Value | None = None,
    problem: Problem | None = None,
    found: Truth = None,
    unit: str = "",
    corrects: bool = False,
    links: Iterable[str] = (),
    about: Iterable[str] = (),
    source: str = "hospital",
) -> Measurement:
    """One measurement in the item's canonical unit; ``limit`` is the printed upper limit of normal.

    A level that its domain does not have is refused, as every reader must.
    """
    when = at if isinstance(at, Moment) else moment(at)
    held = None if value is None or problem else interval(value)
    levels = ITEMS[item].levels
    if levels and held is not None and held.exact not in levels:
        held, problem = None, Problem.INVALID_LEVEL
    kind = Rating if ITEMS[item].kind in (Kind.LEVEL, Kind.SCALE) else Measurement
    return kind(
        CHILD.id,
        item,
        when,
        held,
        str(value),
        (origin(id or f"{item}-{when.order}", source=source),),
        unit=unit or ITEMS[item].unit,
        found=found,
        normal=None if limit is None else Interval(None, interval(limit).high),
        problem=problem,
        corrects=corrects,
        links=frozenset(links),
        about=frozenset(about),
    )


def moment(at: date | datetime) -> Moment:
    """A day, or a time in Beijing where none is said."""
    if not isinstance(at, datetime):
        return on(at)
    instant = at if at.tzinfo else at.replace(tzinfo=ZONE)
    day = instant.astimezone(ZONE).date()
    return Moment(day, day, instant)


def visit(name: str, *measurements: Measurement, due: bool = True, window: bool = True) -> Evidence:
    """The evidence of one visit, as if these measurements had been chosen."""
    target = DAY0 if name == "baseline" else WEEK28
    return Evidence(
        CHILD.id, name, Visit(name, target, target, target) if window else None, due,
        {each.item: each for each in measurements},
    )  # fmt: skip


def baseline(**items: Value | None) -> Evidence:
    """A baseline by item (``_`` for ``-``); None is not recorded."""
    return visit("baseline", *_by_name(items, DAY0))


def week28(**items: Value | None) -> Evidence:
    """Week 28 by item (``_`` for ``-``); None is not recorded."""
    return visit("week-28", *_by_name(items, WEEK28))


def _by_name(items: Mapping[str, Value | None], day: date) -> list[Measurement]:
    return [
        measured(name.replace("_", "-"), value, day) for name, value in items.items() if value is not None
    ]


def with_(evidence: Evidence, *measurements: Measurement) -> Evidence:
    """The evidence with some measurements put in or replaced."""
    return replace(evidence, chosen={**evidence.chosen, **{each.item: each for each in measurements}})


def dose(
    drug: str,
    at: date | datetime,
    status: DoseStatus = DoseStatus.GIVEN,
    amount: int | None = None,
    *,
    id: str = "",
    unit: str = "mg",
    reason: str = "",
) -> Dose:
    name = id or f"{drug}-{at}"
    return Dose(
        CHILD.id, drug, moment(at), status, None if amount is None else Fraction(amount), unit,
        (origin(name, "MedicationAdministration"),), reason,
    )  # fmt: skip


def rituximab(*days: int) -> list[Dose]:
    """Doses on so many days after day 0, at 10:00."""
    return [dose("rituximab", _ten(day)) for day in days]


def belimumab(*days: int) -> list[Dose]:
    """Doses on so many days after day 0, at 10:00."""
    return [dose("belimumab", _ten(day)) for day in days]


def _ten(day: int) -> datetime:
    return datetime(DAY0.year, DAY0.month, DAY0.day, 10, tzinfo=ZONE) + timedelta(days=day)


def scored(before: Evidence, after: Evidence, doses: Sequence[Dose] = ()) -> dict[Key, Outcome]:
    """The outcomes of two visits from the scorers alone, without windows, anchors and mapping."""
    trial = protocol()
    assert trial.essdai is not None
    assert trial.esspri is not None
    assert trial.schirmer is not None
    assert trial.salivary_flow is not None
    found: dict[Key, Outcome] = {}

    def keep(*outcomes: Outcome) -> None:
        found.update({(outcome.code, outcome.visit): outcome for outcome in outcomes})

    indices = {}
    for code in (OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI):
        pair = essdai.score(before, code, trial.essdai), essdai.score(after, code, trial.essdai)
        indices[code] = pair
        keep(*pair, essdai.score_change(*pair, trial.essdai))
    felt = esspri.score(before, trial.esspri), esspri.score(after, trial.esspri)
    keep(*felt, esspri.score_change(*felt, trial.esspri))
    tears = schirmer.score(before, trial.schirmer), schirmer.score(after, trial.schirmer)
    keep(*tears, schirmer.score_change(before, after, *tears, trial.schirmer, response_rule().schirmer_rise))
    flow = salivary_flow.score(before, trial.salivary_flow), salivary_flow.score(after, trial.salivary_flow)
    keep(*flow, salivary_flow.score_change(before, after, *flow))
    glands = hocevar.score(before), hocevar.score(after)
    keep(*glands, hocevar.score_change(*glands))
    compared = star.Visits(before, after, indices[OutcomeCode.CLINESSDAI], indices[OutcomeCode.ESSDAI], felt)
    keep(star.score(compared, star_rule()))
    keep(response.score(before, after, tuple(doses), response_rule()))
    return found
