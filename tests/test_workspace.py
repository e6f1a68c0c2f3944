"""Outcomes and queries in the workspace: a row each time that one changes, goes, or comes again."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Query, QueryKind
from fhir_adapter.workspace import StoredOutcome, StoredQuery, Workspace

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


ASKED = Query("S-1", "week-28", "igg", QueryKind.CONFLICT, "Correct one of them.", ("7", "8"), (SOURCE,))


def run_with(path: Path, *queries: Query) -> tuple[str, list[StoredQuery]]:
    """A run that finds these queries: when it began, and the queries of all runs after it."""
    with Workspace(path) as workspace:
        workspace.save_queries(
            workspace.start_run({"identifier": "x"}), {f"Q-{each.item}": each for each in queries}
        )
        return workspace.runs()[-1].started, workspace.queries()


def query_rows(path: Path) -> list[tuple[int, str, int]]:
    """The rows of queries: run, id, and whether it is open."""
    with closing(sqlite3.connect(path)) as opened:
        return list(opened.execute("SELECT run, id, open FROM query ORDER BY seq"))


def test_a_query_has_a_row_when_it_arises_changes_or_is_resolved(tmp_path: Path) -> None:
    path, other = tmp_path / "study.sqlite", replace(ASKED, item="ige")
    first, found = run_with(path, ASKED, other)
    assert found == [
        StoredQuery("Q-igg", ASKED, first, first, None),
        StoredQuery("Q-ige", other, first, first, None),
    ]
    second, found = run_with(path, ASKED)
    assert found == [
        StoredQuery("Q-igg", ASKED, first, second, None),
        StoredQuery("Q-ige", other, first, first, second),
    ]
    third, found = run_with(path)
    assert found[0] == StoredQuery("Q-igg", ASKED, first, second, third)
    _, found = run_with(path)
    assert found[0] == StoredQuery("Q-igg", ASKED, first, second, third)
    changed = replace(ASKED, values=("7", "9"))
    fifth, found = run_with(path, changed)
    assert found[0] == StoredQuery("Q-igg", changed, first, fifth, None)
    sixth, found = run_with(path, ASKED)
    assert found[0] == StoredQuery("Q-igg", ASKED, first, sixth, None)
    assert found[1] == StoredQuery("Q-ige", other, first, first, second)
    assert query_rows(path) == [
        (1, "Q-igg", 1), (1, "Q-ige", 1), (2, "Q-ige", 0), (3, "Q-igg", 0), (5, "Q-igg", 1), (6, "Q-igg", 1),
    ]  # fmt: skip
