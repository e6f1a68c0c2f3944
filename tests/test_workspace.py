"""Outcomes in the workspace: a row each time that one changes, ceases to hold, or holds again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fhir_adapter.trial.origin import Origin
from fhir_adapter.workspace import StoredOutcome, Workspace

SOURCE = Origin("site", "Observation", "lab-1", "2", "urn:x:1")


def outcome(id: str, digest: str = "d1", *origins: Origin) -> StoredOutcome:
    return StoredOutcome(id, "S-1", "week-28", "response", digest, f'{{"is":"{digest}"}}'.encode(), origins)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "study.sqlite") as opened:
        yield opened


def test_the_same_outcomes_are_kept_once(workspace: Workspace) -> None:
    both = [outcome("a", "d1", SOURCE), outcome("b")]
    assert workspace.save_outcomes(1, both) == (2, 0)
    assert workspace.save_outcomes(2, both[::-1]) == (0, 0)
    assert workspace.outcomes() == both


def test_another_content_or_other_sources_are_a_change(workspace: Workspace) -> None:
    workspace.save_outcomes(1, [outcome("a", "d1", SOURCE)])
    assert workspace.save_outcomes(2, [outcome("a", "d2", SOURCE)]) == (1, 0)
    newer = replace(SOURCE, version="3")
    assert workspace.save_outcomes(3, [outcome("a", "d2", newer)]) == (1, 0)
    assert workspace.outcomes() == [outcome("a", "d2", newer)]


def test_what_no_longer_holds_is_gone_once_and_may_hold_again(workspace: Workspace) -> None:
    a, b = outcome("a", "d1", SOURCE), outcome("b")
    workspace.save_outcomes(1, [a, b])
    assert workspace.save_outcomes(2, [b]) == (0, 1)
    assert workspace.outcomes() == [b]
    assert [each.id for each in workspace.former_outcomes()] == ["a"]
    assert workspace.save_outcomes(3, [b]) == (0, 0)
    assert workspace.save_outcomes(4, [a, b]) == (1, 0)
    assert workspace.outcomes() == [b, a]
    assert workspace.former_outcomes() == []


def test_an_outcome_holds_as_it_was_last_computed(workspace: Workspace) -> None:
    assert not workspace.holds(outcome("a"))
    workspace.save_outcomes(1, [outcome("a"), outcome("b")])
    assert workspace.holds(outcome("a"))
    assert not workspace.holds(outcome("a", "d2"))
    assert not workspace.holds(outcome("a", "d1", SOURCE))
    workspace.save_outcomes(2, [outcome("b")])
    assert not workspace.holds(outcome("a"))


runs = st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["d1", "d2"])), max_size=5)


@settings(max_examples=30, deadline=None)
@given(runs, st.randoms(use_true_random=False))
def test_after_any_runs_the_outcomes_of_the_last_one_hold(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, str]], chance: random.Random
) -> None:
    """By a plain reading: what is new or other than before has changed, what is missing is gone."""
    with Workspace(tmp_path_factory.mktemp("runs") / "study.sqlite") as workspace:
        before: dict[str, str] = {}
        for run, content in enumerate(contents, 1):
            outcomes = [outcome(id, digest) for id, digest in content.items()]
            chance.shuffle(outcomes)
            changed = sum(before.get(id) != digest for id, digest in content.items())
            assert workspace.save_outcomes(run, outcomes) == (changed, len(before.keys() - content.keys()))
            assert {each.id: each.digest for each in workspace.outcomes()} == content
            before = content
