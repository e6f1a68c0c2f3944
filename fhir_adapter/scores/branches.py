"""Items that are met by one test *or* another, and what happens when one of the tests was never done.

A test never done at either visit is not used; a test done once, refused or unusable is undetermined.
Met if any used test is met, not met if all used tests fail, else undetermined (dossier §14.10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from fhir_adapter.trial.types import Measurement, Problem
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of
from fhir_adapter.trial.windows import Evidence


class Branch(Struct, frozen=True, gc=False):
    """One of the tests: whether it is used at all, and its answer."""

    used: bool
    answer: Truth
    flags: tuple[str, ...] = ()


UNUSED = Branch(False, None)
"""A test that was never done."""


def value_of(measurement: Measurement | None) -> Interval | None:
    """The value, where there is one that can be used."""
    return measurement.value if measurement is not None and measurement.problem is None else None


def was_done(*visits: Evidence, items: Sequence[str]) -> bool:
    """Whether any of the items was measured at any of the visits, even if it was refused."""
    for visit in visits:
        for each in visit.of(items):
            if each.problem is not Problem.ABSENT:
                return True
    return False


def compared(
    baseline: Interval | None, followup: Interval | None, test: Callable[[Interval, Interval], Truth]
) -> Truth:
    """The test's answer, undetermined where either value is missing."""
    return None if baseline is None or followup is None else test(baseline, followup)


def any_branch(branches: Sequence[Branch]) -> tuple[Truth, tuple[str, ...]]:
    """The answer of the used branches, and the flags: theirs, and one where a single test decides."""
    return _combined(branches, any_of)


def every_branch(branches: Sequence[Branch]) -> Truth:
    """The stricter reading: every used branch must be met."""
    return _combined(branches, all_of)[0]


def _combined(
    branches: Sequence[Branch], combine: Callable[[list[Truth]], Truth]
) -> tuple[Truth, tuple[str, ...]]:
    used = [branch for branch in branches if branch.used]
    flags = tuple(flag for branch in branches for flag in branch.flags)
    if not used:
        return None, flags
    # A test that was done but cannot be evaluated has a flag of its own.
    if len(used) == 1 and UNUSED in branches:
        flags = (*flags, "single-test")
    return combine([branch.answer for branch in used]), flags
