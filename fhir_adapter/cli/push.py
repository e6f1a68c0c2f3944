"""``push``: the last step alone."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import (
    json_option,
    open_scored,
    progress,
    retract_option,
    study_argument,
    verify_option,
)


@click.command("push")
@study_argument
@click.option(
    "--dry-run", is_flag=True, help="Write nothing; print the transaction Bundle that would be sent."
)
@click.option(
    "--take-ours",
    metavar="OUTCOME",
    multiple=True,
    help='Overwrite what somebody else changed or removed, for one outcome ("JSS-01 response week-28").',
)
@click.option(
    "--take-server", metavar="OUTCOME", multiple=True, help="Leave one outcome as the server has it."
)
@verify_option
@retract_option
@json_option
def command(
    study: Path,
    dry_run: bool,
    take_ours: tuple[str, ...],
    take_server: tuple[str, ...],
    verify: bool,
    allow_retract: bool,
    as_json: bool,
) -> int:
    """Write the outcomes of the last `score` to the target, each exactly once.

    What stands there is compared first: equal is left alone, and what somebody else changed is never
    overwritten. That is a conflict; --take-ours or --take-server settles it for one outcome, may be given
    several times, and is kept in the workspace. With --dry-run the Bundle goes to standard output, the
    summary to standard error.

    \b
    Example:
      fhir-adapter push trial --dry-run
    """
    from fhir_adapter.cli.errors import DONE, FINDINGS
    from fhir_adapter.cli.show_run import show
    from fhir_adapter.pipeline.push import Choices
    from fhir_adapter.pipeline.run import run
    from fhir_adapter.report.runs import push_lines, push_of
    from fhir_adapter.report.table import as_json as json_of

    opened = open_scored(study)
    with progress() as doing:
        choices = Choices(frozenset(take_ours), frozenset(take_server), allow_retract)
        report = run(
            opened, frozenset(("push",)), choices=choices, dry_run=dry_run, verify=verify, progress=doing
        )
    if not dry_run or report.pushed is None:
        return show(opened, report, as_json=as_json)
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": report.pushed.bundle}
    click.echo(
        json_of(bundle if report.pushed.bundle else {key: bundle[key] for key in ("resourceType", "type")})
    )
    for line in push_lines(push_of(report.pushed, opened.target, dry_run=True), opened.target):
        click.echo(line, err=True)
    return FINDINGS if report.findings else DONE
