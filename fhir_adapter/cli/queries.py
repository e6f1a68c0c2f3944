"""``queries``: the data queries and their history."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import json_option, open_scored, study_argument


@click.command("queries")
@study_argument
@click.option("everything", "--all", is_flag=True, help="List those that are resolved too.")
@json_option
def command(study: Path, everything: bool, as_json: bool) -> int:
    """List what must be asked of the people who entered the data.

    Each query keeps its id from run to run, with when it was first and last seen, and when it was resolved.
    The exit code is 1 while one is open.

    \b
    Example:
      fhir-adapter queries trial --all
    """
    from fhir_adapter.cli.errors import DONE, FINDINGS
    from fhir_adapter.report import queries, render
    from fhir_adapter.report.table import as_json as json_of
    from fhir_adapter.workspace import Workspace

    opened = open_scored(study)
    with Workspace(opened.workspace) as workspace:
        found = queries.of_workspace(workspace.queries(), everything=everything)
    if as_json:
        click.echo(json_of(found))
    else:
        render.table(queries.table(found))
    return FINDINGS if any(each.resolved is None for each in found) else DONE
