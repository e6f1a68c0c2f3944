"""HAPI FHIR's JPA server for R4, in memory: the second real server, stricter than the embedded one."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.java.maven import HERE, build, java, java_available, require_java

__all__ = ["build_hapi", "java_available", "require_java", "running_hapi"]

READY_WITHIN = 120.0  # seconds; some 10 on a quiet machine
STOPPED_WITHIN = 10.0


def build_hapi() -> Path:
    """Build the server, unless that was done before; returns the folder that it is in.

    Raises ``RuntimeError`` when Maven fails.
    """
    return build(HERE / "hapi")


@contextmanager
def running_hapi(validating: bool = False) -> Iterator[str]:
    """An empty server on 127.0.0.1 and a free port; yields its base URL, without a slash at the end.

    Clients may choose ids. A ``validating`` server answers 422 to what is not valid R4; the other one takes
    nearly anything. Raises ``RuntimeError``, with the server's log, when it does not come up. It is always
    stopped; it also stops by itself when this process dies.
    """
    target = build_hapi()
    with tempfile.TemporaryDirectory(prefix="hapi") as folder:
        options = ["-Xmx768m", f"-Djava.io.tmpdir={folder}", f"-Dvalidating={str(validating).lower()}"]
        log = Path(folder, "log.txt")
        with log.open("w") as output:
            server = subprocess.Popen(
                [*java(target, *options), "Server"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _address(server, log)
        finally:
            _stop(server)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_WITHIN
    while server.poll() is None and time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith("READY ") and line.endswith("\n"):
                return line.split()[1]
        time.sleep(0.1)
    raise RuntimeError(f"HAPI did not come up:\n{log.read_text(errors='replace')[-4000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()  # what the server waits for
    try:
        server.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
