"""Two at once: two processes with one workspace, two workspaces with one server, and people in between."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from fhir_adapter import workspace as workspace_module
from fhir_adapter.errors import AdapterError, WorkspaceError
from fhir_adapter.pipeline.push import PushReport
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import read_study
from fhir_adapter.workspace import Workspace
from tests.fault_proxy import Exchange
from tests.hospital.study import AS_OF
from tests.pipeline.promise import (
    ALL_STEPS,
    CORRECTED,
    Place,
    Trial,
    edit,
    on_server,
    outcomes_on,
    place,
    promise_holds,
)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.pipeline.promise", "fhir_adapter.validation"])
TOGETHER_WITHIN = 90.0


def pushed_by_a_process(study: Path) -> PushReport | str:
    """A run in a process of its own: what it pushed, or what it said."""
    try:
        pushed = run(read_study(study), ALL_STEPS, AS_OF).pushed
    except AdapterError as fault:
        return str(fault)
    assert pushed is not None
    return pushed


def at_once(*trials: Trial) -> list[PushReport | str]:
    """Run the trials at the same time, each in a process of its own."""
    pool: Pool
    with _processes.Pool(len(trials)) as pool:
        pool.map(abs, range(len(trials)), chunksize=1)  # both are there before either begins
        return pool.map_async(
            pushed_by_a_process, [trial.home / "study.toml" for trial in trials], chunksize=1
        ).get(TOGETHER_WITHIN)


@pytest.mark.parametrize("rung", [1, 2, 3])
def test_two_processes_with_one_workspace(server_base: str, tmp_path: Path, rung: int) -> None:
    with place(server_base, rung) as target:
        trial = Trial(tmp_path / "trial", target.address)
        reports = at_once(trial, trial)
        written = [each.written if isinstance(each, PushReport) else each for each in reports]
        assert written in ([0, 22], [22, 0])
        promise_holds(server_base, trial.workspace)


def test_a_run_waits_for_another_and_then_says_so(
    sekmet_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_module, "WAIT", 0.1)
    trial = Trial(tmp_path / "trial", sekmet_base)
    trial.run()
    with Workspace(trial.workspace) as workspace:
        about = workspace.last_run()
        assert about is not None
        workspace.start_run(about)
        with pytest.raises(WorkspaceError, match="locked") as fault:
            trial.run()
        assert "Another run is using it" in fault.value.remedy
        with Workspace(trial.workspace) as looking:  # reading goes on
            assert len(looking.outcomes()) == 22
    trial.push()
    promise_holds(sekmet_base, trial.workspace)


def test_two_workspaces_with_equal_inputs(server_base: str, tmp_path: Path) -> None:
    """Safe for parallel writers where ids are ours."""
    with place(server_base, 1) as target:
        trial = Trial(tmp_path / "one", target.address)
        other = trial.twin(tmp_path / "other")
        for report in at_once(trial, other):
            assert isinstance(report, PushReport), report
            assert report.clashes == []
        for each in (trial, other):
            promise_holds(server_base, each.workspace)
            assert each.push().written == 0


@pytest.mark.parametrize("rung", [2, 3])
def test_two_workspaces_where_the_server_chooses_ids(server_base: str, tmp_path: Path, rung: int) -> None:
    """These rungs are for one writer; what a race leaves is mended by the next run."""
    with place(server_base, rung) as target:
        trial = Trial(tmp_path / "one", target.address)
        other = trial.twin(tmp_path / "other")
        at_once(trial, other)
        for each in (trial, other, trial):
            report = each.push()
            assert report.clashes == []
        alive = Counter(
            each["identifier"][0]["value"]
            for each in outcomes_on(server_base, trial.tag)
            if each["status"] != "entered-in-error"
        )
        assert (len(alive), set(alive.values())) == (22, {1})
        assert trial.push().written == other.push().written == 0


def test_two_workspaces_with_different_inputs(target: Place, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "one", target.address)
    other = trial.twin(tmp_path / "other")
    other.correct()
    trial.push()
    mine = on_server(target.base, trial, trial.name())
    pushed = other.push()
    names = {trial.name(code) for code in CORRECTED}
    assert {each.outcome for each in pushed.clashes} == names
    assert pushed.written == 0
    promise_holds(target.base, trial.workspace)
    promise_holds(target.base, other.workspace, apart_from=frozenset(names))
    assert on_server(target.base, trial, trial.name())["meta"] == mine["meta"]


def test_two_workspaces_with_different_inputs_at_once(server_base: str, tmp_path: Path) -> None:
    with place(server_base, 1) as target:
        trial = Trial(tmp_path / "one", target.address)
        other = trial.twin(tmp_path / "other")
        other.correct()
        at_once(trial, other)
        names = {trial.name(code) for code in CORRECTED}
        clashing = [{each.outcome for each in one.push().clashes} for one in (trial, other)]
        assert set.union(*clashing) == names
        assert set.intersection(*clashing) == set()
        for one, clashes in zip((trial, other), clashing, strict=True):
            promise_holds(server_base, one.workspace, apart_from=frozenset(clashes))


# -- stale -------------------------------------------------------------------------------------------------


def test_a_change_between_reading_and_writing_is_never_lost(target: Place, trial: Trial) -> None:
    """Somebody changes an outcome when our new version of it is already on its way."""
    trial.push()
    theirs = on_server(target.base, trial, trial.name())
    left = [1]

    def changed_meanwhile(call: Exchange) -> None:
        if call.method != "GET" and left:
            left.clear()
            edit(target.base, theirs, note=[{"text": "I doubt it."}])
        call.forward()

    target.meets = changed_meanwhile
    trial.correct()
    pushed = trial.push()
    (clash,) = pushed.clashes
    assert clash.outcome == trial.name()
    assert "between our reading and our writing" in clash.what
    assert on_server(target.base, trial, trial.name())["note"] == [{"text": "I doubt it."}]
    # the others of the same transaction are written
    assert set(pushed.updated) == {trial.name(code) for code in CORRECTED} - {trial.name()}
    assert [each.outcome for each in trial.push().clashes] == [trial.name()]
    promise_holds(target.base, trial.workspace, apart_from=frozenset((trial.name(),)))


def test_a_change_that_says_the_same_does_not_stop_us(target: Place, trial: Trial) -> None:
    """A new version with the same content comes between: it is read again, and replaced."""
    trial.push()
    theirs = on_server(target.base, trial, trial.name())
    left = [1]

    def touched_meanwhile(call: Exchange) -> None:
        if call.method != "GET" and left:
            left.clear()
            tagged = {**theirs["meta"], "tag": [{"system": "urn:example:tag", "code": "seen"}]}
            edit(target.base, theirs, meta=tagged)
        call.forward()

    target.meets = touched_meanwhile
    trial.correct()
    pushed = trial.push()
    assert (len(pushed.updated), pushed.clashes) == (len(CORRECTED), [])
    promise_holds(target.base, trial.workspace)
