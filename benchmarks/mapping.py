"""NDJSON lines → measurements, on one core: ours with and without its filter, and the peers.

    python -m benchmarks.mapping [--lines 20000] [--repetitions 5]

All read the same files, in turn, in one process; the times are CPU times.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec

from benchmarks.observations import example_hospital, lines, write_files
from benchmarks.study import SOURCE, study_of
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.mapping.head import whose
from fhir_adapter.mapping.hospital import Code
from fhir_adapter.mapping.patient import Patients
from fhir_adapter.pipeline.participants import Roster
from fhir_adapter.pipeline.pull import origin_of
from fhir_adapter.pipeline.score import Reader
from fhir_adapter.workspace import WHOLE, Share, Stored, Workspace

Read = tuple[dict[str, Mapped], Counter[tuple[str, Code]]]
"""Participant → all that their Observations say; and how often each unknown code was sent."""


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU seconds of several repetitions of one way to read the lines."""

    name: str
    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The fastest repetition, the least disturbed."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The repetition in the middle."""
        return statistics.median(self.seconds)


class _Export:
    """A folder of Observations in the place of the workspace: SQLite is not measured here."""

    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder, name=SOURCE)

    def current(self, source: str, type: str, share: Share = WHOLE) -> Iterator[Stored]:  # noqa: ARG002
        for received in self.folder.resources({type}) if type == "Observation" else ():
            if not isinstance(received, Received):
                raise RuntimeError(str(received))  # a line that the benchmark itself wrote wrong
            yield Stored(origin_of(source, received), received.body)


def reader(folder: Path, participants: int) -> Reader:
    """The product's reader of the files in a folder; every patient is a participant."""
    ids = [f"p{number}" for number in range(participants)]
    patients = Patients({f"Patient/{id}": id for id in ids}, {id: (id,) for id in ids}, {}, {})
    roster = Roster({}, {(SOURCE, id): id.upper() for id in ids}, {SOURCE: patients}, {})
    workspace = cast(Workspace, _Export(folder))
    return Reader(study_of(folder, "."), SOURCE, example_hospital(), roster, workspace)


def filtered(by: Reader) -> Read:
    """Ours: what a run does. Only what the trial asks for is decoded."""
    return _gathered(by, by.sifted())


def unfiltered(by: Reader) -> Read:
    """The same reader without the filter: every line is decoded and mapped."""

    def everything() -> Iterator[tuple[str, Stored]]:
        for stored in by.workspace.current(SOURCE, "Observation"):
            subject = by.roster.of(SOURCE, whose(stored.body).subject or ())
            if subject is not None:
                yield subject, stored

    return _gathered(by, everything())


def _gathered(by: Reader, found: Iterable[tuple[str, Stored]]) -> Read:
    by.unknown.clear()
    read: dict[str, Mapped] = defaultdict(Mapped)
    for subject, stored in found:
        by.read_into(read[subject], stored, subject)
    for mapped in read.values():
        mapped.unknown_codes.clear()
    return {subject: mapped for subject, mapped in read.items() if mapped != Mapped()}, by.unknown.copy()


def compare(count: int, repetitions: int) -> tuple[list[Timing], int]:
    """Time all four ways over ``count`` lines; returns the timings and how many measurements there are.

    Raises AssertionError where the filter changes a measurement, a data query or an unknown code.
    """
    from fhir.resources.R4B.observation import Observation

    bare = msgspec.json.Decoder(float_hook=Decimal)
    participants = max(1, count // 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_files(lines(count, participants=participants), folder)
        ours = reader(folder, participants)
        with_filter, without = filtered(ours), unfiltered(ours)
        if with_filter != without:
            raise AssertionError("The filter changed what was read.")
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: filtered(ours),
            "ours, unfiltered": lambda: unfiltered(ours),
            "fhir.resources.R4B": lambda: _each(paths, Observation.model_validate_json),
            "msgspec, bare decode": lambda: _each(paths, bare.decode),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repetitions):
            for name, way in ways.items():
                seconds[name].append(_timed(way))
    measured = sum(len(mapped.measurements) for mapped in with_filter[0].values())
    return [Timing(name, tuple(taken)) for name, taken in seconds.items()], measured


def _each(paths: list[Path], parse: Callable[[bytes], Any]) -> None:
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                parse(line)


def _timed(way: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    way()
    return time.process_time() - start


def main() -> None:
    """Measure, and print a table with the ratios."""
    parser = argparse.ArgumentParser(description="Lines of Observations → measurements.")
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--repetitions", type=int, default=5)
    asked = parser.parse_args()
    timings, measured = compare(asked.lines, asked.repetitions)
    print(f"{asked.lines} lines, {measured} measurements, {asked.repetitions} repetitions, CPU time")
    print(f"{'':22}{'best':>10}{'median':>10}   lines/s (best)")
    for timing in timings:
        rate = asked.lines / timing.best
        print(f"{timing.name:22}{timing.best:9.3f}s{timing.median:9.3f}s   {rate:14,.0f}")
    ours, unfiltered_, peer, bare = timings
    for label, best, median in (
        ("ours against fhir.resources (at least 8)", peer.best / ours.best, peer.median / ours.median),
        ("ours against ours without the filter",
         unfiltered_.best / ours.best, unfiltered_.median / ours.median),
    ):  # fmt: skip
        print(f"{label}: {best:.1f} x by the best, {median:.1f} x by the median")
    print(f"ours as a share of the bare decode's speed: {bare.best / ours.best:.0%}")
    print("The measurements, queries and unknown codes are the same with and without the filter.")


if __name__ == "__main__":
    main()
