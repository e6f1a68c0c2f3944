"""What the benchmark of validation measures: resources with nothing to find, and whole processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.validation import lines, process, used, warm
from fhir_adapter.validation import validate


def test_the_observations_are_correct_and_the_same_each_time() -> None:
    made = list(lines(8))
    assert [validate(json.loads(line)) for line in made] == [[]] * 8
    assert made == list(lines(8))
    assert len({json.loads(line)["code"]["coding"][0]["code"] for line in made}) == 4


def test_a_benchmark_of_wrong_resources_is_refused() -> None:
    with pytest.raises(RuntimeError, match="something to find"):
        warm([b'{"resourceType": "Observation"}'], 1)
    with pytest.raises(RuntimeError, match="something to find"):
        used([b'{"resourceType": "Observation"}'], 1)


def test_a_process_is_measured_alone(tmp_path: Path) -> None:
    held = bytearray(200_000_000)  # of the measuring process, and not to be counted
    ended = process([sys.executable, "-c", "sum(range(3_000_000))"], tmp_path)
    assert 0.01 < ended.cpu < ended.clock + 1
    assert 1 < ended.megabytes < 100 < len(held) / 1e6
    with pytest.raises(RuntimeError, match="out of it"):
        process([sys.executable, "-c", "import sys; print('out of it'); sys.exit(3)"], tmp_path)
