"""A FHIR R4 interoperability adapter for clinical trials."""
