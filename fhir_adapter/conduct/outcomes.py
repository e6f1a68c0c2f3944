"""The outcomes that tell of a participant's conduct.

Eligibility is an outcome of its own: whether every criterion of entry is satisfied, with a component for each
criterion, reading and part. The calendar is given its deviations and the B cells' depletion; the ESSDAI of a
visit the levels that the laboratory proposes, beside the rating, which alone is scored (§14.1, §14.20).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

from msgspec.structs import replace

from fhir_adapter.conduct import words
from fhir_adapter.conduct.answers import Answer, Piece, Verdict, unique, verdict
from fhir_adapter.conduct.derived.proposal import Bounds, Proposal
from fhir_adapter.conduct.dosing import DeviationKind, Dosing
from fhir_adapter.conduct.names import GATES, kinds
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.conduct.rules import EligibilityRule
from fhir_adapter.scores.calendar import VISIT
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.types import Component, Outcome, gathered
from fhir_adapter.trial.values import Truth, all_of, rounded

EGFR_UNIT = "mL/min/{1.73_m2}"


def with_conduct(
    found: Iterable[Outcome], conduct: Conduct, rule: EligibilityRule | None
) -> tuple[Outcome, ...]:
    """The outcomes of a participant, those of conduct among them."""
    told = [_told(each, conduct) for each in found]
    return (*told, eligibility(conduct, rule)) if rule else tuple(told)


def _told(outcome: Outcome, conduct: Conduct) -> Outcome:
    if outcome.code == OutcomeCode.CALENDAR and conduct.dosing:
        flags = ("unusual-dose",) if conduct.unusual else ()
        pieces = tuple(piece for each in conduct.dosing.deviations for piece in each.evidence)
        return _extended(
            replace(outcome, flags=(*outcome.flags, *flags)),
            tuple(_dosing(conduct.dosing)),
            (*pieces, *conduct.dosing.evidence),
        )
    if outcome.code == OutcomeCode.ESSDAI:
        found = conduct.proposals.get(outcome.visit, ())
        parts = tuple(part for each in found for part in _proposed(each))
        return _extended(outcome, parts, tuple(piece for each in found for piece in each.evidence))
    return outcome


def _extended(outcome: Outcome, parts: tuple[Component, ...], pieces: tuple[Piece, ...]) -> Outcome:
    """An outcome with more components, and with what these rest on among its origins."""
    if not parts:
        return outcome
    return replace(outcome, components=(*outcome.components, *parts), origins=gathered((outcome, *pieces)))


# ---------------------------------------------------------------------------------------- eligibility


def eligibility(conduct: Conduct, rule: EligibilityRule) -> Outcome:
    """Every criterion of one participant; the gates of a drug do not decide who may enter (§8)."""
    names = kinds(rule)
    entry = [each for each in conduct.answers if names[each.criterion] not in GATES]
    whole = verdict(all_of(each.holds for each in entry))
    open_ = [each.criterion for each in entry if each.holds is None]
    return Outcome(
        conduct.subject,
        VISIT,
        OutcomeCode.ELIGIBILITY,
        result=whole.value,
        reason="undetermined" if whole is Verdict.UNDETERMINED else None,
        detail=f"open: {', '.join(open_)}" if whole is Verdict.UNDETERMINED else "",
        components=tuple(
            part for each in conduct.answers for part in _criterion(each, names[each.criterion])
        ),
        effective=(conduct.day_0, conduct.day_0) if conduct.day_0 else None,
        origins=gathered(piece for each in conduct.answers for piece in each.evidence),
    )


def _criterion(answer: Answer, name: str) -> Iterator[Component]:
    """The answer under the default reading with what it rests on; then each other reading and each part."""
    whole = _answered(name, answer.holds, answer.criterion, words.detail(answer))
    yield replace(whole, rests_on=answer.evidence) if answer.evidence else whole
    for part, holds in (*answer.readings.items(), *answer.parts.items()):
        yield _answered(f"{name}.{part}", holds, answer.criterion)
    for number, value in answer.numbers.items():
        # A power is enclosed by many digits; what is written has four.
        if value.low is not None and value.high is not None and rounded(value.low) == rounded(value.high):
            yield Component(number, number=Fraction(rounded(value.low)), unit=EGFR_UNIT)


# The same few hundred come again with every participant.
@lru_cache(maxsize=4096)
def _answered(name: str, holds: Truth, label: str, detail: str = "") -> Component:
    return Component(name, code=verdict(holds).value, label=label, detail=detail)


# --------------------------------------------------------------------------------------------- dosing


def _dosing(dosing: Dosing) -> Iterator[Component]:
    """Depletion, and how many deviations of each kind there are; the label says which."""
    wanted = words.missing(dosing.missing)
    if dosing.depleted is not None or wanted:
        yield Component(
            "depleted",
            answer=dosing.depleted,
            reason="undetermined" if dosing.depleted is None else None,
            detail=f"missing: {wanted}" if wanted else "",
            rests_on=dosing.evidence,
        )
    if dosing.depleted_on:
        yield Component("depleted-on", day=dosing.depleted_on)
    yield Component("deviations", number=Fraction(len(dosing.deviations)), unit="{count}")
    for kind in DeviationKind:
        found = [each for each in dosing.deviations if each.kind is kind]
        if found:
            yield Component(
                f"deviation-{kind}",
                number=Fraction(len(found)),
                unit="{count}",
                label="; ".join(words.deviations(found)),
                rests_on=unique(piece for each in found for piece in each.evidence),
            )


# --------------------------------------------------------------------------------------------- levels


def _proposed(proposal: Proposal) -> Iterator[Component]:
    """The proposal of a domain; another reading of it only where it gives another level."""
    name, bounds = f"proposed-{proposal.domain}", (proposal.lower, proposal.upper)
    yield _level(name, bounds, proposal.evidence)
    for other in _different(proposal.alternatives, bounds):
        yield _level(f"{name}-{other}", proposal.alternatives[other])


def _different(alternatives: Mapping[str, Bounds], bounds: Bounds) -> list[str]:
    """The readings to show: all that are about one fact, as soon as one of them differs."""
    attributed = [name for name in alternatives if name != "worst-value"]
    shown = attributed if any(alternatives[name] != bounds for name in attributed) else []
    return [*shown, *(["worst-value"] if alternatives["worst-value"] != bounds else [])]


def _level(name: str, bounds: Bounds, evidence: tuple[Piece, ...] = ()) -> Component:
    low, high = bounds
    if low == high:
        return Component(name, number=Fraction(low), rests_on=evidence)
    return Component(name, reason="undetermined", detail=words.level(bounds), rests_on=evidence)
