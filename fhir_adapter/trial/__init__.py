"""The trial's own terms: participants, visits, measurements, doses, outcomes, queries. No FHIR, no I/O."""
