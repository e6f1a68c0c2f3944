"""How single values look on the screen.

Scores, percentages and millimetres are shown with one decimal, whole numbers without (dossier §13).
A salivary flow is shown with up to four: at one decimal 0.08 mL/min, far below the limit of 0.1, would
look like 0.1. JSON carries every number with up to four decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fhir_adapter.trial.items import CATEGORIES, ITEMS, RESULTS, Kind
from fhir_adapter.trial.types import Component, Measurement, Outcome
from fhir_adapter.trial.values import Interval, Truth, rounded

FINE_UNITS = ("mL/min",)
"""Units whose numbers are small: shown with up to four decimals."""

SHORT_REASONS: Mapping[str, str] = {
    "not-due": "not due",
    "no-anchor": "no dose",
    "missing-input": "missing",
    "not-assessed": "not done",
    "invalid-input": "refused",
    "conflicting-input": "conflict",
    "undetermined": "open",
    "not-evaluable": "not evaluable",
}
"""Why there is no value, in a word or two; the whole sentence stands in ``items.REASONS``."""


def number(value: Fraction, unit: str = "") -> str:
    """A number without its unit."""
    return f"{rounded(value, 4 if unit in FINE_UNITS else 1):f}"


def signed(value: Fraction, unit: str = "") -> str:
    """A change: a rise has a plus sign."""
    text = number(value, unit)
    return text if value <= 0 or text == "0" else f"+{text}"


def unit_of(ucum: str) -> str:
    """A unit as it follows a number; counts and scores have none."""
    return "" if ucum in ("", "1") or ucum.startswith("{") else f" {ucum}"


def bounds(value: Interval, unit: str = "") -> str:
    """Where a number that is not known lies."""
    if value.low is None and value.high is None:
        return "anything"
    if value.low is None:
        return f"at most {number(value.high or Fraction(0), unit)}"
    if value.high is None:
        return f"at least {number(value.low, unit)}"
    return f"{number(value.low, unit)} to {number(value.high, unit)}"


def truth(answer: Truth) -> str:
    """Yes, no, or open."""
    return "open" if answer is None else "yes" if answer else "no"


def reason(code: str | None) -> str:
    """A reason in a word or two."""
    return SHORT_REASONS.get(code or "", code or "")


def result(code: str) -> str:
    """A result or category as people call it."""
    return {**RESULTS, **CATEGORIES}.get(code, code)


def component(part: Component) -> str:
    """A component's value, or why there is none."""
    if part.number is not None:
        return f"{number(part.number, part.unit)}{unit_of(part.unit)}"
    if part.answer is not None:
        return truth(part.answer)
    if part.code is not None:
        return result(part.code)
    if part.day is not None:
        return part.day.isoformat()
    return f"– ({reason(part.reason)})"


def outcome(each: Outcome) -> str:
    """An outcome's value with its unit, or why there is none and between which bounds it lies."""
    if each.number is not None:
        return f"{number(each.number, each.unit)}{unit_of(each.unit)}"
    if each.result is not None:
        return result(each.result)
    if each.day is not None:
        return each.day.isoformat()
    between = f", {bounds(each.bounds, each.unit)}{unit_of(each.unit)}" if each.bounds else ""
    return f"– ({reason(each.reason)}{between})"


def measurement(each: Measurement) -> str:
    """A measurement's value in the item's own unit, to four decimals; empty where it has none."""
    item = ITEMS[each.item]
    if each.value is None:
        known = {True: "positive", False: "negative"}
        return known.get(each.found, "neither positive nor negative") if each.usable else ""  # type: ignore[arg-type]
    text = interval(each.value)
    return f"1:{text}" if item.kind is Kind.TITRE else f"{text}{unit_of(item.unit)}"


def interval(value: Interval) -> str:
    """A number as it was measured, maybe censored, to four decimals."""
    if value.exact is not None:
        return f"{rounded(value.exact):f}"
    if value.low is None and value.high is not None:
        return f"{'<' if value.high_open else '≤'}{rounded(value.high):f}"
    if value.high is None and value.low is not None:
        return f"{'>' if value.low_open else '≥'}{rounded(value.low):f}"
    if value.low is None or value.high is None:
        return "anything"
    # Nothing that is measured lies below 0, so that <20 is an interval from 0.
    if value.low == 0 and value.high_open:
        return f"<{rounded(value.high):f}"
    return f"{rounded(value.low):f} to {rounded(value.high):f}"
