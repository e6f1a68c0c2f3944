"""``validate``: files and folders through the checks of ``fhir_adapter.validation``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fhir_adapter.cli.errors import DONE, FINDINGS
from fhir_adapter.cli.options import progress
from fhir_adapter.errors import FileFault, WrongUse

if TYPE_CHECKING:
    from fhir_adapter.validation import Severity

_FORMATS = ("text", "json", "operationoutcome", "sarif", "junit")


def _explain(rule: str, packages: tuple[Path, ...]) -> None:
    from fhir_adapter.pipeline.validate import definitions
    from fhir_adapter.validation.rules import explain

    told = explain(rule, definitions(packages))
    if told is None:
        remedy = "A finding ends with the name of its rule; name the package of an invariant with --package."
        raise WrongUse(f"there is no rule {rule!r}.", remedy=remedy)
    click.echo(told)


@click.command("validate")
@click.argument(
    "files",
    nargs=-1,
    metavar="FILES...",
    type=click.Path(exists=True, readable=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="URL",
    help="Check every resource against this profile too. May be repeated.",
)
@click.option(
    "--package",
    "packages",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A FHIR package with profiles, value sets or questionnaires: a folder or a .tgz. May be repeated.",
)
@click.option(
    "--severity",
    type=click.Choice(("error", "warning", "information")),
    default="warning",
    show_default=True,
    help="Say only what weighs at least so much.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="How to say it.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes. Default: as many as there are processors, and one for a few megabytes.",
)
@click.option(
    "--explain",
    metavar="RULE",
    help="Say what a rule asks for and where it comes from, and stop; no FILES are needed.",
)
def command(
    files: Sequence[Path],
    profiles: tuple[str, ...],
    packages: tuple[Path, ...],
    severity: Severity,
    form: str,
    jobs: int | None,
    explain: str | None,
) -> int:
    """Check FILES against FHIR R4 (4.0.1) and profiles, and say what was not checked.

    A file is JSON (one resource, or a Bundle) or NDJSON (a resource a line), plain or packed with gzip; of a
    folder, each such file right in it; `-` is standard input. Profiles that a resource names in meta.profile
    are checked too. The exit code is 1 when something was found.

    \b
    Example:
      fhir-adapter validate Observation.ndjson exports/
      fhir-adapter validate --package our-guide.tgz --profile https://example.org/lab result.json
      fhir-adapter validate --explain obs-6
    """
    if explain is not None:
        _explain(explain, packages)
        return DONE
    if not files:
        raise WrongUse("No FILES are named.", remedy="Name files or folders, or - for standard input.")
    from fhir_adapter.pipeline.validate import Checks, files_in, look_at
    from fhir_adapter.report.findings import FORMATS
    from fhir_adapter.validation import NOT_CHECKED

    writer = FORMATS[form](_echo)
    unreadable: dict[str, str] = {}
    code = DONE
    with progress() as doing:
        doing("validating")
        for looked in look_at(files_in(files), Checks(packages, profiles, severity), jobs, doing):
            if looked.unreadable:
                unreadable[looked.file] = looked.unreadable
            if not looked.unreadable or looked.resources:
                writer.add(looked)
            code = FINDINGS if looked.found else code
    writer.end()
    if form == "text":
        click.echo(f"Not checked: {'; '.join(NOT_CHECKED)}.", err=True)
    if unreadable:
        why = ", ".join(sorted(set(unreadable.values())))
        raise FileFault(f"cannot be read ({why}).", where=", ".join(unreadable))
    return code


def _echo(text: str) -> None:
    # On a terminal the line with the progress may stand where this one goes.
    on_screen = sys.stdout.isatty() and sys.stderr.isatty()
    click.echo(f"\r\x1b[2K{text}" if on_screen else text)
