"""Ten thousand participants, from a folder to their outcomes.

    python -m benchmarks.scale [--participants 10000] [--files 4] [--home FOLDER]

Each way is a process of its own, so that its peak memory is its own too. The results of every participant
are compared with those by plain arithmetic (``cohort.expected``).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import cast
from unittest.mock import patch

import msgspec

from benchmarks import cohort
from benchmarks.study import SOURCE, study_of
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received
from fhir_adapter.pipeline import not_valid, processes
from fhir_adapter.pipeline import run as runs
from fhir_adapter.pipeline.places import mappings
from fhir_adapter.pipeline.pull import origin_of
from fhir_adapter.pipeline.score import Scoring
from fhir_adapter.trial.types import Outcome
from fhir_adapter.workspace import WHOLE, Share, Stored, StoredOutcome, Workspace


@dataclass(frozen=True, slots=True)
class Taken:
    """What one way took: CPU seconds, seconds, peak memory in MB, outcomes, and wrong results."""

    cpu: float
    wall: float
    memory: float
    outcomes: int = 0
    wrong: int = 0


class _Files(Folder):
    """Some of the files of a folder; what types are in them is known from ``whole``."""

    def __init__(self, whole: Folder, share: Share) -> None:
        super().__init__(whole.path, name=SOURCE)
        self.share = share
        self._kinds = whole._kinds

    def _files(self) -> list[Path]:
        return super()._files()[self.share.number :: self.share.of]


class _Export:
    """The folder in the place of the workspace."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path, name=SOURCE)

    def cursor(self, source: str, type: str) -> None:
        """There is none."""

    def holds(self, outcome: StoredOutcome) -> bool:  # noqa: ARG002
        """Whether it need not be checked: what is kept nowhere need not."""
        return True

    def current(self, source: str, type: str, share: Share = WHOLE) -> Iterator[Stored]:
        """The lines of one type; in a share those of some of the files."""
        for received in _Files(self.folder, share).resources({type}):
            if not isinstance(received, Received):
                raise RuntimeError(str(received))  # a line that the benchmark itself wrote wrong
            yield Stored(origin_of(source, received), received.body)


