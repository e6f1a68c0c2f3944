"""What a check has to say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "information"]

_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault of a resource.

    ``expression`` is its place, like a FHIRPath with the element names of JSON:
    ``Observation.component[1].valueQuantity``; a choice of types as a whole goes by its stem
    (``Observation.value``). ``rule`` is a short name, stable from version to version. ``message`` is a phrase
    that quotes no value of the resource.
    """

    severity: Severity
    expression: str
    rule: str
    message: str


def expression(place: str, path: Iterable[str | int]) -> str:
    """``place`` and the way from there: ``("component", 1, "code")`` gives ``<place>.component[1].code``.

    A name that cannot be an element's is written ``?``: it may hold anything.
    """
    steps = [
        f"[{step}]" if isinstance(step, int) else f".{step}" if _NAME.fullmatch(step) else ".?"
        for step in path
    ]
    return place + "".join(steps)
