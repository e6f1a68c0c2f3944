"""Validation beside its peers: warm, cold, and how it grows with the size of a Bundle and of a file.

python -m benchmarks.validation [--lines 2000] [--repetitions 5] [--entries 100000]

The peers are pyrofile-validator, which is installed from PyPI into a folder of its own that goes again, and,
where there is a JDK and Maven, HL7's validator (tests/java/validator).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fhir_adapter.exchange.resource import decode
from fhir_adapter.pipeline.not_valid import questions
from fhir_adapter.trial.origin import Origin
from fhir_adapter.validation import validate
from fhir_adapter.validation.source import load
from tests.java.maven import java
from tests.reference import build_validator, java_available

PEER: Final = "pyrofile-validator==0.3.0"
COLD: Final = 0.5
"""Seconds that the whole process may take over one small file."""
FASTER: Final = 10
"""How many times as fast as pyrofile-validator it is to be."""

_ANALYTES: Final = (
    ("2951-2", "Sodium", "mmol/L", 140, 135, 145),
    ("2823-3", "Potassium", "mmol/L", 4, 3, 5),
    ("718-7", "Hemoglobin", "g/dL", 13, 12, 16),
    ("2465-3", "IgG", "g/L", 12, 7, 16),
)
_PROGRAM: Final = Path(sys.executable).with_name("fhir-adapter")

_PEER_PROGRAM: Final = """
import contextlib, io, json, sys, time
from pyrofile_validator import Validator
from pyrofile_validator.config import ValidatorConfig
path, repetitions, package = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
lines = open(path, "rb").read().splitlines()
config = {"fhirVersion": "4.0.1", "localPackagePaths": package, "terminology": {"mode": "local"}}
with contextlib.redirect_stdout(io.StringIO()):  # it prints what trace() in an invariant says
    validator = Validator(ValidatorConfig.load_dict(config))
    errors = len(validator.validate_resource(json.loads(lines[0])).errors)
    taken = []
    for _ in range(repetitions):
        begun = time.process_time()
        for line in lines:
            validator.validate_resource(json.loads(line))
        taken.append(time.process_time() - begun)
