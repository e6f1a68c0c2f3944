"""Real FHIR servers for tests and the demo."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.hapi import running_hapi

READY_WITHIN = 30.0


@contextmanager
def running_sekmet(folder: Path) -> Iterator[str]:
    """A sekmet-fhir server on 127.0.0.1 and a free port, its data in ``folder``; yields its base URL.

    Raises ``RuntimeError``, with the server's log, when it does not come up. It is always stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    settings = folder / "settings.yaml"
    # JSON is YAML, and needs no quoting
    settings.write_text(
        json.dumps(
            {
                "base_url": base,
                "host": "127.0.0.1",
                "port": port,
                "data_dir": str(folder / "data"),
                "own_private_key_path": str(folder / "key.pem"),
                "simulator": {"enabled": False},
                "log_inbound": False,
            }
        )
    )
    log = folder / "sekmet.log"
    command = [sys.executable, "-c", "from sekmet.cli import app; app()", "serve", "-c", str(settings)]
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(base, server, log)
        yield base
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def shared_hapi(folder: Path) -> Iterator[str]:
    """A HAPI that all processes with the same ``folder`` share; yields its base URL.

    The first one starts it, and stops it when none of the others uses it any more.
    """
    address = folder / "hapi.url"
    with (folder / "hapi.lock").open("w") as lock, (folder / "hapi.used").open("w") as used:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if address.exists():
            fcntl.flock(used, fcntl.LOCK_SH)
            fcntl.flock(lock, fcntl.LOCK_UN)
            yield address.read_text()
            return
        with running_hapi() as base:
            address.write_text(base)
            fcntl.flock(lock, fcntl.LOCK_UN)
            yield base
            fcntl.flock(lock, fcntl.LOCK_EX)
            address.unlink()
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(used, fcntl.LOCK_EX)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(base: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < until and server.poll() is None:
            try:
                if session.get(f"{base}/metadata", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
    raise RuntimeError(f"sekmet did not come up:\n{log.read_text(errors='replace')[-2000:]}")
