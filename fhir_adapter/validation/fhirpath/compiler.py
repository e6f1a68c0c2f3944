"""From the parts of an expression to closures over decoded JSON.

Each part becomes a ``Code``: closures that take the focus and the environment. Nothing of the expression's
text is looked at while it is evaluated. What makes it fast is general: constants are worked out once; what
hangs on ``%resource`` alone once for each environment; steps of a path run in one loop; ``exists()``,
``count()`` and the operators of logic ask their operands for no more than they need.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from fhir_adapter.validation.fhirpath import navigation
from fhir_adapter.validation.fhirpath.code import Code, Items
from fhir_adapter.validation.fhirpath.environment import Environment
from fhir_adapter.validation.fhirpath.errors import (
    CannotEvaluate,
    FhirPathError,
    NotAnExpression,
    Undecidable,
)
from fhir_adapter.validation.fhirpath.functions import (
    COLLECTIONS,
    LONGEST,
    SCALARS,
    Collection,
    Scalar,
    equal_items,
    union,
)
from fhir_adapter.validation.fhirpath.model import Model, Node
from fhir_adapter.validation.fhirpath.navigation import NOTHING
from fhir_adapter.validation.fhirpath.syntax import (
    Binary,
    Call,
    Constant,
    Indexer,
    Literal,
    Member,
    OfType,
    Polarity,
    Syntax,
    Variable,
)
from fhir_adapter.validation.fhirpath.values import (
    UCUM,
    Quantity,
    Temporal,
    compare,
    equal,
    equivalent,
    key,
    parse_temporal,
    shifted,
    text_of,
    value_of,
)

__all__ = ["OPERATORS", "SPECIAL", "Compiler", "mentions"]

MOST: Final = 1_000_000
"""How many items ``repeat`` may gather: an expression that makes ever new ones is an error."""

_SLOTS: Final = itertools.count()

_SYSTEM: Final = {
    bool: "Boolean",
    str: "String",
    int: "Integer",
    Decimal: "Decimal",
    Quantity: "Quantity",
}
_PRIMITIVES: Final = {
    "Boolean": "boolean", "String": "string", "Integer": "integer", "Decimal": "decimal", "Date": "date",
    "DateTime": "dateTime", "Time": "time",
}  # fmt: skip

# The functions whose arguments are evaluated for each item of their focus.
_LAMBDAS: Final = frozenset({"where", "select", "all", "exists", "repeat", "aggregate", "iif", "trace"})

# Functions whose answer may change from one evaluation to the next, or that reach outside.
_OUTSIDE: Final = frozenset({
    "now", "today", "timeOfDay", "resolve", "memberOf", "conformsTo", "htmlChecks", "htmlChecks2", "trace",
    "elementDefinition", "slice", "checkModifiers", "subsumes", "subsumedBy",
})  # fmt: skip


def _children(part: Syntax) -> Iterator[Syntax]:
    match part:
        case Member(target):
            if target is not None:
                yield target
        case Call(target, _, arguments):
            if target is not None:
                yield target
            yield from arguments
        case Indexer(target, index):
            yield target
            yield index
        case Polarity(_, operand) | OfType(_, operand):
            yield operand
        case Binary(_, left, right):
            yield left
            yield right


def mentions(part: Syntax, name: str) -> bool:
    """Whether ``name`` (``$index``, ``%context``) stands anywhere in ``part``."""
    if isinstance(part, Variable):
        return part.name == name
    if isinstance(part, Constant):
        return f"%{part.name}" == name
    return any(mentions(child, name) for child in _children(part))


def looks_around(part: Syntax) -> bool:
    """Whether the answer may hang on more than the node that ``part`` is asked of: its resource, the time."""
    match part:
        case Constant("resource" | "rootResource"):
            return True
        case Call(_, "resolve" | "now" | "today" | "timeOfDay"):
            return True
        case _:
            return any(looks_around(child) for child in _children(part))


def _is_fixed(part: Syntax, bound: bool = False) -> bool:
    """Whether ``part`` is the same for every focus in one environment.

    ``bound``: it stands in a function's argument, where the focus is the function's own.
    """
    match part:
        case Literal():
            return True
        case Constant(name):
            return name != "context"
        case Variable(name):
            # $index and $total may be those of a function further out.
            return bound and name == "$this"
        case Member(None):
            return bound
        case Call(None):
            if not bound:
                return False
        case _:
            pass
    if isinstance(part, Call) and part.name in _LAMBDAS and part.target is not None:
        return _is_fixed(part.target, bound) and all(_is_fixed(one, bound=True) for one in part.arguments)
    return all(_is_fixed(child, bound) for child in _children(part))


def _is_constant(part: Syntax) -> bool:
    """Whether ``part`` is made of literals alone."""
    if isinstance(part, Literal):
        return True
    if isinstance(part, Variable | Constant | Member):
        return False
    if isinstance(part, Call) and (part.target is None or part.name in _OUTSIDE or part.name in _LAMBDAS):
        return False
    return all(_is_constant(child) for child in _children(part))


def _focus(this: Any, _env: Environment) -> list[Any]:
    return [] if this is NOTHING else [this]


def _focus_one(this: Any, _env: Environment) -> Any:
    return None if this is NOTHING else value_of(this)


class Compiler:
    """Compiles the parts of one expression; ``text`` is the whole, for what it has to say of faults."""

    def __init__(self, text: str) -> None:
        self.text = text

    def code(self, part: Syntax) -> Code:
        """The closures of ``part``. Raises ``NotAnExpression`` for an unknown function or operator."""
        if isinstance(part, Literal):
            return Code.constant(list(part.items))
        if _is_constant(part):
            return self._folded(part)
        if not isinstance(part, Constant) and _is_fixed(part):
            return _once(self._code(part).items)
        return self._code(part)

    def _folded(self, part: Syntax) -> Code:
        code = self._code(part)
        try:
            return Code.constant(code.items(None, _NOWHERE))
        except (FhirPathError, ArithmeticError):
            # What is wrong with it is said when it is evaluated, if it ever is.
            return code

    def _code(self, part: Syntax) -> Code:
        match part:
            case Variable(name):
                return self._variable(name)
            case Constant():
                return self._constant(part)
            case Member():
                return self._path(part)
            case Call():
                return self._call(part)
            case Indexer(target, index):
                return self._indexer(self.code(target), self.code(index))
            case Polarity(sign, operand):
                return self._polarity(sign, self.code(operand))
            case OfType(operator, operand, name):
                inner = self.code(operand)
                return self.is_type(inner, name) if operator == "is" else self.as_type(inner, name)
            case Binary(operator, left, right):
                return OPERATORS[operator](self.code(left), self.code(right))
        raise AssertionError(part)

    # --- Where a path begins ---

    def _variable(self, name: str) -> Code:
        if name == "$this":
            return Code(_focus, one=_focus_one)
        if name == "$index":
            return Code.of_one(lambda _this, env: env.index)
        return Code(lambda _this, env: env.total)

    def _constant(self, part: Constant) -> Code:
        name = part.name
        if name == "resource":
            return Code(lambda _this, env: [env.resource])
        if name == "rootResource":
            return Code(lambda _this, env: [env.root_resource])
        if name == "context":
            return Code(lambda _this, env: [env.context])
        known = _CONSTANTS.get(name)
        if known is None and name.startswith("vs-"):
            known = f"http://hl7.org/fhir/ValueSet/{name[3:]}"
        if known is None and name.startswith("ext-"):
            known = f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"
        if known is not None:
            return Code.constant([known])

        def items(_this: Any, env: Environment) -> list[Any]:
            if name not in env.variables:
                raise CannotEvaluate(f"there is no %{name} here")
            return env.variables[name]

        return Code(items)

    def _path(self, part: Member) -> Code:
        names = [part.name]
        target = part.target
        while isinstance(target, Member):
            names.insert(0, target.name)
            target = target.target
        if target is None:
            return _from_focus(names)
        return _steps(self.code(target).items, names)

    # --- Functions ---

    def _call(self, part: Call) -> Code:
        name = part.name
        target = Code(_focus, one=_focus_one) if part.target is None else self.code(part.target)
        special = SPECIAL.get(name)
        if special is not None:
            least, most, build = special
            self._check_count(part, least, most)
            return build(self, part, target)
        arguments = [self.code(argument) for argument in part.arguments]
        scalar = SCALARS.get(name)
        if scalar is not None:
            self._check_count(part, scalar.least, scalar.most)
            return Code.of_one(_scalar(scalar, target, arguments))
        collection = COLLECTIONS.get(name)
        if collection is not None:
            least = collection.most if collection.least is None else collection.least
            self._check_count(part, least, collection.most)
            return Code(_collection(collection, target, arguments))
        raise NotAnExpression(self.text, part.position, f"there is no function {name}()")

    def _check_count(self, part: Call, least: int, most: int) -> None:
        count = len(part.arguments)
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise NotAnExpression(
                self.text, part.position, f"{part.name}() takes {wanted} arguments, not {count}"
            )

    def type_name(self, part: Call) -> str:
        """The argument of ``is``, ``as`` and ``ofType``: it looks like a path, and is the name of a type."""
        names: list[str] = []
        argument: Syntax | None = part.arguments[0]
        while isinstance(argument, Member):
            names.insert(0, argument.name)
            argument = argument.target
        if argument is not None or not names:
            raise NotAnExpression(self.text, part.position, f"{part.name}() takes the name of a type")
        return ".".join(names)

    def _indexer(self, target: Code, index: Code) -> Code:
        items_of, number = target.items, index.one

        def items(this: Any, env: Environment) -> list[Any]:
            at = number(this, env)
            if at is None:
                return []
            if type(at) is not int:
                raise CannotEvaluate("an index must be a whole number")
            return items_of(this, env)[at : at + 1] if at >= 0 else []

        return Code(items)

    def _polarity(self, sign: str, operand: Code) -> Code:
        one = operand.one

        def value(this: Any, env: Environment) -> Any:
            number = one(this, env)
            if number is None or (sign == "+" and type(number) in (int, Decimal, Quantity)):
                return number
            if type(number) is Quantity:
                return Quantity(-number.value, number.unit, number.calendar)
            if type(number) not in (int, Decimal):
                raise CannotEvaluate("a sign needs a number")
            return -number

        return Code.of_one(value)

    # --- Types ---

    def is_type(self, operand: Code, name: str) -> Code:
        """``operand is name``."""
        fits = _fits(name, exact=False)
        items_of = operand.items

        def truth(this: Any, env: Environment) -> bool | None:
            items = items_of(this, env)
            if not items:
                return None
            if len(items) > 1:
                raise CannotEvaluate("‘is’ wants one item, and there are several")
            return fits(items[0])

        return Code.of_truth(truth)

    def as_type(self, operand: Code, name: str) -> Code:
        """``operand as name``, and ``ofType``."""
        # R4's own dom-3 says descendants().as(canonical): several items are sorted out, and are no error.
        fits = _fits(name, exact=True)
        items_of = operand.items
        return Code(
            lambda this, env: [item for item in items_of(this, env) if fits(item)],
            some=lambda this, env: any(fits(item) for item in items_of(this, env)),
        )


def _fits(name: str, *, exact: bool) -> Callable[[Any], bool]:
    """Whether an item is of the type ``name``, or of one that specialises it.

    ``exact``: a primitive is only of its own type. The specification's tests have ``gender.as(string)`` empty
    and ``gender is string`` true. R4's que-7 says ``is Boolean`` of a FHIR ``boolean``, so a name of
    FHIRPath's own types without ``System.`` stands for both.
    """
    system = name.removeprefix("System.")
    fhir = name.removeprefix("FHIR.")
    only_system = name.startswith("System.")
    lower = _PRIMITIVES.get(fhir, fhir) if fhir == name else fhir

    def fits(item: Any) -> bool:
        if type(item) is Node:
            if only_system:
                return False
            kind = item.type
            if kind.is_primitive and exact:
                return lower == kind.name
            return kind.is_a(lower)
        kind_name = item.kind if type(item) is Temporal else _SYSTEM.get(type(item))
        return kind_name == system or system == "Any"

    return fits


_CONSTANTS: Final = {
    "ucum": UCUM,
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}

_NOWHERE: Final = Environment(Node(None, Model(lambda _name: None).type("")))


def _once(items_of: Items) -> Code:
    """A part that is worked out once in each environment."""
    slot = next(_SLOTS)

    def items(this: Any, env: Environment) -> list[Any]:
        found = env.known.get(slot)
        if found is None:
            found = env.known[slot] = items_of(this, env)
        return found

    return Code(items)


# --- Paths ---


def _from_focus(names: list[str]) -> Code:
    """A path that begins at the focus, whose first step may be the name of the focus' type."""
    first = names[0]
    if first[:1].isupper():

        def begin(this: Any, env: Environment) -> list[Any]:
            return [
                found
                for item in _focus(this, env)
                if type(item) is Node
                for found in ([item] if item.type.is_a(first) else navigation.child(item, first))
            ]

        return _steps(begin, names[1:]) if names[1:] else Code(begin)
    if names[1:]:
        return _steps(_from_focus(names[:1]).items, names[1:])
    child = navigation.child
    has_child, count_child = navigation.has_child, navigation.count_child

    def items(this: Any, _env: Environment) -> list[Any]:
        return child(this, first) if type(this) is Node else []

    def some(this: Any, _env: Environment) -> bool:
        return has_child(this, first) if type(this) is Node else False

    def count(this: Any, _env: Environment) -> int:
        return count_child(this, first) if type(this) is Node else 0

    return Code(items, some=some, count=count)


