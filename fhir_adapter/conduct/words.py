"""Answers, deviations and doses in words, for people."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fhir_adapter.conduct.amounts import Unusual
from fhir_adapter.conduct.answers import REMARKS, Answer, Missing
from fhir_adapter.conduct.derived.proposal import Bounds
from fhir_adapter.conduct.dosing import Deviation, DeviationKind
from fhir_adapter.trial.values import rounded


def detail(answer: Answer) -> str:
    """What is missing and who must supply it, and the remarks; empty where there is neither."""
    return _detail(answer.missing, answer.remarks)


# Many participants lack the same.
@lru_cache(maxsize=4096)
def _detail(wanted: tuple[Missing, ...], remarks: tuple[str, ...]) -> str:
    lacking = (f"missing: {missing(wanted)}",) if wanted else ()
    return ". ".join((*lacking, *(REMARKS[remark] for remark in remarks)))


def missing(wanted: Iterable[Missing]) -> str:
    """What would settle it, each with who must supply it."""
    return "; ".join(f"{each.what} ({each.supplier})" for each in wanted)


def level(bounds: Bounds) -> str:
    """A level, or between which it lies."""
    low, high = bounds
    return str(low) if low == high else f"{low} to {high}"


def amount(each: Unusual) -> str:
    """A dose that is not usual, with its amount."""
    dose = each.dose
    sent = "" if dose.amount is None else f", {rounded(dose.amount):f} {dose.unit}"
    return f"{dose.drug} on {dose.day}{sent}: {'more' if each.more else 'less'} than usual"


def deviations(found: Iterable[Deviation]) -> list[str]:
    """Deviations in their order; those of a gate that cannot be judged are one line for all doses."""
    said: list[str] = []
    open_: dict[tuple[str, str], list[str]] = {}
    for each in found:
        if each.kind is DeviationKind.GATE_UNDETERMINED:
            open_.setdefault((each.criterion, each.drug), []).append(str(each.number))
        else:
            said.append(deviation(each))
    gates = (
        f"{criterion} cannot be judged at {drug} {', '.join(doses)}"
        for (criterion, drug), doses in open_.items()
    )
    return [*said, *gates]


def deviation(each: Deviation) -> str:
    """A deviation with its dose, day and size."""
    size = each.size or 0
    days = f"{size} day{'' if size == 1 else 's'}"
    dose = f"{each.drug} {each.number} on {each.day}"
    match each.kind:
        case DeviationKind.LATE | DeviationKind.EARLY:
            return f"{dose}: {days} {each.kind} (planned {each.planned})"
        case DeviationKind.MISSING:
            why = f" ({each.reason})" if each.reason else ""
            return f"{each.drug} {each.number} planned for {each.day}: not given{why}"
        case DeviationKind.EXTRA:
            return f"{dose}: beyond the plan"
        case DeviationKind.STOPPED:
            stopped = f"{each.drug} stopped after dose {each.number} on {each.day} without depletion"
            return f"{stopped}: {size} more {'was' if size == 1 else 'were'} allowed"
        case DeviationKind.CONTINUED:
            return f"{dose}: {days} after depletion was shown"
        case DeviationKind.GATE_NOT_MET:
            return f"{dose}: {each.criterion} is not met"
        case DeviationKind.GATE_UNDETERMINED:
            return f"{dose}: {each.criterion} cannot be judged, missing: {missing(each.missing)}"
        case DeviationKind.WITHDRAWN:
            return f"{dose}: {days} after the withdrawal"
