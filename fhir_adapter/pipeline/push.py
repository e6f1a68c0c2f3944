"""Push: the workspace's outcomes onto a server or into a folder, each exactly once.

What stands on the target is read and compared first: equal is left alone, what we wrote before is replaced
under the version that was read, and what somebody else wrote or removed is a conflict: reported, and never
overwritten unless the user says so for that outcome. Every step is in the journal before it is taken, so
that a push after a crash first finds out what became of what was sent.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

from msgspec import structs

from fhir_adapter.errors import CannotBeDone, Conflict, Finding, ServerError, UnknownName, UnknownResult
from fhir_adapter.exchange.resource import encode
from fhir_adapter.exchange.transaction import Entry
from fhir_adapter.mapping import audit_event, outcome, provenance
from fhir_adapter.pipeline.places import opened, target_name
from fhir_adapter.pipeline.target import ENTERED_IN_ERROR, Rung, Standing, Target, Write
from fhir_adapter.study import Study
from fhir_adapter.workspace import Pushed, StoredOutcome, Workspace

PER_TRANSACTION = 50
"""Outcomes in one transaction, each with its Provenance."""
TRIES = 4
"""How often a batch is sent when parallel writers collide or an answer is lost."""
RETRACTED_SHARE = 0.05
"""More than this share of the outcomes is not withdrawn unasked: a lost permission looks like deletion."""
REMOVED = "removed"
"""Stands for the digest of an outcome that somebody removed from the target."""
RETRACTED = "retracted"
"""Stands for the digest of an outcome that no longer holds."""
GONE = "The participant no longer counts, or the protocol no longer asks for the outcome."
"""Why an outcome is withdrawn."""
COPY = "A second copy of the outcome, left by two writers at once; the older one counts."
"""Why a copy is withdrawn."""
OPERATIONS = {"created": "CREATE", "updated": "UPDATE", "repaired": "UPDATE", "retracted": "NULLIFY"}
"""What the Provenance says was done, in the words of v3-DataOperation."""


@dataclass(frozen=True, slots=True)
class Clash:
    """An outcome that was not written because the target holds something that is not ours."""

    outcome: str
    resource: str
    what: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decided: the outcomes, by name, for which ours or the server's version counts.

    A name is ``SUBJECT OUTCOME VISIT``. ``retract`` allows withdrawing more than the guard's share.
    """

    ours: frozenset[str] = frozenset()
    server: frozenset[str] = frozenset()
    retract: bool = False


NO_CHOICES = Choices()
"""Nothing was decided: every conflict is reported."""


@dataclass(slots=True)
class PushReport:
    """What a push did, or would do; outcomes by name. ``differing`` is what ``verify`` found."""

    rung: Rung = Rung.CLIENT_IDS
    transactions: bool = True
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    retracted: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unchanged: int = 0
    clashes: list[Clash] = field(default_factory=list)
    invalid: list[Finding] = field(default_factory=list)
    differing: list[str] | None = None
    requests: int = 0
    retries: int = 0
    bundle: list[dict[str, Any]] = field(default_factory=list)

    @property
    def written(self) -> int:
        """How many outcomes were written."""
        return len(self.created) + len(self.updated) + len(self.retracted) + len(self.repaired)


@dataclass(frozen=True, slots=True)
class _Push:
    """What the steps of one push share."""

    target: Target
    name: str
    workspace: Workspace
    run: int
    rules: Sequence[str]
    choices: Choices
    report: PushReport
    dry_run: bool

    def record(self, state: str, writes: Iterable[Write], *, with_bytes: bool = False) -> None:
        """Journal a state of several outcomes."""
        steps = [
            (each.outcome, each.digest, None, _bytes(self, each) if with_bytes else None) for each in writes
        ]
        self.workspace.journal(self.run, self.name, state, steps)

    def journal(
        self, state: str, outcome: str, digest: str, version: str | None = None, detail: bytes | None = None
    ) -> None:
        """Journal what was found or decided of one outcome, unless nothing is to be done."""
        if not self.dry_run:
            self.workspace.journal(self.run, self.name, state, [(outcome, digest, version, detail)])


