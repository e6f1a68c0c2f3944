"""Exactly once: what stands on two real servers after pushes, corrections, edits and removals, on each rung.

What is expected is counted on the server (``promise_holds``), not taken from the report.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fhir_adapter.errors import CannotBeDone, UnknownName
from fhir_adapter.mapping import outcome
from fhir_adapter.mapping.provenance import names_digest
from fhir_adapter.pipeline.push import Choices
from fhir_adapter.pipeline.run import run
from fhir_adapter.pipeline.target import Rung
from fhir_adapter.workspace import Workspace
from tests.hospital import generator
from tests.hospital.study import AS_OF
from tests.pipeline.promise import (
    ALL_STEPS,
    CORRECTED,
    WITHDRAWN,
    Json,
    Place,
    Trial,
    call,
    edit,
    on_server,
    outcomes_on,
    place,
    promise_holds,
    proofs_of,
    versions,
)

every_rung = pytest.mark.parametrize(
    "target",
    [(server, rung) for server in ("sekmet", "hapi") for rung in (1, 2, 3)],
    ids=lambda each: f"{each[0]}-rung{each[1]}",
    indirect=True,
)

OUTCOMES = 22
"""Of one child."""
OTHER = {"valueQuantity": {"value": 99, "unit": "{score}"}}
"""What somebody writes into a score."""


def rebuilt(trial: Trial) -> None:
    """Delete the workspace."""
    for path in trial.home.glob("study.sqlite*"):
        path.unlink()


def remove(base: str, document: Json) -> None:
    """Somebody deletes an outcome; its Provenance goes first, or a server may refuse."""
    for proof in proofs_of(base, document):
        assert call("DELETE", f"{base}/Provenance/{proof['id']}").ok
    assert call("DELETE", f"{base}/Observation/{document['id']}").ok


def proof_of(base: str, document: Json) -> Json:
    """The Provenance of the present content."""
    (proof,) = (each for each in proofs_of(base, document) if names_digest(each, outcome.digest(document)))
    return proof


def operation(base: str, document: Json) -> str:
    """What the Provenance of the present content says was done."""
    return str(proof_of(base, document)["activity"]["coding"][0]["code"])


def history(base: str, document: Json) -> list[Json]:
    """The former and present contents of an Observation."""
    found = call("GET", f"{base}/Observation/{document['id']}/_history").json()
    return [entry["resource"] for entry in found["entry"] if "resource" in entry]


# -- the ladder --------------------------------------------------------------------------------------------


@every_rung
def test_each_rung_writes_everything_once(target: Place, trial: Trial) -> None:
    pushed = trial.push(verify=True)
    assert (pushed.rung.number, pushed.transactions) == (target.rung, target.rung < 3)
    assert (len(pushed.created), pushed.written, pushed.differing) == (OUTCOMES, OUTCOMES, [])
    promise_holds(target.base, trial.workspace)


@every_rung
def test_the_second_push_writes_nothing(target: Place, trial: Trial) -> None:
    trial.push()
    before = versions(target.base, trial.tag)
    again = trial.push(verify=True)
    assert (again.written, again.unchanged, again.clashes, again.differing) == (0, OUTCOMES, [], [])
    assert versions(target.base, trial.tag) == before
    promise_holds(target.base, trial.workspace)


def test_a_dry_run_writes_nothing(target: Place, trial: Trial) -> None:
    pushed = trial.run(dry_run=True).pushed
    assert pushed is not None
    assert (len(pushed.created), len(pushed.bundle)) == (OUTCOMES, 2 * OUTCOMES)
    assert outcomes_on(target.base, trial.tag) == []


def test_what_a_probe_found_counts(server_base: str, tmp_path: Path) -> None:
    with place(server_base, 1) as target:
        trial = Trial(tmp_path / "trial", target.address)
        with Workspace(trial.workspace) as workspace:
            workspace.note_probe(target.address, client_ids=False)
        assert trial.push().rung is Rung.IF_NONE_EXIST
        promise_holds(server_base, trial.workspace)
    with place(server_base, 2) as target:
        trial = Trial(tmp_path / "other", target.address)
        with Workspace(trial.workspace) as workspace:
            workspace.note_probe(target.address, client_ids=True)
        assert trial.push().rung is Rung.CLIENT_IDS
        promise_holds(server_base, trial.workspace)


@pytest.mark.parametrize("first", [True, False], ids=["rung1-then-2", "rung2-then-1"])
def test_another_rung_later_finds_what_stands_there(server_base: str, tmp_path: Path, first: bool) -> None:
    with place(server_base, 2) as target:
        trial = Trial(tmp_path / "trial", target.address)
        for client_ids, written in ((first, OUTCOMES), (not first, 0)):
            with Workspace(trial.workspace) as workspace:
                workspace.note_probe(target.address, client_ids=client_ids)
            pushed = trial.push(verify=True)
            assert (pushed.written, pushed.clashes, pushed.differing) == (written, [], [])
            promise_holds(server_base, trial.workspace)
        trial.correct()
        assert len(trial.push(verify=True).updated) == len(CORRECTED)
        promise_holds(server_base, trial.workspace)


# -- following the sources ---------------------------------------------------------------------------------


@every_rung
def test_a_correction_rewrites_exactly_what_rests_on_it(target: Place, trial: Trial) -> None:
    trial.push()
    before, response = versions(target.base, trial.tag), on_server(target.base, trial, trial.name())
    corrected = trial.correct()
    pushed = trial.push()
    after = versions(target.base, trial.tag)
    assert {id for id in after if after[id] != before[id]} == trial.resting_on(corrected)
    assert len(pushed.updated) == pushed.written == len(trial.resting_on(corrected)) == len(CORRECTED)
    promise_holds(target.base, trial.workspace)
    now = on_server(target.base, trial, trial.name())
    assert operation(target.base, now) == "UPDATE"
    assert outcome.digest(response) in {outcome.digest(each) for each in history(target.base, now)}


@every_rung
def test_a_value_that_returns_has_one_provenance_still(target: Place, trial: Trial) -> None:
    trial.push()
    for value in ("22.0", "18.0"):
        resource = trial.igg_now()
        resource["valueQuantity"]["value"] = float(value)
        # the same version again, as after a restore: the content returns to what was
        trial.write()
        trial.push()
        promise_holds(target.base, trial.workspace)


@every_rung
def test_what_no_longer_holds_is_withdrawn(target: Place, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", target.address, participants=2)
    trial.push()
    trial.subject(2)["status"] = "entered-in-error"
    trial.touch(trial.subject(2))
    pushed = trial.push(Choices(retract=True), verify=True)
    assert (len(pushed.retracted), pushed.written, pushed.differing) == (OUTCOMES, OUTCOMES, [])
    promise_holds(target.base, trial.workspace)
    withdrawn = [each for each in outcomes_on(target.base, trial.tag) if each["status"] == WITHDRAWN]
    assert len(withdrawn) == OUTCOMES
    assert operation(target.base, withdrawn[0]) == "NULLIFY"
    assert "no longer counts" in proof_of(target.base, withdrawn[0])["reason"][0]["text"]
    assert trial.push().written == 0
    # and it holds again
    trial.subject(2)["status"] = "follow-up"
    trial.touch(trial.subject(2))
    assert len(trial.push().updated) == OUTCOMES
    promise_holds(target.base, trial.workspace)


def test_what_an_outcome_of_somebody_else_no_longer_holds_is_a_clash(target: Place, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", target.address, participants=2)
    trial.push()
    name = trial.name("essdai", "baseline", 2)
    theirs = on_server(target.base, trial, name)
    edit(target.base, theirs, **OTHER)
    trial.subject(2)["status"] = "entered-in-error"
    trial.touch(trial.subject(2))
    pushed = trial.push(Choices(retract=True))
    assert [each.outcome for each in pushed.clashes] == [name]
    assert len(pushed.retracted) == OUTCOMES - 1
    # it can be settled, though it is no outcome any more
    settled = trial.push(Choices(ours=frozenset((name,))))
    assert (settled.retracted, settled.clashes) == ([name], [])
    promise_holds(target.base, trial.workspace)


def test_withdrawing_much_is_refused(target: Place, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", target.address, participants=2)
    trial.push()
    before = versions(target.base, trial.tag)
    trial.sources["hospital"].remove(trial.subject(2))
    trial.write()
    with pytest.raises(CannotBeDone, match="nothing was written") as refused:
        trial.push()
    assert "--allow-retract" in refused.value.remedy
    assert versions(target.base, trial.tag) == before
    assert len(trial.push(Choices(retract=True)).retracted) == OUTCOMES
    promise_holds(target.base, trial.workspace)


# -- what somebody else did --------------------------------------------------------------------------------


def test_somebodys_change_stays_and_is_reported(target: Place, trial: Trial) -> None:
    trial.push()
    name = trial.name("essdai", "baseline")
    edit(target.base, on_server(target.base, trial, name), **OTHER)
    for _ in range(2):
        pushed = trial.push()
        assert [each.outcome for each in pushed.clashes] == [name]
        assert pushed.written == 0
        assert on_server(target.base, trial, name)["valueQuantity"]["value"] == 99
    promise_holds(target.base, trial.workspace, apart_from=frozenset((name,)))


def test_the_servers_version_can_be_accepted(target: Place, trial: Trial) -> None:
    trial.push()
    name = trial.name()
    edit(target.base, on_server(target.base, trial, name), note=[{"text": "I doubt it."}])
    assert trial.push(Choices(server=frozenset((name,)))).left == [name]
    again = trial.push(verify=True)
    assert (again.left, again.clashes, again.written, again.differing) == ([name], [], 0, [])
    assert on_server(target.base, trial, name)["note"] == [{"text": "I doubt it."}]
    # what was accepted was accepted for the outcome of that time
    trial.correct()
    assert [each.outcome for each in trial.push().clashes] == [name]


def test_ours_can_be_insisted_on(target: Place, trial: Trial) -> None:
    trial.push()
    name = trial.name("essdai", "baseline")
    edit(target.base, on_server(target.base, trial, name), **OTHER)
    assert trial.push(Choices(ours=frozenset((name,)))).updated == [name]
    promise_holds(target.base, trial.workspace)
    assert trial.push().written == 0
    # what they wrote is in the server's history, and in the journal
    assert 99 in [
        each["valueQuantity"]["value"] for each in history(target.base, on_server(target.base, trial, name))
    ]
    with closing(sqlite3.connect(trial.workspace)) as journal:
        ((overruled, body),) = journal.execute(
            "SELECT outcome, detail FROM journal WHERE state = 'overruled'"
        )
    assert (overruled, b"99" in body) == (trial.id(name), True)


def test_an_outcome_that_somebody_removed(target: Place, trial: Trial) -> None:
    trial.push()
    name = trial.name("essdai", "baseline")
    remove(target.base, on_server(target.base, trial, name))
    (clash,) = trial.push().clashes
    assert (clash.outcome, clash.what) == (name, "It was removed there after we wrote it.")
    promise_holds(target.base, trial.workspace, apart_from=frozenset((name,)))
    assert trial.push(Choices(server=frozenset((name,)))).left == [name]
    assert (trial.push().left, trial.push().clashes) == ([name], [])
    assert trial.push(Choices(ours=frozenset((name,)))).created == [name]
    promise_holds(target.base, trial.workspace)


def test_a_choice_names_an_outcome(trial: Trial) -> None:
    with pytest.raises(UnknownName):
        trial.push(Choices(ours=frozenset(("JSS-01 nonsense week-28",))))


def test_the_same_content_under_a_new_version_is_no_conflict(target: Place, trial: Trial) -> None:
    trial.push()
    document = on_server(target.base, trial, trial.name())
    tagged = {**document["meta"], "tag": [{"system": "urn:example:tag", "code": "seen"}]}
    edit(target.base, document, meta=tagged)
    assert on_server(target.base, trial, trial.name())["meta"]["versionId"] != document["meta"]["versionId"]
    pushed = trial.push()
    assert (pushed.written, pushed.clashes) == (0, [])
    trial.correct()
    assert len(trial.push().updated) == len(CORRECTED)
    promise_holds(target.base, trial.workspace)


def test_verify_finds_what_differs(target: Place, trial: Trial) -> None:
    """Somebody changes an outcome after it was compared and before it is read back."""
    trial.push()
    name = trial.name("essdai", "baseline")
    document = on_server(target.base, trial, name)

    def after_the_push(message: str) -> None:
        if message == "target: reading back":
            edit(target.base, document, **OTHER)

    pushed = run(trial.study, ALL_STEPS, AS_OF, verify=True, progress=after_the_push).pushed
    assert pushed is not None
    assert pushed.differing == [name]


def test_verify_mends_a_missing_provenance(target: Place, trial: Trial) -> None:
    trial.push()
    (proof,) = proofs_of(target.base, on_server(target.base, trial, trial.name()))
    assert call("DELETE", f"{target.base}/Provenance/{proof['id']}").ok
    pushed = trial.push(verify=True)
    assert (pushed.repaired, pushed.written, pushed.differing) == ([trial.name()], 1, [])
    promise_holds(target.base, trial.workspace)


# -- copies that a race left -------------------------------------------------------------------------------


def copied(base: str, document: Json, **changes: object) -> Json:
    """A second Observation of an outcome, with a Provenance of its own."""
    copy = {key: value for key, value in document.items() if key not in ("id", "meta")} | changes
    made = call("POST", f"{base}/Observation", copy, Prefer="return=representation")
    assert made.ok, made.text
    (proof,) = proofs_of(base, document)
    for key in ("id", "meta", "text"):
        proof.pop(key, None)
    id = made.headers["Location"].partition("/_history/")[0].rpartition("/")[2]
    proof["target"] = [{"reference": f"Observation/{id}"}]
    assert call("POST", f"{base}/Provenance", proof).ok
    return {**copy, "id": id}


@pytest.mark.parametrize("rung", [2, 3])
def test_of_copies_the_oldest_stays(server_base: str, tmp_path: Path, rung: int) -> None:
    with place(server_base, rung) as target:
        trial = Trial(tmp_path / "trial", target.address)
        trial.push()
        first = on_server(server_base, trial, trial.name())
        copy = copied(server_base, first)
        pushed = trial.push()
        assert (pushed.retracted, pushed.clashes) == ([trial.name()], [])
        promise_holds(server_base, trial.workspace)
        assert on_server(server_base, trial, trial.name())["id"] == first["id"]
        withdrawn = call("GET", f"{server_base}/Observation/{copy['id']}").json()
        assert withdrawn["status"] == WITHDRAWN
        assert trial.push().written == 0
        # and what stays is still known to be ours
        trial.correct()
        pushed = trial.push()
        assert (len(pushed.updated), pushed.clashes) == (len(CORRECTED), [])
        promise_holds(server_base, trial.workspace)


@pytest.mark.parametrize("rung", [2, 3])
def test_copies_of_a_corrected_outcome(server_base: str, tmp_path: Path, rung: int) -> None:
    with place(server_base, rung) as target:
        trial = Trial(tmp_path / "trial", target.address)
        trial.push()
        copied(server_base, on_server(server_base, trial, trial.name()))
        trial.correct()
        pushed = trial.push()
        assert (len(pushed.updated), pushed.clashes) == (len(CORRECTED), [])
        promise_holds(server_base, trial.workspace)
        trial.correct("23.0")
        pushed = trial.push()
        assert (len(pushed.updated), pushed.clashes) == (len(CORRECTED), [])
        promise_holds(server_base, trial.workspace)


@pytest.mark.parametrize("rung", [2, 3])
def test_a_copy_that_somebody_changed_is_a_conflict(server_base: str, tmp_path: Path, rung: int) -> None:
    with place(server_base, rung) as target:
        trial = Trial(tmp_path / "trial", target.address)
        trial.push()
        name = trial.name("essdai", "baseline")
        copy = copied(server_base, on_server(server_base, trial, name), **OTHER)
        (clash,) = trial.push().clashes
        assert (clash.outcome, clash.resource) == (name, f"Observation/{copy['id']}")
        assert call("GET", f"{server_base}/Observation/{copy['id']}").json()["valueQuantity"]["value"] == 99
        trial.push(Choices(ours=frozenset((name,))))
        promise_holds(server_base, trial.workspace)


# -- another workspace -------------------------------------------------------------------------------------


@every_rung
def test_a_workspace_built_anew_adopts_what_is_equal(target: Place, trial: Trial) -> None:
    trial.push()
    before = versions(target.base, trial.tag)
    rebuilt(trial)
    pushed = trial.push()
    assert (pushed.written, pushed.unchanged, pushed.clashes) == (0, OUTCOMES, [])
    assert versions(target.base, trial.tag) == before
    promise_holds(target.base, trial.workspace)
    trial.correct()
    assert len(trial.push().updated) == len(CORRECTED)


def test_a_workspace_built_anew_overwrites_nothing_that_differs(target: Place, trial: Trial) -> None:
    trial.push()
    rebuilt(trial)
    trial.correct()
    pushed = trial.push()
    names = {trial.name(code) for code in CORRECTED}
    assert {each.outcome for each in pushed.clashes} == names
    assert {each.what for each in pushed.clashes} == {"Another workspace wrote it differently."}
    assert (pushed.written, pushed.unchanged) == (0, OUTCOMES - len(CORRECTED))
    trial.push(Choices(ours=frozenset(names)))
    promise_holds(target.base, trial.workspace)


# -- not in the hospital's way -----------------------------------------------------------------------------


def test_the_hospitals_own_changes_go_through(server_base: str, tmp_path: Path) -> None:
    """Sources and outcomes on one server: the hospital updates and deletes what our outcomes rest on."""
    with place(server_base, 2) as target:
        base = target.address  # by which the outcomes name their sources
        trial = Trial(tmp_path / "trial", base, served_by=base)
        generator.load([each for held in trial.sources.values() for each in held], server_base)
        trial.push()
        promise_holds(base, trial.workspace)
        sources = (
            trial.igg(),
            trial.find("QuestionnaireResponse"),
            trial.find("MedicationAdministration"),
        )
        for resource in sources:
            where = f"{base}/{resource['resourceType']}/{resource['id']}"
            resting = trial.resting_on(resource)
            assert resting
            before = versions(base, trial.tag)
            found = call("GET", where).json()
            assert call("PUT", where, {**found, "language": "zh"}).ok
            pushed = trial.push(Choices(retract=True))
            after = versions(base, trial.tag)
            rewritten = {id for id in after if after[id] != before[id]}
            # an Observation cannot name an administration that it rests on: its content stays what it was
            assert rewritten == (resting if resource["resourceType"] != "MedicationAdministration" else set())
            assert pushed.clashes == []
            promise_holds(base, trial.workspace)
            assert call("DELETE", where).ok
            pushed = trial.push(Choices(retract=True))
            assert pushed.clashes == []
            assert pushed.written
            assert trial.resting_on(resource) == set()
            promise_holds(base, trial.workspace)
