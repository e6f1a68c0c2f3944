"""Conflicts and what settles them, withdrawing, reading back, doctor: the commands on a real server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from fhir_adapter.workspace import Workspace
from tests.cli.folders import DAY, command, said
from tests.fault_proxy import OUTCOME, Exchange, faulty
from tests.hospital.generator import load
from tests.pipeline.promise import (
    WITHDRAWN,
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

OUTCOMES = 22
"""Of one child."""
THEIRS = {"valueQuantity": {"value": 9, "unit": "{score}"}}
"""What somebody writes into an ESSDAI of 3."""


@pytest.fixture
def trial(sekmet_base: str, tmp_path: Path) -> Trial:
    """One child's trial whose outcomes stand on the server; its sources are folders."""
    made = Trial(tmp_path / "trial", sekmet_base)
    result = command("run", made.home, *DAY)
    assert f"{OUTCOMES} new" in result.stdout, (result.stderr, result.exception)
    return made


@pytest.fixture
def disputed(trial: Trial, sekmet_base: str) -> str:
    """The name of an outcome that somebody changed on the server."""
    name = trial.name("essdai")
    edit(sekmet_base, on_server(sekmet_base, trial, name), **THEIRS)
    return name


def told(result: Result, code: int, *parts: str) -> str:
    """Check that a command ended with ``code`` and says ``parts`` on stdout."""
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    for part in parts:
        assert part in result.stdout, result.stdout
    return result.stdout


def value(base: str, trial: Trial, name: str) -> float:
    """The number that stands on the server."""
    return float(on_server(base, trial, name)["valueQuantity"]["value"])


def journal(trial: Trial) -> list[tuple[str, str]]:
    """State and outcome of every step that the journal holds."""
    with closing(sqlite3.connect(trial.workspace)) as opened:
        return opened.execute("SELECT state, outcome FROM journal ORDER BY seq").fetchall()


# -- a conflict --------------------------------------------------------------------------------------------


def test_a_conflict_is_named_and_nothing_is_overwritten(
    trial: Trial, disputed: str, sekmet_base: str
) -> None:
    for arguments in (("push", trial.home), ("run", trial.home, *DAY), ("push", trial.home, "--verify")):
        printed = told(
            command(*arguments),
            1,
            f"not written: {disputed} (Observation/{trial.id(disputed)}): It was changed there",
            "--take-ours",
            "--take-server",
            f"0 new, 0 rewritten, 0 retracted; {OUTCOMES - 1} unchanged",
        )
        assert "differs there" not in printed, "it is named once"
    assert value(sekmet_base, trial, disputed) == 9
    promise_holds(sekmet_base, trial.workspace, apart_from=frozenset((disputed,)))


def test_a_conflict_as_json(trial: Trial, disputed: str) -> None:
    result = command("push", trial.home, "--json")
    assert result.exit_code == 1
    (conflict,) = json.loads(result.stdout)["pushed"]["conflicts"]
    assert (conflict["outcome"], conflict["resource"]) == (disputed, f"Observation/{trial.id(disputed)}")


def test_the_servers_version_is_taken_once_and_for_all(trial: Trial, disputed: str, sekmet_base: str) -> None:
    told(command("push", trial.home, "--take-server", disputed), 0, "left as the server has them: 1")
    for more in ((), ("--verify",)):
        told(command("push", trial.home, *more), 0, "left as the server has them: 1")
    assert value(sekmet_base, trial, disputed) == 9
    assert ("left", trial.id(disputed)) in journal(trial)


def test_what_was_left_can_still_be_overwritten(trial: Trial, disputed: str, sekmet_base: str) -> None:
    told(command("push", trial.home, "--take-server", disputed), 0)
    told(command("push", trial.home, "--take-ours", disputed), 0, f"rewritten: {disputed}")
    assert value(sekmet_base, trial, disputed) == 3


def test_ours_is_taken(trial: Trial, disputed: str, sekmet_base: str) -> None:
    told(
        command("push", trial.home, "--take-ours", disputed, "--verify"),
        0,
        f"rewritten: {disputed}",
        "Read back: 0 differ",
    )
    assert value(sekmet_base, trial, disputed) == 3
    promise_holds(sekmet_base, trial.workspace)
    told(command("push", trial.home), 0, f"{OUTCOMES} unchanged")


def test_two_conflicts_are_settled_apart(trial: Trial, disputed: str, sekmet_base: str) -> None:
    other = trial.name("essdai", "baseline")
    edit(sekmet_base, on_server(sekmet_base, trial, other), **THEIRS)
    told(command("push", trial.home), 1, disputed, other)
    told(
        command("push", trial.home, "--take-ours", other),
        1,
        f"rewritten: {other}",
        f"not written: {disputed}",
    )
    told(command("push", trial.home, "--take-ours", other, "--take-server", disputed), 0)
    assert (value(sekmet_base, trial, other), value(sekmet_base, trial, disputed)) == (12, 9)