def _steps(begin: Items, names: list[str]) -> Code:
    """A path from what ``begin`` finds."""
    below, has_child, count_child = navigation.below, navigation.has_child, navigation.count_child
    before, last = names[:-1], names[-1]

    def until_last(this: Any, env: Environment) -> list[Any]:
        found = begin(this, env)
        for name in before:
            if not found:
                break
            found = below(found, name)
        return found

    def items(this: Any, env: Environment) -> list[Any]:
        found = until_last(this, env)
        return below(found, last) if found else found

    def some(this: Any, env: Environment) -> bool:
        return any(type(item) is Node and has_child(item, last) for item in until_last(this, env))

    def count(this: Any, env: Environment) -> int:
        return sum(count_child(item, last) for item in until_last(this, env) if type(item) is Node)

    return Code(items, some=some, count=count)


# --- Operators: https://hl7.org/fhirpath/N1/ §Operators ---


def _and(left: Code, right: Code) -> Code:
    ours, theirs = left.truth, right.truth

    def truth(this: Any, env: Environment) -> bool | None:
        first = ours(this, env)
        if first is False:
            return False
        second = theirs(this, env)
        return second if first or second is False else None

    return Code.of_truth(truth)


def _or(left: Code, right: Code) -> Code:
    ours, theirs = left.truth, right.truth

    def truth(this: Any, env: Environment) -> bool | None:
        first = ours(this, env)
        if first:
            return True
        second = theirs(this, env)
        return second if second or first is False else None

    return Code.of_truth(truth)


