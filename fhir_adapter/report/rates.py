"""The response rate with its intervals and sensitivities, and the mean changes of the scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from fhir_adapter.pipeline.score import Scored
from fhir_adapter.report import show
from fhir_adapter.report.participants import SCORES
from fhir_adapter.report.table import Table
from fhir_adapter.scores.outcome import threshold_named
from fhir_adapter.scores.rate import Rate, rate, response_rates
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Outcome


@dataclass(frozen=True, slots=True)
class MeanChange:
    """How much a score changed: mean and range over the ``n`` participants who have the change.

    ``due`` is how many had a dose and a window that has closed.
    """

    code: str
    title: str
    unit: str
    n: int
    due: int
    mean: Fraction | None
    low: Fraction | None
    high: Fraction | None


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of those with a study dose, the main rate of all enrolled, and the rates of STAR.

    Of a trial that asks for no response only those of STAR stand there.
    """

    response: list[Rate]
    enrolled: Rate | None
    star: list[Rate]


def rates(scored: Scored, protocol: Protocol) -> Rates | None:
    """The rates at the endpoint; None where the protocol asks for neither response nor STAR there.

    Main set: participants with at least one study dose whose window has closed. All enrolled beside it
    (§14.8): also those who ended the study without any dose, as non-responders; whoever may still receive
    a first dose is not due.
    """
    asked = [rule for rule in (protocol.response, protocol.star) if rule and protocol.endpoint in rule.visits]
    if not asked:
        return None
    stars = scored.outcomes(OutcomeCode.STAR, protocol.endpoint)
    star = _star_rates([each for id, each in stars.items() if scored.dosed(id)], protocol)
    if protocol.response not in asked:
        return Rates([], None, star)
    responses = scored.outcomes(OutcomeCode.RESPONSE, protocol.endpoint)
    main = response_rates([each for id, each in responses.items() if scored.dosed(id)])
    never = sum(not scored.dosed(id) and scored.subjects[id].ended for id in responses)
    enrolled = rate(
        "all enrolled (ended without a dose counts as non-response)", main[0].responders, main[0].n + never
    )
    return Rates(main, enrolled, star)


def _star_rates(outcomes: Iterable[Outcome], protocol: Protocol) -> list[Rate]:
    """Shares of STAR responders, under the default threshold and each other reading; open ones fail."""
    rule = protocol.star
    if rule is None or protocol.endpoint not in rule.visits:
        return []
    due = [each for each in outcomes if each.component("responder-nri").reason is None]
    reading = rule.threshold_reading
    asked = {"responder": reading.default}
    for name in reading.alternatives:
        asked[f"responder-{threshold_named(name, rule.threshold)}"] = name
    return [
        rate(
            _STAR_TITLES[read].format(rule.threshold),
            sum(each.component(name).answer is True for each in due),
            len(due),
        )
        for name, read in asked.items()
    ]


_STAR_TITLES = {"more-than": "STAR, more than {} points", "at-least": "STAR, {} points or more"}


def mean_changes(scored: Scored, protocol: Protocol) -> list[MeanChange]:
    """The mean change of each score among those with a dose and an endpoint whose window has closed."""
    found = []
    for code, (change, title) in SCORES.items():
        changes = scored.outcomes(change, protocol.endpoint)
        outcomes = [each for id, each in changes.items() if scored.dosed(id)]
        if not outcomes:
            continue
        due = [each for each in outcomes if each.reason not in ("not-due", "no-anchor")]
        numbers = [each.number for each in due if each.number is not None]
        found.append(
            MeanChange(
                str(code),
                title,
                outcomes[0].unit,
                len(numbers),
                len(due),
                sum(numbers, Fraction(0)) / len(numbers) if numbers else None,
                min(numbers, default=None),
                max(numbers, default=None),
            )
        )
    return found


def rates_table(found: Rates) -> Table:
    """The rates with both intervals; Clopper-Pearson leads."""
    enrolled = () if found.enrolled is None else (found.enrolled,)
    rows = [_row(each) for each in (*found.response, *enrolled, *found.star)]
    return Table(
        "Response rate",
        ("set", "responders", "rate", "95 % Clopper-Pearson", "95 % Wilson"),
        tuple(rows),
        ("Main set: at least one study dose, and the window of the endpoint has closed.",),
    )


def _row(each: Rate) -> tuple[str, ...]:
    share = "–" if each.share is None else _percent(each.share)
    return (
        each.name,
        f"{each.responders} of {each.n}",
        share,
        _between(each.clopper_pearson),
        _between(each.wilson),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _between(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def changes_table(found: list[MeanChange]) -> Table:
    """The mean changes, with how many have one."""
    rows = [
        (
            each.title,
            f"{each.n} of {each.due}",
            "–" if each.mean is None else show.signed(each.mean, each.unit),
            "–"
            if each.low is None or each.high is None
            else f"{show.signed(each.low, each.unit)} to {show.signed(each.high, each.unit)}",
        )
        for each in found
    ]
    return Table("Change from baseline to the endpoint", ("score", "n", "mean", "range"), tuple(rows))
