"""The response rate and its sensitivities (dossier §6.3, §13, §14.8)."""

from __future__ import annotations

from math import sqrt

import pytest
from scipy.stats import beta, norm

from fhir_adapter.scores.rate import rate, response_rates
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.types import Component, Outcome

COUNTS = [(0, 15), (1, 15), (9, 15), (14, 15), (15, 15), (7, 14), (1, 1), (0, 1)]


@pytest.mark.parametrize(("responders", "n"), COUNTS)
def test_clopper_pearson_is_its_closed_formula(responders: int, n: int) -> None:
    """Exact and two-sided, by quantiles of the beta distribution."""
    low = 0.0 if responders == 0 else float(beta.ppf(0.025, responders, n - responders + 1))
    high = 1.0 if responders == n else float(beta.ppf(0.975, responders + 1, n - responders))
    assert rate("", responders, n).clopper_pearson == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(("responders", "n"), COUNTS)
def test_wilson_is_its_closed_formula(responders: int, n: int) -> None:
    z, p = float(norm.ppf(0.975)), responders / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = (max(0.0, centre - half), min(1.0, centre + half))
    assert rate("", responders, n).wilson == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("responders", "n", "clopper_pearson"), [(9, 15, (0.3229, 0.8366)), (0, 15, (0.0, 0.2180))]
)
def test_as_printed(responders: int, n: int, clopper_pearson: tuple[float, float]) -> None:
    """RAT-01, RAT-02."""
    assert rate("", responders, n).clopper_pearson == pytest.approx(clopper_pearson, abs=5e-5)


def test_of_nobody_there_is_no_rate() -> None:
    nobody = rate("", 0, 0)
    assert (nobody.share, nobody.clopper_pearson, nobody.wilson) == (None, None, None)


@pytest.mark.parametrize(("responders", "n"), [(-1, 15), (16, 15), (1, 0)])
def test_more_responders_than_participants(responders: int, n: int) -> None:
    with pytest.raises(ValueError, match="responders of"):
        rate("", responders, n)


def response(result: str, literal: str) -> Outcome:
    """A response as it is scored, with its sensitivities."""
    answer = {"responder": True, "non-responder": False}.get(result)
    due = result != "not-due"

    def part(name: str, value: bool | None) -> Component:
        return Component(
            name, answer=value if due else None, reason=None if due and value is not None else result
        )

    return Outcome(
        "JSS-01", "week-28", OutcomeCode.RESPONSE, result=result,
        components=(
            Component("more-than-three", code=literal),
            part("non-responder-imputation", answer is True),
            part("best-case", answer is not False),
            part("worst-case", answer is True),
            part("observed-cases", answer),
        ),
    )  # fmt: skip


def test_the_main_rate_and_its_sensitivities() -> None:
    """§6.3, §13: undetermined and drop-outs are non-responders; who is not due is in no denominator."""
    responses = [
        *[response("responder", "responder")] * 3,
        *[response("responder", "non-responder")] * 2,
        *[response("non-responder", "non-responder")] * 4,
        *[response("undetermined", "undetermined")] * 2,
        *[response("not-due", "not-due")] * 5,
    ]
    found = [(each.responders, each.n) for each in response_rates(responses)]
    #                main     observed  best     worst    literal
    assert found == [(5, 11), (5, 9), (7, 11), (5, 11), (3, 11)]
    names = [each.name for each in response_rates(responses)]
    assert names[0].startswith("main")
    assert names[-1].startswith("more than the threshold")


def test_before_anyone_is_due() -> None:
    assert {each.n for each in response_rates([response("not-due", "not-due")])} == {0}
    assert {each.n for each in response_rates([])} == {0}
