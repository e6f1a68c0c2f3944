"""MedicationAdministration → doses of the study drugs.

Statuses: completed, in-progress and stopped count as given, not-done is a missed dose with its reason,
entered-in-error never was, on-hold and unknown are asked about (dossier §13, §14.24).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from fhir_adapter.mapping import reference, when
from fhir_adapter.mapping.context import Context, Mapped, dated, query, said_status
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of, listed
from fhir_adapter.mapping.value import is_number
from fhir_adapter.trial.items import NOT_USED
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

Medications = Mapping[str, Mapping[str, Any]]
"""The Medications of a source by each of their names (``reference.own_names``)."""


def read(resource: Mapping[str, Any], medications: Medications, context: Context) -> Mapped:
    """The dose of one administration, if it is of a study drug."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return mapped
    concept = _medication(resource, medications, reference.base_of(context.origin.url))
    if concept is None:
        text = "The Medication that is referred to was not received, so the drug is not known."
        mapped.queries.append(query(context, "", QueryKind.DOSE_STATUS, text))
        return mapped
    try:
        drug = context.hospital.target("drugs", concept)
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
        return mapped
    except AmbiguousCode:
        text = "The codes of this administration lead to different drugs."
        mapped.queries.append(query(context, "", QueryKind.AMBIGUOUS_CODE, text))
        return mapped
    if drug == NOT_USED:
        return mapped
    try:
        at = when.effective(resource, context.zone, context.hospital.timezone)
    except when.NoDate as fault:
        kind = QueryKind.NO_TIME_ZONE if isinstance(fault, when.NoTimeZone) else QueryKind.NO_DATE
        mapped.queries.append(query(context, drug, kind, "The administration has no date that can be read."))
        return mapped
    known = _STATUSES.get(str(status))
    if known is None or (at.first != at.last and not at.instant):
        text = (
            f"The administration has {said_status(status, STATUSES)}; say whether it was given."
            if known is None
            else "The date of the administration is not a day; say on which day it was given."
        )
        mapped.queries.append(dated(query(context, drug, QueryKind.DOSE_STATUS, text), at))
        return mapped
    amount, unit = _amount(resource)
    # An infusion that runs past midnight belongs to the day on which it began.
    day = Moment(at.first, at.first, at.instant)
    mapped.doses.append(
        Dose(context.subject, drug, day, known, amount, unit, (context.origin,), _reason(resource))
    )
    return mapped


def _medication(
    resource: Mapping[str, Any], medications: Medications, base: str | None
) -> Mapping[str, Any] | None:
    """The coded drug: in the resource itself, contained, or in a Medication of the source."""
    concept = resource.get("medicationCodeableConcept")
    if isinstance(concept, Mapping):
        return concept
    pointer = resource.get("medicationReference")
    for name in reference.names(pointer, base):
        for contained in listed(resource, "contained"):
            if name == f"#{contained.get('id')}":
                return concept_of(contained, "code")
        if name in medications:
            return concept_of(medications[name], "code")
    shown = pointer.get("display") if isinstance(pointer, Mapping) else None
    return {"text": shown} if isinstance(shown, str) else None


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
