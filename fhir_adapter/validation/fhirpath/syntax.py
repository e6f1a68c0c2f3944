"""The parts of an expression, as the parser finds them.

https://hl7.org/fhirpath/N1/grammar.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: its items, none for ``{}``."""

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$this``, ``$index`` or ``$total``; the implicit focus of a path's first step is ``$this``."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """``%name``: what the environment knows."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Member:
    """``target.name``; without a target, the first step of a path, which may be the name of a type."""

    target: Syntax | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """``target.name(arguments)``; without a target, on the focus."""

    target: Syntax | None
    name: str
    arguments: tuple[Syntax, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Indexer:
    """``target[index]``."""

    target: Syntax
    index: Syntax


@dataclass(frozen=True, slots=True)
class Polarity:
    """``+operand`` or ``-operand``."""

    sign: str
    operand: Syntax


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``."""

    operator: str
    left: Syntax
    right: Syntax


@dataclass(frozen=True, slots=True)
class OfType:
    """``operand is name`` or ``operand as name``; the name may begin with ``FHIR.`` or ``System.``."""

    operator: str
    operand: Syntax
    name: str


Syntax = Literal | Variable | Constant | Member | Call | Indexer | Polarity | Binary | OfType
"""One part of an expression, with those below it."""