def _xor(left: Code, right: Code) -> Code:
    ours, theirs = left.truth, right.truth

    def truth(this: Any, env: Environment) -> bool | None:
        first, second = ours(this, env), theirs(this, env)
        return None if first is None or second is None else first is not second

    return Code.of_truth(truth)


def _implies(left: Code, right: Code) -> Code:
    ours, theirs = left.truth, right.truth

    def truth(this: Any, env: Environment) -> bool | None:
        first = ours(this, env)
        if first is False:
            return True
        second = theirs(this, env)
        return second if first or second else None

    return Code.of_truth(truth)


def _equals(left: Code, right: Code, *, negated: bool = False) -> Code:
    ours, theirs = left.items, right.items

    def truth(this: Any, env: Environment) -> bool | None:
        first = ours(this, env)
        if not first:
            return None
        second = theirs(this, env)
        is_one = len(first) == 1 == len(second)
        answer = equal(first[0], second[0]) if is_one else equal_items(first, second)
        return (not answer) if negated and answer is not None else answer

    return Code.of_truth(truth)


def _matches(left: Code, right: Code, *, negated: bool = False) -> Code:
    ours, theirs = left.items, right.items

    def truth(this: Any, env: Environment) -> bool:
        return _equivalent_items(ours(this, env), theirs(this, env)) is not negated

    return Code.of_truth(truth)


