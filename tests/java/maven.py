"""Builds the Java programs beside this file with Maven, once, for every test process at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD_WITHIN = 1200.0  # seconds: a first build fetches some 200 MB


def java_available() -> bool:
    """Whether a Java compiler, a Java runtime and Maven are on the path."""
    return all(shutil.which(program) for program in ("java", "javac", "mvn"))


def require_java(left_out: str) -> None:
    """Skip the running test where there is no Java, saying what is left out; fail it instead under ``CI``."""
    if java_available():
        return
    sentence = f"Java (JDK 17) or Maven is missing: {left_out}"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def build(project: Path, prepare: Callable[[Path], None] | None = None) -> Path:
    """Compile the Maven project in the folder ``project`` with all its jars; returns its ``target`` folder.

    ``prepare`` is called with that folder after compiling, for what else has to be made once. All is skipped
    when it was done before for the same ``pom.xml`` and sources. Other processes that want the same wait for
    the first. Raises ``RuntimeError``, with the end of Maven's output, when the build fails.
    """
    target = project / "target"
    done = target / "done"
    sources = [project / "pom.xml", *sorted((project / "src").rglob("*.*"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    with _alone(project.name):
        if not (done.exists() and done.read_text() == digest):
            shutil.rmtree(target, ignore_errors=True)
            run(["mvn", "--batch-mode", "--no-transfer-progress", "process-classes"], BUILD_WITHIN, project)
            if prepare:
                prepare(target)
            done.write_text(digest)
    return target


def java(target: Path, *options: str) -> list[str]:
    """The command that starts Java, soon and small, with the classes and jars of the ``target`` folder."""
    quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [
        "java",
        *quick,
        *options,
        "-cp",
        os.pathsep.join([str(target / "classes"), str(target / "lib" / "*")]),
    ]


def run(command: list[str], within: float, folder: Path = HERE) -> None:
    """Run a command in ``folder``.

    Raises ``RuntimeError``, with the end of its output, when it fails or takes longer than ``within``
    seconds.
    """
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=within, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"{command[0]} took longer than {within:.0f} s") from late
    if ended.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(ended.stdout + ended.stderr)[-4000:]}")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keep the other processes out until the block ends; the lock goes with the process that holds it."""
    locks = HERE / "target"
    locks.mkdir(exist_ok=True)
    with (locks / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
