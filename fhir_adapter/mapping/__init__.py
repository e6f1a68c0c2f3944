"""The only place that knows both languages: FHIR's and the trial's."""
