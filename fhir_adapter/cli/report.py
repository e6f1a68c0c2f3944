"""``report``: participants, rates, readings, mean changes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fhir_adapter.cli.options import as_of_option, json_option, open_scored, study_argument


@click.command("report")
@study_argument
@as_of_option("that of the last run")
@json_option
def command(study: Path, as_of: date | None, as_json: bool) -> None:
    """Show the participants and their outcomes, the response rate, and what the readings change.

    Everything is computed from the workspace, which is left as it is.

    \b
    Example:
      fhir-adapter report trial --json
    """
    from fhir_adapter.pipeline.run import rescoring
    from fhir_adapter.report import dosing, eligibility, participants, rates, readings, render
    from fhir_adapter.report.summary import summed
    from fhir_adapter.report.table import as_json as json_of

    opened = open_scored(study)
    protocol, rule = opened.protocol, opened.conduct.eligibility
    with rescoring(opened, as_of) as scoring:
        day, found = scoring.as_of, summed(scoring, rule)
    scored, criteria, treated = found.scored, found.criteria, found.treatments
    people, left_out = participants.participants(scored, protocol), participants.not_counted(scored)
    response, effects = rates.rates(scored, protocol), readings.readings(scored, protocol)
    changes = rates.mean_changes(scored, protocol)
    if as_json:
        click.echo(
            json_of(
                {
                    "as_of": day, "participants": people, "not_counted": left_out, "rates": response,
                    "changes": changes, "readings": effects, "criteria": criteria, "dosing": treated,
                }
            )
        )  # fmt: skip
        return
    render.text(f"{protocol.id}, as of {day}\n")
    render.table(participants.table(people, left_out, protocol))
    if response:
        render.table(rates.rates_table(response))
    render.table(rates.changes_table(changes))
    render.table(readings.table(effects))
    if rule:
        render.table(eligibility.counts_table(criteria))
    if treated:
        render.table(dosing.table(treated, depletion=opened.conduct.depletion is not None))