def bare(home: Path) -> tuple[int, int]:
    """Decode every line, and nothing else."""
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    for path in sorted((home / SOURCE).glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                decoder.decode(line)
    return 0, 0


def ours(home: Path, jobs: int = 1) -> tuple[int, int]:
    """From the folder to the outcomes, without a workspace."""
    study = study_of(home, SOURCE)
    export = cast(Workspace, _Export(home / SOURCE))
    scoring = Scoring(study, dict(mappings(study).hospitals), export, cohort.AS_OF)
    wanted, outcomes, wrong = _wanted(home), 0, 0
    for one, documents in processes.written(scoring, (), jobs):
        outcomes += len(documents)
        found = one.assessment.outcomes if one.assessment else ()
        wrong += not _agrees(wanted.pop(one.subject), found)
    return outcomes, wrong + len(wanted)


def unasked(home: Path) -> tuple[int, int]:
    """As ``ours``, without holding what is used against R4."""
    with patch.object(not_valid, "questions", lambda *_, **__: ()):
        return ours(home)


def stored(home: Path, *, check: bool = False, again: bool = False) -> tuple[int, int]:
    """A run of the program: pulled into the workspace, scored, kept there; checked against R4, or not."""
    study = study_of(home, SOURCE)
    for path in [] if again else home.glob("study.sqlite*"):
        path.unlink()
    steps, kept = (
        frozenset(("pull", "score")),
        None if check else patch.object(processes, "checked", _unchecked),
    )
    with kept or nullcontext():
        report = runs.run(study, steps, cohort.AS_OF, jobs=1)
    wanted, wrong = _wanted(home), 0
    for id, each in report.scored.assessments.items() if report.scored else ():
        wrong += not _agrees(wanted.pop(id), each.outcomes)
    return report.changed[0], wrong + len(wanted)


def _unchecked(outcome: StoredOutcome, rules: Sequence[str]) -> StoredOutcome:  # noqa: ARG001
    return outcome


def _wanted(home: Path) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = json.loads((home / "expected.json").read_bytes())
    return found


def _agrees(wanted: list[str | None], outcomes: Iterable[Outcome]) -> bool:
    found = {(each.code, each.visit): each for each in outcomes}
    numbers = [found[(f"{index}-change", "week-28")].number for index in ("essdai", "esspri")]
    response = found[("response", "week-28")].result
    return [*(None if number is None else str(number) for number in numbers), response] == wanted


WAYS: dict[str, Callable[[Path], tuple[int, int]]] = {
    "msgspec, bare decode": bare,
    "ours": ours,
    "ours, R4 unasked": unasked,
    "ours, two processes": lambda home: ours(home, 2),
    "with the workspace": stored,
    "and checked as FHIR": lambda home: stored(home, check=True),
    "again, nothing new": lambda home: stored(home, check=True, again=True),
}
FEW = ("msgspec, bare decode", "ours", "ours, R4 unasked", "ours, two processes", "with the workspace")
"""What is measured of many participants; the others of a tenth of them."""


def measure(way: str, home: Path) -> Taken:
    """Take one way in this process; the processes that it starts count."""
    cpu, wall = time.process_time(), time.perf_counter()
    outcomes, wrong = WAYS[way](home)
    wall = time.perf_counter() - wall
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = time.process_time() - cpu + others.ru_utime + others.ru_stime
    return Taken(cpu, wall, max(own.ru_maxrss, others.ru_maxrss) / 1024, outcomes, wrong)


def generate(home: Path, participants: int, files: int) -> None:
    """Write the export and what is expected."""
    found = cohort.write(home / SOURCE, participants, files)
    plain = {
        id: [
            None if each.essdai_change is None else str(each.essdai_change),
            None if each.esspri_change is None else str(each.esspri_change),
            each.response,
        ]
        for id, each in found.items()
    }
    (home / "expected.json").write_text(json.dumps(plain))


def taken(home: Path, way: str) -> Taken:
    """Take one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--home", str(home), "--way", way]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Taken(**json.loads(answer.stdout))


def table(home: Path, participants: int, files: int, ways: Iterable[str]) -> dict[str, Taken]:
    """Measure the ways over so many participants, and print a line for each."""
    if not (home / "expected.json").exists():
        generate(home, participants, files)
    size = sum(path.stat().st_size for path in (home / SOURCE).iterdir())
    count = participants * cohort.OBSERVATIONS
    print(f"\n{participants:,} participants, {count:,} Observations, {size / 1e6:,.0f} MB")
    print(f"{'':22}{'CPU s':>8}{'x bare':>8}{'Obs./s':>9}{'wall s':>8}{'MB':>6}{'outcomes':>10}{'wrong':>7}")
    found: dict[str, Taken] = {}
    for way in ways:
        each = found[way] = taken(home, way)
        ratio = each.cpu / found[FEW[0]].cpu
        print(
            f"{way:22}{each.cpu:8.1f}{ratio:8.1f}{count / each.cpu:9,.0f}{each.wall:8.1f}{each.memory:6,.0f}"
            f"{each.outcomes:10,}{each.wrong:7}",
            flush=True,
        )
    return found


def main() -> None:
    """Measure, and print tables and ratios."""
    parser = argparse.ArgumentParser(description="Many participants, from a folder to their outcomes.")
    parser.add_argument("--participants", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--home", type=Path, help="Where the exports stand, or are written.")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(asdict(measure(asked.way, asked.home))))
        return
    many, few = asked.participants, asked.participants // 10
    with tempfile.TemporaryDirectory() as name:
        home = asked.home or Path(name)
        small = table(home / str(few), few, asked.files, WAYS)
        large = table(home / str(many), many, asked.files, FEW)
    ours_, two = large["ours"], large["ours, two processes"]
    print(f"\nten times the participants: {ours_.cpu / small['ours'].cpu:.1f} x the CPU time")
    print(f"two processes: {ours_.wall / two.wall:.2f} x as fast, by wall clock")
    wrong = sum(each.wrong for each in (*small.values(), *large.values()))
    print(f"participants whose results are not those by plain arithmetic: {wrong}")


if __name__ == "__main__":
    main()
