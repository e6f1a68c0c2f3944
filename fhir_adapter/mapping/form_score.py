"""The score that a form shows, held against the one that its own answers give (dossier §13).

Only the answers are scored; what the form calculated is compared and never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fhir_adapter.mapping.context import Context, dated, query
from fhir_adapter.mapping.value import exact, is_number
from fhir_adapter.scores import esspri
from fhir_adapter.scores.essdai import weighted_sum
from fhir_adapter.scores.hocevar import TOTAL, summed
from fhir_adapter.trial.items import ESSDAI_DOMAINS, OUTCOMES, OutcomeCode
from fhir_adapter.trial.types import Measurement, Query, QueryKind
from fhir_adapter.trial.values import Interval, Moment, difference, rounded

Answers = Mapping[str, Interval | None]
"""The answers of a form by item; None for one that cannot be used."""


def _essdai(answers: Answers, index: OutcomeCode) -> Interval | None:
    return weighted_sum({domain: answers.get(f"essdai-{domain}") for domain in ESSDAI_DOMAINS}, index)


def _esspri(answers: Answers, _: OutcomeCode) -> Interval | None:
    return esspri.mean([answers.get(item) for item in esspri.ITEMS])


def _hocevar(answers: Answers, _: OutcomeCode) -> Interval | None:
    """The sum of the grades; where one is missing, the total that was noted."""
    parts = summed(answers)
    return parts if parts and parts.exact is not None else answers.get(TOTAL) or parts


_SCORES: Mapping[OutcomeCode, Callable[[Answers, OutcomeCode], Interval | None]] = {
    OutcomeCode.ESSDAI: _essdai,
    OutcomeCode.CLINESSDAI: _essdai,
    OutcomeCode.ESSPRI: _esspri,
    OutcomeCode.HOCEVAR: _hocevar,
}


def disagreement(
    code: str, answer: Mapping[str, Any], found: list[Measurement], at: Moment, context: Context
) -> Query | None:
    """The question about a score that the form's answers rule out; None where they allow it.

    ``code`` is of ``hospital.SHOWN``, ``answer`` what the form shows, ``found`` its ratings. A number is
    compared as far as it is shown, to a tenth at least.
    """
    number = next(
        (answer[name] for name in ("valueInteger", "valueDecimal") if is_number(answer.get(name))), None
    )
    index = OutcomeCode(code)
    given = _SCORES[index]({each.item: each.value for each in found}, index)
    if number is None or given is None:
        return None
    apart = difference(_as_shown(number), given)
    if apart.below(0) is not True and apart.above(0) is not True:
        return None
    text = f"{OUTCOMES[index][0]}: the form shows a score that its answers do not give; the answers are used."
    values = (str(number), _said(given))
    return dated(query(context, code, QueryKind.TOTAL_DISAGREES, text, values), at)


def _as_shown(number: int | Decimal) -> Interval:
    """All numbers that are shown so; forms round a mean to as many places as they like, up to four."""
    places = 0
    if isinstance(number, Decimal) and isinstance(exponent := number.as_tuple().exponent, int):
        places = -exponent
    half = Fraction(1, 2 * 10 ** min(max(places, 1), 4))
    return Interval(exact(number) - half, exact(number) + half)


def _said(score: Interval) -> str:
    low, high = (None if end is None else f"{rounded(end):f}" for end in (score.low, score.high))
    return str(low) if low == high else f"{low} to {high}"
