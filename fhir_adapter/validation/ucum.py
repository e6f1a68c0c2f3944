"""Units of UCUM: whether a code is one, and how two relate. https://ucum.org/ucum, version 2.2.

``ucum.tsv`` holds the table of units of that specification (Copyright © 1999–2024 Regenstrief Institute,
Inc.; codes and factors unchanged), one a line: ``p`` prefix and factor; ``b`` base unit; ``u`` unit, whether
it takes prefixes, factor, unit; ``s`` the same for units of a special scale (degrees Celsius), ``a`` for
arbitrary ones ([IU]), which have no factor.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

__all__ = ["canonical", "is_unit"]

Dimension = tuple[tuple[str, int], ...]

_ANNOTATION: Final = re.compile(r"\{[!-z|~]*\}")
_LONGEST: Final = 200


@cache
def _table() -> tuple[dict[str, Decimal], dict[str, tuple[str, bool, str, str]]]:
    prefixes: dict[str, Decimal] = {}
    units: dict[str, tuple[str, bool, str, str]] = {}
    for line in files(__package__).joinpath("ucum.tsv").read_text("utf-8").splitlines():
        kind, code, *rest = line.split("\t")
        if kind == "p":
            prefixes[code] = Decimal(rest[0])
        else:
            metric, factor, unit = (*rest, "", "", "")[:3]
            units[code] = (kind, metric == "1" or kind == "b", factor, unit)
    return prefixes, units


@lru_cache(maxsize=4096)
def is_unit(code: str) -> bool:
    """Whether ``code`` is a unit of UCUM, case-sensitive. Units in annotations alone (``{score}``) are."""
    return _parse(code) is not None


@lru_cache(maxsize=4096)
def canonical(code: str) -> tuple[Decimal, Dimension] | None:
    """The factor and the base units of ``code``: ``("cm")`` → ``(0.01, (("m", 1),))``.

    ``None`` where it is no unit, or one of a special scale, which no factor converts.
    """
    found = _parse(code)
    if found is None or found[2]:
        return None
    return found[0], tuple(sorted((unit, power) for unit, power in found[1].items() if power))


_Parsed = tuple[Decimal, dict[str, int], bool]


def _parse(code: str) -> _Parsed | None:
    """Factor, base units with their powers, and whether a special scale is in it."""
    if not code or len(code) > _LONGEST or not code.isascii():
        return None
    bare = _ANNOTATION.sub("\x00", code)
    if "{" in bare or "}" in bare:
        return None
    with localcontext() as exact:
        exact.prec = 40
        try:
            found, rest = _term(bare)
        except (ValueError, ArithmeticError, RecursionError):
            return None
        return found if not rest else None


def _term(text: str) -> tuple[_Parsed, str]:
    """§2 of the grammar: components joined by ``.`` and ``/``, from the left."""
    factor, powers, special = Decimal(1), dict[str, int](), False
    sign = 1
    if text.startswith("/"):
        sign, text = -1, text[1:]
    while True:
        (one, exponents, is_special), text = _component(text)
        factor = factor * one if sign == 1 else factor / one
        for unit, power in exponents.items():
            powers[unit] = powers.get(unit, 0) + sign * power
        special |= is_special
        if not text or text[0] == ")":
            return (factor, powers, special), text
        if text[0] not in "./":
            raise ValueError(text)
        sign = 1 if text[0] == "." else -1
        text = text[1:]


def _component(text: str) -> tuple[_Parsed, str]:
    if text.startswith("("):
        inner, rest = _term(text[1:])
        if not rest.startswith(")"):
            raise ValueError(text)
        return inner, rest[1:].removeprefix("\x00")
    if text.startswith("\x00"):
        return (Decimal(1), {}, False), text[1:]
    end = re.search(r"[./()\x00]|$", text)
    stop = end.start() if end else len(text)
    # A full stop or a slash inside brackets belongs to the unit, as in [in_i'H2O] none has; [arb'U] neither.
    word, rest = text[:stop], text[stop:].removeprefix("\x00")
    if not word:
        raise ValueError(text)
    if word.isdigit():
        if word == "0":
            raise ValueError(text)
        return (Decimal(word), {}, False), rest
    found = re.fullmatch(r"(.*?[^0-9+\-])([+-]?[0-9]+)?", word)
    if word[:3] in ("10*", "10^"):
        found = re.fullmatch(r"(10[*^])([+-]?[0-9]+)?", word)
    atom = _atom(word)
    if atom is not None:
        return atom, rest
    if found is None:
        raise ValueError(text)
    atom = _atom(found[1])
    if atom is None:
        raise ValueError(text)
    power = int(found[2] or 1)
    if abs(power) > 30:
        raise ValueError(text)
    return (atom[0] ** power, {unit: each * power for unit, each in atom[1].items()}, atom[2]), rest


def _atom(word: str) -> _Parsed | None:
    """A unit, with a prefix perhaps."""
    prefixes, units = _table()
    found = units.get(word)
    if found is not None:
        return _unit(word)
    for length in (1, 2):
        if word[:length] in prefixes and units.get(word[length:], ("", False))[1]:
            factor, powers, special = _unit(word[length:])
            return factor * prefixes[word[:length]], powers, special
    return None


@cache
def _unit(code: str) -> _Parsed:
    kind, _, factor, unit = _table()[1][code]
    if kind in ("b", "a"):
        return Decimal(1), {code: 1}, False
    if kind == "s":
        return Decimal(1), {code: 1}, True
    one, powers, special = _term(unit)[0]
    return Decimal(factor) * one, powers, special
