"""``run``: the whole path."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fhir_adapter.cli.options import (
    as_of_option,
    full_option,
    jobs_option,
    json_option,
    open_study,
    progress,
    retract_option,
    study_argument,
    verify_option,
)


@click.command("run")
@study_argument
@as_of_option("today in the study's time zone")
@full_option
@verify_option
@retract_option
@jobs_option
@json_option
def command(
    study: Path,
    as_of: date | None,
    full: bool,
    verify: bool,
    allow_retract: bool,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Pull, score, check and push.

    STUDY is a study file, a folder with a study.toml (the current one unless given), or a folder of NDJSON:
    then the outcomes go into outcomes/ here, by the study file that `init` would write. A second run writes
    nothing; after a change at the source just what rests on it is rewritten.

    \b
    Example:
      fhir-adapter run trial --as-of 2026-03-01
    """
    from fhir_adapter.cli.show_run import show
    from fhir_adapter.pipeline.push import Choices
    from fhir_adapter.pipeline.run import run

    opened, steps = open_study(study), frozenset(("pull", "score", "push"))
    with progress() as doing:
        choices = Choices(retract=allow_retract)
        report = run(
            opened, steps, as_of, full=full, choices=choices, verify=verify, jobs=jobs, progress=doing
        )
    return show(opened, report, as_json=as_json)
