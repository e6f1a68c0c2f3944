"""The lexical forms of R4's primitive types. https://hl7.org/fhir/R4/datatypes.html#primitive

A form is judged on the value as JSON has it: a string, ``true`` or ``false``, or a number, which is ``int``
or ``Decimal`` (a ``float`` is taken, too).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

__all__ = ["FORMS", "PRIMITIVES", "explain"]

_MAX_STRING: Final = 1024 * 1024

_YEAR: Final = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY: Final = _YEAR + r"(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1]){rest})?)?"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE: Final = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_date = re.compile(_DAY.format(rest="")).fullmatch
_date_time = re.compile(_DAY.format(rest=f"(T{_CLOCK}{_ZONE})?")).fullmatch
_instant = re.compile(
    rf"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)-(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])T{_CLOCK}{_ZONE}"
).fullmatch
_time = re.compile(_CLOCK).fullmatch
# ASCII's blanks alone: in R4 a full-width space is a character.
_code = re.compile(r"[^ \t\n\r\f\v]+( [^ \t\n\r\f\v]+)*").fullmatch
_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_oid = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+").fullmatch
_uuid = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match
_blank = re.compile(r"[ \t\n\r\f\v]").search
_control = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]").search
_base64 = re.compile(r"[A-Za-z0-9+/=\s]*").fullmatch


def _is_boolean(value: Any) -> bool:
    return value is True or value is False


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_decimal(value: Any) -> bool:
    kind = type(value)
    if kind is Decimal:
        return bool(value.is_finite())
    return kind is int or (kind is float and value - value == 0)


def _is_string(value: Any) -> bool:
    return type(value) is str and value != "" and len(value) <= _MAX_STRING and not _control(value)


def _is_uri(value: Any) -> bool:
    if type(value) is not str or value == "" or _blank(value):
        return False
    if value.startswith("urn:"):
        if value.startswith("urn:uuid:"):
            return _uuid(value.partition("#")[0]) is not None
        if value.startswith("urn:oid:"):
            return _oid(value.partition("#")[0]) is not None
    return True


def _is_canonical(value: Any) -> bool:
    """Absolute, or a fragment: https://hl7.org/fhir/R4/references.html#canonical."""
    return _is_uri(value) and (value[0] == "#" or _scheme(value) is not None)


def _real_day(value: str) -> bool:
    """Whether the calendar has the day; a month or a year alone it always has."""
    if len(value) < 10 or value[8:10] <= "28":
        return True
    try:
        date(int(value[:4]), int(value[5:7]), int(value[8:10]))
    except ValueError:
        return False
    return True


def _is_date(value: Any) -> bool:
    return type(value) is str and _date(value) is not None and _real_day(value)


def _is_date_time(value: Any) -> bool:
    return type(value) is str and _date_time(value) is not None and _real_day(value)


def _is_instant(value: Any) -> bool:
    return type(value) is str and _instant(value) is not None and _real_day(value)


def _is_base64(value: Any) -> bool:
    if type(value) is not str or value == "" or not _base64(value):
        return False
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except binascii.Error:
        return False
    return True


FORMS: Final[dict[str, Callable[[Any], bool]]] = {
    "base64Binary": _is_base64,
    "boolean": _is_boolean,
    "canonical": _is_canonical,
    "code": lambda value: type(value) is str and _code(value) is not None,
    "date": _is_date,
    "dateTime": _is_date_time,
    "decimal": _is_decimal,
    "id": lambda value: type(value) is str and _id(value) is not None,
    "instant": _is_instant,
    "integer": lambda value: _whole(value, -(2**31), 2**31 - 1),
    "markdown": _is_string,
    "oid": lambda value: type(value) is str and _oid(value) is not None,
    "positiveInt": lambda value: _whole(value, 1, 2**31 - 1),
    "string": _is_string,
    "time": lambda value: type(value) is str and _time(value) is not None,
    "unsignedInt": lambda value: _whole(value, 0, 2**31 - 1),
    "uri": _is_uri,
    "url": _is_uri,
    "uuid": lambda value: type(value) is str and _uuid(value) is not None,
}
"""Primitive type → whether a value has its form."""

PRIMITIVES: Final = frozenset(FORMS) | {"xhtml"}

_SAID: Final = {
    "base64Binary": "base64 (A-Z, a-z, 0-9, + and /, padded with =)",
    "boolean": "true or false, not in quotes",
    "canonical": "a canonical URL: absolute and without blanks, or a fragment",
    "code": "a code: no blanks at either end, and single spaces between words",
    "date": "a day of the calendar, its month or its year: 2024-03-15, 2024-03 or 2024",
    "dateTime": "a day of the calendar, a month, a year, or with seconds and zone 2024-03-15T14:30:00+08:00",
    "decimal": "a number, not in quotes",
    "id": "1 to 64 of A-Z, a-z, 0-9, '-' and '.'",
    "instant": "a time with seconds and zone: 2024-03-15T14:30:00.000+08:00",
    "integer": "a whole number of 32 bits, not in quotes",
    "markdown": "text of at least one character",
    "oid": "an OID: urn:oid:1.2.3",
    "positiveInt": "a whole number of at least 1, not in quotes",
    "string": "text of at least one character, and without control characters",
    "time": "a time of the day: 14:30:00",
    "unsignedInt": "a whole number of at least 0, not in quotes",
    "uri": "a URI without blanks; a UUID in small letters, an OID in numbers",
    "url": "a URL without blanks",
    "uuid": "a UUID in small letters: urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
}

_JSON: Final = {
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    float: "a number",
    str: "a string",
}


def explain(kind: str, value: Any) -> tuple[str, str]:
    """The rule that a value breaks that has not the form of ``kind``, and a sentence without the value."""
    wanted = _SAID[kind]
    if value is None:
        return "null", f"is null; expected {wanted}, or leave the element out"
    if type(value) not in _JSON:
        return "json-type", f"is {'an array' if isinstance(value, list) else 'an object'}; expected {wanted}"
    of_string = kind not in ("boolean", "decimal", "integer", "positiveInt", "unsignedInt")
    if of_string != isinstance(value, str) or (kind == "boolean") != isinstance(value, bool):
        return "json-type", f"is {_JSON[type(value)]}; expected {wanted}" + (
            ", in quotes" if of_string else ""
        )
    if value == "":
        return "empty", f"is an empty string; expected {wanted}, or leave the element out"
    return f"form-{kind}", f"has not the form of {kind}: expected {wanted}"
