"""How each participant was treated: doses, depletion of the B cells, and every deviation with its size."""

from __future__ import annotations

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
    """The treatment of one participant; ``unusual`` are doses far from what is usual, a warning only.

    ``said`` are the deviations in few words: gates that cannot be judged are one line for all doses.
    """

    subject: str
    course: int
    upkeep: int
    depleted: Truth
    depleted_on: date | None
    deviations: tuple[Deviating, ...]
    unusual: tuple[str, ...]
    said: tuple[str, ...]


def treatment(conduct: Conduct) -> Treatment | None:
    """The treatment of one participant; None without any dose of the study."""
    dosing = conduct.dosing
    if dosing is None or not (dosing.course or dosing.upkeep or dosing.deviations):
        return None
    return Treatment(
        conduct.subject,
        len(dosing.course),
        len(dosing.upkeep),
        dosing.depleted,
        dosing.depleted_on,
        tuple(
            Deviating(
                one.kind.value, one.drug, one.number, one.day, one.size, one.criterion, words.deviation(one)
            )
            for one in dosing.deviations
        ),
        tuple(map(words.amount, conduct.unusual)),
        tuple(words.deviations(dosing.deviations)),
    )


def table(found: list[Treatment], *, depletion: bool) -> Table:
    """One row a participant, and one for each further deviation; ``depletion``: if the trial asks for it."""
    rows = []
    for each in found:
        said = [*each.said, *each.unusual] or ["none"]
        depleted = show.truth(each.depleted) + (f" ({each.depleted_on})" if each.depleted_on else "")
        counted = (each.subject, str(each.course), str(each.upkeep), *((depleted,) if depletion else ()))
        rows.append((*counted, said[0]))
        rows += [(*("" for _ in counted), more) for more in said[1:]]
    return Table(
        "Treatment and its deviations",
        ("subject", "course", "upkeep", *(("depleted",) if depletion else ()), "deviations"),
        tuple(rows),
        ("Course and upkeep: doses given of the first drug and of the one that follows.",),
    )
