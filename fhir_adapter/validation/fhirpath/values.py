"""FHIRPath's own values, and when two are equal, equivalent, or one the smaller.

https://hl7.org/fhirpath/N1/ §Literals, §Equality, §Comparison, §Quantity. Text, truth values and numbers are
Python's ``str``, ``bool``, ``int`` and ``Decimal``.
"""

from __future__ import annotations

import calendar
import datetime
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from fhir_adapter.validation.fhirpath.errors import CannotEvaluate
from fhir_adapter.validation.fhirpath.model import Node
from fhir_adapter.validation.ucum import canonical

__all__ = [
    "CALENDAR", "Quantity", "Temporal", "compare", "equal", "equivalent", "key", "last_day", "parse_temporal",
    "shifted", "temporal", "text_of", "value_of",
]  # fmt: skip

CALENDAR: Final = {
    word: unit
    for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for word in (unit, f"{unit}s")
}
"""The words for calendar durations, singular and plural, and the unit that each names."""

UCUM: Final = "http://unitsofmeasure.org"

# Calendar durations of a fixed length, in seconds; years and months hang on the calendar.
_SECONDS: Final = {
    "millisecond": Decimal("0.001"), "second": Decimal(1), "minute": Decimal(60), "hour": Decimal(3600),
    "day": Decimal(86_400), "week": Decimal(604_800),
}  # fmt: skip
_MONTHS: Final = {"month": Decimal(1), "year": Decimal(12)}
# UCUM's units of a fixed length for which a calendar has a word; a and mo are equivalent to words, not equal.
_WORDS: Final = {
    "ms": "millisecond", "s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week",
}  # fmt: skip
_ALIKE: Final = {"mo": "month", "a": "year"}

