"""The response rate with its intervals, and the sets of participants that it is taken over.

Main: participants who received a study dose and whose last window has closed; undetermined results and
drop-outs are non-responders. Beside it: observed cases, best and worst case, and the literal reading.
Clopper-Pearson (exact, leads) and Wilson intervals. Dossier §6.3, §13, §14.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fhir_adapter.trial.types import Outcome


@dataclass(frozen=True, slots=True)
class Rate:
    """Responders of so many, with 95 % intervals as shares between 0 and 1 (None of nobody)."""

    name: str
    responders: int
    n: int
    clopper_pearson: tuple[float, float] | None
    wilson: tuple[float, float] | None

    @property
    def share(self) -> float | None:
        """The rate itself."""
        return self.responders / self.n if self.n else None


def rate(name: str, responders: int, n: int) -> Rate:
    """A rate with its two intervals. Raises ValueError where ``responders`` is not within 0 and ``n``."""
    if not 0 <= responders <= n:
        raise ValueError(f"{responders} responders of {n}")
    if not n:
        return Rate(name, 0, 0, None, None)
    # scipy takes most of a second to import: only a rate needs it.
    from scipy.stats import binomtest

    test = binomtest(responders, n)
    exact = test.proportion_ci(0.95, "exact")
    wilson = test.proportion_ci(0.95, "wilson")
    return Rate(
        name, responders, n, (float(exact.low), float(exact.high)), (float(wilson.low), float(wilson.high))
    )


def response_rates(responses: Iterable[Outcome]) -> list[Rate]:
    """The main rate and its sensitivities from the responses of all participants with a study dose."""
    due = [each for each in responses if each.result not in (None, "not-due")]
    return [
        _over("main (open results count as non-response)", "non-responder-imputation", due),
        _over("observed cases", "observed-cases", due),
        _over("best case", "best-case", due),
        _over("worst case", "worst-case", due),
        *(
            rate(title, sum(each.component(part.name).code == "responder" for each in due), len(due))
            for prefix, title in _THRESHOLDS.items()
            for part in (due[0].components if due else ())
            if part.name.startswith(prefix)
        ),
    ]


_THRESHOLDS = {"more-than-": "more than the threshold, by the letter", "at-least-": "at least the threshold"}


def _over(name: str, component: str, due: Sequence[Outcome]) -> Rate:
    answers = [each.component(component).answer for each in due]
    known = [answer for answer in answers if answer is not None]
    return rate(name, sum(known), len(known))
