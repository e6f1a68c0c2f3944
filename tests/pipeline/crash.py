"""Kills a push with SIGKILL, again and again, and counts on the server whether the promise holds.

    python -m tests.pipeline.crash --server sekmet --server hapi --times 25

Each run is a process of its own. It is killed in each of four states, ``--times`` times on each server:

- planned: the journal is written, nothing is sent;
- sent: the server's side of the line has the request, and never carries it out;
- committed: the server has carried it out, and its answer never arrives;
- answered: the answer has arrived, and is not recorded.

The kills go in turn over the rungs, over a first push and the push of a correction, and over the batches.
After each one, a complete run; then the promise has to hold.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fhir_adapter.pipeline import push
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import read_study
from fhir_adapter.workspace import Workspace
from tests.fault_proxy import Exchange, faithful
from tests.hapi import running_hapi
from tests.hospital.study import AS_OF
from tests.pipeline.promise import ALL_STEPS, Place, Trial, place, promise_holds
from tests.servers import running_sekmet

STATES = ("planned", "sent", "committed", "answered")
OF_THE_JOURNAL = ("planned", "answered")
"""States in which the process ends itself; in the others the proxy ends it."""
BATCH = 8
"""Outcomes in one transaction, so that a small study has several."""
ENDS_WITHIN = 60.0

# A fresh process with everything imported, and without our threads.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.pipeline.promise", "fhir_adapter.validation"])


def killed_by_itself(study: Path, state: str, batch: int) -> None:
    """A run that kills itself around ``state`` of its ``batch``-th batch, or, without a state, does not."""
    push.PER_TRANSACTION = BATCH
    journal = Workspace.journal
    left = [batch]

    def until(self: Workspace, run: int, target: str, reached: str, steps: Iterable[Any]) -> None:
        if reached == state:
            left[0] -= 1
        if reached == state == "answered" and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        journal(self, run, target, reached, steps)
        if reached == state == "planned" and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Workspace, "journal", until)  # noqa: B010 - for mypy, a method is not assigned to
    run(read_study(study), ALL_STEPS, AS_OF)


def kill(target: Place, trial: Trial, state: str, batch: int) -> bool:
    """Run until it is killed in ``state`` of a batch; False where it ended before."""
    by_itself = state in OF_THE_JOURNAL
    process = _processes.Process(
        target=killed_by_itself, args=(trial.home / "study.toml", state if by_itself else "", batch)
    )
    left, dead = [batch], threading.Event()

    def on_its_way(call: Exchange) -> None:
        if call.method != "GET":
            left[0] -= 1
        if call.method == "GET" or left[0] != 0:
            call.forward()
            return
        call.body  # noqa: B018 - all of it has arrived
        if state == "committed":
            call.fetch()
        os.kill(process.pid or 0, signal.SIGKILL)
        dead.wait(ENDS_WITHIN)
        call.handler.close_connection = True

    target.meets = faithful if by_itself else on_its_way
    process.start()
    process.join(ENDS_WITHIN)
    dead.set()
    target.meets = faithful
    if process.exitcode is None:
        process.kill()
        raise RuntimeError("the run neither ended nor was killed")
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the run ended with {process.exitcode}")
    return process.exitcode != 0


def kills(base: str, home: Path, times: int, seed: int = 1) -> Iterator[tuple[str, int, str]]:
    """Kill ``times`` times in each state on the server at ``base``; yields state, rung and what was pushed.

    Raises AssertionError where the promise does not hold afterwards.
    """
    rng = random.Random(seed)
    for number in range(times * len(STATES)):
        state, rung = STATES[number % len(STATES)], 1 + (number // len(STATES) + number) % 3
        first = rng.random() < 0.5
        with place(base, rung) as target:
            trial = Trial(home / f"{number}", target.address)
            if not first:
                trial.push()
                trial.correct()
            # without transactions each resource is a request of its own: then there are many to kill in
            batches = 3 if state in OF_THE_JOURNAL or rung < 3 else 40
            batch = rng.randint(1, batches) if first else 1
            if not kill(target, trial, state, batch):
                raise RuntimeError(f"{state}, rung {rung}: the run ended before batch {batch}")
            trial.push()
            promise_holds(base, trial.workspace)
            again = trial.push()
            assert (again.written, again.clashes) == (0, [])
        yield state, rung, "first" if first else "correction"


@contextmanager
def _running(name: str, home: Path) -> Iterator[str]:
    starters: Mapping[str, Callable[[], Any]] = {
        "sekmet": lambda: running_sekmet(home / "sekmet"),
        "hapi": running_hapi,
    }
    with starters[name]() as base:
        yield base


def main() -> int:
    """Kill as often as the command line says; 0 where the promise held each time."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--server", choices=("sekmet", "hapi"), action="append", help="default: both")
    words.add_argument(
        "--times", type=int, default=25, help="kills in each of the four states on each server"
    )
    words.add_argument("--seed", type=int, default=1)
    chosen = words.parse_args()
    for name in chosen.server or ("sekmet", "hapi"):
        began, counted = time.monotonic(), Counter[tuple[str, int]]()
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash")))
            base = stack.enter_context(_running(name, home))
            for state, rung, _ in kills(base, home, chosen.times, chosen.seed):
                counted[state, rung] += 1
        print(
            f"{name}: {counted.total()} kills in {time.monotonic() - began:.0f} s; the promise held each time"
        )
        for state in STATES:
            rungs = ", ".join(f"rung {rung}: {counted[state, rung]}" for rung in (1, 2, 3))
            print(f"  {state:<10} {sum(counted[state, rung] for rung in (1, 2, 3)):>3}   ({rungs})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
