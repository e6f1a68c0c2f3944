"""From the text of an expression to its parts: a tokenizer and a Pratt parser.

https://hl7.org/fhirpath/N1/grammar.html; the strength of the operators is §Precedence of the specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from fhir_adapter.validation.fhirpath.errors import NotAnExpression
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
from fhir_adapter.validation.fhirpath.values import CALENDAR, Quantity, parse_temporal

__all__ = ["DEEPEST", "LONGEST", "parse"]

DEEPEST: Final = 150
"""How many parts of an expression may stand in one another: more is an error, no overflow of the stack."""

LONGEST: Final = 100_000
"""How many characters an expression may have."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>(?:[ \r\n\t\f\ufeff\xa0]+|//[^\r\n]*|/\*(?s:.*?)\*/)+)
    | (?P<moment>@(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?
        |[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?
          (?:T(?:[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?))
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<string>'(?:[^'\\]|\\(?s:.))*')
    | (?P<delimited>`(?:[^`\\]|\\(?s:.))*`)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>\$[a-z]+)
    | (?P<constant>%(?:(?:vs|ext)-[A-Za-z0-9_-]+|[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<sign><=|>=|!=|!~|[-+*&|<>=~.,()\[\]{}]|/(?!\*))
    """,
    re.VERBOSE,
)

_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}

# How strongly an operator binds its left side; each binds its right side one more strongly. The grammar lets
# ``is`` bind more strongly than ``|`` and ``>``; the specification's own tests (``1 > 2 is Boolean`` is true)
# and HL7's engine do not.
_STRENGTH: Final = {
    "implies": 1,
    "or": 2, "xor": 2,
    "and": 3,
    "in": 4, "contains": 4,
    "=": 5, "~": 5, "!=": 5, "!~": 5,
    "is": 6, "as": 6,
    "<": 7, ">": 7, "<=": 7, ">=": 7,
    "|": 8,
    "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
_POLARITY: Final = 11

# The words that may not name an element at the beginning of a path.
_RESERVED: Final = frozenset({"and", "or", "xor", "implies", "div", "mod"})


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(expression: str) -> Syntax:
    """The parts of ``expression``. Raises ``NotAnExpression`` where it is not FHIRPath."""
    if len(expression) > LONGEST:
        raise NotAnExpression(expression, LONGEST, f"is longer than {LONGEST} characters")
    parser = _Parser(expression)
    found = parser.expression(0)
    token = parser.token
    if token.kind != "end":
        raise parser.fault(f"{_quoted(token)} is not expected here")
    return found


def _quoted(token: _Token) -> str:
    return "the end" if token.kind == "end" else f"‘{token.text[:40]}’"


def _tokens(expression: str) -> Iterator[_Token]:
    at, end = 0, len(expression)
    while at < end:
        found = _TOKEN.match(expression, at)
        if found is None:
            raise NotAnExpression(expression, at, _no_token(expression, at))
        kind = found.lastgroup or ""
        if kind != "space":
            yield _Token(kind, found[0], at)
        at = found.end()
    yield _Token("end", "", end)


def _no_token(expression: str, at: int) -> str:
    if expression[at] in "'`":
        return "a string has no end"
    if expression.startswith("/*", at):
        return "a comment has no end"
    return f"‘{expression[at]}’ is not part of FHIRPath"


class _Parser:
    """Walks over the tokens of one expression."""

    def __init__(self, expression: str) -> None:
        self.text = expression
        self.tokens = list(_tokens(expression))
        self.at = 0
        self.token = self.tokens[0]
        self.depth = 0

    def fault(self, what: str) -> NotAnExpression:
        return NotAnExpression(self.text, self.token.position, what)

    def next(self) -> _Token:
        token = self.token
        self.at += 1
        self.token = self.tokens[min(self.at, len(self.tokens) - 1)]
        return token

    def expect(self, text: str) -> None:
        if self.token.text != text or self.token.kind != "sign":
            raise self.fault(f"‘{text}’ is expected here, not {_quoted(self.token)}")
        self.next()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fault("is nested too deeply")

    def expression(self, strength: int) -> Syntax:
        """An expression whose operators bind more strongly than ``strength``."""
        outer = self.depth
        self.deeper()
        left = self.operand()
        while True:
            token = self.token
            binds = _STRENGTH.get(token.text, 0) if token.kind in ("sign", "word") else 0
            if binds <= strength:
                break
            self.deeper()
            self.next()
            if token.text in ("is", "as"):
                left = OfType(token.text, left, self.qualified())
            else:
                left = Binary(token.text, left, self.expression(binds))
        self.depth = outer
        return left

    def operand(self) -> Syntax:
        token = self.token
        if token.kind == "sign" and token.text in "+-":
            self.next()
            return Polarity(token.text, self.expression(_POLARITY - 1))
        found = self.term()
        while self.token.kind == "sign" and self.token.text in (".", "["):
            self.deeper()
            if self.next().text == ".":
                found = self.invocation(found)
            else:
                found = Indexer(found, self.expression(0))
                self.expect("]")
        return found

    def term(self) -> Syntax:
        token = self.token
        match token.kind:
            case "number":
                return self.number()
            case "string":
                return Literal((_unescaped(self.next().text[1:-1]),))
            case "moment":
                moment = parse_temporal(token.text[1:])
                if moment is None:
                    raise self.fault("there is no such date or time")
                self.next()
                return Literal((moment,))
            case "constant":
                name = self.next().text[1:]
                return Constant(_unescaped(name[1:-1]) if name[0] in "`'" else name, token.position)
            case "sign" if token.text == "(":
                self.next()
                inner = self.expression(0)
                self.expect(")")
                return inner
            case "sign" if token.text == "{":
                self.next()
                self.expect("}")
                return Literal(())
            case "word" if token.text in ("true", "false"):
                return Literal((self.next().text == "true",))
            case "word" if token.text in _RESERVED:
                raise self.fault(f"a value is expected here, not ‘{token.text}’")
        return self.invocation(None)

    def number(self) -> Syntax:
        text = self.next().text
        value = Decimal(text) if "." in text else int(text)
        unit = self.token
        if unit.kind == "string":
            self.next()
            return Literal((Quantity(Decimal(value), _unescaped(unit.text[1:-1])),))
        if unit.kind == "word" and unit.text in CALENDAR:
            self.next()
            return Literal((Quantity(Decimal(value), CALENDAR[unit.text], calendar=True),))
        return Literal((value,))

    def invocation(self, target: Syntax | None) -> Syntax:
        token = self.token
        if token.kind == "variable":
            if token.text not in ("$this", "$index", "$total"):
                raise self.fault(f"there is no {token.text}")
            if target is not None:
                raise self.fault(f"{token.text} cannot follow a ‘.’")
            self.next()
            return Variable(token.text)
        name = self.identifier()
        if not (self.token.kind == "sign" and self.token.text == "("):
            return Member(target, name)
        self.next()
        arguments: list[Syntax] = []
        if not (self.token.kind == "sign" and self.token.text == ")"):
            arguments.append(self.expression(0))
            while self.token.kind == "sign" and self.token.text == ",":
                self.next()
                arguments.append(self.expression(0))
        self.expect(")")
        return Call(target, name, tuple(arguments), token.position)

    def identifier(self) -> str:
        token = self.token
        if token.kind not in ("word", "delimited"):
            raise self.fault(f"a name is expected here, not {_quoted(token)}")
        self.next()
        return token.text if token.kind == "word" else _unescaped(token.text[1:-1])

    def qualified(self) -> str:
        names = [self.identifier()]
        while self.token.kind == "sign" and self.token.text == ".":
            self.next()
            names.append(self.identifier())
        return ".".join(names)


def _unescaped(text: str) -> str:
    """The text that a string or a delimited name stands for; an escape that is none loses its backslash."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)