def push(
    study: Study,
    workspace: Workspace,
    run: int,
    rules: Sequence[str],
    *,
    choices: Choices = NO_CHOICES,
    dry_run: bool = False,
    verify: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> PushReport:
    """Bring the target up to the workspace's outcomes.

    ``rules`` are the URIs of protocol and mappings that the Provenance names. With ``dry_run`` the target
    is read and nothing is written; ``bundle`` of the report holds what would be. With ``verify`` no
    Provenance is taken for granted, and all is read back at the end and compared. Raises AdapterError where
    the target is not there or does not let us, and CannotBeDone where more would be withdrawn than the guard
    allows.
    """
    place = opened(study.target, "target")
    name = target_name(study)
    outcomes, former = workspace.outcomes(), workspace.former_outcomes()
    system = study.participants.identifier_system
    participants = {each.id: f"{system}|{each.subject}" for each in (*outcomes, *former)}
    target = Target(place, client_ids=workspace.probed(name), participants=participants)
    report = PushReport(rung=target.rung, transactions=target.transactions)
    step = _Push(target, name, workspace, run, rules, choices, report, dry_run)
    progress("target: comparing")
    report.invalid += (finding for each in outcomes for finding in each.invalid)
    valid = [each for each in outcomes if not each.invalid]
    writes, copies = _plan(step, valid, former, verify=verify)
    if dry_run:
        for write in writes:
            report.bundle += (_shown(entry) for entry in target.entries(write))
            getattr(report, write.kind).append(write.name)
        report.retracted += (copy.outcome.name for copy in copies)
        return report
    for start in range(0, len(writes), PER_TRANSACTION):
        batch = writes[start : start + PER_TRANSACTION]
        progress(f"target: writing {start + len(batch)} of {len(writes)}")
        _send(step, batch)
    for copy in copies:
        _withdraw(step, copy)
    if verify:
        progress("target: reading back")
        report.differing = _differing(step, valid)
    if study.audit and report.written:
        _audit(step, study)
    report.requests, report.retries = getattr(place, "requests", 0), getattr(place, "retries", 0)
    return report


def _plan(
    step: _Push, outcomes: Sequence[StoredOutcome], former: Iterable[StoredOutcome], *, verify: bool
) -> tuple[list[Write], list[_Copy]]:
    """What has to be written so that the target equals the workspace, and the copies that have to go.

    An outcome that stands there and that the journal knows is taken to have its Provenance, unless all is
    to be verified.
    """
    known = step.workspace.pushed(step.name)
    former = [each for each in former if each.id in known]
    _check_names(step.choices, [*outcomes, *former])
    standing = step.target.standing([each.id for each in (*outcomes, *former)])
    changes: list[_Change] = []
    unproven: dict[str, Standing] = {}
    copies: list[_Copy] = []
    for each in outcomes:
        there, before = standing.get(each.id), known.get(each.id, Pushed())
        if there is None or there.digest != each.digest:
            kind = "updated" if there else "created"
            changes += _decided(step, _Change(each, each.document, kind, there), before)
        elif before.confirmed == each.digest and not verify:
            step.report.unchanged += 1
        else:
            unproven[each.id] = there
        copies += _copies(step, each, there, before)
    proven = step.target.proofs(unproven)
    for each in outcomes:
        if each.id in proven:
            # The journal may not know of it: a crash, or another workspace, lies between.
            step.report.unchanged += 1
            if known.get(each.id, Pushed()).confirmed != each.digest:
                step.journal("confirmed", each.id, each.digest, unproven[each.id].received.version)
        elif each.id in unproven:
            changes.append(_Change(each, each.document, "repaired", unproven[each.id]))
    for each in former:
        there = standing.get(each.id)
        if there is not None and there.living:
            document = {**there.document, "status": ENTERED_IN_ERROR}
            changes += _decided(step, _Change(each, document, "retracted", there, GONE), known[each.id])
            copies += _copies(step, each, there, known[each.id])
    _guard(step, changes, len(known))
    return _written(step, changes), copies


@dataclass(frozen=True, slots=True)
class _Change:
    """An outcome that needs writing: what is to stand there, how, and what stands there now.

    ``reason`` says why it is withdrawn, for its Provenance.
    """

    outcome: StoredOutcome
    document: dict[str, Any]
    kind: str
    there: Standing | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A second Observation of an outcome, left by a race of two writers."""

    outcome: StoredOutcome
    there: Standing


def _decided(step: _Push, change: _Change, before: Pushed) -> Iterator[_Change]:
    """The change of an outcome that differs from the target, if it may be made."""
    each, there = change.outcome, change.there
    digest = there.digest if there else REMOVED
    wanted = RETRACTED if change.kind == "retracted" else each.digest
    # What was planned and never arrived did not stand there, so nobody removed it.
    never_there = before.confirmed is None and before.left is None
    if before.wrote(digest) if there else never_there:
        yield change
    elif each.name in step.choices.ours:
        step.journal("overruled", each.id, digest, detail=there.received.body if there else b"")
        yield change
    elif each.name in step.choices.server:
        step.report.left.append(each.name)
        step.journal("left", each.id, digest, detail=wanted.encode())
    elif before.left == (digest, wanted):
        step.report.left.append(each.name)
    else:
        step.report.clashes.append(Clash(each.name, f"Observation/{each.id}", _clash(there, before)))


def _clash(there: Standing | None, before: Pushed) -> str:
    if there is None:
        return "It was removed there after we wrote it."
    if before.confirmed is None and not before.maybe:
        return "Another workspace wrote it differently."
    return "It was changed there by somebody else."


def _copies(step: _Push, each: StoredOutcome, there: Standing | None, before: Pushed) -> Iterator[_Copy]:
    """The copies of an outcome that may be withdrawn: ours, or all where the user says that ours count."""
    for copy in there.copies if there else ():
        if copy.digest == each.digest or before.wrote(copy.digest) or each.name in step.choices.ours:
            yield _Copy(each, copy)
        else:
            what = "A copy of it stands there that is not ours."
            step.report.clashes.append(Clash(each.name, f"Observation/{copy.received.id}", what))


def _guard(step: _Push, changes: Sequence[_Change], known: int) -> None:
    """Stop where more outcomes would lose their value than a study loses by corrections.

    An outcome that turns from a value into a reason counts like one that is withdrawn.
    """
    lost = [
        change
        for change in changes
        if change.there is not None
        and "dataAbsentReason" not in change.there.document
        and change.there.living
        and ("dataAbsentReason" in change.document or change.kind == "retracted")
    ]
    if step.choices.retract or len(lost) <= RETRACTED_SHARE * known:
        return
    raise CannotBeDone(
        f"{len(lost)} of {known} outcomes would lose their value; nothing was written.",
        where=step.name,
        remedy="If the data were really withdrawn, push with --allow-retract; a lost permission on a source"
        " looks the same.",
    )


def _written(step: _Push, changes: Sequence[_Change]) -> list[Write]:
    """The resources of each change, with the time that the journal fixes."""
    writes = [_write(step, change, change.outcome.id) for change in changes]
    # A content that returns to what it was has its Provenance already: that one is written anew.
    proofs = step.target.former_proofs(writes)
    return [replace(write, proof=proofs.get(write.outcome)) for write in writes]


def _write(step: _Push, change: _Change, id: str) -> Write:
    now = _now()
    document = {key: value for key, value in change.document.items() if key != "meta"}
    document = {**document, "id": id, "meta": {"profile": [outcome.PROFILE]}, "issued": now}
    digest = outcome.digest(document)
    proof = provenance.write(
        document,
        change.outcome.origins,
        content=digest,
        operation=OPERATIONS[change.kind],
        recorded=now,
        software=software(),
        rules=step.rules,
        reason=change.reason,
    )
    return Write(change.outcome.name, change.outcome.id, change.kind, digest, document, proof, change.there)


def _send(step: _Push, batch: Sequence[Write]) -> None:
    """Write a batch, and find out what became of it where that is not certain.

    A collision may only mean that a parallel writer was quicker, and a lost answer says nothing: both are
    read, what stands there already is confirmed, and the rest is sent again, each outcome on its own.
    """
    step.record("planned", batch, with_bytes=True)
    groups: list[Sequence[Write]] = [batch]
    for attempt in range(1, TRIES + 1):
        again: list[Write] = []
        for group in groups:
            step.record("sent", group)
            try:
                step.target.write(group)
            except (Conflict, UnknownResult) as fault:
                open_ones = _unsettled(step, group, fault)
                if open_ones and attempt == TRIES:
                    raise
                again += open_ones
                continue
            step.record("answered", group)
            _done(step, group)
        groups = [[write] for write in again]
        if not groups:
            return


def _unsettled(step: _Push, group: Sequence[Write], fault: Conflict | UnknownResult) -> list[Write]:
    """Those of a group that are still to be written; what stands there is confirmed, clashes reported."""
    standing = step.target.standing([write.outcome for write in group])
    written = {
        id: there
        for id, there in standing.items()
        if any(write.outcome == id and write.digest == there.digest for write in group)
    }
    proven = step.target.proofs(written)
    again = []
    for write in group:
        there, expected = standing.get(write.outcome), write.replaces
        if write.outcome in proven:
            _done(step, [write])
        elif write.outcome in written:
            again.append(replace(write, kind="repaired", replaces=there))
        elif (there and there.digest) == (expected and expected.digest):
            again.append(replace(write, replaces=there))
        else:
            what = f"Somebody else changed it between our reading and our writing. {fault.what}".strip()
            step.report.clashes.append(Clash(write.name, f"Observation/{write.outcome}", what))
    return again


def _done(step: _Push, group: Sequence[Write]) -> None:
    step.record("confirmed", group)
    for write in group:
        getattr(step.report, write.kind).append(write.name)


def _withdraw(step: _Push, copy: _Copy) -> None:
    """Withdraw a copy. Nothing rests on its being done: the next push finds what is left."""
    document = {**copy.there.document, "status": ENTERED_IN_ERROR}
    change = _Change(structs.replace(copy.outcome, origins=()), document, "retracted", copy.there, COPY)
    write = _write(step, change, copy.there.received.id)
    step.record("withdrawn", [write], with_bytes=True)
    try:
        step.target.write([write])
    except (Conflict, UnknownResult) as fault:
        what = f"A copy of it could not be withdrawn: {fault.what}"
        step.report.clashes.append(Clash(write.name, f"Observation/{copy.there.received.id}", what))
    else:
        step.report.retracted.append(write.name)


def _audit(step: _Push, study: Study) -> None:
    """Leave an AuditEvent of this push; where it is not taken, that is a finding and nothing more."""
    report = step.report
    event = audit_event.write(
        study.identifier,
        step.run,
        user=user(),
        software=software(),
        recorded=_now(),
        written=report.written,
        clashes=len(report.clashes),
    )
    try:
        step.target.add(event)
    except ServerError as fault:
        report.invalid.append(Finding("target", "AuditEvent", "", fault.what, fault.remedy))


@cache
def software() -> str:
    """The version of this program; read once, since every Provenance names it."""
    return installed_version("fhir-adapter")


def user() -> str:
    """Who runs this, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _differing(step: _Push, outcomes: Sequence[StoredOutcome]) -> list[str]:
    """The outcomes that do not stand on the target as the workspace has them, or lack their Provenance.

    Without those in conflict, and those left to the server: they are reported as such.
    """
    settled = {*step.report.left, *(clash.outcome for clash in step.report.clashes)}
    compared = [each for each in outcomes if each.name not in settled]
    standing = step.target.standing([each.id for each in compared])
    proven = step.target.proofs(standing)
    return [
        each.name
        for each in compared
        if (there := standing.get(each.id)) is None or there.digest != each.digest or each.id not in proven
    ]


def _check_names(choices: Choices, outcomes: Sequence[StoredOutcome]) -> None:
    unknown = sorted((choices.ours | choices.server) - {each.name for each in outcomes})
    if unknown:
        raise UnknownName(
            f"There is no outcome {unknown[0]!r}.",
            remedy="Write it as the conflict names it: SUBJECT OUTCOME VISIT.",
        )


def _bytes(step: _Push, write: Write) -> bytes:
    entries = [_shown(entry) for entry in step.target.entries(write)]
    return encode({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _shown(entry: Entry) -> dict[str, Any]:
    request = {"method": entry.method, "url": entry.url}
    if entry.if_match is not None:
        request["ifMatch"] = f'W/"{entry.if_match}"'
    if entry.if_none_exist is not None:
        request["ifNoneExist"] = entry.if_none_exist
    return {"fullUrl": entry.full_url, "resource": entry.resource, "request": request}


def checked(outcome: StoredOutcome, rules: Sequence[str]) -> StoredOutcome:
    """An outcome with what is wrong with it as FHIR by our own profiles, Observation and Provenance.

    An invalid outcome is never sent.
    """
    # Here, since a push with nothing new needs no definitions.
    from fhir_adapter.pipeline.validate import definitions
    from fhir_adapter.validation import validate

    observation = {**outcome.document, "issued": "2000-01-01T00:00:00Z"}
    proof = provenance.write(
        observation,
        outcome.origins,
        content=outcome.digest,
        operation="CREATE",
        recorded=observation["issued"],
        software=software(),
        rules=rules,
    )
    return structs.replace(
        outcome,
        invalid=tuple(
            Finding(
                "outcome", f"{resource['resourceType']}/{resource['id']}", issue.expression, issue.message
            )
            for resource in (observation, proof)
            for issue in validate(resource, definitions=definitions(()))
            if issue.severity == "error"
        ),
    )
