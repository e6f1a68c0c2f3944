"""``eligibility``: every criterion of entry and every gate of a drug, with what decides it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fhir_adapter.cli.options import as_of_option, json_option, open_scored, study_argument

ALL = "all"
"""Stands for every participant at a glance."""


@click.command("eligibility")
@click.argument("subject", default=ALL)
@study_argument
@as_of_option("that of the last run")
@json_option
def command(subject: str, study: Path, as_of: date | None, as_json: bool) -> None:
    """Show which criteria of entry a participant satisfies, why, and what is missing.

    SUBJECT is a participant's study number; without one, or with `all`, everybody on the list is shown at a
    glance. `eligibility STUDY` is understood too.

    Each criterion is satisfied, violated or undetermined, under the default reading of the record's sentence
    and under each other one, with the values and resources that decide; an undetermined one says what is
    missing and who must supply it. JSON is a list with one object for each participant, also of one.

    \b
    Example:
      fhir-adapter eligibility JSS-01 trial
    """
    from fhir_adapter.errors import UnknownName
    from fhir_adapter.pipeline.run import rescoring
    from fhir_adapter.report import eligibility, render
    from fhir_adapter.report.table import json_list

    if subject != ALL and study == Path() and Path(subject).exists():
        # Nobody names a participant by a path: what stands in its place is the study.
        study, subject = Path(subject), ALL
    opened = open_scored(study)
    rule = opened.conduct.eligibility
    if rule is None:
        raise UnknownName(
            "This trial has no criteria of entry.",
            where=str(opened.path),
            remedy="They stand in the protocol file, under [eligibility].",
        )
    with rescoring(opened, as_of) as scoring:
        subjects = scoring.roster.subjects
        if subject not in (ALL, *subjects):
            raise UnknownName(
                f"There is no participant {subject!r}.",
                remedy="`fhir-adapter eligibility` lists those that there are.",
            )
        found = (
            (one.conduct, subjects[one.subject])
            for one in scoring.participants(None if subject == ALL else subject)
            if one.conduct
        )
        if as_json:
            for part in json_list(eligibility.eligibility(*each, rule) for each in found):
                click.echo(part, nl=False)
        elif subject == ALL:
            render.table(eligibility.overview(found, rule))
        else:
            for each in found:
                render.table(eligibility.table(eligibility.eligibility(*each, rule)))
