"""MedicationAdministration → doses; of drugs that the trial does not give, orders of the days of giving.

Statuses: completed, in-progress and stopped count as given, not-done is a missed dose with its reason,
entered-in-error never was, on-hold and unknown are asked about (dossier §13, §14.24).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from fhir_adapter.mapping import when
from fhir_adapter.mapping.context import Context, Mapped, Named, dated, query, said_status, struck
from fhir_adapter.mapping.hospital import listed
from fhir_adapter.mapping.medication import named, order
from fhir_adapter.mapping.span import Span
from fhir_adapter.mapping.value import is_number
from fhir_adapter.trial.drugs import ORDERED
from fhir_adapter.trial.history import Order
from fhir_adapter.trial.types import Dose, DoseStatus, QueryKind
from fhir_adapter.trial.values import Moment

_STATUSES = {
    "completed": DoseStatus.GIVEN,
    "in-progress": DoseStatus.IN_PROGRESS,
    "stopped": DoseStatus.STOPPED,
    "not-done": DoseStatus.NOT_DONE,
}

STATUSES = (*_STATUSES, "on-hold", "unknown", "entered-in-error")
"""MedicationAdministration.status of R4."""


def read(resource: Mapping[str, Any], medications: Named, context: Context) -> Mapped:
    """The dose of one administration, or the order that one of another drug stands for."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "completed"}, medications, context))
    drug = named(resource, medications, context, mapped)
    ordered = drug not in context.dosed
    if drug is None or (ordered and drug not in ORDERED):
        return mapped
    try:
        at = when.effective(resource, context.zone, context.hospital.timezone)
    except when.NoDate as fault:
        kind = QueryKind.NO_TIME_ZONE if isinstance(fault, when.NoTimeZone) else QueryKind.NO_DATE
        mapped.queries.append(
            query(context, drug, kind, "The administration has no date that can be read, or two; correct it.")
        )
        if not ordered and status != "not-done":
            _unclear(drug, None, context, mapped)
        elif str(status) in _STATUSES and status != "not-done":
            order(resource, drug, Span(None, None, True), _dosages(resource), {}, context, mapped)
        return mapped
    known = _STATUSES.get(str(status))
    if known is None or (at.first != at.last and not at.instant and not ordered):
        text = (
            f"The administration has {said_status(status, STATUSES)}; say whether it was given."
            if known is None
            else "The date of the administration is not a day; say on which day it was given."
        )
        mapped.queries.append(dated(query(context, drug, QueryKind.DOSE_STATUS, text), at))
        if ordered:
            order(resource, drug, Span(None, None, False), _dosages(resource), {}, context, mapped)
        elif status != "not-done":
            _unclear(drug, at, context, mapped)
        return mapped
    if ordered:
        if known is not DoseStatus.NOT_DONE:
            order(resource, drug, _days(resource, at), _dosages(resource), {}, context, mapped)
        return mapped
    amount, unit = _amount(resource)
    # An infusion that runs past midnight belongs to the day on which it began.
    day = Moment(at.first, at.first, at.instant)
    mapped.doses.append(
        Dose(context.subject, drug, day, known, amount, unit, (context.origin,), _reason(resource))
    )
    if amount is None and known is not DoseStatus.NOT_DONE and drug in ORDERED:
        text = "The administration states no amount; add how much was given."
        mapped.queries.append(dated(query(context, drug, QueryKind.NO_AMOUNT, text), at))
    if amount is not None and not unit and drug in ORDERED:
        text = "The amount of the administration has no unit; add it."
        mapped.queries.append(dated(query(context, drug, QueryKind.NO_UNIT, text), at))
    return mapped


def _unclear(drug: str, at: Moment | None, context: Context, mapped: Mapped) -> None:
    """A study drug that is no dose yet may have been given before the study (dossier §8 E1)."""
    if drug in ORDERED:
        first, last = (at.first, at.last) if at else (None, None)
        mapped.orders.append(
            Order(context.subject, drug, first, last, None, (), (context.origin,), certain=False)
        )


def _days(resource: Mapping[str, Any], at: Moment) -> Span:
    """The days of giving; of a date to the month only, none is known."""
    if at.first != at.last and not isinstance(resource.get("effectivePeriod"), Mapping):
        return Span(None, None, True, frozenset({QueryKind.PARTIAL_DATE}))
    return Span(at.first, at.last, False)


def _dosages(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    return listed(resource, "dosage")


def _amount(resource: Mapping[str, Any]) -> tuple[Fraction | None, str]:
    dosage = resource.get("dosage")
    dose = dosage.get("dose") if isinstance(dosage, Mapping) else None
    number = dose.get("value") if isinstance(dose, Mapping) else None
    if not isinstance(dose, Mapping) or not is_number(number):
        return None, ""
    return Fraction(number), str(dose.get("unit") or dose.get("code") or "")


def _reason(resource: Mapping[str, Any]) -> str:
    for concept in (*listed(resource, "statusReason"), *listed(resource, "reasonCode")):
        for shown in (
            concept.get("text"),
            *(coding.get("display") or coding.get("code") for coding in listed(concept, "coding")),
        ):
            if shown:
                return str(shown)
    return ""
