"""Whether a value equals ``fixed[x]``, or has what ``pattern[x]`` has.

https://hl7.org/fhir/R4/elementdefinition.html: a fixed value is matched exactly; of a pattern each element
that it has must be there, and of an array each item must be matched by one in the value.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_adapter.validation.run import Path, Run

__all__ = ["differences", "fits", "fixed_check", "pattern_check", "same"]

Check = Callable[[Any, Path, Run], None]

_NUMBERS = (int, Decimal, float)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; numbers by their value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(left, right) for left, right in zip(one, other, strict=True)
        )
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return Decimal(str(one)) == Decimal(str(other))
    return bool(one == other)


def fits(value: Any, pattern: Any) -> bool:
    """Whether ``value`` has all that ``pattern`` has."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], wanted) for name, wanted in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(one, wanted) for one in value) for wanted in pattern)
    return same(value, pattern)


def fixed_check(fixed: Any) -> Check:
    """The check of ``fixed[x]``."""

    def check(value: Any, path: Path, run: Run) -> None:
        if not same(value, fixed):
            differences(value, fixed, path, run, exact=True)

    return check


def pattern_check(pattern: Any) -> Check:
    """The check of ``pattern[x]``."""

    def check(value: Any, path: Path, run: Run) -> None:
        if not fits(value, pattern):
            differences(value, pattern, path, run, exact=False)

    return check


def differences(value: Any, wanted: Any, path: Path, run: Run, *, exact: bool) -> None:
    """Say where ``value`` is not what is wanted, at the innermost elements."""
    word = "fixed" if exact else "pattern"
    if isinstance(wanted, dict) and isinstance(value, dict):
        for name, part in wanted.items():
            if name not in value:
                run.error(path, word, f"lacks {name}; expected {name}{_shown(part)}", "value")
            elif not (same if exact else fits)(value[name], part):
                differences(value[name], part, (path, name, -1), run, exact=exact)
        if exact:
            for name in value.keys() - wanted.keys():
                run.error((path, name, -1), word, "is not in the fixed value; expected nothing here", "value")
        return
    if isinstance(wanted, list) and isinstance(value, list):
        if exact and len(wanted) == len(value):
            above, name, _ = path
            for index, (one, part) in enumerate(zip(value, wanted, strict=True)):
                if not same(one, part):
                    differences(one, part, (above, name, index), run, exact=True)
            return
        run.error(path[0], word, f"{path[1]} has not the {len(wanted)} items expected", "value")
        return
    run.error(path, word, f"is not what is expected{_shown(wanted)}", "value")


def _shown(wanted: Any) -> str:
    return (
        f': "{wanted}"'
        if isinstance(wanted, str)
        else f": {wanted}"
        if isinstance(wanted, (*_NUMBERS, bool))
        else ""
    )