def test_a_removed_outcome_is_a_conflict_too(trial: Trial, sekmet_base: str) -> None:
    name = trial.name()
    document = on_server(sekmet_base, trial, name)
    assert call("DELETE", f"{sekmet_base}/Observation/{document['id']}").ok
    told(command("push", trial.home), 1, f"not written: {name}", "It was removed there after we wrote it.")
    told(command("push", trial.home, "--take-ours", name), 0, f"new: {name}")
    promise_holds(sekmet_base, trial.workspace)


def test_somebody_may_withdraw_one_outcome_on_the_server(trial: Trial, sekmet_base: str) -> None:
    """What docs/exactly-once.md says of taking back one outcome for good."""
    name = trial.name("schirmer", "baseline")
    document = on_server(sekmet_base, trial, name)
    edit(sekmet_base, document, status=WITHDRAWN)
    told(command("push", trial.home), 1, f"not written: {name}")
    told(command("push", trial.home, "--take-server", name), 0)
    told(command("run", trial.home, *DAY), 0, "left as the server has them: 1")
    standing = call("GET", f"{sekmet_base}/Observation/{document['id']}").json()
    assert standing["status"] == WITHDRAWN


@pytest.mark.parametrize("option", ["--take-ours", "--take-server"])
def test_a_name_that_no_outcome_has(trial: Trial, disputed: str, option: str) -> None:
    before = journal(trial)
    wrong = disputed.replace("week-28", "week28")
    said(
        command("push", trial.home, option, wrong),
        2,
        f"There is no outcome '{wrong}'.",
        "SUBJECT OUTCOME VISIT",
    )
    assert journal(trial) == before


# -- looking first, and reading back -----------------------------------------------------------------------


def test_a_dry_run_shows_what_would_be_and_writes_nothing(
    trial: Trial, disputed: str, sekmet_base: str
) -> None:
    before, stood = journal(trial), versions(sekmet_base, trial.tag)
    result = command("push", trial.home, "--dry-run")
    said(result, 1, "would be written", f"not written: {disputed}")
    assert json.loads(result.stdout) == {"resourceType": "Bundle", "type": "transaction"}
    result = command("push", trial.home, "--dry-run", "--take-ours", disputed)
    said(result, 0, "1 rewritten", f"rewritten: {disputed}")
    observation, proof = json.loads(result.stdout)["entry"]
    there = on_server(sekmet_base, trial, disputed)
    assert observation["request"] == {
        "method": "PUT",
        "url": f"Observation/{there['id']}",
        "ifMatch": f'W/"{there["meta"]["versionId"]}"',
    }
    assert observation["resource"]["valueQuantity"]["value"] == 3
    assert proof["resource"]["resourceType"] == "Provenance"
    said(
        command("push", trial.home, "--dry-run", "--take-server", disputed),
        0,
        "left as the server has them: 1",
    )
    assert (journal(trial), versions(sekmet_base, trial.tag)) == (before, stood)


def test_reading_back_mends_a_lost_provenance(trial: Trial, sekmet_base: str) -> None:
    (proof,) = proofs_of(sekmet_base, on_server(sekmet_base, trial, trial.name()))
    assert call("DELETE", f"{sekmet_base}/Provenance/{proof['id']}").ok
    told(command("push", trial.home, "--verify"), 0, "repaired: 1", "Read back: 0 differ from the workspace.")
    told(command("push", trial.home, "--verify"), 0, f"{OUTCOMES} unchanged", "Read back: 0 differ")
    promise_holds(sekmet_base, trial.workspace)


# -- withdrawing -------------------------------------------------------------------------------------------


def test_withdrawing_all_asks_first(trial: Trial, sekmet_base: str) -> None:
    subject = trial.subject()
    subject["status"] = "entered-in-error"
    trial.touch(subject)
    before = versions(sekmet_base, trial.tag)
    sentence = ("would lose their value; nothing was written", "push with --allow-retract")
    said(command("run", trial.home, *DAY), 3, *sentence)
    said(command("push", trial.home), 3, *sentence)
    said(command("push", trial.home, "--dry-run"), 3, *sentence)
    assert versions(sekmet_base, trial.tag) == before
    said(command("push", trial.home, "--dry-run", "--allow-retract"), 0, f"{OUTCOMES} retracted")
    assert versions(sekmet_base, trial.tag) == before
    told(command("push", trial.home, "--allow-retract"), 0, f"{OUTCOMES} retracted")
    assert {each["status"] for each in outcomes_on(sekmet_base, trial.tag)} == {WITHDRAWN}


