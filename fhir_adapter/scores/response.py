"""The trial's composite response: how many of five indicators improved from baseline to week 28.

a physician's global assessment; b ESR, or its return to normal; c IgG or rheumatoid factor; d Schirmer
test; e salivary flow or ultrasound. Sentences, limits and readings are in the protocol
file; dossier §6, §14. An alternative reading changes one sentence and leaves the others at their default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.scores import hocevar, salivary_flow, schirmer, serology
from fhir_adapter.scores.branches import (
    Branch,
    any_branch,
    compared,
    every_branch,
    value_of,
)
from fhir_adapter.scores.outcome import (
    between,
    brief,
    coded,
    effective,
    threshold_named,
    waiting_for,
    why_open,
)
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import ResponseRule
from fhir_adapter.trial.types import Component, Dose, Measurement, Outcome, gathered
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of, fell_by, negation
from fhir_adapter.trial.windows import Evidence, course

PHYSICIAN = "physician-global"
ESR = "esr"
_SALIVA = (salivary_flow.ITEM, *hocevar.ITEMS)
INPUTS: Mapping[str, tuple[str, ...]] = {
    "a-physician-global": (PHYSICIAN,),
    "b-esr": (ESR,),
    "c-b-cell-markers": (serology.IGG, serology.RF),
    "d-schirmer": schirmer.ITEMS,
    "e-salivary": _SALIVA,
}
"""Indicator → the items that it looks at."""
_ALL_INPUTS = tuple(item for items in INPUTS.values() for item in items)


class Indicator(Struct, frozen=True, gc=False):
    """The default answer of one indicator, the answers of its alternative readings, and its flags."""

    answer: Truth
    readings: Mapping[str, Truth]
    flags: tuple[str, ...] = ()
    reason: str = "undetermined"


def physician_global(baseline: Interval | None, followup: Interval | None, share: Fraction) -> Truth:
    """Indicator a: the scale fell by such a share; higher is worse. From 0 it is not evaluable (§14.11)."""
    if baseline is None or baseline.above(0) is not True:
        return None
    return compared(baseline, followup, lambda first, second: fell_by(first, second, share))


def esr(baseline: Measurement | None, followup: Measurement | None, share: Fraction) -> Indicator:
    """Indicator b: a fall by such a share, or from above the range to within it.

    Each value is judged by the range printed with it (§14.22); without one, normalisation is open.
    """
    before, after = value_of(baseline), value_of(followup)
    fall = compared(before, after, lambda first, second: fell_by(first, second, share))
    raised = negation(_within(baseline))
    normalised = all_of((raised, _within(followup)))
    flags: tuple[str, ...] = ()
    if before is not None and raised is False:
        flags = ("baseline-normal",)
    elif before is not None and raised is None:
        flags = ("no-range",)
    return Indicator(
        any_of((fall, normalised)),
        {"abnormal-baseline-only": all_of((raised, any_of((fall, normalised))))},
        flags,
    )


def _within(measurement: Measurement | None) -> Truth:
    """Whether a value is at most the upper limit printed with it."""
    if measurement is None or measurement.value is None or measurement.normal is None:
        return None
    limit = measurement.normal.high
    return None if limit is None else measurement.value.at_most(limit)


def markers(igg: Branch, rf: Branch) -> Indicator:
    """Indicator c: any of IgG and rheumatoid factor fell, or both of those that can be used."""
    answer, flags = any_branch((igg, rf))
    return Indicator(answer, {"both-markers": every_branch((igg, rf))}, flags)


def tears(baseline: Evidence, followup: Evidence, rule: ResponseRule) -> Indicator:
    """Indicator d: the mean over the same eyes rose; or either eye, both eyes, or STAR's rule."""
    before, after, flags = schirmer.paired(baseline, followup)
    first, second = schirmer.eyes(baseline), schirmer.eyes(followup)
    rose = [
        compared(
            first.get(eye), second.get(eye), lambda one, two: schirmer.rise(one, two, rule.schirmer_rise)
        )
        for eye in schirmer.ITEMS
    ]
    limit = rule.schirmer_abnormal_below
    return Indicator(
        compared(before, after, lambda one, two: schirmer.rise(one, two, rule.schirmer_rise)),
        {
            "either-eye": any_of(rose),
            "both-eyes": all_of(rose),
            "normal-stays-normal": compared(
                before,
                after,
                lambda one, two: schirmer.improved_or_normal(one, two, limit, rule.schirmer_rise),
            ),
        },
        flags,
    )


