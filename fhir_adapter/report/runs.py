"""What a run did: what was pulled, what is unknown, what was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fhir_adapter.errors import Finding
from fhir_adapter.pipeline.pull import Pulled
from fhir_adapter.pipeline.push import Clash, PushReport
from fhir_adapter.pipeline.score import UnknownCodes
from fhir_adapter.report.table import Table
from fhir_adapter.study import Place

DRUGS = "MedicationAdministration"
"""The type whose unknown codes may be doses: without them a participant seems to have had none."""
CLEARING = ("Condition", "MedicationRequest", "MedicationStatement", DRUGS)
"""The types whose absence clears a participant, which one with an unknown code does not."""

FOLDER_PROMISE = "a folder: each outcome once, with one writer at a time"
"""What holds where the target is a folder."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A code that no mapping knows, and the type of the resources that carry it."""

    source: str
    type: str
    system: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Push:
    """What a push wrote, by the outcomes' names; or would write.

    ``repaired`` stood there without their Provenance; ``left`` are those where the server's version counts.
    """

    dry_run: bool
    created: list[str]
    updated: list[str]
    retracted: list[str]
    repaired: list[str]
    left: list[str]
    unchanged: int
    conflicts: list[Clash]
    invalid: list[Finding]
    differing: list[str] | None
    rung: int
    promise: str
    transactions: bool
    requests: int
    retries: int

    @property
    def written(self) -> int:
        """How many outcomes were written, or would be."""
        return len(self.created) + len(self.updated) + len(self.retracted) + len(self.repaired)


def push_of(report: PushReport, target: Place, *, dry_run: bool = False) -> Push:
    """The summary of a push to ``target``."""
    return Push(
        dry_run,
        report.created,
        report.updated,
        report.retracted,
        report.repaired,
        report.left,
        report.unchanged,
        report.clashes,
        report.invalid,
        report.differing,
        report.rung.number,
        report.rung.promise if target.folder is None else FOLDER_PROMISE,
        report.transactions,
        report.requests,
        report.retries,
    )


def unknown_of(codes: Iterable[UnknownCodes]) -> list[Unknown]:
    """The unknown codes: those of drugs first, then the most frequent."""
    found = [Unknown(each.source, each.type, *each.code, each.count) for each in codes]
    return sorted(
        found, key=lambda each: (each.type != DRUGS, -each.count, each.source, each.system, each.code)
    )


def pulled_table(pulled: Iterable[Pulled]) -> Table:
    """Resources by source and type, and how many of them were new or had gone."""
    found = list(pulled)
    rows = [(each.source, type, str(count)) for each in found for type, count in each.counts.items()]
    notes = tuple(
        f"{each.source}: {each.new} new or changed, {each.gone} gone since the last run." for each in found
    )
    return Table("Pulled", ("source", "type", "resources"), tuple(rows), notes)


def unknown_table(codes: Iterable[Unknown]) -> Table:
    """Codes that no mapping knows, with how often they came; a sentence where doses may hide in them."""
    found = list(codes)
    rows = [(each.source, each.type, each.system, each.code, str(each.count)) for each in found]
    notes = []
    drugs = sum(each.type == DRUGS for each in found)
    if drugs:
        notes.append(
            f"Doses may be missing: unknown codes of drugs: {drugs}."
            " Map those of the study drugs, and the others to not-used."
        )
    if drugs < len(rows):
        notes.append("Add each to a ConceptMap of the mapping folder: to an item, or to not-used.")
    if any(each.type in CLEARING for each in found):
        notes.append("Until diagnoses and drugs are known, the criteria that they may violate stay open.")
    return Table("Unknown codes", ("source", "type", "system", "code", "times"), tuple(rows), tuple(notes))


def push_lines(push: Push, target: Place, longest: int = 20) -> list[str]:
    """The push in sentences; names are listed where they are few.

    What is promised is said only where it is less than the most: each outcome once with its Provenance,
    whoever else writes.
    """
    verb = "would be written to" if push.dry_run else "written to"
    lines = [
        f"Outcomes {verb} {target}: {len(push.created)} new, {len(push.updated)} rewritten, "
        f"{len(push.retracted)} retracted; {push.unchanged} unchanged."
    ]
    rarer = {"repaired": push.repaired, "left as the server has them": push.left}
    lines += [f"  {word}: {len(names)}" for word, names in rarer.items() if names]
    named = {"new": push.created, "rewritten": push.updated, "retracted": push.retracted}
    for word, names in named.items():
        if len(names) <= longest:
            lines += [f"  {word}: {name}" for name in names]
    lines += [f"  not written: {each.outcome} ({each.resource}): {each.what}" for each in push.conflicts]
    lines += [f"  not valid, not sent: {finding}" for finding in push.invalid]
    if push.conflicts:
        lines.append('  Settle each with `fhir-adapter push --take-ours "…"` or `--take-server "…"`.')
    if push.differing is not None:
        lines.append(f"Read back: {len(push.differing)} differ from the workspace.")
        lines += [f"  differs there: {name}" for name in push.differing]
    if not push.dry_run:
        lines += _cautions(push, target)
    return lines


def _cautions(push: Push, target: Place) -> list[str]:
    """What a person must take care of on this target, in plain words."""
    if target.folder is not None:
        return ["Only one program at a time may write into this folder."]
    lines = []
    if push.rung > 1:
        lines.append(
            "Only one program at a time should write to this server: else an outcome may stand there twice"
            " until the next run."
        )
    if push.rung > 2:
        lines.append("The same may happen if its search is slow to show what was written.")
    if not push.transactions:
        lines.append(
            "This server writes an outcome and its Provenance one after the other: after a breakdown,"
            " `fhir-adapter push --verify` writes what is missing."
        )
    return [*lines, "`fhir-adapter doctor` says more."] if lines else []
