"""What must be asked about a participant's conduct: doses off the plan, ratings, contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from fhir_adapter.conduct import words
from fhir_adapter.conduct.dosing import Deviation, DeviationKind
from fhir_adapter.conduct.participant import Conduct, Struck
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Query, QueryKind, gathered


def queries(conduct: Conduct) -> Iterator[Query]:
    """The data queries of one participant's conduct: one for a drug, a criterion or a domain."""
    for drug, several in _by_drug(conduct):
        text = "Doses differ from the plan; correct what was entered, or confirm it."
        pieces = [piece for each in several for piece in each.evidence]
        values = tuple(map(words.deviation, several))
        yield Query(conduct.subject, "", drug, QueryKind.DOSING_DEVIATION, text, values, gathered(pieces))
    for drug, group in groupby(conduct.unusual, key=lambda each: each.dose.drug):
        found = list(group)
        pieces = [piece for each in found for piece in (each.dose, *each.evidence)]
        text = "Doses lie far from what is usual; check amount, unit, height and weight."
        values = tuple(map(words.amount, found))
        yield Query(conduct.subject, "", drug, QueryKind.UNUSUAL_DOSE, text, values, gathered(pieces))
    for answer in conduct.answers:
        if "contradiction" in answer.remarks:
            text = "A person's answer and the records contradict each other; correct one of them."
            yield Query(
                conduct.subject, "", answer.criterion, QueryKind.CONTRADICTION, text, (), answer.origins
            )
    for criterion, errors in _by_criterion(conduct):
        text = (
            "A record that would decide this was entered in error, and does not count. If it is right after "
            "all, correct its status."
        )
        others = sorted({f"{each.otherwise.verdict.value} if it counted" for each in errors})
        values = (errors[0].answer.verdict.value, *others)
        origins = gathered(each.fact for each in errors)
        yield Query(conduct.subject, "", criterion, QueryKind.ENTERED_IN_ERROR, text, values, origins)
    for visit, disagreements in conduct.disagreements.items():
        for each in disagreements:
            item = f"essdai-{each.domain}"
            proposed = words.level((each.proposal.lower, each.proposal.upper))
            yield Query(
                conduct.subject,
                visit,
                item,
                QueryKind.RATING_DISAGREES,
                f"{ITEMS[item].display}: the values do not allow this level, which is used all the same. "
                "Check the rating, the values and their cause.",
                (f"rated {each.rated}", f"proposed {proposed}"),
                tuple(sorted({*each.origins, *gathered(each.proposal.evidence)})),
            )


def _by_criterion(conduct: Conduct) -> Iterator[tuple[str, list[Struck]]]:
    """What was entered in error, by the criterion that it would decide."""
    found = sorted(conduct.struck, key=lambda each: each.answer.criterion)
    for criterion, group in groupby(found, key=lambda each: each.answer.criterion):
        yield criterion, list(group)


def _by_drug(conduct: Conduct) -> Iterator[tuple[str, list[Deviation]]]:
    """The deviations to ask about: not what is missing, nor a dose not given for a recorded reason."""
    found = conduct.dosing.deviations if conduct.dosing else ()
    asked = [each for each in found if each.kind is not DeviationKind.GATE_UNDETERMINED and not each.reason]
    for drug, group in groupby(sorted(asked, key=lambda each: each.drug), key=lambda each: each.drug):
        yield drug, list(group)
