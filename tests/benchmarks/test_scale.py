"""The benchmark of many participants compares each with what plain arithmetic says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scale import generate, ours, stored

PARTICIPANTS = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    generate(folder, PARTICIPANTS, files=3)
    return folder


def test_everybody_has_the_results_of_plain_arithmetic(home: Path) -> None:
    outcomes, wrong = ours(home)
    assert outcomes > 20 * PARTICIPANTS
    assert wrong == 0


def test_so_do_two_processes_and_the_whole_program(home: Path) -> None:
    assert ours(home, 2)[1] == 0
    assert stored(home)[1] == 0


def test_a_wrong_result_is_counted(home: Path) -> None:
    path = home / "expected.json"
    wanted = json.loads(path.read_bytes())
    changed = {**wanted, "S-00007": ["99", None, "responder"], "S-99999": [None, None, "responder"]}
    path.write_text(json.dumps(changed))
    try:
        assert ours(home)[1] == 2
    finally:
        path.write_text(json.dumps(wanted))
