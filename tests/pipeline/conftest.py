"""Places to write to, on each real server and each rung, and a small trial for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.promise import Place, Trial, place

# Each server on its best rung and on another; the tests of the ladder itself take every rung on both.
SOME_TARGETS = (("sekmet", 1), ("sekmet", 3), ("hapi", 1), ("hapi", 2))


@pytest.fixture(params=SOME_TARGETS, ids=lambda each: f"{each[0]}-rung{each[1]}")
def target(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A real server, as one that offers this rung at the most."""
    server, rung = request.param
    with place(request.getfixturevalue(f"{server}_base"), rung) as found:
        yield found


@pytest.fixture
def trial(target: Place, tmp_path: Path) -> Trial:
    """One child's trial, never pushed so far."""
    return Trial(tmp_path / "trial", target.address)
