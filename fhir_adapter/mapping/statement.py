"""What only a person can say of a participant is sent like a finding: yes, no or unsure.

A hospital's codes lead to it through the same table as to the items of the trial.
"""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.trial.history import Statement
from fhir_adapter.trial.items import ITEMS, Item, Kind
from fhir_adapter.trial.types import Measurement, Problem

STATED: Mapping[str, Item] = {
    code: Item(code, question, Kind.FINDING) for code, (question, _) in STATEMENTS.items()
}
"""Every statement by its code, as a finding that is read like any other."""

ASKED: Mapping[str, Item] = {**ITEMS, **STATED}
"""All that a result or an answer may be of."""


def statement(measurement: Measurement) -> Statement | None:
    """What was said, open where it cannot be read (§14.19); None where the source says that there is none."""
    if measurement.problem is Problem.ABSENT:
        return None
    return Statement(
        measurement.subject, measurement.item, measurement.found, measurement.at, measurement.origins
    )