print(json.dumps({"taken": taken, "errors": errors}))
"""


# A small process that starts the measured one: Linux counts what the starting process has in memory, too.
_LAUNCHER: Final = """
import os, sys, time
begun = time.perf_counter()
printed = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
files = [(os.POSIX_SPAWN_DUP2, printed, 1), (os.POSIX_SPAWN_DUP2, printed, 2)]
started = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=files)
_, status, used = os.wait4(started, 0)
code = os.waitstatus_to_exitcode(status)
print([code, time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss])
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process took: seconds by the clock, seconds of CPU, and megabytes at the most."""

    clock: float
    cpu: float
    megabytes: float


def observation(number: int, rng: random.Random) -> dict[str, Any]:
    """A laboratory result as hospitals send them, about 1 kB, in which there is nothing to find."""
    code, name, unit, usual, low, high = _ANALYTES[number % len(_ANALYTES)]

    def quantity(value: float) -> dict[str, Any]:
        return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}

    return {
        "resourceType": "Observation",
        "id": f"lab-{number}",
        "meta": {"versionId": "1", "lastUpdated": "2026-03-01T08:00:00Z"},
        "identifier": [{"system": "urn:example:lis", "value": f"{number:08}"}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": name},
        "subject": {"reference": f"Patient/p{number % 500}"},
        "effectiveDateTime": f"2026-03-{1 + number % 28:02}T08:{number % 60:02}:00+08:00",
        "issued": f"2026-03-{1 + number % 28:02}T12:{number % 60:02}:00+08:00",
        "performer": [{"reference": "Organization/lab"}],
        "valueQuantity": quantity(round(usual * rng.uniform(0.8, 1.2), 1)),
        "referenceRange": [{"low": quantity(low), "high": quantity(high)}],
    }


def lines(count: int) -> Iterator[bytes]:
    """So many Observations, each as a line."""
    rng = random.Random(1)
    for number in range(count):
        yield json.dumps(observation(number, rng)).encode()


def process(command: Sequence[str | os.PathLike[str]], folder: Path) -> Ended:
    """Run a command to its end; what it prints is dropped. Raises ``RuntimeError`` when it fails."""
    words = [str(word) for word in command]
    launched = [sys.executable, "-S", "-c", _LAUNCHER, str(folder / "printed"), *words]
    done = subprocess.run(launched, check=True, capture_output=True, text=True, cwd=folder)
    code, clock, cpu, kilobytes = json.loads(done.stdout)
    if code not in (0, 1):
        raise RuntimeError(f"{words[0]} failed:\n{(folder / 'printed').read_text()[-2000:]}")
    return Ended(clock, cpu, kilobytes / 1024)


def warm(texts: list[bytes], repetitions: int) -> list[float]:
    """CPU seconds in which we read and check all lines, once for each repetition."""
    if validate(json.loads(texts[0])):
        raise RuntimeError("there is something to find in the Observations of the benchmark")
    taken = []
    for _ in range(repetitions):
        begun = time.process_time()
        for text in texts:
            validate(load(text).resource or {})
        taken.append(time.process_time() - begun)
    return taken


def used(texts: list[bytes], repetitions: int) -> list[float]:
    """CPU seconds in which a run judges what it has read, at the elements that it reads."""
    documents = [decode(text) for text in texts]
    origin = Origin("lab", "Observation", "", "", "")
    taken = []
    for _ in range(repetitions):
        begun = time.process_time()
        for document in documents:
            if list(questions(document, "", origin, {}, local_times=True)):
                raise RuntimeError("there is something to find in the Observations of the benchmark")
        taken.append(time.process_time() - begun)
    return taken


class Peer:
    """pyrofile-validator in a folder of its own, with R4's definitions where ``package`` holds them."""

    def __init__(self, folder: Path, package: Path | None) -> None:
        self.folder = folder
        self.package = package
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / "bin" / "python"
        subprocess.run([self.python, "-m", "pip", "install", "--quiet", PEER], check=True)

    def warm(self, file: Path, repetitions: int, *, with_definitions: bool) -> list[float]:
        """CPU seconds of so many rounds over the lines of ``file``."""
        package = [str(self.package)] if with_definitions and self.package else []
        command = [str(self.python), "-c", _PEER_PROGRAM, str(file), str(repetitions), *package]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        if answer["errors"]:
            raise RuntimeError(f"{PEER} finds errors in the Observations of the benchmark")
        taken: list[float] = answer["taken"]
        return taken

    def cold(self, file: Path) -> Ended:
        """One small file, the whole process."""
        config = self.folder / "config.json"
        paths = [str(self.package)] if self.package else []
        config.write_text(json.dumps({"fhirVersion": "4.0.1", "localPackagePaths": paths}))
        program = self.folder / "venv" / "bin" / "pyrofile"
        return process([program, "file", file, "-c", config], self.folder)


