"""Tables and trees on the screen: drawn where it is a terminal, plain aligned text where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click

from fhir_adapter.report.table import Branch, Table

if TYPE_CHECKING:
    from rich.tree import Tree


def table(found: Table) -> None:
    """Print a table with its title and notes; one without rows as a line that says so."""
    if not found.rows:
        text(f"{found.title}: none.")
    elif _terminal():
        _drawn(found)
    else:
        text(found.title)
        for line in aligned([found.columns, *found.rows]):
            text(f"  {line}")
    for note in found.notes:
        text(note)
    text("")


def tree(trunk: Branch) -> None:
    """Print a tree."""
    if not _terminal():
        for line in trunk.lines():
            text(line)
        return
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    def grown(branch: Branch) -> Tree:
        drawn = Tree(Text(clean(branch.text)))
        drawn.children = [grown(each) for each in branch.under]
        return drawn

    Console(highlight=False).print(grown(trunk))


def text(line: str) -> None:
    """Print a line as it is."""
    click.echo(clean(line))


def clean(line: str) -> str:
    """Without signs that steer a terminal: values are shown as sent, and a source may send anything."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in line)


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The rows with their columns under one another; Chinese characters count two places."""
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def fitted(columns: Sequence[tuple[str, ...]], width: int) -> list[int | None]:
    """How wide each column may be so that the table fits and every word stays whole.

    Each takes two places more than its text. Where words must be broken, None leaves it to the table.
    """
    widths = [max(map(_width, cells)) for cells in columns]
    words = [max(_width(word) for cell in cells for word in (*cell.split(), "")) for cells in columns]
    room = width - 2 * len(columns) - 2
    if sum(words) > room:
        return [None] * len(columns)
    while sum(widths) > room:
        spare = [(have, number) for number, have in enumerate(widths) if have > words[number]]
        widths[max(spare)[1]] -= 1
    return list(widths)


def _width(cell: str) -> int:
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in cell)


def _terminal() -> bool:
    return sys.stdout.isatty()


def _drawn(found: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(title=found.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    console = Console(highlight=False)
    widths = fitted(list(zip(found.columns, *found.rows, strict=True)), console.width)
    for column, width in zip(found.columns, widths, strict=True):
        drawn.add_column(column, overflow="fold", width=width)
    for row in found.rows:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    console.print(drawn)
