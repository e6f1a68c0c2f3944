"""What a check has to say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

__all__ = ["Issue", "Severity", "quoted", "shown", "suggestion"]

Severity = Literal["error", "warning", "information"]

_CODE: Final = re.compile(r"[A-Za-z0-9._:/+%*\[\]=<>|-]{1,40}")
_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding.

    ``expression`` is the FHIRPath of the element: ``Observation.component[1].value.ofType(Quantity).code``.
    What is missing, and a property that R4 does not have, is named at the element around it; ``property`` is
    then the name of such a property in the JSON. ``rule`` is a short name, stable from version to version:
    the key of an invariant (``obs-6``), or one of ours (``cardinality``). ``message`` is a phrase with what
    was found, what is expected and perhaps a suggestion; it quotes codes, types, units and URLs of
    definitions, never names, texts, dates or numbers. ``code`` is FHIR's issue type, as in an
    OperationOutcome.
    """

    severity: Severity
    expression: str
    rule: str
    message: str
    code: str = "invalid"
    property: str = ""


def shown(name: str) -> str:
    """A property's name as it may be quoted, ``?`` where it cannot be an element's and may hold anything."""
    return name if _NAME.fullmatch(name) else "?"


def quoted(code: str) -> str:
    """A code as it may be quoted; what has not the look of a code may be anything."""
    return f'"{code}"' if _CODE.fullmatch(code) else "its code"


def suggestion(found: str, known: Iterable[str]) -> str:
    """``Did you mean "final"?`` with a blank before it, or nothing where no known word is near."""
    by_lower = {word.lower(): word for word in known}
    near = get_close_matches(found.lower(), by_lower, n=1, cutoff=0.6)
    return f' Did you mean "{by_lower[near[0]]}"?' if near else ""
