"""The functions that need nothing but their focus and the values of their arguments.

https://hl7.org/fhirpath/N1/ §Functions; those after N1 that profiles use (``trim``, ``split``, ``join``,
``matchesFull``, ``lastIndexOf``, ``encode``, ``decode``, ``lowBoundary``, ``highBoundary``) by https://hl7.org/fhirpath/.
``SCALARS`` work on one value, and are empty where it, or one of their arguments, is; ``COLLECTIONS`` on all
items.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from fhir_adapter.validation.fhirpath.errors import CannotEvaluate
from fhir_adapter.validation.fhirpath.model import Node
from fhir_adapter.validation.fhirpath.regex import pattern
from fhir_adapter.validation.fhirpath.values import (
    CALENDAR,
    Quantity,
    Temporal,
    equal,
    key,
    last_day,
    parse_temporal,
    temporal,
    text_of,
    value_of,
)

__all__ = ["COLLECTIONS", "SCALARS", "Collection", "Scalar", "distinct", "equal_items", "union"]

LONGEST: Final = 1_000_000
"""How many characters a text that an expression makes may have."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A function of one value: what it takes, and how many arguments."""

    call: Callable[..., Any]
    least: int
    most: int
    takes: type | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A function of all items of its focus; an argument is a list of items."""

    call: Callable[..., list[Any]]
    most: int
    least: int | None = None
    """How many arguments there must be; as many as there may, where it is not said."""


# --- Text: §String Manipulation


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if type(value) is Temporal:
        return value.text
    raise CannotEvaluate("a text is wanted, and there is another value")


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    raise CannotEvaluate("a whole number is wanted, and there is another value")


def _number(value: Any) -> int | Decimal:
    if type(value) is int or type(value) is Decimal:
        return value
    raise CannotEvaluate("a number is wanted, and there is another value")


def _substring(text: str, start: Any, length: Any = None) -> str | None:
    first = _whole(start)
    if not 0 <= first < len(text):
        return None
    return text[first:] if length is None else text[first : first + max(0, _whole(length))]


def _replace(text: str, what: Any, by: Any) -> str:
    return _bounded(text.replace(_text(what), _text(by)))


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise CannotEvaluate(f"a text would be longer than {LONGEST} characters")
    return text


def _matches(text: str, expression: Any) -> bool:
    return pattern(_text(expression)).search(text) is not None


def _matches_full(text: str, expression: Any) -> bool:
    return pattern(_text(expression)).fullmatch(text) is not None


_GROUP: Final = re.compile(r"\$(?:([0-9])|\{([A-Za-z]\w*)\})")


def _replace_matches(text: str, expression: Any, by: Any) -> str:
    if expression == "":
        return text
    # Groups are $1 and ${name} in the specification, \1 and \g<name> in Python.
    substitute = _GROUP.sub(lambda found: rf"\g<{found[1] or found[2]}>", _text(by).replace("\\", r"\\"))
    try:
        return _bounded(pattern(_text(expression)).sub(substitute, text))
    except (re.error, IndexError):
        raise CannotEvaluate("the substitution names a group that is not there") from None


_CODECS: Final[dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]] = {
    "base64": (base64.b64encode, lambda text: base64.b64decode(text, validate=True)),
    "urlbase64": (base64.urlsafe_b64encode, base64.urlsafe_b64decode),
    "hex": (binascii.hexlify, binascii.unhexlify),
}


def _encode(text: str, codec: Any) -> str | None:
    pair = _CODECS.get(_text(codec))
    return pair[0](text.encode()).decode() if pair else None


def _decode(text: str, codec: Any) -> str | None:
    pair = _CODECS.get(_text(codec))
    try:
        return pair[1](text.encode()).decode() if pair else None
    except ValueError:
        return None


# --- Numbers: §Math


def _abs(value: Any) -> Any:
    return (
        Quantity(abs(value.value), value.unit, value.calendar)
        if type(value) is Quantity
        else abs(_number(value))
    )


def _round(value: Any, places: Any = 0) -> Decimal:
    if _whole(places) < 0:
        raise CannotEvaluate("a number cannot be rounded to less than no decimals")
    return Decimal(_number(value)).quantize(Decimal(1).scaleb(-min(places, 100)), ROUND_HALF_UP)


def _root(value: Any) -> Decimal | None:
    number = Decimal(_number(value))
    return number.sqrt() if number >= 0 else None


def _log(value: Any, base: Any) -> Decimal | None:
    number, of = Decimal(_number(value)), Decimal(_number(base))
    if number <= 0 or of <= 0 or of == 1:
        return None
    # Of a ratio of two rounded logarithms the last digits are noise: log(8, 2) is 3.
    return Context(prec=20).create_decimal(number.ln() / of.ln())


def _ln(value: Any) -> Decimal | None:
    number = Decimal(_number(value))
    return number.ln() if number > 0 else None


def _power(value: Any, exponent: Any) -> Any:
    base, by = Decimal(_number(value)), Decimal(_number(exponent))
    if (base < 0 and by != int(by)) or (base == 0 and by <= 0):
        return Decimal(1) if base == 0 and by == 0 else None
    result = base**by
    return int(result) if type(value) is int and type(exponent) is int and by >= 0 else result


# --- Conversion: §Conversion

_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,1000}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?)\s*(?:'(?P<unit>[^']+)'|(?P<word>[a-zA-Z]+))?"
)


def _to_boolean(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    if isinstance(value, str):
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return bool(value) if type(value) in (int, Decimal) and value in (0, 1) else None


def _to_integer(value: Any) -> int | None:
    if type(value) is bool:
        return int(value)
    if type(value) is int:
        return value
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def _to_decimal(value: Any) -> Decimal | None:
    if type(value) in (bool, int, Decimal):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def _to_quantity(value: Any, unit: Any = None) -> Quantity | None:
    found: Quantity | None = None
    if type(value) is Quantity:
        found = value
    elif type(value) in (bool, int, Decimal):
        found = Quantity(Decimal(value), "1")
    elif isinstance(value, str) and (parsed := _QUANTITY.fullmatch(value)):
        word = parsed["word"]
        if word is None or word in CALENDAR:
            found = Quantity(
                Decimal(parsed["number"]), parsed["unit"] or CALENDAR.get(word or "", "1"), bool(word)
            )
    if found is None or unit is None:
        return found
    named = _text(unit)
    one = Quantity(Decimal(1), CALENDAR.get(named, named), named in CALENDAR)
    (amount, ours), (step, theirs) = found.measured(), one.measured()
    return Quantity(amount / step, one.unit, one.calendar) if ours == theirs else None


def _to_moment(kind: str) -> Callable[[Any], Temporal | None]:
    def convert(value: Any) -> Temporal | None:
        moment = parse_temporal(value) if isinstance(value, str) else value
        if not isinstance(moment, Temporal):
            return None
        if moment.kind == kind:
            return moment
        if kind == "DateTime" and moment.kind == "Date":
            return Temporal(kind, moment.parts, None, moment.text)
        if kind == "Date" and moment.kind == "DateTime":
            return Temporal(kind, moment.parts[:3], None, moment.text[:10].partition("T")[0])
        return None

    return convert


_TO: Final[dict[str, Callable[..., Any]]] = {
    "Boolean": _to_boolean,
    "Integer": _to_integer,
    "Decimal": _to_decimal,
    "String": text_of,
    "Quantity": _to_quantity,
    "Date": _to_moment("Date"),
    "DateTime": _to_moment("DateTime"),
    "Time": _to_moment("Time"),
}


def _converts(convert: Callable[..., Any]) -> Callable[..., bool]:
    return lambda value, *more: convert(value, *more) is not None


# --- Boundaries: http://hl7.org/fhirpath/ §lowBoundary, §highBoundary


def _boundary(direction: int) -> Callable[..., Any]:
    def boundary(value: Any) -> Any:
        if type(value) is Temporal:
            return _moment_boundary(value, direction)
        if type(value) is Quantity:
            return Quantity(boundary(value.value), value.unit, value.calendar)
        number = Decimal(_number(value))
        exponent = number.as_tuple().exponent
        half = Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1)
        return number + direction * half

    return boundary


def _moment_boundary(moment: Temporal, direction: int) -> Temporal:
    if moment.kind == "Time":
        ends: tuple[Any, ...] = (0, 0, Decimal("0.000")) if direction < 0 else (23, 59, Decimal("59.999"))
    elif direction < 0:
        ends = (0, 1, 1, 0, 0, Decimal("0.000"))
    else:
        year, month = int(moment.parts[0]), int((*moment.parts, 12)[1])
        ends = (0, 12, last_day(year, month), 23, 59, Decimal("59.999"))
    if moment.kind == "Date":
        ends = ends[:3]
    parts = (*moment.parts, *ends[len(moment.parts) :])
    # Without a zone the moment may lie in the first or the last there is: +14:00 or -12:00.
    offset = moment.offset
    if moment.kind == "DateTime" and offset is None:
        offset = 14 * 60 if direction < 0 else -12 * 60
    return temporal(moment.kind, parts, offset)


# --- Collections: §Existence, §Subsetting, §Combining, §Collections


def distinct(items: list[Any]) -> list[Any]:
    """``items`` without those that are equal to an earlier one."""
    if len(items) < 2:
        return items
    seen: set[Any] = set()
    found = []
    for item in items:
        mark = key(item)
        if mark not in seen:
            seen.add(mark)
            found.append(item)
    return found


def union(left: list[Any], right: list[Any]) -> list[Any]:
    """The distinct items of both (``|``)."""
    return distinct(left + right) if right else distinct(left)


def equal_items(left: list[Any], right: list[Any]) -> bool | None:
    """Whether two collections are equal (``=``): as many, each equal to the one in its place."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answer: bool | None = True
    for ours, theirs in zip(left, right, strict=True):
        alike = equal(ours, theirs)
        if alike is False:
            return False
        answer = answer if alike else None
    return answer


