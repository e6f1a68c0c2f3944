"""``pull``: the first step alone."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import json_option, open_study, progress, study_argument


@click.command("pull")
@study_argument
@json_option
def command(study: Path, as_json: bool) -> int:
    """Bring the workspace up to date with every source.

    What is received is kept byte for byte; only resources of participants are.

    \b
    Example:
      fhir-adapter pull trial
    """
    from fhir_adapter.cli.show_run import show
    from fhir_adapter.pipeline.run import run

    opened = open_study(study)
    with progress() as doing:
        report = run(opened, frozenset(("pull",)), progress=doing)
    return show(opened, report, as_json=as_json)
