"""The elements that are read of what a hospital sends; all others may hold what they like.

By resource type, backbone element and datatype, each by its name in R4's definitions and without ``[x]``.
An ``id`` is that of the address, and is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_DRUGS: Final = ("status", "medication", "contained", "subject", "reasonCode", "reasonReference")

USED: Final[Mapping[str, tuple[str, ...]]] = {
    "Observation": (
        "identifier", "status", "code", "subject", "focus", "effective", "value", "dataAbsentReason",
        "bodySite", "specimen", "referenceRange", "derivedFrom", "component",
    ),
    "Observation.referenceRange": ("low", "high", "type", "text"),
    "Observation.component": ("code", "value", "dataAbsentReason", "referenceRange"),
    "QuestionnaireResponse": ("identifier", "questionnaire", "status", "subject", "authored", "item"),
    "QuestionnaireResponse.item": ("linkId", "answer", "item"),
    "QuestionnaireResponse.item.answer": ("value", "item"),
    "DiagnosticReport": (
        "identifier", "status", "code", "subject", "effective", "specimen", "conclusion", "conclusionCode",
    ),
    "Procedure": ("status", "code", "subject", "performed", "outcome"),
    "MedicationAdministration": (*_OF_DRUGS, "effective", "statusReason", "dosage"),
    "MedicationAdministration.dosage": ("route", "dose"),
    "MedicationRequest": (*_OF_DRUGS, "intent", "doNotPerform", "authoredOn", "dosageInstruction"),
    "MedicationStatement": (*_OF_DRUGS, "effective", "dosage"),
    "Dosage": ("timing", "route"),
    "Timing": ("event", "repeat"),
    "Timing.repeat": ("bounds",),
    "Medication": ("identifier", "code"),
    "Condition": (
        "identifier", "clinicalStatus", "verificationStatus", "code", "subject", "onset", "abatement",
        "recordedDate",
    ),
    "Encounter": ("status", "class", "subject", "period", "reasonCode", "reasonReference", "diagnosis"),
    "Encounter.diagnosis": ("condition", "use", "rank"),
    "Immunization": ("status", "vaccineCode", "patient", "occurrence", "recorded"),
    "Consent": ("status", "category", "patient", "dateTime", "policyRule", "provision"),
    "Consent.provision": ("type", "period", "code", "provision"),
    "ResearchSubject": ("identifier", "status", "period", "study", "individual"),
    "Patient": ("identifier", "gender", "birthDate", "link"),
    "Patient.link": ("other", "type"),
    "CodeableConcept": ("coding", "text"),
    "Coding": ("system", "code", "display"),
    "Quantity": ("value", "comparator", "unit", "system", "code"),
    "Duration": ("value", "unit", "code"),
    "Ratio": ("numerator", "denominator"),
    "Period": ("start", "end"),
    "Reference": ("reference", "type", "identifier", "display"),
    "Identifier": ("system", "value"),
}  # fmt: skip
"""What the readers ask for, and what says whose a resource is and when it was."""