def _intersect(items: list[Any], other: list[Any]) -> list[Any]:
    if not items or not other:
        return []
    marks = {key(item) for item in other}
    found: dict[Any, Any] = {}
    for item in items:
        mark = key(item)
        if mark in marks:
            found.setdefault(mark, item)
    return list(found.values())


def _exclude(items: list[Any], other: list[Any]) -> list[Any]:
    marks = {key(item) for item in other}
    return [item for item in items if key(item) not in marks]


def _within(items: list[Any], other: list[Any]) -> list[Any]:
    return [{key(item) for item in items} <= {key(item) for item in other}]


def _each_is(wanted: bool, every: bool) -> Callable[[list[Any]], list[Any]]:
    def answer(items: list[Any]) -> list[Any]:
        found = [value_of(item) for item in items]
        if any(type(value) is not bool for value in found):
            raise CannotEvaluate("truth values are wanted, and there are others")
        return [all(value is wanted for value in found) if every else any(value is wanted for value in found)]

    return answer


def _single(items: list[Any]) -> list[Any]:
    if len(items) > 1:
        raise CannotEvaluate("single() found several items")
    return items


def _at(items: list[Any]) -> int | None:
    if not items:
        return None
    if len(items) > 1:
        raise CannotEvaluate("there are several numbers where one is wanted")
    return _whole(value_of(items[0]))


