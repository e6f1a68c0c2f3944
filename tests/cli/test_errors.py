"""Errors become a sentence and an exit code, and never quote what was being read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fhir_adapter import errors
from fhir_adapter.cli.errors import CANNOT, DEBUG, DONE, FINDINGS, WRONG_USE, guarded


def _raising(fault: BaseException) -> int:
    def command() -> None:
        raise fault

    return guarded(command)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (errors.WrongUse("x"), WRONG_USE),
        (errors.StudyFileError("x"), WRONG_USE),
        (errors.UnknownName("x"), WRONG_USE),
        (errors.CannotBeDone("x"), CANNOT),
        (errors.ServerError("x", status=500), CANNOT),
        (errors.Unauthorized("x"), CANNOT),
        (errors.FileFault("x"), CANNOT),
        (errors.WorkspaceError("x"), CANNOT),
        (KeyboardInterrupt(), CANNOT),
        (PermissionError(13, "Permission denied", "/some/file"), CANNOT),
        (ZeroDivisionError("x"), CANNOT),
    ],
)
def test_each_error_has_its_code_and_one_line(
    fault: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _raising(fault) == code
    told = capsys.readouterr().err
    assert told.startswith("fhir-adapter: ")
    assert told.count("\n") == 1


def test_the_sentence_names_the_place_and_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    _raising(errors.FileFault("It is gone.", where="a.ndjson", remedy="Bring it back."))
    assert capsys.readouterr().err == "fhir-adapter: a.ndjson: It is gone. Bring it back.\n"


def test_a_bug_says_so_and_does_not_quote_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raising(KeyError("Mrs Example, born 1970")) == CANNOT
    told = capsys.readouterr().err
    assert "fault of fhir-adapter itself (KeyError in test_errors.py, line" in told
    assert "Example" not in told


def test_a_traceback_only_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    _raising(ZeroDivisionError())
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code"), [(None, DONE), (DONE, DONE), (FINDINGS, FINDINGS)])
def test_the_code_of_a_command_is_kept(answer: int | None, code: int) -> None:
    assert guarded(lambda: answer) == code


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    asked = (
        "import click\n"
        "from fhir_adapter.cli.errors import guarded\n"
        "raise SystemExit(guarded(lambda: [click.echo('line') for _ in range(100_000)] and None))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.readline()
        writer.stdout.close()
        assert (writer.wait(30), writer.stderr.read()) == (DONE, b"")
