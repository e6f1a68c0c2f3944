"""Twenty kills, at least two in each state on each server; ``python -m tests.pipeline.crash`` makes more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.pipeline.crash import STATES, kills


@pytest.mark.parametrize(("server", "times"), [("sekmet", 3), ("hapi", 2)])
def test_a_kill_breaks_no_promise(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, times: int
) -> None:
    base = request.getfixturevalue(f"{server}_base")
    counted = Counter(state for state, _, _ in kills(base, tmp_path, times))
    assert counted == dict.fromkeys(STATES, times)
