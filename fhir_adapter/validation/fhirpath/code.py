"""A compiled part of an expression: one meaning, in the forms in which others want it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_adapter.validation.fhirpath.environment import Environment
from fhir_adapter.validation.fhirpath.errors import CannotEvaluate
from fhir_adapter.validation.fhirpath.model import Node
from fhir_adapter.validation.fhirpath.values import value_of

__all__ = ["Code", "Count", "Items", "One", "Some", "Truth", "one_of", "truth_of"]

Items = Callable[[Any, Environment], list[Any]]
Truth = Callable[[Any, Environment], bool | None]
Some = Callable[[Any, Environment], bool]
Count = Callable[[Any, Environment], int]
One = Callable[[Any, Environment], Any]


class Code:
    """A part as closures that take the focus (``$this``) and the environment.

    ``items`` returns all; ``truth`` what an operator of logic takes it for, ``None`` where it is empty;
    ``some`` whether there are any; ``count`` how many; ``one`` the value of the only one, or ``None``.
    A part gives the form in which it is cheapest, and the others follow: ``a.b.exists()`` builds no list.
    """

    __slots__ = ("count", "items", "one", "some", "truth")

    def __init__(
        self,
        items: Items,
        *,
        truth: Truth | None = None,
        some: Some | None = None,
        count: Count | None = None,
        one: One | None = None,
    ) -> None:
        self.items = items
        self.truth: Truth = truth or (lambda this, env: truth_of(items(this, env)))
        self.some: Some = some or (lambda this, env: bool(items(this, env)))
        self.count: Count = count or (lambda this, env: len(items(this, env)))
        self.one: One = one or (lambda this, env: one_of(items(this, env)))

    @classmethod
    def of_truth(cls, truth: Truth) -> Code:
        """A part that answers yes, no, or nothing."""

        def items(this: Any, env: Environment) -> list[Any]:
            answer = truth(this, env)
            return [] if answer is None else [answer]

        return cls(items, truth=truth, some=lambda this, env: truth(this, env) is not None, one=truth)

    @classmethod
    def of_one(cls, one: One) -> Code:
        """A part that is one value or nothing, which is ``None``."""

        def items(this: Any, env: Environment) -> list[Any]:
            value = one(this, env)
            return [] if value is None else [value]

        return cls(items, some=lambda this, env: one(this, env) is not None, one=one)

    @classmethod
    def constant(cls, found: list[Any]) -> Code:
        """A part that is the same everywhere."""
        try:
            truth, one = truth_of(found), one_of(found)
        except CannotEvaluate:
            return cls(lambda _this, _env: found)
        some, count = bool(found), len(found)
        return cls(
            lambda _this, _env: found, truth=lambda _this, _env: truth, some=lambda _this, _env: some,
            count=lambda _this, _env: count, one=lambda _this, _env: one,
        )  # fmt: skip


def truth_of(items: list[Any]) -> bool | None:
    """§Singleton Evaluation of Collections: a truth value for itself, any other single item for true."""
    if not items:
        return None
    if len(items) > 1:
        raise CannotEvaluate("there are several items where one is wanted")
    item = items[0]
    value = item.value if type(item) is Node else item
    return value if type(value) is bool else True


def one_of(items: list[Any]) -> Any:
    """The value of the only item, ``None`` without any. Raises ``CannotEvaluate`` for several."""
    if not items:
        return None
    if len(items) > 1:
        raise CannotEvaluate("there are several items where one is wanted")
    value = value_of(items[0])
    return Decimal(repr(value)) if type(value) is float else value
