"""What the commands share: their arguments, and opening the study that they name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fhir_adapter.errors import CannotBeDone, UnknownName, WrongUse

if TYPE_CHECKING:
    from fhir_adapter.study import Study

_Command = TypeVar("_Command", bound=Callable[..., Any])

SUFFIXES = (".ndjson", ".ndjson.gz", ".json")
"""Names of files that can be a bulk export."""


def study_argument(command: _Command) -> _Command:
    """``[STUDY]``: the last argument of every command that needs a study."""
    return click.argument("study", type=click.Path(path_type=Path), default=Path())(command)


def json_option(command: _Command) -> _Command:
    """``--json``: for machines."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON instead of tables.")(command)


def retract_option(command: _Command) -> _Command:
    """``--allow-retract``: the guard against a lost permission is off."""
    return click.option(
        "--allow-retract",
        is_flag=True,
        help="Withdraw outcomes even if they are many; a lost permission at a source looks the same.",
    )(command)


def full_option(command: _Command) -> _Command:
    """``--full``: compare everything."""
    return click.option(
        "--full",
        is_flag=True,
        help="Ask every server for everything: finds what became visible late, and every deletion.",
    )(command)


def verify_option(command: _Command) -> _Command:
    """``--verify``: read back after writing."""
    return click.option("--verify", is_flag=True, help="Read every outcome back at the end, and compare.")(
        command
    )


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else datetime.strptime(value, "%Y-%m-%d").date()
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-03-31.", param, ctx)


def as_of_option(default: str) -> Callable[[_Command], _Command]:
    """``--as-of``: the day on which windows are looked at; ``default`` says what it is otherwise."""
    return click.option("--as-of", type=_Day(), help=f"The day to look at windows from. Default: {default}.")


def jobs_option(command: _Command) -> _Command:
    """``--jobs``: by how many processes to score."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many processes score. Default: as many as there are processors, and one for a few hundred"
        " participants.",
    )(command)


def open_study(path: Path) -> Study:
    """The study at ``path``: a study file, a folder with one, or a folder of NDJSON.

    A folder of NDJSON without a study file is run as the file that ``init`` would write, with the
    workspace and ``outcomes/`` in the current directory. Raises AdapterError.
    """
    from fhir_adapter.cli.template import WORKSPACE, source_template
    from fhir_adapter.study import STUDY_FILE, find, read_study, study_from_text

    if path.is_dir() and not (path / STUDY_FILE).is_file() and holds_export(path):
        here = Path.cwd()
        if (here / STUDY_FILE).is_file():
            raise WrongUse(
                f"There is no {STUDY_FILE} in it, and the one in this folder is of another study.",
                where=str(path),
                remedy="Name the folder as a source in it, or run this in a folder of its own.",
            )
        return study_from_text(source_template(path, here).encode(), here / STUDY_FILE)
    if path.is_dir() and not (path / STUDY_FILE).is_file() and (path / WORKSPACE).is_file():
        raise WrongUse(
            f"There is no {STUDY_FILE}, but the workspace of a folder that was run without one.",
            where=str(path),
            remedy="Repeat that folder: it is the last argument of this command too.",
        )
    if not path.exists():
        raise UnknownName("There is no such file or folder.", where=str(path))
    return read_study(find(path))


def open_past(path: Path) -> Study:
    """The study at ``path``, which must have been run before. Raises AdapterError."""
    study = open_study(path)
    if not study.workspace.exists():
        raise CannotBeDone(
            "Nothing has been pulled yet.", where=str(study.workspace), remedy="Do `fhir-adapter run` first."
        )
    return study


def open_scored(path: Path) -> Study:
    """The study at ``path``, of which there are outcomes. Raises AdapterError."""
    from fhir_adapter.workspace import Workspace

    study = open_past(path)
    with Workspace(study.workspace) as workspace:
        if not workspace.has_scores():
            raise CannotBeDone(
                "Nothing has been scored yet, or nobody took part.",
                where=str(study.workspace),
                remedy="Do `fhir-adapter run`, and see what it says.",
            )
    return study


def holds_export(folder: Path) -> bool:
    """Whether the folder has files of a bulk export."""
    return any(path.name.endswith(SUFFIXES) and path.is_file() for path in folder.iterdir())


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows on stderr what is being done, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text("reading the study")) as status:
        yield lambda doing: status.update(Text(doing))
