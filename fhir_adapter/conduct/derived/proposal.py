"""A proposal: the levels that are still possible, and how a rating compares with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from fhir_adapter.conduct.answers import Piece
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.values import Truth

Bounds = tuple[int, int]
"""The lowest and the highest level that is still possible."""

FLAGS: Mapping[str, str] = {
    "attribution-required": "A physician must say whether Sjögren's syndrome is the cause",
    "low-igg-not-attributed": "IgG is low and nobody said whether a drug is the cause; it counts until then",
    "proteinuria-from-ratio": "The protein/creatinine ratio stands in for the protein of 24 hours",
    "within-laboratory-range": "Below the adult limit, but within the laboratory's own range",
}
"""Remarks on a proposal, for people."""


class Proposal(Struct, frozen=True, gc=False):
    """The bounds of one domain's level; they are equal where the level is certain.

    ``alternatives`` are the bounds under another reading of one fact. ``evidence`` is what it rests on.
    """

    domain: str
    lower: int
    upper: int
    flags: tuple[str, ...] = ()
    alternatives: Mapping[str, Bounds] = field(default_factory=dict)
    evidence: tuple[Piece, ...] = ()

    @property
    def level(self) -> int | None:
        """The one level that is possible, or None."""
        return self.lower if self.lower == self.upper else None


class Disagreement(Struct, frozen=True, gc=False):
    """A rated level outside the bounds of its proposal: a question to the physician.

    ``origins`` are those of the rating.
    """

    domain: str
    rated: int
    proposal: Proposal
    origins: tuple[Origin, ...] = ()


def disagreement(rated: int | None, proposal: Proposal) -> Disagreement | None:
    """The disagreement of a rating with a proposal; None where it lies inside, or nothing was rated."""
    if rated is None or proposal.lower <= rated <= proposal.upper:
        return None
    return Disagreement(proposal.domain, rated, proposal)


def bounds(steps: Iterable[Truth]) -> Bounds:
    """From whether each level, 1 and up, is reached: the highest that is, and the highest that may be."""
    lower = upper = 0
    for level, reached in enumerate(steps, start=1):
        lower = level if reached else lower
        upper = level if reached is not False else upper
    return lower, max(lower, upper)


def attributed(found: Bounds, cause: Truth) -> Bounds:
    """The bounds once it is known, or not, whether the disease is the cause: without it the level is 0."""
    if cause is None:
        return 0, found[1]
    return found if cause else (0, 0)


def worst(several: Iterable[Bounds]) -> Bounds:
    """The bounds of the worst of several."""
    known = list(several)
    return max((low for low, _ in known), default=0), max((high for _, high in known), default=0)


def open_attribution(found: Bounds, cause: Truth) -> tuple[str, ...]:
    """The flag, where an attribution is missing that would change something."""
    return ("attribution-required",) if cause is None and found[1] > 0 else ()
