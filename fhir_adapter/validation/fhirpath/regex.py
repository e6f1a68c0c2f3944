"""The regular expressions of ``matches`` and its kin, as Python's.

The specification leaves the dialect open and points to PCRE; R4's own are plain. Single-line mode (``.`` is
any character) and no anchoring, as https://hl7.org/fhirpath/N1/ §matches and the reference have it.

Python's matcher tries alternatives one after another, and cannot be stopped: ``(a+)+$`` takes for ever on
thirty letters. Such an expression comes with a profile, the text with a resource from anywhere. So a
repetition of what itself can be cut in several ways is refused: see ``_is_risky``.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from fhir_adapter.validation.fhirpath.errors import CannotEvaluate

__all__ = ["pattern"]

_REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)
# The characters by which the beginnings of two parts are told apart: ASCII, and one for all others.
_ALPHABET = [chr(code) for code in range(128)] + ["\u3042"]


@lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    """``text`` as a pattern of Python's. Raises ``CannotEvaluate`` for what Python lacks or cannot bound."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = _parser.parse(text, re.DOTALL)
            compiled = re.compile(text, re.DOTALL)
        except (re.error, OverflowError, RecursionError):
            raise CannotEvaluate("the regular expression is not one that can be read here") from None
        if _is_risky(parsed, _NOTHING):
            raise CannotEvaluate("the regular expression can take for ever, and is not run")
        return compiled


_NOTHING: frozenset[str] = frozenset()


def _is_risky(parsed: Any, after: frozenset[str]) -> bool:
    """Whether a repetition without a bound holds a repetition that can end where the next round begins.

    Then one text can be cut into rounds in exponentially many ways. ``after`` is what may follow ``parsed``
    when it stands in a repetition, empty where it does not.
    """
    parts = list(parsed)
    for at, (kind, argument) in enumerate(parts):
        follow = _begins(parts[at + 1 :], after)
        if kind in _REPEATS:
            least, most, inner = argument
            endless = most is kinds.MAXREPEAT or most > 20
            if after and least != most and _begins(list(inner), _NOTHING) & follow:
                return True
            if _is_risky(inner, _begins(list(inner), _NOTHING) | follow if endless else follow):
                return True
        else:
            if kind is kinds.BRANCH and after and _overlap(argument[1], follow):
                return True
            for inner in _inside(kind, argument):
                if _is_risky(inner, follow if after else _NOTHING):
                    return True
    return False


def _overlap(branches: list[Any], follow: frozenset[str]) -> bool:
    """Whether two of ``branches`` can begin alike, an empty one with what follows."""
    seen: frozenset[str] = frozenset()
    for branch in branches:
        begins = _begins(list(branch), _NOTHING) | (follow if _can_be_empty(branch) else _NOTHING)
        if begins & seen:
            return True
        seen |= begins
    return False


def _inside(kind: Any, argument: Any) -> list[Any]:
    if kind is kinds.SUBPATTERN:
        return [argument[-1]]
    if kind is kinds.BRANCH:
        return list(argument[1])
    if kind in (kinds.ASSERT, kinds.ASSERT_NOT):
        return [argument[1]]
    return [argument] if kind is kinds.ATOMIC_GROUP else []


def _begins(parts: list[Any], after: frozenset[str]) -> frozenset[str]:
    """The characters with which a text that ``parts`` match, and then ``after``, may begin."""
    found: frozenset[str] = frozenset()
    for kind, argument in parts:
        if kind in _REPEATS:
            least, _, inner = argument
            found |= _begins(list(inner), _NOTHING)
            if least:
                return found
        elif kind is kinds.SUBPATTERN:
            inner = _begins(list(argument[-1]), _NOTHING)
            found |= inner
            if inner and not _can_be_empty(argument[-1]):
                return found
        elif kind is kinds.BRANCH:
            for branch in argument[1]:
                found |= _begins(list(branch), _NOTHING)
            if not any(_can_be_empty(branch) for branch in argument[1]):
                return found
        elif kind in (kinds.AT, kinds.ASSERT, kinds.ASSERT_NOT):
            continue
        else:
            return found | _one(kind, argument)
    return found | after


def _can_be_empty(parsed: Any) -> bool:
    return bool(parsed.getwidth()[0] == 0)


def _one(kind: Any, argument: Any) -> frozenset[str]:
    """The characters that a part of one character matches; all, where it is something else."""
    single = _parser.SubPattern(_parser.State(), [(kind, argument)])
    if kind not in (kinds.LITERAL, kinds.NOT_LITERAL, kinds.IN, kinds.ANY):
        return frozenset(_ALPHABET)
    compiled = re._compiler.compile(single, re.DOTALL)  # type: ignore[attr-defined]
    return frozenset(character for character in _ALPHABET if compiled.match(character))
