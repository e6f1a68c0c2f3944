from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.folders import DAY, command, two_sources


@pytest.fixture(scope="session")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three participants that was run once; not to be changed."""
    home = tmp_path_factory.mktemp("study")
    result = command("run", two_sources(home), *DAY)
    assert result.exit_code == 1, (result.stderr, result.exception)
    return home


@pytest.fixture
def study(done_once: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be changed."""
    home = tmp_path / "study"
    shutil.copytree(done_once, home)
    return home
