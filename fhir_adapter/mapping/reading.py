"""Which reader reads a resource: each type that says something of a participant has its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_adapter.mapping import (
    condition,
    consent,
    diagnostic_report,
    encounter,
    immunization,
    medication_administration,
    medication_request,
    medication_statement,
    observation,
    patient,
    procedure,
    questionnaire_response,
)
from fhir_adapter.mapping.context import Context, Mapped, Named


def read_into(
    mapped: Mapped, resource: Mapping[str, Any], context: Context, medications: Named, conditions: Named
) -> None:
    """Put what a resource says beside what was mapped before; its type is that of the context's origin.

    ``medications`` and ``conditions`` are those of its source that it may refer to. Raises KeyError for a
    type that says nothing of a participant.
    """
    match context.origin.type:
        case "Observation":
            observation.read_into(mapped, resource, context)
        case "MedicationAdministration":
            mapped.add(medication_administration.read(resource, medications, context))
        case "MedicationRequest":
            mapped.add(medication_request.read(resource, medications, conditions, context))
        case "MedicationStatement":
            mapped.add(medication_statement.read(resource, medications, conditions, context))
        case "Encounter":
            mapped.add(encounter.read(resource, conditions, context))
        case type:
            mapped.add(_OTHERS[type](resource, context))


_OTHERS: Mapping[str, Callable[[Mapping[str, Any], Context], Mapped]] = {
    "Patient": patient.read,
    "QuestionnaireResponse": questionnaire_response.read,
    "Condition": condition.read,
    "Immunization": immunization.read,
    "Consent": consent.read,
    "DiagnosticReport": diagnostic_report.read,
    "Procedure": procedure.read,
}
