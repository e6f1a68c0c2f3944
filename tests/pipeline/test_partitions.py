"""Resources sorted by participant on disk come back as they were put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_adapter.errors import FileFault
from fhir_adapter.pipeline.partitions import PARTICIPANTS, Partitions
from fhir_adapter.trial.origin import Origin
from fhir_adapter.workspace import Stored

SUBJECTS = [f"S-{number}" for number in range(PARTICIPANTS + 1)]


def stored(id: str) -> Stored:
    return Stored(
        Origin("lab", "Observation", id, "1", f"urn:{id}"), f'{{"id":"{id}","value":1.50}}'.encode()
    )


def test_each_participant_has_what_was_put_there_by_whichever_process(tmp_path: Path) -> None:
    one, other = Partitions(tmp_path, SUBJECTS, 0), Partitions(tmp_path, SUBJECTS, 1)
    for number in range(200):
        one.add(SUBJECTS[number % 2], stored(f"a{number}"))
    other.add(SUBJECTS[1], stored("b"))
    other.add(SUBJECTS[-1], stored("c"))
    one.close()
    other.close()
    first, second = one.read(0), one.read(1)
    assert list(first) == SUBJECTS[:PARTICIPANTS]
    assert first[SUBJECTS[0]] == [stored(f"a{number}") for number in range(0, 200, 2)]
    assert first[SUBJECTS[1]] == [*(stored(f"a{number}") for number in range(1, 200, 2)), stored("b")]
    assert not any(first[id] for id in SUBJECTS[2:PARTICIPANTS])
    assert second == {SUBJECTS[-1]: [stored("c")]}


def test_nowhere_to_write_is_told(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path / "not there", SUBJECTS)
    partitions.add(SUBJECTS[0], stored("a"))
    with pytest.raises(FileFault) as fault:
        partitions.close()
    assert "not there" in fault.value.where
    assert "TMPDIR" in fault.value.remedy
