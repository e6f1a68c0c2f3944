"""A table as data, and how data become JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.trial.values import rounded


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title; ``notes`` are sentences that follow it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Branch:
    """A line of text with the lines that lie under it."""

    text: str
    under: list[Branch] = field(default_factory=list)

    def add(self, text: str) -> Branch:
        """Hang a line under this one."""
        branch = Branch(text)
        self.under.append(branch)
        return branch

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The lines as plain text, each level two blanks further in."""
        yield "  " * depth + self.text
        for branch in self.under:
            yield from branch.lines(depth + 1)


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return rounded(value)
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON")


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)


def as_json(data: Any) -> str:
    """Records, mappings and sequences as JSON; exact numbers with at most four decimals."""
    return msgspec.json.format(_encoder.encode(data)).decode()


def json_list(items: Iterable[Any]) -> Iterator[str]:
    """A sequence as JSON with a line end, part by part: it is never in memory whole."""
    between = "[\n  "
    for item in items:
        yield between + as_json(item).replace("\n", "\n  ")
        between = ",\n  "
    yield "[]\n" if between.startswith("[") else "\n]\n"
