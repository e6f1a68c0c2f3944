"""``score``: the second step alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fhir_adapter.cli.options import (
    as_of_option,
    jobs_option,
    json_option,
    open_past,
    progress,
    study_argument,
)


@click.command("score")
@study_argument
@as_of_option("today in the study's time zone")
@jobs_option
@json_option
def command(study: Path, as_of: date | None, jobs: int | None, as_json: bool) -> int:
    """Score what the workspace holds. Nothing is fetched and nothing is sent.

    \b
    Example:
      fhir-adapter score trial --as-of 2026-03-01
    """
    from fhir_adapter.cli.show_run import show
    from fhir_adapter.pipeline.run import run

    opened = open_past(study)
    with progress() as doing:
        report = run(opened, frozenset(("score",)), as_of, jobs=jobs, progress=doing)
    return show(opened, report, as_json=as_json)
