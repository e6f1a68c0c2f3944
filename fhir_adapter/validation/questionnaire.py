"""QuestionnaireResponses against their Questionnaires. https://hl7.org/fhir/R4/questionnaireresponse.html"""

from __future__ import annotations

from fhir_adapter.validation.run import Run, Scope

__all__ = ["check"]


def check(scope: Scope, run: Run) -> None:
    """A QuestionnaireResponse as a whole, after its elements."""
