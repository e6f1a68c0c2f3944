"""Push: the workspace's outcomes onto a server or into a folder, each exactly once.

Every outcome has a computed id. What stands on the target is read and compared first: equal is left
alone, what we wrote before is replaced under the version that was read, and what somebody else wrote or
removed is a conflict, reported and never overwritten. Observation and Provenance travel together in
transactions of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from typing import Any

from fhir_adapter.errors import Conflict, Finding
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received, decode, encode
from fhir_adapter.exchange.server import Server
from fhir_adapter.exchange.transaction import Entry
from fhir_adapter.mapping import outcome, provenance
from fhir_adapter.pipeline.places import opened
from fhir_adapter.study import Study
from fhir_adapter.trial.types import Origin
from fhir_adapter.validation import validate
from fhir_adapter.workspace import Pushed, StoredOutcome, Workspace

PER_TRANSACTION = 50
"""Outcomes in one transaction, each with its Provenance."""


@dataclass(frozen=True, slots=True)
class Write:
    """One outcome that is to be written: its Observation, its Provenance, and the versions they replace."""

    name: str
    observation: dict[str, Any]
    provenance: dict[str, Any]
    replaces: str | None
    replaces_provenance: str | None
    kind: str

    def entries(self) -> list[Entry]:
        """The two entries of the transaction."""
        return [
            _entry(self.observation, self.replaces),
            _entry(self.provenance, self.replaces_provenance),
        ]


@dataclass(frozen=True, slots=True)
class Clash:
    """An outcome that was not written because the target holds something that is not ours."""

    outcome: str
    resource: str
    what: str


@dataclass(slots=True)
class PushReport:
    """What a push did, or would do."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    retracted: list[str] = field(default_factory=list)
    unchanged: int = 0
    clashes: list[Clash] = field(default_factory=list)
    invalid: list[Finding] = field(default_factory=list)
    bundle: list[dict[str, Any]] = field(default_factory=list)

    @property
    def written(self) -> int:
        """How many outcomes were written."""
        return len(self.created) + len(self.updated) + len(self.retracted)


