"""Tables and trees on the screen."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from fhir_adapter.report import render
from fhir_adapter.report.table import Branch, Table, as_json

TABLE = Table("Title", ("name", "value"), (("甲", "1"), ("beta gamma", "22")), ("A note.",))


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def _drawn(monkeypatch: pytest.MonkeyPatch, table: Table, width: int) -> list[str]:
    screen = _Terminal()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout", screen)
    render.table(table)
    return screen.getvalue().splitlines()


def test_plain_text_is_aligned_with_wide_signs_counted_twice(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "Title", "  name        value", "  甲          1", "  beta gamma  22", "A note.", "",
    ]  # fmt: skip


def test_a_table_without_rows_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(Table("Queries", ("id",), ()))
    assert capsys.readouterr().out == "Queries: none.\n\n"


def test_signs_that_steer_a_terminal_are_not_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(Table("T", ("a",), (("\x1b[2Jgone\nnext",),)))
    assert "\x1b" not in (out := capsys.readouterr().out)
    assert "�[2Jgone next" in out


@pytest.mark.parametrize("width", [20, 40, 80])
def test_nothing_is_cut_off_on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    row = ("responder to be", "x" * 30, "non-responder")
    lines = _drawn(monkeypatch, Table("T", ("a", "b", "c"), (row,)), width)
    assert max(map(len, lines)) <= max(width, 1)
    shown = "".join("".join(lines).split())
    assert shown.count("x") == 30


def test_words_stay_whole_where_there_is_room() -> None:
    columns = [("status", "on-study"), ("text", "some words that may be broken apart")]
    assert render.fitted(columns, 80) == [8, 35]
    assert render.fitted(columns, 30) == [8, 16]
    assert render.fitted(columns, 12) == [None, None]


def test_a_tree_is_indented_or_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = Branch("a")
    trunk.add("b").add("c [not markup]")
    render.tree(trunk)
    assert capsys.readouterr().out == "a\n  b\n    c [not markup]\n"
    screen = _Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    render.tree(trunk)
    assert "└── b" in screen.getvalue()
    assert "c [not markup]" in screen.getvalue()


def test_json_keeps_four_decimals() -> None:
    assert as_json({"a": Fraction(17, 3), "b": Fraction(12)}) == '{\n  "a": 5.6667,\n  "b": 12\n}'
