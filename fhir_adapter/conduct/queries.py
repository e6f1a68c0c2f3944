"""What must be asked about a participant's conduct: doses off the plan, gates, ratings, contradictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from fhir_adapter.conduct import words
from fhir_adapter.conduct.dosing import Deviation, DeviationKind
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Query, QueryKind, gathered


def queries(conduct: Conduct) -> Iterator[Query]:
    """The data queries of one participant's conduct: one for a drug, a gate, a criterion or a domain."""
    deviations = conduct.dosing.deviations if conduct.dosing else ()
    open_ = [each for each in deviations if each.kind is DeviationKind.GATE_UNDETERMINED]
    yield from _by(
        "drug",
        [each for each in deviations if each not in open_],
        QueryKind.DOSING_DEVIATION,
        "Doses differ from the plan; correct their days, or confirm them.",
        conduct.subject,
    )
    yield from _by(
        "criterion",
        open_,
        QueryKind.GATE_UNDETERMINED,
        "Doses were given without the results that must be known before; supply them.",
        conduct.subject,
    )
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


def _by(
    key: str, deviations: Iterable[Deviation], kind: QueryKind, text: str, subject: str
) -> Iterator[Query]:
    """One query for each drug, or for each criterion, with its deviations as values."""
    found = sorted(deviations, key=lambda each: getattr(each, key))
    for item, group in groupby(found, key=lambda each: getattr(each, key)):
        several = list(group)
        pieces = [piece for each in several for piece in each.evidence]
        yield Query(subject, "", item, kind, text, tuple(map(words.deviation, several)), gathered(pieces))
