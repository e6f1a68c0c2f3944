"""FHIRPath N1 (2.0), compiled to closures over decoded JSON.

https://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html. To use it:

    model = Model(definition)           # definition: a type's name → its StructureDefinition, or None
    rule = compile("dataAbsentReason.empty() or value.empty()")
    node = model.node(resource)         # or of an element: Node(value, model.type("Observation.component"))
    environment = Environment(node)     # one for each resource
    rule(node, environment)             # the items: [True]
    rule.holds(node, environment)       # whether it holds as an invariant: True

An item is a ``Node`` or a value: ``bool``, ``int``, ``Decimal``, ``str``, ``Temporal``, ``Quantity``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from fhir_adapter.validation.fhirpath.compiler import Compiler, looks_around, mentions
from fhir_adapter.validation.fhirpath.environment import Environment
from fhir_adapter.validation.fhirpath.errors import (
    CannotEvaluate,
    FhirPathError,
    NotAnExpression,
    Undecidable,
)
from fhir_adapter.validation.fhirpath.model import Model, Node, Type
from fhir_adapter.validation.fhirpath.parser import parse
from fhir_adapter.validation.fhirpath.values import Quantity, Temporal
from fhir_adapter.validation.fhirpath.without import true_without

__all__ = [
    "CannotEvaluate", "Environment", "Expression", "FhirPathError", "Model", "Node", "NotAnExpression",
    "Quantity", "Temporal", "Type", "Undecidable", "compile",
]  # fmt: skip


class Expression:
    """A compiled expression. ``text`` is what it was compiled from.

    ``true_without``: names of children; without any child of one of them it is true.
    ``looks_around``: whether its answer may hang on more than the node, as on the resource that it is in.
    """

    __slots__ = ("_items", "_keeps_context", "_truth", "looks_around", "text", "true_without")

    def __init__(self, text: str) -> None:
        part = parse(text)
        code = Compiler(text).code(part)
        self.text: Final = text
        self.true_without: Final = true_without(part)
        self.looks_around: Final = looks_around(part)
        self._items: Final = code.items
        self._truth: Final = code.truth
        self._keeps_context: Final = mentions(part, "%context")

    def __call__(self, node: Any, environment: Environment) -> list[Any]:
        """The items that the expression finds from ``node``, which is also ``%context``.

        Raises ``CannotEvaluate`` where the specification makes it an error, ``Undecidable`` where the answer
        hangs on what the environment does not know.
        """
        return list(self._evaluate(self._items, node, environment))

    def holds(self, node: Any, environment: Environment) -> bool:
        """Whether ``node`` fulfils the expression as an invariant: an empty answer is no.

        Raises like a call.
        """
        return self._evaluate(self._truth, node, environment) is True

    def _evaluate(self, closure: Any, node: Any, environment: Environment) -> Any:
        if self._keeps_context:
            outer, environment.context = environment.context, node
        try:
            return closure(node, environment)
        except RecursionError:
            raise CannotEvaluate("it goes too deep") from None
        except (ArithmeticError, ValueError, OverflowError):
            raise CannotEvaluate("a number is too large") from None
        finally:
            if self._keeps_context:
                environment.context = outer


@lru_cache(maxsize=4096)
def compile(expression: str) -> Expression:
    """``expression`` ready to be evaluated; of one text always the same object.

    Raises ``NotAnExpression``, with the position, where it is not FHIRPath.
    """
    try:
        return Expression(expression)
    except RecursionError:
        raise NotAnExpression(expression, 0, "is nested too deeply") from None
