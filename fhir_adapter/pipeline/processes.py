"""Scoring by several processes: each sorts a share of what was received, then scores its partitions."""

from __future__ import annotations

import gc
import pickle
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from fhir_adapter.errors import CannotBeDone
from fhir_adapter.mapping.hospital import Code
from fhir_adapter.pipeline.partitions import Partitions
from fhir_adapter.pipeline.processors import processors
from fhir_adapter.pipeline.push import checked
from fhir_adapter.pipeline.score import ScoredOne, Scoring
from fhir_adapter.workspace import Share, StoredOutcome

FROM = 500
"""With fewer participants the start of a second process takes longer than it spares."""

Written = tuple[ScoredOne, list[StoredOutcome]]
"""What is told of a participant, and the outcomes as they are written."""
_Unknown = dict[str, Counter[tuple[str, Code]]]


def written(scoring: Scoring, rules: Sequence[str], jobs: int | None = None) -> Iterator[Written]:
    """Everybody on the list, in its order, scored by so many processes; None is as many as are of use.

    Outcomes that are not as they were last computed are checked as FHIR, with the ``rules`` that they follow.
    """
    jobs = jobs or sensible(len(scoring.roster.subjects))
    if jobs == 1:
        _collect_rarely()
        for one in scoring.participants():
            yield _written(scoring, one, rules)
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        # Fresh processes: the workspace's connection must not be shared.
        state = (pickle.dumps((scoring, rules)), folder)
        with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (state,)) as pool:
            try:
                for unknown in pool.map(_sort, (Share(number, jobs) for number in range(jobs))):
                    scoring.add_unknown(unknown)
                partitions = Partitions(folder, scoring.roster.subjects)
                for answer in _answers(pool, len(partitions.subjects), 2 * jobs):
                    found, unknown = pickle.loads(answer)  # noqa: S301 - our own
                    scoring.add_unknown(unknown)
                    yield from found
            except BrokenProcessPool:
                raise CannotBeDone(
                    "A process that scored was ended from outside.",
                    remedy="Check that there is memory enough, or score with --jobs 1.",
                ) from None


def sensible(participants: int) -> int:
    """As many processes as there are processors, and one where there is little to do."""
    return processors() if participants >= FROM else 1


def _answers(pool: ProcessPoolExecutor, parts: int, ahead: int) -> Iterator[bytes]:
    """The answers in order; no more of them wait for whoever takes them than ``ahead``."""
    waiting: deque[Future[bytes]] = deque()
    for number in range(parts):
        waiting.append(pool.submit(_score, number))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _written(scoring: Scoring, one: ScoredOne, rules: Sequence[str]) -> Written:
    documents = [
        each if scoring.workspace.holds(each) else checked(each, rules) for each in scoring.documents(one)
    ]
    return one.without_evidence(), documents


def _collect_rarely() -> None:
    """Let garbage be looked for seldom, and never in the list of participants.

    That stays to the end; what is made for a participant is in no circle, and goes without being looked for.
    """
    gc.freeze()
    gc.set_threshold(100_000)


_State = tuple[bytes, Path]
_states: list[_State] = []
"""What a process works on, once it has begun."""


def _begin(state: _State) -> None:
    _states.append(state)


@cache
def _work() -> tuple[Scoring, Sequence[str], Partitions]:
    # Not at the beginning: what goes wrong here is told as the fault of a task.
    data, folder = _states[0]
    scoring: Scoring
    rules: Sequence[str]
    scoring, rules = pickle.loads(data)  # noqa: S301 - our own
    _collect_rarely()
    return scoring, rules, Partitions(folder, scoring.roster.subjects)


def _sort(share: Share) -> _Unknown:
    scoring, _, partitions = _work()
    own = Partitions(partitions.folder, scoring.roster.subjects, share.number)
    scoring.sort_into(own, share)
    return scoring.take_unknown()


def _score(number: int) -> bytes:
    scoring, rules, partitions = _work()
    found = [_written(scoring, one, rules) for one in scoring.of_partition(partitions, number)]
    # Packed here: the pool's own way of packing asks Python about each object.
    return pickle.dumps((found, scoring.take_unknown()), pickle.HIGHEST_PROTOCOL)
