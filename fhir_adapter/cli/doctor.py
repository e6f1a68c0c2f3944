"""``doctor``: whether every place of a study is there, and what may be promised for the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fhir_adapter.cli.options import json_option, open_study, study_argument

if TYPE_CHECKING:
    from fhir_adapter.pipeline.doctor import Check
    from fhir_adapter.study import Study


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

    It says, too, where the study's identifier is not that of its protocol. Nothing is written, unless --probe
    allows it. The exit code is 1 when something is not well, and 3 when
    that is all there is to say of a place, as when it cannot be reached.

    \b
    Example:
      fhir-adapter doctor trial --probe
    """
    from fhir_adapter.cli.errors import CANNOT, DONE, FINDINGS
    from fhir_adapter.pipeline.doctor import STUDY, examine
    from fhir_adapter.report import render
    from fhir_adapter.report.table import as_json as json_of

    opened = open_study(study)
    checks = [_worded(check, opened) for check in examine(opened, probe=probe)]
    if as_json:
        click.echo(json_of(checks))
    else:
        for check in checks:
            sign = "well" if check.well else "NOT WELL"
            render.text(f"{check.place}: {sign}: {check.what} {check.remedy}".rstrip())
    well = {check.place for check in checks if check.well}
    if {check.place for check in checks} - well - {STUDY}:
        return CANNOT
    return DONE if all(check.well for check in checks) else FINDINGS


def _worded(check: Check, study: Study) -> Check:
    """The check without the address, which the study file tells; and a folder has a promise of its own."""
    from fhir_adapter.pipeline.target import Rung
    from fhir_adapter.report.runs import FOLDER_PROMISE

    what = check.what
    for source in study.sources:
        if source.name == check.place:
            what = what.removeprefix(f"{source.place}: ")
    if study.target.folder is not None:
        what = what.replace(Rung.CLIENT_IDS.promise, FOLDER_PROMISE)
    return replace(check, what=what)