def saliva(flow: Branch, ultrasound: Branch) -> Indicator:
    """Indicator e: flow rose or ultrasound fell; or each alone."""
    answer, flags = any_branch((flow, ultrasound))
    return Indicator(answer, {"flow-only": flow.answer, "ultrasound-only": ultrasound.answer}, flags)


def met_and_possible(indicators: Mapping[str, Truth]) -> Interval:
    """How many indicators are met, and how many still could be."""
    answers = list(indicators.values())
    return between(answers.count(True), len(answers) - answers.count(False))


def responds(count: Interval, threshold: int, reading: str) -> Truth:
    """Whether enough indicators are met: ``at-least`` (inclusive) or ``more-than`` by the letter."""
    return count.above(threshold) if reading == "more-than" else count.at_least(threshold)


def result_of(answer: Truth) -> str:
    """The code of a response."""
    return "undetermined" if answer is None else "responder" if answer else "non-responder"


def indicators(
    baseline: Evidence, followup: Evidence, doses: tuple[Dose, ...], rule: ResponseRule
) -> dict[str, Indicator]:
    """The five indicators of one participant."""
    physician = (value_of(baseline.at(PHYSICIAN)), value_of(followup.at(PHYSICIAN)))
    at_zero = physician[0] is not None and physician[0].above(0) is not True
    igg = _igg(baseline, followup, doses, rule)
    return {
        "a-physician-global": Indicator(
            physician_global(*physician, rule.physician_fall_share),
            {},
            reason="not-evaluable" if at_zero else "undetermined",
        ),
        "b-esr": esr(baseline.at(ESR), followup.at(ESR), rule.esr_fall_share),
        "c-b-cell-markers": markers(igg, serology.rf_branch(baseline, followup, rule.marker_fall_share)),
        "d-schirmer": tears(baseline, followup, rule),
        "e-salivary": saliva(
            salivary_flow.branch(baseline, followup, rule.flow_rise_share),
            hocevar.branch(baseline, followup, rule.ultrasound_fall_share),
        ),
    }


def _igg(baseline: Evidence, followup: Evidence, doses: tuple[Dose, ...], rule: ResponseRule) -> Branch:
    measured = [each for visit in (baseline, followup) if (each := visit.at(serology.IGG)) is not None]
    infused = [dose.day for dose in course(doses, "immunoglobulin")]
    months = rule.immunoglobulin_months
    if any(
        months_before(each.at.first, months) <= day <= each.at.last for each in measured for day in infused
    ):
        return Branch(False, None, ("igg-after-immunoglobulin",))
    branch = serology.igg_branch(baseline, followup, rule.marker_fall_share)
    after = value_of(followup.at(serology.IGG))
    if branch.used and after is not None and after.below(rule.low_igg):
        return replace(branch, flags=("igg-below-limit",))
    return branch


