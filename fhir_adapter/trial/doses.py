"""One dose a day: bags of one infusion are added up (dossier §13)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from msgspec.structs import replace

from fhir_adapter.trial.types import Dose, DoseStatus

_ORDER = (DoseStatus.GIVEN, DoseStatus.IN_PROGRESS, DoseStatus.STOPPED, DoseStatus.NOT_DONE)


def one_a_day(doses: Iterable[Dose]) -> tuple[Dose, ...]:
    """The doses with all administrations of one drug on one local day made one.

    Amounts are added where all are known in one unit. A bag that was not done beside one that was given
    leaves a dose that was given; one that was stopped or is still running marks the dose so.
    """
    groups: dict[tuple[str, str, date], list[Dose]] = defaultdict(list)
    for dose in doses:
        groups[(dose.subject, dose.drug, dose.day)].append(dose)
    return tuple(_one(group) for _, group in sorted(groups.items(), key=lambda pair: pair[0]))


def _one(group: list[Dose]) -> Dose:
    if len(group) == 1:
        return group[0]
    counted = [dose for dose in group if dose.given] or group
    first = min(counted, key=lambda dose: (dose.at.instant is None, dose.at.order, dose.origins))
    units = {dose.unit for dose in counted}
    amounts = [dose.amount for dose in counted if dose.amount is not None]
    addable = len(amounts) == len(counted) and len(units) == 1
    return replace(
        first,
        status=max((dose.status for dose in counted), key=_ORDER.index),
        amount=sum(amounts, Fraction(0)) if addable else None,
        origins=tuple(sorted({origin for dose in counted for origin in dose.origins})),
    )
