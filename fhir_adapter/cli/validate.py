"""``validate``: files and folders through the checks of ``fhir_adapter.validation``."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fhir_adapter.cli.options import json_option
from fhir_adapter.errors import FileFault, WrongUse

if TYPE_CHECKING:
    from fhir_adapter.validation import Issue

_LINES: Final = (".ndjson", ".jsonl", ".ndjson.gz")
_SUFFIXES: Final = (".json", *_LINES)

_TYPE: Final = re.compile(r"[A-Za-z]{1,64}")
_ENTRY: Final = re.compile(r"Bundle\.entry\[([0-9]+)\]\.resource\b")


@dataclass(frozen=True, slots=True)
class _Found:
    """An issue and where it stands; ``resource`` is ``Type/id``, the type alone, or ``""``."""

    file: str
    line: int
    resource: str
    issue: Issue

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}", self.resource, self.issue.expression, self.issue.message]
        kind = "" if self.issue.severity == "error" else f"{self.issue.severity}, "
        return f"{': '.join(filter(None, parts))} [{kind}{self.issue.rule}]"

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.file,
            "line": self.line,
            "resource": self.resource,
            "severity": self.issue.severity,
            "expression": self.issue.expression,
            "rule": self.issue.rule,
            "message": self.issue.message,
        }


@click.command("validate")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, readable=False, path_type=Path)
)
@json_option
def command(files: Sequence[Path], as_json: bool) -> int:
    """Check FILES against FHIR R4 (4.0.1), and say what was not checked.

    A file is JSON (one resource, or a Bundle) or NDJSON (a resource a line); of a folder, each such file
    right in it. The exit code is 1 when something was found.

    \b
    Example:
      fhir-adapter validate Observation.ndjson exports/
    """
    from fhir_adapter.cli.errors import DONE, FINDINGS
    from fhir_adapter.validation import NOT_CHECKED

    found: list[_Found] = []
    unreadable: dict[str, str] = {}
    looked_at = resources = 0
    for path in _files(files):
        name = click.format_filename(path)
        try:
            for line, text in _texts(path):
                resources += 1
                for one in _look(name, line, text):
                    found.append(one)
                    if not as_json:
                        click.echo(str(one))
            looked_at += 1
        except OSError as fault:
            unreadable[name] = fault.strerror or type(fault).__name__

    if as_json:
        answer = {
            "files": looked_at,
            "resources": resources,
            "findings": [one.as_dict() for one in found],
            "not_checked": list(NOT_CHECKED),
        }
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        where = f"{_count(resources, 'resource')} in {_count(looked_at, 'file')}"
        click.echo(f"{where}: {_count(len(found), 'finding')}.")
        click.echo(f"Not checked: {'; '.join(NOT_CHECKED)}.", err=True)
    if unreadable:
        why = ", ".join(sorted(set(unreadable.values())))
        raise FileFault(f"cannot be read ({why}).", where=", ".join(unreadable))
    return FINDINGS if found else DONE


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """The files to read, folders opened; raises ``WrongUse`` for a folder that has none."""
    files: list[Path] = []
    for path in given:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(inner for inner in path.iterdir() if inner.is_file())
        except OSError as fault:
            raise FileFault(
                f"cannot be read ({fault.strerror}).", where=click.format_filename(path)
            ) from None
        # The manifest of a FHIR package lies beside its resources, and is none.
        wanted = [
            inner
            for inner in inside
            if inner.name.lower().endswith(_SUFFIXES)
            and not inner.name.startswith(".")
            and inner.name != "package.json"
        ]
        if not wanted:
            xml = " XML is not supported." if any(inner.suffix.lower() == ".xml" for inner in inside) else ""
            raise WrongUse(
                f"there is no *.json or *.ndjson in it.{xml}",
                where=click.format_filename(path),
                remedy="Name files, or a folder that holds some; subfolders are not looked into.",
            )
        files += wanted
    return iter(files)


def _texts(path: Path) -> Iterator[tuple[int, bytes]]:
    """The texts in a file that should be a resource each, with the number of their first line."""
    name = path.name.lower()
    if not name.endswith(_LINES):
        yield 1, path.read_bytes()
        return
    empty = True
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    empty = False
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise OSError(0, "the packed file is damaged or cut off") from None
    if empty:
        yield 1, b""


def _look(file: str, line: int, text: bytes) -> Iterator[_Found]:
    """What there is to say of one text: of its bytes, or else of the resource in them."""
    from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, decode
    from fhir_adapter.validation import Issue, validate

    if text.startswith(BYTE_ORDER_MARK):
        message = "begins with a byte order mark, which JSON must not have"
        yield _Found(file, line, "", Issue("warning", "", "byte-order-mark", message))
        text = text.removeprefix(BYTE_ORDER_MARK)
    try:
        resource = decode(text)
    except ValueError:
        further, message = _no_json(text)
        yield _Found(file, line + further, "", Issue("error", "", "json", message))
        return
    for issue in validate(resource):
        yield _Found(file, line, _name(_nearest(resource, issue.expression)), issue)


def _no_json(text: bytes) -> tuple[int, str]:
    """Why ``text`` is not one JSON object, in words that quote nothing of it, and how many lines down."""
    stripped = text.strip()
    if not stripped:
        return 0, "is empty"
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return 0, "is UTF-16: JSON must be UTF-8"
    if stripped.startswith(b"<"):
        return 0, "is XML: XML is not supported, only JSON"
    try:
        words = text.decode().rstrip()
    except UnicodeDecodeError as fault:
        return text[: fault.start].count(b"\n"), f"is not UTF-8 (byte {fault.start + 1})"
    start = len(words) - len(words.lstrip())
    try:
        value, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(words, start)
    except json.JSONDecodeError as fault:
        if words[start] in "{[" and (fault.pos >= len(words) or words[-1] not in "}]"):
            return words.count("\n"), "is cut off: its JSON breaks off before its end"
        return fault.lineno - 1, f"is not JSON: {fault.msg} (column {fault.colno})"
    except RecursionError:
        return 0, "is nested too deeply to be read"
    except ValueError:
        return 0, "is not JSON: a number in it is NaN, infinite or too long"
    if end < len(words):
        more = "; a file with a resource a line must be named *.ndjson" if isinstance(value, dict) else ""
        return words[:end].count("\n"), f"goes on after the end of its JSON value{more}"
    if isinstance(value, dict):
        return 0, "cannot be read: a number in it is too long, or a \\u escape is half a character"
    return 0, "is not a resource: it is JSON, but not an object"


def _refuse(_constant: str) -> object:
    raise ValueError


def _nearest(resource: dict[str, Any], expression: str) -> Any:
    """The resource that a person would name for ``expression``: in a Bundle the entry's, else the whole."""
    entry = _ENTRY.match(expression)
    while entry:
        resource = resource["entry"][int(entry[1])]["resource"]
        expression = "Bundle" + expression[entry.end() :]
        is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
        entry = _ENTRY.match(expression) if is_bundle else None
    return resource


def _name(resource: Any) -> str:
    from fhir_adapter.exchange.resource import ID

    if not isinstance(resource, dict):
        return ""
    kind, id = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return ""
    return f"{kind}/{id}" if isinstance(id, str) and ID.fullmatch(id) else kind
