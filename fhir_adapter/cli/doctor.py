"""``doctor``: whether every place of a study is there, and what may be promised for the target."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import json_option, open_study, study_argument


@click.command("doctor")
@study_argument
@click.option(
    "--probe",
    is_flag=True,
    help="Try whether the target takes ids of ours: a test resource is written to it and deleted again.",
)
@json_option
def command(study: Path, probe: bool, as_json: bool) -> int:
    """Look at every source and at the target, and say what may be promised there.

    Nothing is written, unless --probe allows it. Exit code 1 when something is not well.

    \b
    Example:
      fhir-adapter doctor trial --probe
    """
    from fhir_adapter.cli.errors import DONE, FINDINGS
    from fhir_adapter.pipeline.doctor import examine
    from fhir_adapter.report import render
    from fhir_adapter.report.table import as_json as json_of

    checks = examine(open_study(study), probe=probe)
    if as_json:
        click.echo(json_of(checks))
    else:
        for check in checks:
            sign = "well" if check.well else "NOT WELL"
            render.text(f"{check.place}: {sign}: {check.what} {check.remedy}".rstrip())
    return DONE if all(check.well for check in checks) else FINDINGS
