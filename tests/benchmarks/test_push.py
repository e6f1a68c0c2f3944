"""The benchmark of the push measures what it says, on few outcomes; nothing here is timed."""

from __future__ import annotations

from pathlib import Path

from benchmarks.push import OF_ONE_CHILD, SINGLE, Server, Trials, compare, idle


def test_every_way_writes_the_outcomes(sekmet_base: str, tmp_path: Path) -> None:
    timings = compare(tmp_path, Server(sekmet_base, None), 20, 1)
    assert [timing.outcomes for timing in timings] == [20, 20, 20 // SINGLE]
    assert all(timing.rate > 0 for timing in timings)


def test_nothing_to_do_is_no_write(sekmet_base: str, tmp_path: Path) -> None:
    _, methods = idle(Trials(tmp_path, Server(sekmet_base, None), OF_ONE_CHILD))
    assert set(methods) == {"GET"}


def test_each_trial_has_ids_of_its_own(sekmet_base: str, tmp_path: Path) -> None:
    trials = Trials(tmp_path, Server(sekmet_base, None), 20)
    with trials.fresh() as one, trials.fresh() as other:
        ids = [{each.id for each in trial.workspace.outcomes()} for trial in (one, other)]
        assert [len(found) for found in ids] == [20, 20]
        assert not ids[0] & ids[1]
        assert b"".join(one.bundles()).count(b'"resource":') == 2 * 20


def test_what_others_wrote_there_does_not_cost_a_first_push_more(sekmet_base: str, tmp_path: Path) -> None:
    """Looked up is whether the participants are known there, not each outcome by its identifier."""
    trials = Trials(tmp_path, Server(sekmet_base, None), 40)
    sent = []
    for _ in range(2):
        with trials.fresh() as trial:
            sent.append(trial.push().requests)
    # metadata, the ids in one search, the participants in another, one transaction
    assert sent == [4, 4]
