"""Hočevar ultrasound score of the salivary glands: five components in four glands, 0 to 48.

Echogenicity 0-1, homogeneity, hypoechogenic areas and border 0-3, hyperechogenic reflections 0-3 in
parotids and 0-1 in submandibular glands: 2 × 13 + 2 × 11 = 48. Hočevar Rheumatology 2005;44:768-72.
A missing grade makes the sum missing; one side is never doubled. Dossier §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fhir_adapter.scores.branches import UNUSED, Branch, compared, value_of, was_done
from fhir_adapter.scores.outcome import at_visit, change, difference_of, percent
from fhir_adapter.trial import items as trial_items
from fhir_adapter.trial.items import HOCEVAR_COMPONENTS, HOCEVAR_GLANDS, OutcomeCode
from fhir_adapter.trial.types import Outcome
from fhir_adapter.trial.values import Interval, difference, fell_by, total
from fhir_adapter.trial.windows import Evidence

GRADES = tuple(f"hocevar-{gland}-{component}" for gland in HOCEVAR_GLANDS for component in HOCEVAR_COMPONENTS)
"""The 20 grades."""
TOTAL = "hocevar-total"
ITEMS = (*GRADES, TOTAL)
_ANY_GRADE = {item: Interval(Fraction(0), Fraction(trial_items.ITEMS[item].levels[-1])) for item in GRADES}


def summed(grades: Mapping[str, Interval | None]) -> Interval | None:
    """The sum of the 20 grades by item; a missing one lies between 0 and its highest. None of none."""
    if not any(grades.values()):
        return None
    return total(grades.get(item) or _ANY_GRADE[item] for item in GRADES)


def value(evidence: Evidence) -> tuple[Interval | None, tuple[str, ...]]:
    """Where the score at one visit lies, from its 20 grades, else from the recorded total; and flags.

    A recorded total that the known grades rule out stands for nothing: it is flagged, the grades count.
    """
    parts = summed(dict(zip(GRADES, evidence.values(GRADES), strict=True)))
    recorded = value_of(evidence.at(TOTAL))
    if recorded is not None and parts is not None and not _possible(recorded, parts):
        return parts, ("total-disagrees",)
    if recorded is not None and (parts is None or parts.exact is None):
        return recorded, ("total-as-recorded",)
    return parts, ()


def score(evidence: Evidence) -> Outcome:
    """The score at one visit."""
    found, flags = value(evidence)
    items = GRADES if evidence.at(TOTAL) is None else ITEMS
    return at_visit(OutcomeCode.HOCEVAR, evidence, items, found, (), flags)


def _possible(recorded: Interval, parts: Interval) -> bool:
    """Whether the sum of the grades may come out as the total that was recorded."""
    apart = difference(recorded, parts)
    return apart.below(0) is not True and apart.above(0) is not True


def score_change(before: Outcome, after: Outcome) -> Outcome:
    """The change of the score, absolute and in per cent."""
    return change(
        OutcomeCode.HOCEVAR_CHANGE, before, after, difference_of(before, after), [percent(before, after)]
    )


def branch(baseline: Evidence, followup: Evidence, share: Fraction) -> Branch:
    """The ultrasound as one of two tests of the salivary glands; from 0 it cannot fall (§14.11)."""
    if not was_done(baseline, followup, items=ITEMS):
        return UNUSED
    before, after = value(baseline)[0], value(followup)[0]
    return Branch(True, compared(before, after, lambda first, second: fell_by(first, second, share)))
