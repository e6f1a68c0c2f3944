"""Resource types that R4 (4.0.1) does not have, and the FHIR versions that have them."""

from __future__ import annotations

from typing import Final

_TYPES: Final = {
    "R5": """
        ActorDefinition ArtifactAssessment BiologicallyDerivedProductDispense ConditionDefinition
        DeviceAssociation DeviceDispense DeviceUsage EncounterHistory FormularyItem GenomicStudy
        ImagingSelection InventoryItem InventoryReport NutritionIntake Permission RequestOrchestration
        Requirements TestPlan Transport
        """,
    "R4B and R5": """
        AdministrableProductDefinition Citation ClinicalUseDefinition EvidenceReport Ingredient
        ManufacturedItemDefinition MedicinalProductDefinition NutritionProduct PackagedProductDefinition
        RegulatedAuthorization SubscriptionStatus SubscriptionTopic SubstanceDefinition
        """,
    "STU3": """
        BodySite DataElement DeviceComponent EligibilityRequest EligibilityResponse ExpansionProfile
        ImagingManifest ProcedureRequest ProcessRequest ProcessResponse ReferralRequest Sequence
        ServiceDefinition
        """,
    "DSTU2": """
        Conformance DeviceUseRequest DiagnosticOrder ImagingObjectSelection MedicationOrder Order
        OrderResponse
        """,
}

ELSEWHERE: Final = {kind: version for version, kinds in _TYPES.items() for kind in kinds.split()}
"""Type → the version or versions that have it."""
