"""The text of a resource: JSON read with what a decoder lets pass, and where in it an element stands.

https://hl7.org/fhir/R4/json.html, https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from fhir_adapter.validation.issue import Issue, shown

__all__ = ["Document", "load"]

_MARK: Final = b"\xef\xbb\xbf"
_DIGITS: Final = 1000
_LARGEST: Final = 400
"""How many digits a number may have, and how many decimal places its exponent may move it by: FHIR asks for
18 digits, and what is far beyond is a slip or an attack."""


@dataclass(slots=True)
class Document:
    """A resource with its text.

    ``resource`` is ``None`` where the text is none; ``issues`` say why, or what is odd about the text.
    """

    text: str
    resource: dict[str, Any] | None
    issues: list[Issue] = field(default_factory=list)
    fault: int = 0
    """Where the text breaks off from being a resource: an index of ``text``."""

    def positions(self, issues: Sequence[Issue]) -> list[tuple[int, int]]:
        """Line and column of each issue, from 1: of the name of its element, or of an item in an array.

        What is missing stands at what is around it. The text is read a second time, once for all issues.
        """
        if self.resource is None:
            return [self._line_and_column([self.fault])[self.fault] for _ in issues]
        root = _Wanted()
        wanted = [root.reach(_steps(issue)) for issue in issues]
        # What is nested too deeply to be followed here stands at the last place that was found.
        with suppress(RecursionError):
            _find(self.text, root)
        found = [wish.nearest() for wish in wanted]
        places = self._line_and_column(found)
        return [places[one] for one in found]

    def _line_and_column(self, found: Sequence[int]) -> dict[int, tuple[int, int]]:
        places: dict[int, tuple[int, int]] = {}
        line, begin, seen = 1, 0, 0
        for at in sorted(set(found)):
            new = self.text.count("\n", seen, at)
            if new:
                line += new
                begin = self.text.rindex("\n", seen, at) + 1
            seen = at
            places[at] = (line, at - begin + 1)
        return places


def load(text: bytes) -> Document:
    """Read a resource in JSON. Never raises; what keeps the text from being one is an issue.

    Numbers are ``int`` or ``Decimal``. A name that stands twice in an object is an error there; the last
    value counts. A byte order mark is passed over with a warning. Nothing that cannot be read is quoted.
    """
    issues: list[Issue] = []
    if text.startswith(_MARK):
        message = "begins with a byte order mark, which JSON must not have"
        issues.append(Issue("warning", "", "byte-order-mark", message))
        text = text[len(_MARK) :]
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _unread("", 0, "is UTF-16: JSON must be UTF-8", issues)
    if text.startswith(b"\x1f\x8b"):
        return _unread("", 0, "is packed with gzip: unpack it first", issues)
    try:
        words = text.decode()
    except UnicodeDecodeError as fault:
        return _unread(text[: fault.start].decode(), fault.start, "is not UTF-8 at this character", issues)
    twice: dict[int, tuple[str, dict[str, Any]]] = {}

    def members(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            names = [name for name, _ in found]
            again = next(name for at, name in enumerate(names) if name in names[:at])
            twice[id(made)] = (again, made)
        return made

    try:
        value = json.loads(
            words,
            object_pairs_hook=members,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refused,
        )
    except RecursionError:
        return _unread(words, 0, "is nested too deeply to be read", issues, "too-deep")
    except (ValueError, ArithmeticError) as fault:
        return _unread(words, *_why(words, fault), issues)
    if not isinstance(value, dict):
        start = len(words) - len(words.lstrip())
        return _unread(words, start, "is JSON, but not an object: it is no resource", issues)
    half = _HALF.search(words)
    if half and not _is_whole(value):
        return _unread(words, half.start(), "has a \\u escape that is half a character", issues)
    if twice:
        for place, held in _objects(value):
            known = twice.get(id(held))
            if known is not None:
                name = shown(known[0])
                message = f"{name} stands twice in one JSON object; the last one counts"
                issues.append(Issue("error", place, "duplicate-name", message, "invalid", name))
    return Document(words, value, issues)


def _unread(words: str, at: int, message: str, issues: list[Issue], rule: str = "json") -> Document:
    code = "too-long" if rule == "too-deep" else "structure"
    return Document(words, None, [*issues, Issue("error", "", rule, message, code)], min(at, len(words)))


def _why(words: str, fault: Exception) -> tuple[int, str]:
    """Where and why ``words`` is not JSON, in words that quote nothing of it."""
    body = words.rstrip()
    start = len(words) - len(words.lstrip())
    if not body:
        return 0, "is empty"
    if words[start] == "<":
        return start, "is XML: XML is not supported, only JSON"
    if not isinstance(fault, json.JSONDecodeError):
        number = _NUMBER.search(words)
        return number.start(1) if number else 0, "is not JSON: a number in it is NaN, infinite or too long"
    if fault.msg == "Extra data":
        is_lines = words[start] == "{" and words[fault.pos] == "{"
        more = "; a file with a resource a line must be named *.ndjson" if is_lines else ""
        return fault.pos, f"goes on after the end of its JSON value{more}"
    is_open = words[start] in "{["
    if is_open and (fault.pos >= len(body) or fault.msg.startswith("Unterminated")):
        return len(body), "is cut off: its JSON breaks off before its end"
    return fault.pos, f"is not JSON: {fault.msg}"


# A number that JSON has not, or that has too many digits; where it stands in a text, that is found first.
_NUMBER: Final = re.compile(rf"[\s:\[,](-?(?:NaN|Infinity|[0-9]{{{_DIGITS},}}|[0-9.]+[eE][+-]?[0-9]{{3,}}))")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if len(text) > _DIGITS or abs(value.adjusted()) > _LARGEST:
        raise ArithmeticError
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ArithmeticError
    return int(text)


def _refused(_constant: str) -> object:
    raise ArithmeticError


def _is_whole(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _objects(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All objects in a resource, each with its FHIRPath."""
    kind = value.get("resourceType")
    waiting: list[tuple[str, Any]] = [(shown(kind) if isinstance(kind, str) else "", value)]
    while waiting:
        place, held = waiting.pop()
        if isinstance(held, dict):
            yield place, held
            waiting += [(f"{place}.{shown(name)}".lstrip("."), item) for name, item in held.items()]
        elif isinstance(held, list):
            waiting += [(f"{place}[{index}]", item) for index, item in enumerate(held)]