def push(
    study: Study,
    workspace: Workspace,
    run: int,
    rules: Sequence[str],
    *,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> PushReport:
    """Bring the target up to the workspace's outcomes.

    ``rules`` are the URIs of protocol, mappings and study that the Provenance names. With ``dry_run``
    the target is read and nothing is written; ``bundle`` of the report holds what would be.
    Raises AdapterError where the target is not there or does not let us.
    """
    place = opened(study.target, "target")
    report = PushReport()
    known = workspace.pushed(str(study.target))
    progress("target: comparing")
    writes = list(_plan(place, workspace.outcomes(), known, report, workspace, run, study, rules))
    checked = [write for write in writes if _valid(write, report)]
    if dry_run:
        for write in checked:
            report.bundle += (_shown(entry) for entry in write.entries())
            getattr(report, write.kind).append(write.name)
        return report
    for start in range(0, len(checked), PER_TRANSACTION):
        batch = checked[start : start + PER_TRANSACTION]
        progress(f"target: writing {start + len(batch)} of {len(checked)}")
        _send(place, batch, workspace, run, str(study.target), report)
    return report


def _plan(
    place: Server | Folder,
    outcomes: Sequence[StoredOutcome],
    known: Mapping[str, Pushed],
    report: PushReport,
    workspace: Workspace,
    run: int,
    study: Study,
    rules: Sequence[str],
) -> Iterator[Write]:
    """What has to be written so that the target equals the workspace."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    wanted = {each.id: each for each in outcomes}
    gone = [
        resource.removeprefix("Observation/")
        for resource in known
        if resource.startswith("Observation/") and resource.removeprefix("Observation/") not in wanted
    ]
    standing = place.read_many("Observation", [*wanted, *gone])
    changes: list[tuple[str, dict[str, Any], tuple[Origin, ...], Received | None, str]] = []
    for each in outcomes:
        name = f"{each.subject} {each.code} {each.visit}"
        found, before = standing.get(each.id), known.get(f"Observation/{each.id}")
        digest = outcome.digest(decode(found.body)) if found else None
        if digest == each.digest:
            report.unchanged += 1
            if before is None or before.digest != digest:
                _confirm(workspace, run, str(study.target), f"Observation/{each.id}", each.digest, found)
        elif found is None and before is None:
            changes.append((name, each.document, each.origins, None, "created"))
        elif found is None:
            what = "It was removed there after we wrote it."
            report.clashes.append(Clash(name, f"Observation/{each.id}", what))
        elif before is not None and before.digest == digest:
            changes.append((name, each.document, each.origins, found, "updated"))
        else:
            what = "It was changed there by somebody else." if before else "Another run wrote it differently."
            report.clashes.append(Clash(name, f"Observation/{each.id}", what))
    for id in gone:
        found = standing.get(id)
        document = decode(found.body) if found else {}
        if found is None or document.get("status") == "entered-in-error":
            continue
        name = f"{_subject(document)} {document['code']['coding'][0]['code']}"
        if outcome.digest(document) != known[f"Observation/{id}"].digest:
            report.clashes.append(Clash(name, f"Observation/{id}", "It was changed there by somebody else."))
            continue
        changes.append((name, {**document, "status": "entered-in-error"}, (), found, "retracted"))
    operations = {"created": "CREATE", "updated": "UPDATE", "retracted": "NULLIFY"}
    software = installed_version("fhir-adapter")
    written = [
        (name, {**document, "issued": now}, origins, found, kind)
        for name, document, origins, found, kind in changes
    ]
    made = [
        provenance.write(
            document, origins, operation=operations[kind], recorded=now, software=software, rules=rules
        )
        for _, document, origins, _, kind in written
    ]
    provenances = place.read_many("Provenance", [each["id"] for each in made])
    for (name, document, _, found, kind), proof in zip(written, made, strict=True):
        document.get("meta", {}).pop("versionId", None)
        document.get("meta", {}).pop("lastUpdated", None)
        earlier = provenances.get(proof["id"])
        yield Write(
            name,
            document,
            proof,
            found.version if found else None,
            earlier.version if earlier else None,
            kind,
        )


def _subject(document: Mapping[str, Any]) -> str:
    return next(
        (each["value"] for each in document["identifier"] if each["system"] != outcome.OUTCOME_ID), ""
    )


def _valid(write: Write, report: PushReport) -> bool:
    """Whether both resources are valid; an invalid outcome is never sent."""
    errors = [
        (resource, issue)
        for resource in (write.observation, write.provenance)
        for issue in validate(resource)
        if issue.severity == "error"
    ]
    report.invalid += (
        Finding("target", f"{resource['resourceType']}/{resource['id']}", issue.expression, issue.message)
        for resource, issue in errors
    )
    return not errors


def _send(
    place: Server | Folder,
    batch: Sequence[Write],
    workspace: Workspace,
    run: int,
    target: str,
    report: PushReport,
) -> None:
    """Write a batch together; where a part of it clashes, each outcome on its own."""
    with workspace.transaction():
        for write in batch:
            for entry in write.entries():
                digest = outcome.digest(entry.resource)
                workspace.journal(run, target, entry.url, "planned", digest, None, encode(entry.resource))
    entries = [entry for write in batch for entry in write.entries()]
    try:
        answers = place.write(entries) if isinstance(place, Folder) else place.transaction(entries)
    except Conflict as conflict:
        if len(batch) > 1:
            for write in batch:
                _send(place, [write], workspace, run, target, report)
            return
        report.clashes.append(Clash(batch[0].name, entries[0].url, conflict.what))
        return
    with workspace.transaction():
        for entry, answer in zip(entries, answers, strict=True):
            digest = outcome.digest(entry.resource)
            workspace.journal(run, target, entry.url, "confirmed", digest, answer.version, None)
    for write in batch:
        getattr(report, write.kind).append(write.name)


def _confirm(
    workspace: Workspace, run: int, target: str, resource: str, digest: str, found: Received | None
) -> None:
    """What stands there already is ours, though the journal did not know: a crash lay between."""
    with workspace.transaction():
        workspace.journal(run, target, resource, "confirmed", digest, found.version if found else None, None)


def _entry(resource: dict[str, Any], if_match: str | None) -> Entry:
    url = f"{resource['resourceType']}/{resource['id']}"
    return Entry("PUT", url, resource, f"urn:uuid:{resource['id']}", if_match)


def _shown(entry: Entry) -> dict[str, Any]:
    request = {"method": entry.method, "url": entry.url}
    if entry.if_match:
        request["ifMatch"] = f'W/"{entry.if_match}"'
    return {"fullUrl": entry.full_url, "resource": entry.resource, "request": request}