_TEMPORAL: Final = re.compile(
    r"(?:(?P<y>[0-9]{4})(?:-(?P<mo>[0-9]{2})(?:-(?P<d>[0-9]{2}))?)?)?"
    r"(?P<t>T?)(?:(?P<h>[0-9]{2})(?::(?P<mi>[0-9]{2})(?::(?P<s>[0-9]{2}(?:\.[0-9]+)?))?)?)?"
    r"(?P<z>Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Temporal:
    """A date, a date with a time, or a time of day, as precise as it was written.

    ``kind`` is ``Date``, ``DateTime`` or ``Time``; ``parts`` are year, month and day (not of a time of day),
    hour, minute and second with its fraction; ``offset`` are the minutes that its clock is before UTC's.
    """

    kind: str
    parts: tuple[Decimal | int, ...]
    offset: int | None
    text: str


@lru_cache(maxsize=4096)
def parse_temporal(text: str) -> Temporal | None:
    """The date or time that ``text`` is, as FHIR and FHIRPath (without ``@``) write them; else ``None``."""
    found = _TEMPORAL.fullmatch(text)
    if found is None:
        return None
    year, hour = found["y"], found["h"]
    if year is None:
        if hour is None or found["z"]:
            return None
        kind = "Time"
    else:
        if (hour or found["z"]) and not (found["t"] and found["d"]):
            return None
        kind = "DateTime" if found["t"] else "Date"
    parts: list[Decimal | int] = [
        int(part) for part in found.group("y", "mo", "d", "h", "mi") if part is not None
    ]
    second = found["s"]
    if second is not None:
        parts.append(Decimal(second))
    if not _exists(kind, parts):
        return None
    zone = found["z"]
    offset = None
    if zone:
        offset = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    return Temporal(kind, tuple(parts), offset, text.removeprefix("T") if kind == "Time" else text)


def _exists(kind: str, parts: list[Decimal | int]) -> bool:
    day, clock = ([], parts) if kind == "Time" else (parts[:3], parts[3:])
    try:
        if day:
            datetime.date(*[int(part) for part in [*day, 1, 1][:3]])
    except ValueError:
        return False
    # A leap second is the sixtieth.
    return all(part < limit for part, limit in zip(clock, (24, 60, 61), strict=False))


def shifted(moment: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """``moment`` later by ``amount`` of a calendar unit, with its precision; ``None`` beyond the calendar.

    §Date/Time Arithmetic: parts of a unit are dropped; what is finer than the moment counts as far as it
    makes whole units of the moment's precision. Raises ``CannotEvaluate`` for a unit that is no duration.
    """
    named = _WORDS.get(unit, CALENDAR.get(unit, unit))
    if named not in CALENDAR:
        raise CannotEvaluate("to a date or time only a calendar duration can be added")
    try:
        return _shift(moment, amount, named)
    except (ValueError, OverflowError, ArithmeticError):
        return None


def _shift(moment: Temporal, amount: Decimal, unit: str) -> Temporal:
    is_time = moment.kind == "Time"
    if is_time and unit in ("year", "month", "week", "day"):
        raise CannotEvaluate("a time of day has no days to add to")
    count = len(moment.parts) + (3 if is_time else 0)
    full = [*([2000, 1, 1] if is_time else []), *moment.parts, *(1, 1, 1, 0, 0, 0)[count:]]
    year, month, day, hour, minute = (int(part) for part in full[:5])
    second = Decimal(full[5])
    if unit not in ("second", "millisecond"):
        amount = Decimal(int(amount))
    if unit not in ("year", "month") and count < 3:
        # To a year or a month: whole ones only, of 365 and 30 days.
        days = int(amount * _SECONDS[unit] / 86_400)
        amount, unit = (
            (Decimal(int(days / 365)), "year") if count == 1 else (Decimal(int(days / 30)), "month")
        )
    if unit in ("year", "month"):
        if count == 1 and unit == "month":
            amount, unit = Decimal(int(amount / 12)), "year"
        months = year * 12 + month - 1 + int(amount) * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        month += 1
        day = min(day, last_day(year, month))
        moved = datetime.datetime(year, month, day, hour, minute)
    else:
        moved = datetime.datetime(year, month, day, hour, minute)
        seconds = amount * _SECONDS[unit]
        if count == 3:
            # Python's remainder of Decimals has the sign of the dividend: only whole days are left.
            seconds -= seconds % 86_400
        minutes, rest = divmod(second + seconds, 60)
        if rest < 0:
            minutes, rest = minutes - 1, rest + 60
        moved += datetime.timedelta(minutes=int(minutes))
        digits = max(_digits(Decimal(full[5])), _digits(rest.normalize()))
        second = rest.quantize(Decimal(1).scaleb(-digits))
    parts: list[Decimal | int] = [moved.year, moved.month, moved.day, moved.hour, moved.minute, second]
    kept = tuple(parts[3 if is_time else 0 : count])
    return temporal(moment.kind, kept, moment.offset)


def last_day(year: int, month: int) -> int:
    """How many days a month has."""
    return calendar.monthrange(year, month)[1]


def _digits(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def temporal(kind: str, parts: tuple[Decimal | int, ...], offset: int | None) -> Temporal:
    """The date or time of these parts, with its text."""
    day, clock = ((), parts) if kind == "Time" else (parts[:3], parts[3:])
    date = "-".join(f"{part:0{2 if i else 4}}" for i, part in enumerate(day))
    words = [f"{part:02}" for part in clock[:2]]
    if len(clock) == 3:
        second = Decimal(clock[2])
        digits = _digits(second)
        words.append(f"{second:0{3 + digits if digits else 2}.{digits}f}")
    time = ":".join(words)
    if kind == "Time":
        return Temporal(kind, parts, None, time)
    zone = ""
    if offset is not None:
        hours, minutes = divmod(abs(offset), 60)
        zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}" if offset else "Z"
    return Temporal(kind, parts, offset, date if kind == "Date" else f"{date}T{time}{zone}")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit: UCUM's code, or a calendar duration's word in the singular."""

    value: Decimal
    unit: str
    calendar: bool = False

    def measured(self) -> tuple[Decimal, object]:
        """The number in base units, and these; in its own unit where that is none of UCUM."""
        word = CALENDAR.get(self.unit, "")
        if word in _MONTHS:
            return self.value * _MONTHS[word], "month"
        if word:
            return self.value * _SECONDS[word], (("s", 1),)
        base = canonical(self.unit)
        return (self.value, self.unit) if base is None else (self.value * base[0], base[1])


def value_of(item: Any) -> Any:
    """The value that operators take ``item`` for: a primitive's, a Quantity's, or a complex node itself.

    ``None`` for a primitive that has no value.
    """
    if type(item) is not Node:
        return item
    value = item.value
    if type(value) is str:
        reads = item.type.reads_as
        if reads == "text":
            return value
        return parse_temporal(value) or value
    if type(value) is dict:
        return _quantity(item) if item.type.is_a("Quantity") else item
    return Decimal(repr(value)) if type(value) is float else value


def _quantity(item: Node) -> Any:
    value, code = item.value.get("value"), item.value.get("code")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return item
    system = item.value.get("system")
    unit = code if system == UCUM else f"{system}|{code}" if code else item.value.get("unit", "1")
    return Quantity(Decimal(value), str(unit))


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is Decimal


def equal(left: Any, right: Any) -> bool | None:
    """Whether two items are equal (``=``); ``None`` where their precision leaves it open."""
    if type(left) is Node and type(right) is Node and type(left.value) is dict:
        # As data, so that 1.0 and 1.00 are one number; FHIR's elements have no order of their own.
        return bool(left.value == right.value)
    left, right = value_of(left), value_of(right)
    kind = type(left)
    if kind is type(right):
        if kind is Temporal:
            if (left.kind == "Time") != (right.kind == "Time"):
                return False
            order = _temporal_order(left, right)
            return None if order is None else order == 0
        if kind is Quantity:
            order = _quantity_order(left, right)
            return None if order is None else order == 0
        if kind is Node:
            return bool(left.value == right.value and left.extra == right.extra)
        return bool(left == right)
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if kind is Quantity and _is_number(right):
        return equal(left, Quantity(Decimal(right), "1"))
    if type(right) is Quantity and _is_number(left):
        return equal(Quantity(Decimal(left), "1"), right)
    return False


def compare(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 as ``left`` is smaller than, equal to or greater than ``right``, both of ``value_of``.

    ``None`` where their precision or their units leave it open. Raises ``CannotEvaluate`` where values of
    such types have no order.
    """
    kind = type(left)
    if (_is_number(left) and _is_number(right)) or (kind is str and type(right) is str):
        return int(left > right) - int(left < right)
    if kind is Temporal and type(right) is Temporal:
        return _temporal_order(left, right)
    if kind is Quantity or type(right) is Quantity:
        if _is_number(left):
            left = Quantity(Decimal(left), "1")
        if _is_number(right):
            right = Quantity(Decimal(right), "1")
        if type(left) is Quantity and type(right) is Quantity:
            return _quantity_order(left, right)
    if (kind is Temporal and type(right) is str) or (kind is str and type(right) is Temporal):
        # FHIR's dates are text in JSON: one that is none has no order.
        other = parse_temporal(right if type(right) is str else left)
        if other is not None:
            return compare(left, other) if kind is Temporal else compare(other, right)
    if left is None or right is None or type(left) is Node or type(right) is Node:
        return None
    raise CannotEvaluate("values of these two types have no order")


def _temporal_order(left: Temporal, right: Temporal) -> int | None:
    if (left.kind == "Time") != (right.kind == "Time"):
        return None
    ours, theirs = left.parts, right.parts
    if left.offset != right.offset and left.kind != "Time" and len(ours) > 3 and len(theirs) > 3:
        if left.offset is None or right.offset is None:
            return None
        ours, theirs = _in_utc(left), _in_utc(right)
    for a, b in zip(ours, theirs, strict=False):
        if a != b:
            return 1 if a > b else -1
    return 0 if len(ours) == len(theirs) else None


def _in_utc(moment: Temporal) -> tuple[Decimal | int, ...]:
    parts = moment.parts
    minutes = int(parts[3]) * 60 + (int(parts[4]) if len(parts) > 4 else 0) - (moment.offset or 0)
    days = datetime.date(int(parts[0]), int(parts[1]), int(parts[2])).toordinal() + minutes // 1440
    return (days, minutes % 1440 // 60, *((minutes % 60,) if len(parts) > 4 else ()), *parts[5:])


def _quantity_order(left: Quantity, right: Quantity) -> int | None:
    (a, unit), (b, other) = left.measured(), right.measured()
    return None if unit != other else (a > b) - (a < b)


def equivalent(left: Any, right: Any) -> bool:
    """Whether two items are equivalent (``~``)."""
    left, right = value_of(left), value_of(right)
    if type(left) is str and type(right) is str:
        return " ".join(left.lower().split()) == " ".join(right.lower().split())
    if _is_number(left) and _is_number(right):
        return _rounded_alike(Decimal(left), Decimal(right))
    if type(left) is Temporal and type(right) is Temporal:
        return len(left.parts) == len(right.parts) and _temporal_order(left, right) == 0
    if type(left) is Quantity and type(right) is Quantity:
        return _quantities_alike(left, right)
    if type(left) is Node and type(right) is Node and type(left.value) is dict:
        return bool(_folded(left.value) == _folded(right.value))
    return bool(equal(left, right))


def _quantities_alike(left: Quantity, right: Quantity) -> bool:
    if left.calendar != right.calendar:
        left, right = (
            Quantity(one.value, _ALIKE.get(one.unit, one.unit), calendar=True) for one in (left, right)
        )
    if left.measured()[1] != right.measured()[1]:
        return False
    # To the precision of the less precise, in its own unit: 4 g is 4040 mg.
    coarse, fine = (left, right) if _step(left) >= _step(right) else (right, left)
    factor = Quantity(Decimal(1), coarse.unit, coarse.calendar).measured()[0]
    return _rounded_alike(coarse.value, fine.measured()[0] / factor, _digits(coarse.value))


def _step(quantity: Quantity) -> Decimal:
    """What one more in the last digit of a quantity measures in base units."""
    last = Decimal(1).scaleb(-_digits(quantity.value))
    return Quantity(last, quantity.unit, quantity.calendar).measured()[0]


def _rounded_alike(left: Decimal, right: Decimal, places: int | None = None) -> bool:
    if places is None:
        places = min(_digits(left.normalize()), _digits(right.normalize()))
    unit = Decimal(1).scaleb(-places)
    try:
        return left.quantize(unit) == right.quantize(unit)
    except ArithmeticError:
        return left == right


def _folded(value: Any) -> Any:
    """A value that is equal where FHIRPath says equivalent: case, spaces and order do not count."""
    if isinstance(value, dict):
        return {name: _folded(inner) for name, inner in value.items() if name != "id"}
    if isinstance(value, list):
        return sorted((_folded(inner) for inner in value), key=repr)
    return " ".join(value.lower().split()) if isinstance(value, str) else value


def key(item: Any) -> Any:
    """What two items have in common if and only if they are equal, to be looked up in a set."""
    value = value_of(item)
    kind = type(value)
    if kind is str:
        return value
    if kind is bool:
        return (bool, value)
    if kind is Temporal:
        utc = _in_utc(value) if value.offset is not None and len(value.parts) > 3 else value.parts
        return (value.kind == "Time", value.offset is not None and len(value.parts) > 3, utc)
    if kind is Quantity:
        return (Quantity, *value.measured())
    if kind is Node:
        return (Node, _frozen(value.value), _frozen(value.extra))
    return _frozen(value)


def _frozen(value: Any) -> Any:
    if type(value) is dict:
        return frozenset((name, _frozen(inner)) for name, inner in value.items())
    if type(value) is list:
        return tuple(_frozen(inner) for inner in value)
    return (bool, value) if type(value) is bool else value


def text_of(value: Any) -> str | None:
    """What ``toString()`` makes of a value from ``value_of``; ``None`` of what has no such form."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return _int_text(value)
    if kind is Decimal:
        return f"{value:f}" if abs(value.adjusted()) < 400 else str(value)
    if kind is Temporal:
        return str(value.text)
    if kind is Quantity:
        number = text_of(value.value) or ""
        return f"{number} {value.unit}" if value.calendar else f"{number} '{value.unit}'"
    return None


def _int_text(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:
        return None