# --- Places ---


class _Wanted:
    """An element whose place is asked for, or that lies on the way to one."""

    __slots__ = ("above", "at", "below")

    def __init__(self, above: _Wanted | None = None) -> None:
        self.above = above
        self.below: dict[str | int, _Wanted] = {}
        self.at = -1

    def reach(self, steps: Sequence[str | int]) -> _Wanted:
        """The element at the end of ``steps``."""
        here = self
        for step in steps:
            known = here.below.get(step)
            if known is None:
                known = here.below[step] = _Wanted(here)
            here = known
        return here

    def nearest(self) -> int:
        """Where it stands, or the nearest around it that was found."""
        here: _Wanted | None = self
        while here is not None and here.at < 0:
            here = here.above
        return here.at if here is not None else 0


_STEP: Final = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)(?:\.ofType\(([A-Za-z0-9]+)\))?(?:\[([0-9]+)\])?")


def _steps(issue: Issue) -> list[str | int]:
    """``Observation.component[1].value.ofType(Quantity)`` → ``["component", 1, "valueQuantity"]``."""
    found: list[str | int] = []
    for number, step in enumerate(_STEP.finditer(issue.expression)):
        name, kind, index = step.groups()
        if number:
            found.append(name + kind[0].upper() + kind[1:] if kind else name)
        if index is not None:
            found.append(int(index))
    return [*found, issue.property] if issue.property else found


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_skip_value: Final = json.JSONDecoder(strict=False).scan_once  # type: ignore[attr-defined]
_read_name: Final = json.decoder.scanstring  # type: ignore[attr-defined]


def _find(text: str, root: _Wanted) -> None:
    """Note where each wanted element of a JSON text stands; the others are passed over at C's speed."""
    start = _space(text, 0)
    root.at = start
    _value(text, start, root)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, wanted: _Wanted) -> int:
    """Go through the value at ``at``; returns where it ends."""
    if not wanted.below or text[at] not in "{[":
        end: int = _skip_value(text, at)[1]
        return end
    is_object = text[at] == "{"
    at = _space(text, at + 1)
    index = 0
    while text[at] not in "}]":
        begin = at
        inner: _Wanted | None
        if is_object:
            name, at = _read_name(text, at + 1, False)
            at = _space(text, _space(text, at) + 1)
            inner = wanted.below.get(name)
            if inner is not None:
                inner.at = begin
            elif name[:1] == "_":
                # A primitive's sibling: its place where there is no value, and the way to its extensions.
                inner = wanted.below.get(name[1:])
                if inner is not None and inner.at < 0:
                    inner.at = begin
        else:
            inner = wanted.below.get(index)
            if inner is not None and inner.at < 0:
                inner.at = begin
            index += 1
        at = _space(text, _value(text, at, inner) if inner is not None else _skip_value(text, at)[1])
        if text[at] == ",":
            at = _space(text, at + 1)
    return at + 1
