"""Prints what a run did, for ``run``, ``pull``, ``score`` and ``push``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fhir_adapter.cli.errors import DONE, FINDINGS

if TYPE_CHECKING:
    from fhir_adapter.pipeline.run import Report
    from fhir_adapter.study import Study


def show(study: Study, report: Report, *, as_json: bool) -> int:
    """Print the report as tables or as JSON; the exit code that it asks for."""
    from fhir_adapter.report import participants, queries, rates, render, runs
    from fhir_adapter.report.table import as_json as json_of

    data: dict[str, Any] = {"as_of": report.as_of}
    findings = [finding for each in report.pulled or () for finding in each.findings]
    tables = []
    if report.pulled is not None:
        data["pulled"] = report.pulled
        tables.append(runs.pulled_table(report.pulled))
    if report.scored is not None:
        scored, protocol = report.scored, study.protocol
        findings += scored.findings
        unknown, asked = runs.unknown_of(scored.unknown_codes), queries.of_run(scored.queries)
        people, left_out = participants.participants(scored, protocol), participants.not_counted(scored)
        found = rates.rates(scored, protocol)
        tables += [
            runs.unknown_table(unknown), queries.table(asked), participants.table(people, left_out, protocol)
        ]  # fmt: skip
        if found:
            tables.append(rates.rates_table(found))
        data |= {
            "outcomes": {"changed": report.changed[0], "gone": report.changed[1]}, "unknown_codes": unknown,
            "queries": asked, "participants": people, "not_counted": left_out, "rates": found,
        }  # fmt: skip
    pushed = runs.push_of(report.pushed, study.target) if report.pushed is not None else None
    if pushed:
        data["pushed"] = pushed
    data["findings"] = findings
    nobody = report.scored is not None and not report.scored.subjects
    if as_json:
        click.echo(json_of(data))
    else:
        for table in tables:
            render.table(table)
        for line in runs.push_lines(pushed, study.target) if pushed else ():
            render.text(line)
    for finding in findings:
        click.echo(f"finding: {finding}", err=True)
    if nobody:
        click.echo(
            f"finding: Nobody takes part in {'|'.join(study.identifier)}."
            " Check [study] and [participants] in the study file.",
            err=True,
        )
    return FINDINGS if report.findings else DONE