def months_before(day: date, months: int) -> date:
    """The same day of the month so many calendar months earlier, or the last day of a shorter month."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(years, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("every month has a 28th")


def score(baseline: Evidence, followup: Evidence, doses: tuple[Dose, ...], rule: ResponseRule) -> Outcome:
    """The response at the follow-up visit, under the default reading, with every alternative beside it."""
    found = indicators(baseline, followup, doses, rule)
    chosen = {
        "b-esr": rule.esr_reading, "c-b-cell-markers": rule.marker_reading,
        "d-schirmer": rule.schirmer_reading, "e-salivary": rule.saliva_reading,
    }  # fmt: skip
    answers = {
        name: each.readings.get(chosen[name].default, each.answer) if name in chosen else each.answer
        for name, each in found.items()
    }
    count = met_and_possible(answers)
    reading = rule.threshold_reading.default
    decided = responds(count, rule.threshold, reading)
    waiting = waiting_for(followup)
    reason, detail = _reason(baseline, followup, answers, decided)
    result = _result(waiting, decided)
    if followup.brief:
        return brief(followup, OutcomeCode.RESPONSE, result=result, reason=reason)

    def under(name: str, changed: Mapping[str, Truth], threshold_reading: str) -> Component:
        answer = responds(met_and_possible({**answers, **changed}), rule.threshold, threshold_reading)
        return coded(name, _result(waiting, answer), waiting)

    alternatives = [
        under(threshold_named(name, rule.threshold), {}, name) for name in rule.threshold_reading.alternatives
    ]
    for name, asked in chosen.items():
        for alternative in asked.alternatives:
            answer = found[name].readings.get(alternative, found[name].answer)
            alternatives.append(under(f"{name[0]}-{alternative}", {name: answer}, reading))
    measured = {name: (baseline.of(items), followup.of(items)) for name, items in INPUTS.items()}
    rests = {name: (*before, *after) for name, (before, after) in measured.items()}
    evidence = tuple(piece for pieces in rests.values() for piece in pieces)
    return Outcome(
        followup.subject,
        followup.visit,
        OutcomeCode.RESPONSE,
        result=result,
        reason=reason,
        detail=detail,
        components=(
            *(
                Component(
                    name,
                    answer=answer,
                    reason=waiting or why_open(rests[name], found[name].reason) if answer is None else None,
                    rests_on=rests[name],
                )
                for name, answer in answers.items()
            ),
            Component("met", number=None if waiting else count.low, reason=waiting),
            Component("possible", number=None if waiting else count.high, reason=waiting),
            *alternatives,
            *_sensitivities(decided, waiting),
        ),
        flags=tuple(dict.fromkeys(flag for each in found.values() for flag in each.flags)),
        effective=effective(followup, [each for _, after in measured.values() for each in after]),
        origins=gathered(evidence),
        rests_on=evidence,
    )


def _result(waiting: str | None, decided: Truth) -> str | None:
    """The code of a response; none where the dose that the visit is counted from was not given."""
    if waiting == "no-anchor":
        return None
    return "not-due" if waiting else result_of(decided)


@cache
def _sensitivities(decided: Truth, waiting: str | None) -> tuple[Component, ...]:
    """How the participant counts when open results are failures, successes, or left out (§6.3)."""
    if waiting:
        names = ("non-responder-imputation", "best-case", "worst-case", "observed-cases")
        return tuple(Component(name, reason=waiting) for name in names)
    return (
        Component("non-responder-imputation", answer=decided is True),
        Component("best-case", answer=decided is not False),
        Component("worst-case", answer=decided is True),
        Component("observed-cases", answer=decided, reason="undetermined" if decided is None else None),
    )


def _reason(
    baseline: Evidence, followup: Evidence, answers: Mapping[str, Truth], decided: Truth
) -> tuple[str | None, str]:
    waiting = waiting_for(followup)
    if waiting:
        return waiting, ""
    if decided is not None:
        return None, ""
    open_ones = ", ".join(name for name, answer in answers.items() if answer is None)
    nothing = not (baseline.of(_ALL_INPUTS) and followup.of(_ALL_INPUTS))
    return ("not-assessed" if nothing else "missing-input"), f"undetermined: {open_ones}"


def failed(outcome: Outcome) -> Outcome:
    """The response of a treated participant who ended and whose visit can never fall due.

    The dose that the visit is counted from was not given and will not be: the response stays open, which is
    a failure in the main set (dossier §6.3, §13). Other responses are as they were.
    """
    if outcome.reason != "no-anchor":
        return outcome
    open_ones = {each.name: each for each in _sensitivities(None, None)}
    components = tuple(open_ones.get(each.name, each) for each in outcome.components)
    return replace(outcome, result="undetermined", components=components)
