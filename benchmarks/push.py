"""Outcomes → a real server: our push beside bare transactions of the same Bundles, and single calls.

    python -m benchmarks.push [--server sekmet|hapi] [--outcomes 2000] [--repetitions 5] [--idle 10000]

Ours is all of a push: what stands there is looked up, each step is in the journal, on the disk, before it is
taken. Scoring and checking are done before. A bare transaction is one POST of an encoded Bundle.
All write to one server, in turn, each time under fresh ids; the times are wall-clock times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests
from msgspec import structs
from requests.adapters import HTTPAdapter

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping.outcome import digest, outcome_id
from fhir_adapter.pipeline.push import PER_TRANSACTION, PushReport, push
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import Study, read_study, study_from_text
from fhir_adapter.workspace import StoredOutcome, Workspace
from tests.hapi import running_hapi
from tests.hospital.generator import STUDY, hospital, write_ndjson
from tests.hospital.study import AS_OF, write_study
from tests.servers import running_sekmet

SHARE = 0.8
"""Ours makes at least this share of the rate of bare transactions."""
SINGLE = 4
"""Of so many outcomes one is written by single calls: they are slow, and their rate is the same."""
OF_ONE_CHILD = 22

_RULES = tuple(
    f"urn:fhir-adapter:{rule}:sha256:{64 * '0'}" for rule in ("protocol:p", "mapping:a", "mapping:b")
)
_HEADERS = {
    "Accept": "application/fhir+json",
    "Content-Type": "application/fhir+json",
    "Prefer": "return=minimal",
}
_TIMEOUT = 300

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall-clock seconds of several repetitions of one way to write so many outcomes."""

    name: str
    outcomes: int
    seconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Outcomes a second, by the median; each has its Provenance."""
        return self.outcomes / statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``client_ids`` is what a probe of it would find, None where nobody probed it."""

    base: str
    client_ids: bool | None