class Reference:
    """HL7's validator, offline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = build_validator()

    @property
    def package(self) -> Path:
        """R4's definitions as a package."""
        return self.target / "home" / ".fhir" / "packages" / "hl7.fhir.r4.core#4.0.1" / "package"

    def process(self, file: Path) -> Ended:
        """The whole process over a file, on one core where that can be said, with the full compiler."""
        request = self.folder / "request.json"
        request.write_text(json.dumps({"packages": [], "files": [str(file)], "unknownProfiles": True}))
        options = ["-Xmx2g", f"-Duser.home={self.target / 'home'}"]
        command = [part for part in java(self.target, *options) if not part.startswith("-XX:TieredStop")]
        pinned = ["taskset", "-c", "0"] if Path("/usr/bin/taskset").exists() else []
        result = self.folder / "result.ndjson"
        return process([*pinned, *command, "Validator", "validate", request, result], self.folder)

    def warm(self, texts: list[bytes]) -> float:
        """Lines a second of CPU, once it runs: what a file of all lines takes more than one of a quarter."""
        part, whole = self.folder / "part.ndjson", self.folder / "whole.ndjson"
        part.write_bytes(b"\n".join(texts[: len(texts) // 4]))
        whole.write_bytes(b"\n".join(texts))
        more = self.process(whole).cpu - self.process(part).cpu
        return (len(texts) - len(texts) // 4) / more


def growth(folder: Path, entries: int) -> None:
    """Print what a Bundle and NDJSON of three sizes take, each ten times the one before."""

    def whole(file: Path) -> Ended:
        return process([_PROGRAM, "validate", "--jobs", "1", file], folder)

    start = min(whole(_ndjson(folder, 1)).cpu for _ in range(5))
    print(f"\n{'the whole process, --jobs 1':34}{'CPU':>10}{'an entry':>12}{'memory':>10}")
    for name, write in (("Bundle", _bundle), ("NDJSON", _ndjson)):
        for count in (entries // 100, entries // 10, entries):
            file = write(folder, count)
            ended = whole(file)
            each = (ended.cpu - start) / count * 1e6
            label = f"{name}, {count:,} Observations"
            print(f"{label:34}{ended.cpu:9.2f}s{each:9.0f} us{ended.megabytes:8.0f}MB")
            file.unlink()


def _bundle(folder: Path, count: int) -> Path:
    path = folder / "bundle.json"
    with path.open("wb") as file:
        file.write(b'{"resourceType":"Bundle","type":"collection","entry":[')
        for number, line in enumerate(lines(count)):
            url = f"http://hospital.test/fhir/Observation/lab-{number}"
            file.write(b",\n" if number else b"\n")
            file.write(b'{"fullUrl":"%s","resource":%s}' % (url.encode(), line))
        file.write(b"]}")
    return path


def _ndjson(folder: Path, count: int) -> Path:
    path = folder / "lines.ndjson"
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines(count))
    return path


def main() -> None:
    """Measure, and print the figures with their ratios."""
    parser = argparse.ArgumentParser(description="Validation beside its peers.")
    parser.add_argument("--lines", type=int, default=2_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--entries", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = list(lines(asked.lines))
        file, one = _ndjson(folder, asked.lines), folder / "one.json"
        one.write_bytes(texts[0])
        reference = Reference(folder) if java_available() else None
        if reference is None:
            print("Without a JDK and Maven: HL7's validator is left out, and pyrofile has no definitions.")
        peer = Peer(folder, reference.package if reference else None)

        ours = warm(texts, asked.repetitions)
        print(f"{asked.lines} Observations of {len(texts[0])} bytes, one core, CPU time, warm")
        print(f"{'':34}{'best':>10}{'median':>10}   a second (best)")
        _print_rate("ours", ours, asked.lines)
        _print_rate("ours, as far as a run uses", used(texts, asked.repetitions), asked.lines)
        if reference:
            theirs = peer.warm(file, max(1, asked.repetitions // 2), with_definitions=True)
            _print_rate("pyrofile, R4's definitions", theirs, asked.lines)
        bare = peer.warm(file, asked.repetitions, with_definitions=False)
        _print_rate("pyrofile, no invariants", bare, asked.lines)
        if reference:
            rate = reference.warm(texts)
            print(f"{'HL7 (Java)':34}{'':20}   {rate:15,.0f}")
            ratio = min(theirs) / min(ours)
            print(f"ours against pyrofile with R4's definitions (at least {FASTER}): {ratio:.1f} x")
            print(f"ours against HL7's: {asked.lines / min(ours) / rate:.1f} x")

        print(f"\n{'one file, the whole process':34}{'clock':>10}{'CPU':>10}")
        ways: list[tuple[str, int, Callable[[], Ended]]] = [
            (f"ours (at most {COLD} s)", 10, lambda: process([_PROGRAM, "validate", one], folder)),
            ("pyrofile", 3, lambda: peer.cold(one)),
        ]
        if reference:
            ways.append(("HL7 (Java)", 2, lambda: reference.process(one)))
        for label, times, way in ways:
            ended = [way() for _ in range(times)]
            clock = statistics.median(each.clock for each in ended)
            print(f"{label:34}{clock:9.2f}s{statistics.median(each.cpu for each in ended):9.2f}s")
        growth(folder, asked.entries)


def _print_rate(label: str, taken: list[float], count: int) -> None:
    print(f"{label:34}{min(taken):9.3f}s{statistics.median(taken):9.3f}s   {count / min(taken):15,.0f}")


if __name__ == "__main__":
    main()
