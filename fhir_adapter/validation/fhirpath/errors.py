"""What can be wrong with an expression, or go wrong while it is evaluated."""

from __future__ import annotations


class FhirPathError(Exception):
    """Any fault of an expression; its text is a phrase without values of the resource."""


class NotAnExpression(FhirPathError):
    """The text is not FHIRPath: ``what`` is wrong at ``position`` (characters from its beginning, from 0)."""

    def __init__(self, expression: str, position: int, what: str) -> None:
        super().__init__(f"at character {position + 1}: {what}")
        self.expression = expression
        self.position = position
        self.what = what


class CannotEvaluate(FhirPathError):
    """The specification makes it an error: several items where one is wanted, a number plus a string."""


class Undecidable(FhirPathError):
    """The answer hangs on what is not at hand, such as the members of an unknown value set."""