def _skip(items: list[Any], number: list[Any]) -> list[Any]:
    count = _at(number)
    return [] if count is None else items[max(0, count) :]


def _take(items: list[Any], number: list[Any]) -> list[Any]:
    count = _at(number)
    return [] if count is None else items[: max(0, count)]


def _join(items: list[Any], separator: list[Any] | None = None) -> list[Any]:
    between = _text(value_of(separator[0])) if separator else ""
    return [_bounded(between.join(_text(value_of(item)) for item in items))] if items else []


def _split(items: list[Any], separator: list[Any]) -> list[Any]:
    by = _text(value_of(separator[0])) if separator else ""
    return [part for item in items for part in (_text(value_of(item)).split(by) if by else [item])]


def _get_value(items: list[Any]) -> list[Any]:
    if len(items) != 1:
        return []
    value = value_of(items[0])
    return [] if value is None or type(value) is Node else [value]


SCALARS: Final[dict[str, Scalar]] = {
    "startsWith": Scalar(lambda text, start: text.startswith(_text(start)), 1, 1, str),
    "endsWith": Scalar(lambda text, end: text.endswith(_text(end)), 1, 1, str),
    "contains": Scalar(lambda text, part: _text(part) in text, 1, 1, str),
    "indexOf": Scalar(lambda text, part: text.find(_text(part)), 1, 1, str),
    "lastIndexOf": Scalar(lambda text, part: text.rfind(_text(part)), 1, 1, str),
    "substring": Scalar(_substring, 1, 2, str),
    "upper": Scalar(str.upper, 0, 0, str),
    "lower": Scalar(str.lower, 0, 0, str),
    "trim": Scalar(str.strip, 0, 0, str),
    "replace": Scalar(_replace, 2, 2, str),
    "matches": Scalar(_matches, 1, 1, str),
    "matchesFull": Scalar(_matches_full, 1, 1, str),
    "replaceMatches": Scalar(_replace_matches, 2, 2, str),
    "length": Scalar(len, 0, 0, str),
    "encode": Scalar(_encode, 1, 1, str),
    "decode": Scalar(_decode, 1, 1, str),
    "abs": Scalar(_abs, 0, 0),
    "ceiling": Scalar(lambda value: math.ceil(_number(value)), 0, 0),
    "floor": Scalar(lambda value: math.floor(_number(value)), 0, 0),
    "truncate": Scalar(lambda value: int(_number(value)), 0, 0),
    "round": Scalar(_round, 0, 1),
    "sqrt": Scalar(_root, 0, 0),
    "exp": Scalar(lambda value: Decimal(_number(value)).exp(), 0, 0),
    "ln": Scalar(_ln, 0, 0),
    "log": Scalar(_log, 1, 1),
    "power": Scalar(_power, 1, 1),
    "lowBoundary": Scalar(_boundary(-1), 0, 0),
    "highBoundary": Scalar(_boundary(1), 0, 0),
    **{f"to{kind}": Scalar(convert, 0, int(kind == "Quantity")) for kind, convert in _TO.items()},
    **{
        f"convertsTo{kind}": Scalar(_converts(convert), 0, int(kind == "Quantity"))
        for kind, convert in _TO.items()
    },
}  # fmt: skip

