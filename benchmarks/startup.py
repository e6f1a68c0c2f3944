"""``fhir-adapter --help``, the whole process: its time, and which imports take it.

python -m benchmarks.startup
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

TARGET = 0.3
"""Seconds that a person waits for the help at most."""

_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*(\w+)")


def program() -> Path:
    """The installed command, beside the interpreter that runs this."""
    return Path(sys.executable).with_name("fhir-adapter")


def waits(repetitions: int) -> list[float]:
    """Wall-clock seconds of so many runs of the help."""
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run([program(), "--help"], check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return taken


def imports() -> Counter[str]:
    """Microseconds that the modules of each top-level package took to load, without what they import."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", program(), "--help"], check=True, capture_output=True, text=True
    )
    packages: Counter[str] = Counter()
    for microseconds, package in _IMPORT.findall(done.stderr):
        packages[package] += int(microseconds)
    return packages


def main() -> None:
    """Measure, and print the time and the dearest imports."""
    taken = waits(10)
    print(f"fhir-adapter --help: median {statistics.median(taken):.3f} s, best {min(taken):.3f} s of 10 runs")
    print(f"The target is {TARGET} s. Imports, in ms (each measured itself, which slows it a little):")
    packages = imports()
    for package, microseconds in packages.most_common(10):
        print(f"  {package:20}{microseconds / 1000:7.1f}")
    print(f"  {'all':20}{packages.total() / 1000:7.1f}")


if __name__ == "__main__":
    main()