def test_all_is_taken_back_by_a_study_file_without_participants(trial: Trial, sekmet_base: str) -> None:
    """The way that docs/exactly-once.md describes, and back again."""
    undo = trial.home / "undo.toml"
    text = (trial.home / "study.toml").read_text("utf-8")
    undo.write_text(text.replace('source = "hospital"', 'file = "nobody.csv"'), encoding="utf-8")
    (trial.home / "nobody.csv").write_text("subject,mrn,status\n", encoding="utf-8")
    told(command("score", undo), 1, "Participants, baseline and week-28: none.")
    told(command("push", undo, "--allow-retract", "--verify"), 0, f"{OUTCOMES} retracted", "0 differ")
    assert {each["status"] for each in outcomes_on(sekmet_base, trial.tag)} == {WITHDRAWN}
    told(command("run", trial.home, *DAY), 0, f"{OUTCOMES} rewritten")
    promise_holds(sekmet_base, trial.workspace)


# -- doctor ------------------------------------------------------------------------------------------------


def test_doctor_says_what_is_promised(trial: Trial, sekmet_base: str) -> None:
    stood = versions(sekmet_base, trial.tag)
    told(command("doctor", trial.home), 0, "target: well: rung 1, client ids")
    printed = told(command("doctor", trial.home, "--probe"), 0, "ids of ours are taken (tried, and kept)")
    assert "NOT WELL" not in printed
    assert versions(sekmet_base, trial.tag) == stood


def test_a_probe_leads_to_the_better_rung(sekmet_base: str, tmp_path: Path) -> None:
    with place(sekmet_base, 2) as target:
        trial = Trial(tmp_path / "trial", target.address)
        told(command("doctor", trial.home), 0, "rung 2, ifNoneExist", "`doctor --probe` tries it")
        told(command("doctor", trial.home, "--probe"), 0, "are taken (tried, and kept)", "rung 1, client ids")
        assert "one program at a time" not in told(command("run", trial.home, *DAY), 0, "new, 0 rewritten")
        promise_holds(sekmet_base, trial.workspace)


def test_doctor_without_a_probe_writes_nothing(sekmet_base: str, tmp_path: Path) -> None:
    with faulty(sekmet_base, Exchange.forward) as proxy:
        trial = Trial(tmp_path / "trial", proxy.base)
        told(command("doctor", trial.home), 0)
        assert {seen.method for seen in proxy.seen} == {"GET"}


def test_doctor_on_a_target_without_transactions(sekmet_base: str, tmp_path: Path) -> None:
    with place(sekmet_base, 3) as target:
        trial = Trial(tmp_path / "trial", target.address)
        told(command("doctor", trial.home), 0, "rung 3, search, then create", "no transactions")
        told(command("run", trial.home, *DAY), 0, "Only one program at a time", "one after the other")
        promise_holds(sekmet_base, trial.workspace)


def test_doctor_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    trial = Trial(tmp_path / "trial", "http://127.0.0.1:9/fhir")
    told(command("doctor", trial.home), 3, "target: NOT WELL: it cannot be reached")


# -- targets that are otherwise ----------------------------------------------------------------------------


def read_only(call: Exchange) -> None:
    """Everything may be read, nothing written."""
    if call.method == "GET":
        call.forward()
    else:
        call.answer(403, OUTCOME)


def test_a_server_that_may_only_be_read(sekmet_base: str, tmp_path: Path) -> None:
    with faulty(sekmet_base, read_only) as proxy:
        trial = Trial(tmp_path / "trial", proxy.base)
        said(
            command("run", trial.home, *DAY), 3, "target (", "it refuses (403).", "Ask the server's operator."
        )
        said(command("push", trial.home), 3, "it refuses (403).")
    assert outcomes_on(sekmet_base, trial.tag) == []
    # what was tried is on record, and nothing counts as done
    states = {state for state, _ in journal(trial)}
    assert states == {"planned", "sent"}
    with Workspace(trial.workspace) as workspace:
        assert len(workspace.outcomes()) == OUTCOMES


def test_a_target_that_is_not_the_source_gets_patients_by_identifier(trial: Trial, sekmet_base: str) -> None:
    subject = on_server(sekmet_base, trial, trial.name())["subject"]
    assert "reference" not in subject
    assert subject["type"] == "Patient"
    (identifier,) = trial.find("Patient")["identifier"]
    assert subject["identifier"]["value"] == identifier["value"]


def test_a_target_that_is_the_source_gets_patients_by_reference(sekmet_base: str, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", sekmet_base, served_by=sekmet_base)
    everything: list[dict[str, Any]] = [each for held in trial.sources.values() for each in held]
    load(everything, sekmet_base)
    # both mappings read the one server, and each meets codes that only the other knows
    told(command("run", trial.home, *DAY), 1, f"{OUTCOMES} new")
    subject = on_server(sekmet_base, trial, trial.name())["subject"]
    assert call("GET", f"{sekmet_base}/{subject['reference']}").ok
