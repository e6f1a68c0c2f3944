"""``runs``: the record of every run."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import json_option, open_past, study_argument


@click.command("runs")
@study_argument
@json_option
def command(study: Path, as_json: bool) -> int:
    """List every run: who, when, with which software and rules, and what it did.

    With --json also the digests of study, protocol and mappings, and all counts.

    \b
    Example:
      fhir-adapter runs trial --json
    """
    from fhir_adapter.cli.errors import DONE
    from fhir_adapter.report import history, render
    from fhir_adapter.report.table import as_json as json_of
    from fhir_adapter.workspace import Workspace

    with Workspace(open_past(study).workspace) as workspace:
        found = workspace.runs()
    if as_json:
        click.echo(json_of(found))
    else:
        render.table(history.table(found))
    return DONE
