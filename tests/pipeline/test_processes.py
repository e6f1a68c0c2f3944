"""Scoring by several processes gives what one gives, in the same order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fhir_adapter.errors import AdapterError, WorkspaceError
from fhir_adapter.pipeline.places import mappings
from fhir_adapter.pipeline.processes import sensible, written
from fhir_adapter.pipeline.run import rescored, run
from fhir_adapter.pipeline.score import Scored, Scoring
from fhir_adapter.study import Study, read_study
from fhir_adapter.workspace import StoredOutcome, Workspace
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study

# More than one partition.
PARTICIPANTS = 55


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    home = tmp_path_factory.mktemp("processes")
    generator.write_ndjson(generator.hospital(participants=PARTICIPANTS), home)
    opened = read_study(write_study(home, hospital="hospital", ratings="ratings", target="outcomes"))
    run(opened, frozenset(("pull",)), AS_OF)
    return opened


def scored(study: Study, jobs: int) -> tuple[list[StoredOutcome], Scored]:
    with Workspace(study.workspace) as workspace:
        scoring = Scoring(study, dict(mappings(study).hospitals), workspace, AS_OF)
        found = list(written(scoring, (), jobs))
        return [each for _, documents in found for each in documents], scoring.scored(
            [one for one, _ in found]
        )


def test_two_processes_find_what_one_finds(study: Study) -> None:
    alone, together = scored(study, 1), scored(study, 2)
    assert len(alone[0]) > 20 * PARTICIPANTS
    assert alone[0] == together[0]
    assert alone[1].queries
    assert alone[1].unknown_codes
    assert alone[1] == together[1]


def test_a_fault_in_another_process_is_told(study: Study, tmp_path: Path) -> None:
    with Workspace(study.workspace) as workspace:
        scoring = Scoring(study, dict(mappings(study).hospitals), workspace, AS_OF)
        workspace.path = tmp_path / "not there" / "study.sqlite"
        with pytest.raises(WorkspaceError) as fault:
            list(written(scoring, (), 2))
    assert isinstance(fault.value, AdapterError)
    assert "not there" in fault.value.where


def test_a_small_trial_is_scored_by_one_process() -> None:
    assert sensible(20) == 1


def test_one_participant_alone_is_scored_as_among_all(study: Study) -> None:
    everybody, alone = rescored(study, AS_OF).scored, rescored(study, AS_OF, "JSS-03").scored
    assert everybody is not None
    assert alone is not None
    assert list(alone.assessments) == ["JSS-03"]
    assert alone.assessments["JSS-03"] == everybody.assessments["JSS-03"]
    assert alone.conduct["JSS-03"] == everybody.conduct["JSS-03"]
    assert alone.subjects == everybody.subjects


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_not_as_it_was_is_checked(study: Study, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that is a number is not R4: such outcomes are not to be sent."""
    with Workspace(study.workspace) as workspace:
        scoring = Scoring(study, dict(mappings(study).hospitals), workspace, AS_OF)
        wrong = {**scoring.target.patients, "JSS-03": {"reference": 7}}
        scoring.target = replace(scoring.target, patients=wrong)
        found = [each for _, documents in written(scoring, (), jobs) for each in documents]
        assert {each.subject for each in found if each.invalid} == {"JSS-03"}
        with monkeypatch.context() as patched:
            patched.setattr(workspace, "holds", lambda _: True)
            again = [each for _, documents in written(scoring, (), 1) for each in documents]
    assert not any(each.invalid for each in again)