COLLECTIONS: Final[dict[str, Collection]] = {
    "first": Collection(lambda items: items[:1], 0),
    "last": Collection(lambda items: items[-1:], 0),
    "tail": Collection(lambda items: items[1:], 0),
    "single": Collection(_single, 0),
    "skip": Collection(_skip, 1),
    "take": Collection(_take, 1),
    "distinct": Collection(distinct, 0),
    "isDistinct": Collection(lambda items: [len(distinct(items)) == len(items)], 0),
    "union": Collection(union, 1),
    "combine": Collection(lambda items, other: items + other, 1),
    "intersect": Collection(_intersect, 1),
    "exclude": Collection(_exclude, 1),
    "subsetOf": Collection(_within, 1),
    "supersetOf": Collection(lambda items, other: _within(other, items), 1),
    "allTrue": Collection(_each_is(True, every=True), 0),
    "anyTrue": Collection(_each_is(True, every=False), 0),
    "allFalse": Collection(_each_is(False, every=True), 0),
    "anyFalse": Collection(_each_is(False, every=False), 0),
    "toChars": Collection(lambda items: [letter for item in items for letter in _text(value_of(item))], 0),
    "split": Collection(_split, 1),
    "join": Collection(_join, 1, 0),
    "getValue": Collection(_get_value, 0),
}  # fmt: skip