def _equivalent_items(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    waiting = list(right)
    for item in left:
        for at, other in enumerate(waiting):
            if equivalent(item, other):
                del waiting[at]
                break
        else:
            return False
    return True


def _ordered(answers: Callable[[int], bool]) -> Callable[[Code, Code], Code]:
    def build(left: Code, right: Code) -> Code:
        ours, theirs = left.one, right.one

        def truth(this: Any, env: Environment) -> bool | None:
            first = ours(this, env)
            if first is None:
                return None
            second = theirs(this, env)
            if second is None:
                return None
            order = compare(first, second)
            return None if order is None else answers(order)

        return Code.of_truth(truth)

    return build


def _in(left: Code, right: Code) -> Code:
    ours, theirs = left.items, right.items

    def truth(this: Any, env: Environment) -> bool | None:
        items = ours(this, env)
        if not items:
            return None
        if len(items) > 1:
            raise CannotEvaluate("‘in’ and ‘contains’ want one item to look for, and there are several")
        mark = key(items[0])
        return any(key(item) == mark for item in theirs(this, env))

    return Code.of_truth(truth)


def _union(left: Code, right: Code) -> Code:
    ours, theirs = left.items, right.items
    some_of_ours, some_of_theirs = left.some, right.some
    return Code(
        lambda this, env: union(ours(this, env), theirs(this, env)),
        some=lambda this, env: some_of_ours(this, env) or some_of_theirs(this, env),
    )


def _arithmetic(calculate: Callable[[Any, Any], Any]) -> Callable[[Code, Code], Code]:
    def build(left: Code, right: Code) -> Code:
        ours, theirs = left.one, right.one

        def one(this: Any, env: Environment) -> Any:
            first, second = ours(this, env), theirs(this, env)
            return None if first is None or second is None else calculate(first, second)

        return Code.of_one(one)

    return build


def _numbers(left: Any, right: Any) -> tuple[Any, Any]:
    for value in (left, right):
        if type(value) is not int and type(value) is not Decimal:
            raise CannotEvaluate("the operator wants two numbers")
    return left, right


def _add(left: Any, right: Any) -> Any:
    if type(left) is str and type(right) is str:
        return _joined(left, right)
    if type(left) is Temporal and type(right) is Quantity:
        return shifted(left, right.value, right.unit)
    if type(left) is Quantity and type(right) is Quantity:
        return _sum(left, right, 1)
    first, second = _numbers(left, right)
    return first + second


def _subtract(left: Any, right: Any) -> Any:
    if type(left) is Temporal and type(right) is Quantity:
        return shifted(left, -right.value, right.unit)
    if type(left) is Quantity and type(right) is Quantity:
        return _sum(left, right, -1)
    first, second = _numbers(left, right)
    return first - second


def _sum(left: Quantity, right: Quantity, sign: int) -> Quantity | None:
    (a, unit), (b, other) = left.measured(), right.measured()
    if unit != other:
        return None
    # In the unit of the left: what one of it measures is the factor back.
    one, _ = Quantity(Decimal(1), left.unit, left.calendar).measured()
    return Quantity((a + sign * b) / one, left.unit, left.calendar)


def _multiply(left: Any, right: Any) -> Any:
    if type(left) is Quantity or type(right) is Quantity:
        quantity, factor = (left, right) if type(left) is Quantity else (right, left)
        if type(factor) is Quantity:
            return Quantity(quantity.value * factor.value, _combined(quantity, ".", factor))
        return Quantity(quantity.value * _numbers(factor, factor)[0], quantity.unit, quantity.calendar)
    first, second = _numbers(left, right)
    return first * second


def _combined(left: Quantity, sign: str, right: Quantity) -> str:
    """The unit of a product or a ratio, in UCUM's notation."""
    if left.calendar or right.calendar:
        raise CannotEvaluate("a calendar duration cannot be part of a unit")
    return f"({left.unit}){sign}({right.unit})"


def _divide(left: Any, right: Any) -> Any:
    if type(left) is Quantity:
        if type(right) is Quantity:
            (a, unit), (b, other) = left.measured(), right.measured()
            if not b:
                return None
            if unit == other:
                return Quantity(a / b, "1")
            return Quantity(left.value / right.value, _combined(left, "/", right))
        return Quantity(left.value / right, left.unit, left.calendar) if _numbers(right, right)[0] else None
    first, second = _numbers(left, right)
    return Decimal(first) / Decimal(second) if second else None


def _div(left: Any, right: Any) -> Any:
    first, second = _numbers(left, right)
    return int((Decimal(first) / Decimal(second)).to_integral_value(ROUND_DOWN)) if second else None


def _mod(left: Any, right: Any) -> Any:
    first, second = _numbers(left, right)
    if not second:
        return None
    rest = Decimal(first) % Decimal(second)
    return int(rest) if type(first) is int and type(second) is int else rest


def _joined(left: str, right: str) -> str:
    if len(left) + len(right) > LONGEST:
        raise CannotEvaluate(f"a text would be longer than {LONGEST} characters")
    return left + right


def _concatenate(left: Code, right: Code) -> Code:
    ours, theirs = left.one, right.one

    def one(this: Any, env: Environment) -> str:
        first, second = ours(this, env), theirs(this, env)
        return _joined(_as_text(first), _as_text(second))

    return Code.of_one(one)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    text = text_of(value)
    if text is None:
        raise CannotEvaluate("‘&’ wants texts")
    return text


OPERATORS: Final[dict[str, Callable[[Code, Code], Code]]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
    "=": _equals,
    "!=": lambda left, right: _equals(left, right, negated=True),
    "~": _matches,
    "!~": lambda left, right: _matches(left, right, negated=True),
    "<": _ordered(lambda order: order < 0),
    "<=": _ordered(lambda order: order <= 0),
    ">": _ordered(lambda order: order > 0),
    ">=": _ordered(lambda order: order >= 0),
    "in": _in,
    "contains": lambda left, right: _in(right, left),
    "|": _union,
    "+": _arithmetic(_add),
    "-": _arithmetic(_subtract),
    "*": _arithmetic(_multiply),
    "/": _arithmetic(_divide),
    "div": _arithmetic(_div),
    "mod": _arithmetic(_mod),
    "&": _concatenate,
}


# --- Functions that see more than values ---


def _scalar(function: Scalar, target: Code, arguments: list[Code]) -> Callable[[Any, Environment], Any]:
    call, of_text, one = function.call, function.takes is str, target.one
    ones = [argument.one for argument in arguments]

    def value(this: Any, env: Environment) -> Any:
        subject = one(this, env)
        if subject is None:
            return None
        if of_text and type(subject) is not str:
            if type(subject) is not Temporal:
                raise CannotEvaluate("a text is wanted, and there is another value")
            subject = subject.text
        given = [argument(this, env) for argument in ones]
        return None if None in given else call(subject, *given)

    if len(ones) == 1 and of_text:
        only = ones[0]

        def value_by_one(this: Any, env: Environment) -> Any:
            subject = one(this, env)
            if type(subject) is not str:
                return value(this, env)
            given = only(this, env)
            return None if given is None else call(subject, given)

        return value_by_one
    return value


def _collection(function: Collection, target: Code, arguments: list[Code]) -> Items:
    call, items_of = function.call, target.items
    given = [argument.items for argument in arguments]
    return lambda this, env: call(items_of(this, env), *(argument(this, env) for argument in given))


def _indexed(
    truth_or_items: Callable[[Any, Environment], Any], part: Syntax
) -> Callable[[Any, int, Environment], Any]:
    """An argument for the item at an index; ``$index`` is kept only where it is asked for."""
    if not mentions(part, "$index"):
        return lambda item, _index, env: truth_or_items(item, env)

    def at(item: Any, index: int, env: Environment) -> Any:
        outer, env.index = env.index, index
        try:
            return truth_or_items(item, env)
        finally:
            env.index = outer

    return at


def _where(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of = target.items
    holds = _indexed(compiler.code(part.arguments[0]).truth, part.arguments[0])

    def items(this: Any, env: Environment) -> list[Any]:
        return [item for at, item in enumerate(items_of(this, env)) if holds(item, at, env)]

    def some(this: Any, env: Environment) -> bool:
        return any(holds(item, at, env) for at, item in enumerate(items_of(this, env)))

    return Code(items, some=some)


def _exists(compiler: Compiler, part: Call, target: Code) -> Code:
    some = _where(compiler, part, target).some if part.arguments else target.some
    return Code.of_truth(some)


def _empty(_compiler: Compiler, _part: Call, target: Code) -> Code:
    some = target.some
    return Code.of_truth(lambda this, env: not some(this, env))


def _count(_compiler: Compiler, _part: Call, target: Code) -> Code:
    count = target.count
    return Code.of_one(count)


def _not(_compiler: Compiler, _part: Call, target: Code) -> Code:
    inner = target.truth

    def truth(this: Any, env: Environment) -> bool | None:
        answer = inner(this, env)
        return None if answer is None else not answer

    return Code.of_truth(truth)


def _all(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of = target.items
    holds = _indexed(compiler.code(part.arguments[0]).truth, part.arguments[0])

    def truth(this: Any, env: Environment) -> bool:
        return all(holds(item, at, env) for at, item in enumerate(items_of(this, env)))

    return Code.of_truth(truth)


def _select(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of = target.items
    projected = _indexed(compiler.code(part.arguments[0]).items, part.arguments[0])

    def items(this: Any, env: Environment) -> list[Any]:
        return [found for at, item in enumerate(items_of(this, env)) for found in projected(item, at, env)]

    return Code(items)


def _repeat(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of, projected = target.items, compiler.code(part.arguments[0]).items

    def items(this: Any, env: Environment) -> list[Any]:
        found: list[Any] = []
        seen: set[Any] = set()
        waiting = items_of(this, env)
        while waiting:
            fresh = []
            for item in waiting:
                for one in projected(item, env):
                    mark = key(one)
                    if mark not in seen:
                        seen.add(mark)
                        fresh.append(one)
            found += fresh
            if len(found) > MOST:
                raise CannotEvaluate(f"repeat() found more than {MOST} items")
            waiting = fresh
        return found

    return Code(items)


def _aggregate(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of = target.items
    step = _indexed(compiler.code(part.arguments[0]).items, part.arguments[0])
    begin: Items = compiler.code(part.arguments[1]).items if part.arguments[1:] else lambda _this, _env: []

    def items(this: Any, env: Environment) -> list[Any]:
        outer = env.total
        try:
            total = begin(this, env)
            for at, item in enumerate(items_of(this, env)):
                env.total = total
                total = step(item, at, env)
            return total
        finally:
            env.total = outer

    return Code(items)


def _iif(compiler: Compiler, part: Call, target: Code) -> Code:
    codes = [compiler.code(argument) for argument in part.arguments]
    otherwise: Items = codes[2].items if codes[2:] else lambda _this, _env: []
    holds, then, items_of = codes[0].truth, codes[1].items, target.items
    has_target = part.target is not None

    def items(this: Any, env: Environment) -> list[Any]:
        if has_target:
            found = items_of(this, env)
            if len(found) > 1:
                raise CannotEvaluate("iif() wants one item, and there are several")
            this = found[0] if found else NOTHING
        return then(this, env) if holds(this, env) else otherwise(this, env)

    return Code(items)


def _trace(_compiler: Compiler, _part: Call, target: Code) -> Code:
    # A trace is for people who debug an expression; its focus passes through.
    return target


def _of_type(compiler: Compiler, part: Call, target: Code) -> Code:
    return compiler.as_type(target, compiler.type_name(part))


def _is_type(compiler: Compiler, part: Call, target: Code) -> Code:
    return compiler.is_type(target, compiler.type_name(part))


def _has_value(_compiler: Compiler, part: Call, target: Code) -> Code:
    items_of = target.items

    def has(item: Any) -> bool:
        if type(item) is not Node:
            return item is not None
        value = item.value
        return value is not None and type(value) is not dict and type(value) is not list

    def truth(this: Any, env: Environment) -> bool:
        items = items_of(this, env)
        return len(items) == 1 and has(items[0])

    if part.target is None:

        def truth_of_focus(this: Any, env: Environment) -> bool:
            return has(this) if type(this) is Node else truth(this, env)

        return Code.of_truth(truth_of_focus)
    return Code.of_truth(truth)


def _all_children(_compiler: Compiler, part: Call, target: Code) -> Code:
    items_of, is_focus = target.items, part.target is None
    all_children, count_children = navigation.all_children, navigation.count_children

    def items(this: Any, env: Environment) -> list[Any]:
        return [found for item in items_of(this, env) if type(item) is Node for found in all_children(item)]

    def count(this: Any, env: Environment) -> int:
        if is_focus and type(this) is Node:
            return count_children(this)
        return sum(count_children(item) for item in items_of(this, env) if type(item) is Node)

    return Code(items, some=lambda this, env: count(this, env) > 0, count=count)


def _descendants(_compiler: Compiler, _part: Call, target: Code) -> Code:
    items_of = target.items
    return Code(
        lambda this, env: [
            found for item in items_of(this, env) if type(item) is Node for found in navigation.descend(item)
        ]
    )


def _extension(compiler: Compiler, part: Call, target: Code) -> Code:
    items_of, url_of = target.items, compiler.code(part.arguments[0]).one

    def items(this: Any, env: Environment) -> list[Any]:
        url = url_of(this, env)
        return [
            found
            for item in items_of(this, env)
            if type(item) is Node
            for found in navigation.child(item, "extension")
            if type(found.value) is dict and found.value.get("url") == url and url is not None
        ]

    return Code(items)


def _resolve(_compiler: Compiler, _part: Call, target: Code) -> Code:
    items_of = target.items

    def items(this: Any, env: Environment) -> list[Any]:
        if env.resolve is None:
            return []
        found: list[Any] = []
        for item in items_of(this, env):
            value = item.value if type(item) is Node else item
            reference = value.get("reference") if type(value) is dict else value
            resource = env.resolve(reference) if isinstance(reference, str) else None
            if resource is not None:
                found.append(resource)
        return found

    return Code(items)


def _answered(
    what: str, ask: Callable[[Environment], Callable[[Node, str], bool | None] | None]
) -> Callable[[Compiler, Call, Code], Code]:
    """``memberOf`` and ``conformsTo``: the environment answers."""

    def build(compiler: Compiler, part: Call, target: Code) -> Code:
        items_of, url_of = target.items, compiler.code(part.arguments[0]).one

        def truth(this: Any, env: Environment) -> bool | None:
            items, url = items_of(this, env), url_of(this, env)
            if not items or not isinstance(url, str):
                return None
            if len(items) > 1:
                raise CannotEvaluate(f"{what}() wants one item, and there are several")
            item, answer = items[0], ask(env)
            decided = answer(item, url) if answer is not None and type(item) is Node else None
            if decided is None:
                raise Undecidable(f"{what}() cannot be decided here for {url}")
            return decided

        return Code.of_truth(truth)

    return build


def _html_checks(_compiler: Compiler, _part: Call, target: Code) -> Code:
    one = target.one

    def truth(this: Any, env: Environment) -> bool | None:
        text = one(this, env)
        if not isinstance(text, str):
            return None
        decided = env.html(text) if env.html is not None else None
        if decided is None:
            raise Undecidable("htmlChecks() cannot be decided here")
        return decided

    return Code.of_truth(truth)


def _beyond(_compiler: Compiler, part: Call, _target: Code) -> Code:
    def items(_this: Any, _env: Environment) -> list[Any]:
        raise Undecidable(f"{part.name}() cannot be decided here")

    return Code(items)


def _clock(kind: str) -> Callable[[Compiler, Call, Code], Code]:
    def one(_this: Any, env: Environment) -> Temporal | None:
        if kind == "today":
            return parse_temporal(env.now.date().isoformat())
        if kind == "timeOfDay":
            return parse_temporal(f"T{env.now.time().isoformat('milliseconds')}")
        return parse_temporal(env.now.isoformat(timespec="milliseconds"))

    return lambda _compiler, _part, _target: Code.of_one(one)


def _type(_compiler: Compiler, _part: Call, target: Code) -> Code:
    items_of = target.items

    def items(this: Any, env: Environment) -> list[Any]:
        found = []
        for item in items_of(this, env):
            if type(item) is Node:
                told = {"namespace": "FHIR", "name": item.type.name}
            else:
                name = item.kind if type(item) is Temporal else _SYSTEM.get(type(item), "Any")
                told = {"namespace": "System", "name": name}
            found.append(Node(told, _TYPE_INFO))
        return found

    return Code(items)


_TYPE_INFO: Final = Model(
    lambda name: (
        {
            "snapshot": [
                {"path": f"{name}.{part}", "type": [{"code": "string"}]} for part in ("namespace", "name")
            ]
        }
        if name == "SimpleTypeInfo"
        else None
    )
).type("SimpleTypeInfo")

_Build = Callable[[Compiler, Call, Code], Code]

SPECIAL: Final[dict[str, tuple[int, int, _Build]]] = {
    "where": (1, 1, _where),
    "exists": (0, 1, _exists),
    "empty": (0, 0, _empty),
    "count": (0, 0, _count),
    "not": (0, 0, _not),
    "all": (1, 1, _all),
    "select": (1, 1, _select),
    "repeat": (1, 1, _repeat),
    "aggregate": (1, 2, _aggregate),
    "iif": (2, 3, _iif),
    "trace": (1, 2, _trace),
    "is": (1, 1, _is_type),
    "as": (1, 1, _of_type),
    "ofType": (1, 1, _of_type),
    "type": (0, 0, _type),
    "hasValue": (0, 0, _has_value),
    "children": (0, 0, _all_children),
    "descendants": (0, 0, _descendants),
    "extension": (1, 1, _extension),
    "resolve": (0, 0, _resolve),
    "memberOf": (1, 1, _answered("memberOf", lambda env: env.member_of)),
    "conformsTo": (1, 1, _answered("conformsTo", lambda env: env.conforms_to)),
    "htmlChecks": (0, 0, _html_checks),
    "htmlChecks2": (0, 0, _html_checks),
    "elementDefinition": (0, 0, _beyond),
    "slice": (2, 2, _beyond),
    "checkModifiers": (0, 100, _beyond),
    "subsumes": (1, 1, _beyond),
    "subsumedBy": (1, 1, _beyond),
    "now": (0, 0, _clock("now")),
    "today": (0, 0, _clock("today")),
    "timeOfDay": (0, 0, _clock("timeOfDay")),
}