class Trials:
    """Trials whose outcomes are alike but for the study, its participants' numbers, and so their ids."""

    def __init__(self, home: Path, server: Server, outcomes: int) -> None:
        self.home, self.server = home, server
        self.number = 0
        participants = -(-outcomes // OF_ONE_CHILD)
        made = hospital(participants=participants)
        write_ndjson(made, home)
        path = write_study(home, hospital="hospital", ratings="ratings", target=server.base)
        self.text = path.read_text(encoding="utf-8")
        study = read_study(path)
        run(study, frozenset(("pull", "score")), AS_OF)
        with Workspace(study.workspace) as workspace:
            self.outcomes = workspace.outcomes()[:outcomes]

    @contextmanager
    def fresh(self) -> Iterator[Trial]:
        """A trial that nobody has pushed yet, its outcomes scored and checked."""
        self.number += 1
        tag = uuid.uuid4().hex[:12]
        folder = self.home / f"trial-{self.number}"
        folder.mkdir()
        text = self.text.replace(STUDY[1], tag)
        study = study_from_text(text.encode(), folder / "study.toml")
        with Workspace(study.workspace) as workspace:
            id = workspace.start_run({"as_of": AS_OF.isoformat()})
            workspace.save_outcomes(id, (_of_trial(each, tag) for each in self.outcomes))
            if self.server.client_ids is not None:
                workspace.note_probe(self.server.base, self.server.client_ids)
            yield Trial(study, workspace, id)


@dataclass(frozen=True, slots=True)
class Trial:
    """A study with an open workspace."""

    study: Study
    workspace: Workspace
    run: int

    def push(self, *, dry_run: bool = False) -> PushReport:
        """Our push."""
        report = push(self.study, self.workspace, self.run, _RULES, dry_run=dry_run)
        if report.clashes or report.invalid or report.retries:
            raise RuntimeError("The push did not go smoothly: what was measured is something else.")
        return report

    def bundles(self) -> list[bytes]:
        """The transactions that a push would send, encoded."""
        entries = self.push(dry_run=True).bundle
        size = 2 * PER_TRANSACTION
        return [
            encode({"resourceType": "Bundle", "type": "transaction", "entry": entries[start : start + size]})
            for start in range(0, len(entries), size)
        ]


def _of_trial(each: StoredOutcome, tag: str) -> StoredOutcome:
    """The same outcome of another participant in another study."""
    subject = f"{tag}-{each.subject}"
    id = outcome_id((STUDY[0], tag), subject, each.visit, each.code)
    text = encode(each.document).decode()
    for old, new in ((each.id, id), (STUDY[1], tag), (f'"{each.subject}"', f'"{subject}"')):
        text = text.replace(old, new)
    body = text.encode()
    return structs.replace(each, id=id, subject=subject, body=body, digest=digest(decode(body)))


# -- the ways to write -------------------------------------------------------------------------------------


def ours(trials: Trials) -> float:
    """Seconds of a first push."""
    with trials.fresh() as trial:
        start = time.perf_counter()
        report = trial.push()
        taken = time.perf_counter() - start
    if len(report.created) != len(trials.outcomes):
        raise RuntimeError("Not everything was written.")
    return taken


def bare(trials: Trials) -> float:
    """Seconds of the same Bundles, sent by requests and nothing else."""
    with trials.fresh() as trial:
        bundles = trial.bundles()
    with _session() as session:
        start = time.perf_counter()
        for bundle in bundles:
            session.post(trials.server.base, data=bundle, timeout=_TIMEOUT).raise_for_status()
        return time.perf_counter() - start


def single(trials: Trials) -> float:
    """Seconds of one conditional call for each resource, of a part of the outcomes."""
    with trials.fresh() as trial:
        entries = trial.push(dry_run=True).bundle[: 2 * (len(trials.outcomes) // SINGLE)]
    with _session() as session:
        start = time.perf_counter()
        for observation, proof in zip(entries[::2], entries[1::2], strict=True):
            _, id = observation["fullUrl"].split("urn:uuid:")
            identifier = next(one for one in observation["resource"]["identifier"] if one["value"] == id)
            criteria = f"identifier={identifier['system']}|{identifier['value']}"
            answer = _created(session, trials.server.base, observation["resource"], criteria)
            place = answer.headers["Location"].partition("/_history/")[0].rsplit("/", 2)
            target = "/".join(place[-2:])
            resource = {**proof["resource"], "target": [{"reference": target}]}
            _created(session, trials.server.base, resource, f"target={target}")
        return time.perf_counter() - start


def _created(session: requests.Session, base: str, resource: Json, criteria: str) -> requests.Response:
    body = encode({key: value for key, value in resource.items() if key != "id"})
    url = f"{base}/{resource['resourceType']}"
    answer = session.post(url, data=body, headers={"If-None-Exist": criteria}, timeout=_TIMEOUT)
    answer.raise_for_status()
    return answer


def idle(trials: Trials) -> tuple[float, Counter[str]]:
    """Seconds of a push with nothing to do, and how many requests of each method it sent."""
    with trials.fresh() as trial:
        trial.push()
        with _counted() as methods:
            start = time.perf_counter()
            report = trial.push()
            taken = time.perf_counter() - start
    if report.unchanged != len(trials.outcomes) or set(methods) != {"GET"}:
        raise AssertionError(f"{report.unchanged} were unchanged, and the requests were {dict(methods)}.")
    return taken, methods


@contextmanager
def _counted() -> Iterator[Counter[str]]:
    """The methods of all requests that this process sends meanwhile."""
    methods: Counter[str] = Counter()
    send = HTTPAdapter.send

    def counting(self: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        methods[str(request.method)] += 1
        return send(self, request, **options)

    HTTPAdapter.send = counting  # type: ignore[method-assign,assignment]
    try:
        yield methods
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.update(_HEADERS)
    return session


# -- the measuring -----------------------------------------------------------------------------------------


def compare(home: Path, server: Server, outcomes: int, repetitions: int) -> list[Timing]:
    """Time ours and bare transactions in turn, after one turn to warm up, then single calls."""
    trials = Trials(home, server, outcomes)
    ways: list[tuple[str, Callable[[Trials], float]]] = [("ours", ours), ("bare transactions", bare)]
    seconds: dict[str, list[float]] = {name: [] for name, _ in ways}
    for turn in range(repetitions + 1):
        for name, way in ways if turn % 2 else ways[::-1]:
            taken = way(trials)
            if turn:
                seconds[name].append(taken)
    timings = [Timing(name, outcomes, tuple(taken)) for name, taken in seconds.items()]
    return [*timings, Timing("one conditional call a resource", outcomes // SINGLE, (single(trials),))]


Start = Callable[[], AbstractContextManager[str]]


def servers(name: str, folder: Path) -> Sequence[tuple[str, Start, bool | None]]:
    """What is measured: its title, what starts an empty server, what a probe of it would find."""
    if name == "sekmet":
        return [("sekmet, client ids", lambda: _sekmet(folder), None)]
    return [
        ("HAPI, probed: client ids", _hapi, True),
        ("HAPI, not probed: ifNoneExist", _hapi, None),
    ]


def _sekmet(folder: Path) -> AbstractContextManager[str]:
    return running_sekmet(Path(tempfile.mkdtemp(dir=folder)))


@contextmanager
def _hapi() -> Iterator[str]:
    """A HAPI with room for what is written here: it keeps all in memory, and else collects garbage only."""
    with patch.dict(os.environ, {"_JAVA_OPTIONS": "-Xmx4g"}), running_hapi() as base:
        yield base


def main() -> None:
    """Measure, and print a table with the ratio for each server, and what a push with nothing to do takes."""
    parser = argparse.ArgumentParser(description="Outcomes → a real server.")
    parser.add_argument("--server", choices=("sekmet", "hapi"), action="append")
    parser.add_argument("--outcomes", type=int, default=2_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--idle", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for server in asked.server or ("sekmet", "hapi"):
            for title, start, client_ids in servers(server, folder):
                with start() as base:
                    timings = compare(
                        Path(tempfile.mkdtemp(dir=folder)),
                        Server(base, client_ids),
                        asked.outcomes,
                        asked.repetitions,
                    )
                _print(title, asked.outcomes, timings)
                with start() as base:
                    trials = Trials(Path(tempfile.mkdtemp(dir=folder)), Server(base, client_ids), asked.idle)
                    taken, methods = idle(trials)
                print(
                    f"nothing to do for {asked.idle} outcomes: {taken:.1f} s,"
                    f" {methods['GET']} requests, all of them GET\n",
                    flush=True,
                )


def _print(title: str, outcomes: int, timings: Sequence[Timing]) -> None:
    mine, plain, *_ = timings
    repetitions = len(mine.seconds)
    print(f"{title}: {outcomes} outcomes, each with its Provenance, {repetitions} repetitions")
    print(f"{'':34}{'best':>9}{'median':>9}   outcomes/s (median)")
    for timing in timings:
        best, median = min(timing.seconds), statistics.median(timing.seconds)
        count = "" if timing.outcomes == outcomes else f" (of {timing.outcomes})"
        print(f"{timing.name + count:34}{best:8.2f}s{median:8.2f}s{timing.rate:12,.0f}")
    print(f"ours against bare transactions (at least {SHARE}): {mine.rate / plain.rate:.2f}", flush=True)


if __name__ == "__main__":
    main()
