"""How each participant was treated: doses, depletion of the B cells, and every deviation with its size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from fhir_adapter.conduct import words
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.report import show
from fhir_adapter.report.table import Table
from fhir_adapter.trial.values import Truth


@dataclass(frozen=True, slots=True)
class Deviating:
    """One deviation; ``size`` is in days or doses, None for a gate, which has its ``criterion``."""

    kind: str
    drug: str
    number: int
    day: date
    size: int | None
    criterion: str
    text: str


@dataclass(frozen=True, slots=True)
class Treatment:
    """The treatment of one participant; ``unusual`` are doses far from what is usual, a warning only."""

    subject: str
    course: int
    upkeep: int
    depleted: Truth
    depleted_on: date | None
    deviations: tuple[Deviating, ...]
    unusual: tuple[str, ...]


def treatments(everybody: Iterable[Conduct]) -> list[Treatment]:
    """The treatment of everybody who had a dose of the study, by study number."""
    return [
        Treatment(
            each.subject,
            len(each.dosing.course),
            len(each.dosing.upkeep),
            each.dosing.depleted,
            each.dosing.depleted_on,
            tuple(
                Deviating(
                    one.kind.value, one.drug, one.number, one.day, one.size, one.criterion,
                    words.deviation(one),
                )
                for one in each.dosing.deviations
            ),
            tuple(map(words.amount, each.unusual)),
        )
        for each in sorted(everybody, key=lambda one: one.subject)
        if each.dosing and (each.dosing.course or each.dosing.upkeep or each.dosing.deviations)
    ]  # fmt: skip


def table(found: list[Treatment]) -> Table:
    """One row a participant, and a row for each further deviation."""
    rows = []
    for each in found:
        said = [*(one.text for one in each.deviations), *each.unusual] or ["none"]
        depleted = show.truth(each.depleted) + (f" ({each.depleted_on})" if each.depleted_on else "")
        rows.append((each.subject, str(each.course), str(each.upkeep), depleted, said[0]))
        rows += [("", "", "", "", more) for more in said[1:]]
    return Table(
        "Treatment and its deviations",
        ("subject", "course", "upkeep", "depleted", "deviations"),
        tuple(rows),
        ("Course and upkeep: doses given of the first drug and of the one that follows.",),
    )
