"""The text of a resource: JSON read with what a decoder lets pass, and where in it an element stands.

https://hl7.org/fhir/R4/json.html, https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from fhir_adapter.validation.issue import Issue, shown

__all__ = ["MAX_DEPTH", "Document", "load"]

MAX_DEPTH: Final = 150
"""How deep objects and arrays may be nested: no resource comes near, and what reads them may recurse."""

_MARK: Final = b"\xef\xbb\xbf"
_DIGITS: Final = 1000


@dataclass(slots=True)
class Document:
    """A resource with its text. ``resource`` is ``None`` where the text is none; ``issues`` say why, or what is odd."""

    text: bytes
    resource: dict[str, Any] | None
    issues: list[Issue] = field(default_factory=list)
    _places: dict[tuple[str | int, ...], tuple[int, int]] | None = None

    def position(self, expression: str, property: str = "") -> tuple[int, int]:
        """Line and column (from 1) of the element at a FHIRPath, or of what stands around it; ``(1, 1)`` at worst.

        The text is read a second time when the first position is asked for.
        """
        if self._places is None:
            self._places = _places(self.text)
        steps = _steps(expression)
        if property:
            steps = (*steps, property)
        while steps:
            for last in _spellings(steps):
                found = self._places.get(last)
                if found is not None:
                    return found
            steps = steps[:-1]
        return self._places.get((), (1, 1))


def load(text: bytes) -> Document:
    """Read a resource in JSON. Never raises; what keeps the text from being one is an issue, with its line.

    Numbers are ``int`` or ``Decimal``. A name that stands twice in an object is an error at that object; the last
    value counts. A byte order mark is passed over with a warning.
    """
    issues: list[Issue] = []
    body = text
    if body.startswith(_MARK):
        issues.append(Issue("warning", "", "byte-order-mark", "begins with a byte order mark, which JSON must not have"))
        body = body[len(_MARK) :]
    problem = _no_json(body)
    if problem:
        return Document(text, None, [*issues, Issue("error", "", "json", problem, "invalid")])
    twice: list[dict[str, Any]] = []
    names: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            twice.append(made)
            seen: set[str] = set()
            names.append(next(name for name, _ in found if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
        return made

    try:
        value = json.loads(
            body.decode(), object_pairs_hook=pairs, parse_float=_decimal, parse_int=_integer, parse_constant=_refused
        )
    except UnicodeDecodeError as fault:
        line = body[: fault.start].count(b"\n") + 1
        return Document(text, None, [*issues, Issue("error", "", "json", f"is not UTF-8 (line {line})", "invalid")])
    except json.JSONDecodeError as fault:
        message = f"is not JSON: {fault.msg} (line {fault.lineno}, column {fault.colno})"
        return Document(text, None, [*issues, Issue("error", "", "json", message, "invalid")])
    except RecursionError:
        return Document(text, None, [*issues, Issue("error", "", "too-deep", "is nested too deeply to be read", "too-long")])
    except (ValueError, InvalidOperation):
        message = "is not JSON that can be read: a number in it is NaN, infinite or too long"
        return Document(text, None, [*issues, Issue("error", "", "json", message, "invalid")])
    if not isinstance(value, dict):
        return Document(text, None, [*issues, Issue("error", "", "json", "is JSON, but no object: no resource", "structure")])
    if twice:
        for place, held in _objects(value):
            for made, name in zip(twice, names, strict=True):
                if held is made:
                    message = f"{shown(name)} stands twice in one JSON object; the last one counts"
                    issues.append(Issue("error", place, "duplicate-name", message, "invalid", shown(name)))
    return Document(text, value, issues)


def _no_json(body: bytes) -> str:
    start = body[:200].lstrip()
    if not start:
        return "is empty"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16: JSON must be UTF-8"
    if start.startswith(b"<"):
        return "is XML: XML is not supported, only JSON"
    if _too_deep(body):
        return f"is nested deeper than {MAX_DEPTH} levels"
    return ""


_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def _too_deep(body: bytes) -> bool:
    """Whether objects and arrays are nested beyond ``MAX_DEPTH``; looked at closely only where it could be."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _NESTING.finditer(body):
        mark = found[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in (b"}", b"]"):
            depth -= 1
    return False


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or len(text) > _DIGITS or abs(value.adjusted()) > 400:
        raise ValueError(text)
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(text)
    return int(text)


def _refused(_constant: str) -> object:
    raise ValueError


def _objects(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        here = place or str(value.get("resourceType", ""))[:64]
        yield here, value
        for name, item in value.items():
            yield from _objects(item, f"{here}.{shown(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, f"{place}[{index}]")


_STEP: Final = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)(?:\.ofType\(([A-Za-z0-9]+)\))?(?:\[([0-9]+)\])?")


def _steps(expression: str) -> tuple[str | int, ...]:
    """``Observation.component[1].value.ofType(Quantity)`` → ``("component", 1, "valueQuantity")``."""
    found: list[str | int] = []
    first = True
    for step in _STEP.finditer(expression):
        name, kind, index = step[1], step[2], step[3]
        if not first:
            found.append(name + kind[0].upper() + kind[1:] if kind else name)
        if index is not None:
            found.append(int(index))
        first = False
    return tuple(found)


def _spellings(steps: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The ways to an element in JSON: by its name, or by its sibling's where it has no value."""
    yield steps
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        if isinstance(step, str):
            yield (*steps[:index], f"_{step}", *steps[index + 1 :])


_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


def _places(text: bytes) -> dict[tuple[str | int, ...], tuple[int, int]]:
    """Each element of a JSON text by the way to it: line and column of its name, or of itself in an array."""
    made: dict[tuple[str | int, ...], tuple[int, int]] = {}
    stack: list[list[Any]] = []  # [is an object, name or index, whether a name is next]
    line, line_start, at = 1, 0, 0
    way: list[str | int] = []
    for token in _TOKEN.finditer(text):
        start = token.start()
        new = text.count(b"\n", at, start)
        if new:
            line += new
            line_start = text.rindex(b"\n", at, start) + 1
        at = start
        column = len(text[line_start:start].decode("utf-8", "replace")) + 1
        mark = token[0]
        top = stack[-1] if stack else None
        if mark in (b"}", b"]"):
            if stack:
                stack.pop()
                if way:
                    way.pop()
        elif mark == b",":
            if top is not None:
                if top[0]:
                    top[2] = True
                    way[-1:] = [""]
                else:
                    top[1] += 1
                    way[-1:] = [top[1]]
        elif mark == b":":
            pass
        elif top is not None and top[0] and top[2]:
            try:
                name = json.loads(mark)
            except ValueError:
                name = ""
            top[2] = False
            way[-1:] = [str(name)]
            made[tuple(way)] = (line, column)
        else:
            if top is None or not top[0]:
                made.setdefault(tuple(way), (line, column))
            if mark == b"{":
                stack.append([True, "", True])
                way.append("")
            elif mark == b"[":
                stack.append([False, 0, False])
                way.append(0)
    return made
