"""What R4 says of single datatypes in words, and the limits that ElementDefinitions set for values.

https://hl7.org/fhir/R4/datatypes.html, https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fhir_adapter.validation.run import Path, Run
from fhir_adapter.validation.ucum import canonical

__all__ = [
    "check_attachment",
    "check_identifier",
    "check_quantity",
    "limits",
    "longest",
    "no_example",
    "value_of",
]

Check = Callable[[Any, Path, Run], None]

_UCUM: Final = "http://unitsofmeasure.org"
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NUMBERS: Final = (int, Decimal, float)


def check_attachment(value: Any, path: Path, run: Run) -> None:
    """Attachment.size: "The number of bytes of data that make up this attachment (before base64 encoding)".

    https://hl7.org/fhir/R4/datatypes.html#Attachment
    """
    size, data = value.get("size"), value.get("data")
    if type(size) is int and isinstance(data, str):
        try:
            length = len(base64.b64decode("".join(data.split()), validate=True))
        except (binascii.Error, ValueError):
            return
        if length != size:
            run.error(path, "attachment-size", f"size says {size} bytes, and data holds {length}", "value")


def check_identifier(value: Any, path: Path, run: Run) -> None:
    """Identifier.system is an absolute URI. https://hl7.org/fhir/R4/datatypes.html#Identifier"""
    system = value.get("system")
    if isinstance(system, str) and system and not _ABSOLUTE.match(system):
        run.error(
            path, "identifier-system", "system is a relative URL; expected an absolute one", "code-invalid"
        )
    elif system == "urn:ietf:rfc:3986":
        held = value.get("value")
        if isinstance(held, str) and held and not _ABSOLUTE.match(held):
            run.error(
                path,
                "identifier-value",
                "system urn:ietf:rfc:3986 says that value is a full URI, and it is none",
                "value",
            )


def check_quantity(value: Any, path: Path, run: Run) -> None:
    """Quantity.system is an absolute URI. https://hl7.org/fhir/R4/datatypes.html#Quantity"""
    system = value.get("system")
    if isinstance(system, str) and system and not _ABSOLUTE.match(system):
        run.error(path, "coding-system", "system is a relative URL; expected an absolute one", "code-invalid")


def no_example(value: Any, path: Path, run: Run) -> None:
    """URLs of example.org lead nowhere: https://www.rfc-editor.org/rfc/rfc2606."""
    if not run.settings.examples and "example.org" in value:
        run.error(path, "example-url", "is the URL of an example", "business-rule")


def longest(limit: int) -> Check:
    """ElementDefinition.maxLength: "the maximum length in characters"."""

    def check(value: Any, path: Path, run: Run) -> None:
        if isinstance(value, str) and isinstance(limit, int) and len(value) > limit:
            run.error(
                path, "max-length", f"has {len(value)} characters; at most {limit} are allowed", "value"
            )

    return check


def limits(definition: Mapping[str, Any]) -> tuple[Check | None, Check | None]:
    """The checks of ``minValue[x]`` and ``maxValue[x]`` of an ElementDefinition, as far as it has them.

    Dates and times are compared as far as both are precise. A Duration is taken from now, or added to it.
    """
    return _limit(definition, "minValue", lowest=True), _limit(definition, "maxValue", lowest=False)


def _limit(definition: Mapping[str, Any], stem: str, *, lowest: bool) -> Check | None:
    name = next((name for name in definition if name.startswith(stem)), None)
    if name is None:
        return None
    limit, kind = definition[name], name[len(stem) :]
    word, rule = ("least", "min-value") if lowest else ("most", "max-value")

    def beyond(value: Any, bound: Any) -> bool:
        return bool(value < bound if lowest else value > bound)

    def check(value: Any, path: Path, run: Run) -> None:
        if isinstance(value, bool):
            return
        if kind in ("Quantity", "Duration"):
            if isinstance(value, str):
                bound = _from_now(limit, -1 if lowest else 1)
                if bound is not None and beyond(value[: len(bound)], bound[: len(value)]):
                    run.error(
                        path, rule, f"is beyond {limit.get('value')} {limit.get('code')} from now", "value"
                    )
            elif isinstance(value, dict):
                _quantity(value, path, run)
            return
        if isinstance(value, _NUMBERS) and isinstance(limit, _NUMBERS):
            if beyond(value, limit):
                run.error(path, rule, f"is a number that is not allowed; at {word} {limit}", "value")
        elif isinstance(value, str) and isinstance(limit, str):
            length = min(len(value), len(limit))
            if beyond(value[:length], limit[:length]):
                run.error(path, rule, f"is not allowed; at {word} {limit}", "value")

    def _quantity(value: dict[str, Any], path: Path, run: Run) -> None:
        pair = value_of(value, limit)
        if pair is None:
            if "value" in value:
                message = f"has a unit that cannot be compared with {limit.get('code')}"
                run.say("error" if _both_known(value, limit) else "warning", path, rule, message, "value")
        elif beyond(*pair):
            run.error(
                path, rule, f"is not allowed; at {word} {limit.get('value')} {limit.get('code', '')}", "value"
            )

    return check


def _both_known(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both have units of UCUM that can be read, so that it is certain that they differ in kind."""
    if not one.get("system") == other.get("system") == _UCUM:
        return False
    return all(canonical(str(unit.get("code"))) is not None for unit in (one, other))


def value_of(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """The values of two Quantities in one unit; ``None`` where they have none in common."""
    left, right = one.get("value"), other.get("value")
    if not isinstance(left, _NUMBERS) or not isinstance(right, _NUMBERS):
        return None
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    first, second = Decimal(str(left)), Decimal(str(right))
    if one.get("code") == other.get("code") and one.get("system") == other.get("system"):
        return first, second
    if one.get("system") == other.get("system") == _UCUM:
        units = canonical(str(one.get("code"))), canonical(str(other.get("code")))
        if units[0] and units[1] and units[0][1] == units[1][1]:
            return first * units[0][0], second * units[1][0]
    return None


def _from_now(duration: Mapping[str, Any], sign: int) -> str | None:
    value, unit = duration.get("value"), duration.get("code")
    if not isinstance(value, _NUMBERS) or not isinstance(unit, str):
        return None
    now = datetime.now(UTC)
    months = {"a": 12, "mo": 1}.get(unit)
    try:
        if months is not None:
            whole = now.year * 12 + now.month - 1 + sign * int(value) * months
            moved = now.replace(year=whole // 12, month=whole % 12 + 1, day=min(now.day, 28))
        else:
            seconds = {"wk": 604800, "d": 86400, "h": 3600, "min": 60, "s": 1}[unit]
            moved = now + timedelta(seconds=sign * float(value) * seconds)
    except (KeyError, ValueError, OverflowError):
        return None
    return moved.isoformat(timespec="seconds")
