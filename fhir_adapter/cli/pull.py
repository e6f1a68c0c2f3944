"""``pull``: the first step alone."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import full_option, json_option, open_study, progress, study_argument


@click.command("pull")
@study_argument
@full_option
@json_option
def command(study: Path, full: bool, as_json: bool) -> int:
    """Bring the workspace up to date with every source.

    What is received is kept byte for byte; only resources of participants are. A server that was pulled
    before is asked only for what changed since.

    \b
    Example:
      fhir-adapter pull trial
    """
    from fhir_adapter.cli.show_run import show
    from fhir_adapter.pipeline.run import run

    opened = open_study(study)
    with progress() as doing:
        report = run(opened, frozenset(("pull",)), full=full, progress=doing)
    return show(opened, report, as_json=as_json)
