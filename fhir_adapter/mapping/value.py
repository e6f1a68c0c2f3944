"""A value as a hospital sends it → the item's canonical unit, exactly, or why it cannot be used.

Units: dossier §9. A unit is required; nothing about it is guessed. ``<20`` becomes an interval.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeGuard

from msgspec import Struct

from fhir_adapter.mapping.hospital import UCUM, AmbiguousCode, Hospital, UnknownCode, folded, listed
from fhir_adapter.trial.items import Item, Kind
from fhir_adapter.trial.types import Problem
from fhir_adapter.trial.values import Interval, Truth

_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d\d?)?)\s*(.*)", re.DOTALL)
_TITRE = re.compile(r"1\s*[:：]\s*(\d+)")
_MARKS = re.compile(r"[↑↓]|^\*|\*(?=\s|$)")
"""Arrows and asterisks beside an abnormal result; the asterisk of a unit such as 10*9/L is none of them."""
_COMPARATORS = {"<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}
_DIMENSIONLESS = ("", "1", "{score}", "{level}", "{grade}")


class Read(Struct, frozen=True, gc=False):
    """What was made of a value: in the canonical unit, or with the problem that it has."""

    sent: str
    value: Interval | None = None
    found: Truth = None
    unit: str = ""
    problem: Problem | None = None


def read(
    element: Mapping[str, Any],
    item: Item,
    hospital: Hospital,
    default_unit: str,
    normal_high: Fraction | None,
) -> Read:
    """Read the ``value[x]`` of an Observation, of its component or of an answer.

    Two of them, or one beside a ``dataAbsentReason``, contradict R4 (obs-6) and are not read.
    ``normal_high`` is the upper limit printed with the result, in the canonical unit: it gives a
    result that is only a word its bounds.
    """
    names = [key for key in element if key[:5] == "value"]
    if len(names) > 1 or (names and "dataAbsentReason" in element):
        # Which of them is meant, only people can say.
        return Read(", ".join(sorted(names)), problem=Problem.UNREADABLE)
    name = names[0] if names else ""
    match name, element.get(name):
        case ("", _) | (_, None):
            return Read(_absent(element), problem=Problem.ABSENT)
        case ("valueQuantity" | "valueSimpleQuantity", dict(quantity)):
            return _quantity(quantity, item, hospital, default_unit)
        case ("valueInteger" | "valueDecimal", number) if is_number(number):
            return _number(str(number), "", _score_unit(item, default_unit), item, hospital, number)
        case ("valueBoolean", bool(answer)) if item.kind is Kind.FINDING:
            return Read(str(answer).lower(), found=answer)
        case ("valueString", str(text)):
            return _text(text, item, hospital, default_unit, normal_high)
        case ("valueCodeableConcept" | "valueCoding", dict(concept)):
            return _concept(concept, item, hospital, default_unit, normal_high)
        case ("valueRatio", dict(ratio)):
            return _ratio(ratio, item)
        case _:
            return Read(name, problem=Problem.UNREADABLE)


def is_number(value: object) -> TypeGuard[int | Decimal]:
    """Whether a JSON value is a number that something may measure: true is none, nor is 1e999999999."""
    if isinstance(value, Decimal):
        return abs(value.adjusted()) < 100
    return isinstance(value, int) and not isinstance(value, bool)


@lru_cache(maxsize=16_384)
def exact(number: int | Decimal) -> Fraction:
    """A JSON number as it was written; results and printed limits are of a few digits and come again."""
    return Fraction(number)


def _absent(element: Mapping[str, Any]) -> str:
    reason = element.get("dataAbsentReason")
    codings = listed(reason, "coding") if isinstance(reason, dict) else []
    return f"absent: {codings[0].get('code', '')}" if codings else "no value"


def _score_unit(item: Item, default_unit: str) -> str:
    """A whole number in a form needs no unit where the item has none but points of a score."""
    return default_unit or ("{score}" if item.unit == "{score}" else "")


def _quantity(quantity: Mapping[str, Any], item: Item, hospital: Hospital, default_unit: str) -> Read:
    number, comparator = quantity.get("value"), str(quantity.get("comparator", ""))
    spelled = spelled_unit(quantity)
    sent = f"{comparator}{number if number is not None else ''} {spelled}".strip()
    if not is_number(number) or comparator not in ("", *_COMPARATORS):
        return Read(sent, problem=Problem.UNREADABLE)
    return _number(sent, comparator, spelled or default_unit, item, hospital, number)


def spelled_unit(quantity: Mapping[str, Any]) -> str:
    """The unit of a Quantity as sent: its code where that is UCUM, else its text."""
    code = quantity.get("code")
    return str((code if quantity.get("system") == UCUM else None) or quantity.get("unit") or code or "")


def _text(text: str, item: Item, hospital: Hospital, default_unit: str, normal_high: Fraction | None) -> Read:
    plain = _MARKS.sub("", unicodedata.normalize("NFKC", text).strip()).strip()
    word = folded(plain)
    if word in hospital.words:
        return _word(text, hospital.words[word], item, normal_high)
    titre = _TITRE.fullmatch(plain)
    if titre and item.kind is Kind.TITRE:
        return Read(text, value=_interval("", Fraction(titre[1])))
    number = _NUMBER.fullmatch(plain)
    if number is None:
        return Read(text, problem=Problem.UNREADABLE)
    comparator, digits, spelled = number.groups(default="")
    return _number(text, comparator, spelled or default_unit, item, hospital, digits)


def _concept(
    concept: Mapping[str, Any],
    item: Item,
    hospital: Hospital,
    default_unit: str,
    normal_high: Fraction | None,
) -> Read:
    sent = _shown(concept)
    try:
        if item.kind is Kind.LEVEL:
            level = hospital.target("levels", concept)
            return _number(sent, "", "", item, hospital, level)
        # A grade in words is no mark on a scale, which only a number says.
        if item.kind is not Kind.SCALE:
            result = hospital.target("findings", concept)
            return _word(sent, {"positive": True, "negative": False}.get(result), item, normal_high)
    except UnknownCode:
        pass
    except AmbiguousCode:
        return Read(sent, problem=Problem.UNREADABLE)
    text = concept.get("text") or concept.get("display")
    if isinstance(text, str):
        return _text(text, item, hospital, default_unit, normal_high)
    return Read(sent, problem=Problem.UNREADABLE)


def _shown(concept: Mapping[str, Any]) -> str:
    codings = listed(concept, "coding") or [dict(concept)]
    return str(concept.get("text") or codings[0].get("display") or codings[0].get("code") or "")


def _word(sent: str, answer: Truth, item: Item, normal_high: Fraction | None) -> Read:
    """Present or absent. Of a quantity with such results, a word says on which side of its limit it lies."""
    if item.kind is Kind.FINDING:
        return Read(sent, found=answer)
    if not item.worded or answer is None:
        return Read(sent, problem=Problem.UNREADABLE)
    value = None
    if normal_high is not None:
        value = Interval(normal_high, None, low_open=True) if answer else Interval(Fraction(0), normal_high)
    return Read(sent, value=value, found=answer)


def _ratio(ratio: Mapping[str, Any], item: Item) -> Read:
    parts = [ratio.get(name, {}) for name in ("numerator", "denominator")]
    numbers = [part.get("value") if isinstance(part, dict) else None for part in parts]
    sent = f"{numbers[0]}:{numbers[1]}"
    comparator = str(parts[1].get("comparator", ""))
    if item.kind is not Kind.TITRE or numbers[0] != 1 or not is_number(numbers[1]) or numbers[1] <= 0:
        return Read(sent, problem=Problem.UNREADABLE)
    return Read(sent, value=_interval(comparator, Fraction(numbers[1])))


@lru_cache(maxsize=16_384)
def _number(
    sent: str, comparator: str, spelled: str, item: Item, hospital: Hospital, written: int | Decimal | str
) -> Read:
    """A number as ``written``; the same results are sent again and again, and judged once."""
    number = Fraction(written)
    comparator = _COMPARATORS.get(comparator, "")
    if item.kind is Kind.LEVEL:
        if comparator or hospital.unit(spelled) not in _DIMENSIONLESS or number not in item.levels:
            return Read(sent, problem=Problem.INVALID_LEVEL)
        return Read(sent, value=_interval("", number))
    if item.kind not in (Kind.QUANTITY, Kind.SCALE) or (comparator == "<" and number <= 0):
        return Read(sent, problem=Problem.UNREADABLE)
    if not spelled:
        return Read(sent, problem=Problem.NO_UNIT)
    unit = spelled if spelled in item.factors else hospital.unit(spelled)
    factor = item.factors.get(unit)
    if factor is None:
        return Read(sent, unit=unit, problem=Problem.UNKNOWN_UNIT)
    value = _interval(comparator, _converted(number, factor))
    if not _believable(value, item):
        return Read(sent, unit=unit, problem=Problem.IMPLAUSIBLE)
    return Read(sent, value=value, unit=unit)


def _converted(number: Fraction, factor: Fraction) -> Fraction:
    return number if factor == 1 else number * factor


def _interval(comparator: str, number: Fraction) -> Interval:
    """What a comparator says; nothing that is measured here lies below 0."""
    if comparator.startswith("<"):
        return Interval(min(Fraction(0), number), number, high_open=comparator == "<")
    if comparator.startswith(">"):
        return Interval(number, None, low_open=comparator == ">")
    return Interval(number, number)


def _believable(value: Interval, item: Item) -> bool:
    too_low = item.low is not None and value.high is not None and value.high < item.low
    too_high = item.high is not None and value.low is not None and value.low > item.high
    return not (too_low or too_high)


def normal_range(element: Mapping[str, Any], item: Item, hospital: Hospital, unit: str) -> Interval | None:
    """The laboratory's own range of a result, in the canonical unit; ``unit`` is the result's.

    Only a range for normal persons counts, and one whose unit converts; a range in words is none. Where
    several differ, as for men and women, it is not known whose this is: none.
    """
    ranges = set()
    for given in listed(element, "referenceRange"):
        kind = listed(given["type"], "coding") if isinstance(given.get("type"), dict) else []
        if kind and all(coding.get("code") != "normal" for coding in kind):
            continue
        low = _limit(given.get("low"), item, hospital, unit)
        high = _limit(given.get("high"), item, hospital, unit)
        if low is not None or high is not None:
            ranges.add(Interval(low, high))
    return ranges.pop() if len(ranges) == 1 else None


def _limit(quantity: object, item: Item, hospital: Hospital, unit: str) -> Fraction | None:
    if not isinstance(quantity, dict):
        return None
    number = quantity.get("value")
    if not is_number(number):
        return None
    own = spelled_unit(quantity) or unit
    factor = item.factors.get(own if own in item.factors else hospital.unit(own))
    return None if factor is None else _converted(exact(number), factor)
