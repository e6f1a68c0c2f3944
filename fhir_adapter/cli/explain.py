"""``explain``: from an outcome down to the source resources."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fhir_adapter.cli.options import as_of_option, json_option, open_scored, study_argument
from fhir_adapter.errors import UnknownName

if TYPE_CHECKING:
    from fhir_adapter.pipeline.score import Scored
    from fhir_adapter.report.explanation import Account
    from fhir_adapter.study import Study

ALL = "all"
"""Stands for every outcome at a glance."""


@click.command("explain")
@click.argument("subject")
@click.argument("outcome", default=ALL)
@study_argument
@as_of_option("that of the last run")
@json_option
def command(subject: str, outcome: str, study: Path, as_of: date | None, as_json: bool) -> None:
    """Say why an outcome is what it is, down to the versions of the source resources.

    SUBJECT is a participant's study number. OUTCOME is a code such as response, star or essdai-change, with
    @ and a visit where only one is meant (essdai@baseline); without one, or with `all`, every outcome is
    shown at a glance. `explain SUBJECT STUDY` is understood too.

    \b
    Example:
      fhir-adapter explain JSS-01 response trial
    """
    from fhir_adapter.pipeline.run import rescored
    from fhir_adapter.report import explanation, render
    from fhir_adapter.report.table import as_json as json_of
    from fhir_adapter.trial.items import OutcomeCode

    if outcome.partition("@")[0] not in (ALL, *OutcomeCode) and Path(outcome).exists():
        # Nobody names an outcome by a path: what stands in its place is the study.
        study, outcome = Path(outcome), ALL
    opened = open_scored(study)
    scored = rescored(opened, as_of, subject).scored
    assert scored is not None  # noqa: S101 - rescored always scores
    if subject not in scored.subjects:
        raise UnknownName(
            f"There is no participant {subject!r}.",
            remedy="`fhir-adapter report` lists those that there are.",
        )
    if outcome == ALL:
        found = explanation.overview(scored, subject, opened.protocol)
        if as_json:
            click.echo(json_of(found))
        else:
            render.tree(explanation.overview_tree(found))
        return
    accounts = _accounts(scored, subject, outcome, opened)
    if as_json:
        click.echo(json_of(accounts))
        return
    for account in accounts:
        render.tree(explanation.tree(account))


def _accounts(scored: Scored, subject: str, outcome: str, study: Study) -> list[Account]:
    from fhir_adapter.report import explanation

    if subject not in scored.assessments:
        status = scored.subjects[subject].status
        raise UnknownName(f"{subject} has no outcomes: the status {status!r} does not count.")
    found = explanation.accounts(scored, subject, outcome, study.protocol)
    if not found:
        names = dict.fromkeys(each.code for each in scored.assessments[subject].outcomes)
        visits = dict.fromkeys(each.visit for each in scored.assessments[subject].outcomes)
        raise UnknownName(
            f"There is no outcome {outcome!r}.",
            remedy=f"Outcomes are: {', '.join(names)}; visits: {', '.join(visits)}.",
        )
    return found
