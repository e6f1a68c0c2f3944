"""Files of resources through ``validation``, by several processes, each finding with its place in the file.

A file is JSON (one resource, or a Bundle) or NDJSON (a resource a line), either perhaps packed with gzip.
NDJSON is read in blocks, so that a file of any size takes the memory of a few of them.
"""

from __future__ import annotations

import gzip
import os
import re
import signal
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from fhir_adapter.errors import CannotBeDone, FileFault, WrongUse
from fhir_adapter.exchange.resource import ID
from fhir_adapter.pipeline.processors import processors
from fhir_adapter.shipped import PROFILES, SDC
from fhir_adapter.validation import Issue, Severity, validate
from fhir_adapter.validation.definitions import BrokenPackage, Definitions, read_package
from fhir_adapter.validation.source import Document, load

__all__ = ["LARGEST", "STANDARD_INPUT", "Checks", "Found", "Looked", "definitions", "files_in", "look_at"]

LARGEST: Final = 256 * 1024 * 1024
"""The largest text, in bytes, that is read as one resource: it takes some ten times that in memory."""

STANDARD_INPUT: Final = Path("-")

_BLOCK: Final = 1024 * 1024
_ALONE: Final = 4 * 1024 * 1024
"""Up to so many bytes one process has done before others would have started."""

_LINES: Final = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_SUFFIXES: Final = (".json", ".json.gz", *_LINES)
_PACKED: Final = b"\x1f\x8b"
_TYPE: Final = re.compile(r"[A-Za-z]{1,64}")
_ENTRY: Final = re.compile(r"Bundle\.entry\[([0-9]+)\]\.resource\b")
_RANKS: Final[dict[Severity, int]] = {"information": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True)
class Checks:
    """Packages (folders or ``.tgz``) and further profiles to check against, and from which severity on."""

    packages: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()
    severity: Severity = "warning"


@dataclass(frozen=True, slots=True)
class Found:
    """An issue and where it stands; ``resource`` is ``Type/id``, the type alone, or ``""``."""

    file: str
    line: int
    column: int
    resource: str
    issue: Issue


@dataclass(slots=True)
class Looked:
    """What was seen of a file, or of a part of one: how many resources and bytes, and what was found.

    ``unreadable`` says why the rest of the file could not be read.
    """

    file: str
    resources: int = 0
    bytes: int = 0
    found: list[Found] = field(default_factory=list)
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """Work for one process: a whole file at ``path``, or ``text`` that was read from it.

    ``lines``: a resource a line, the first of them being ``line``.
    """

    file: str
    path: Path
    text: bytes | None = None
    lines: bool = False
    line: int = 1
    looked: Looked | None = None
    """What is known already, where there is nothing left to look at."""


@cache
def definitions(packages: tuple[Path, ...]) -> Definitions:
    """R4's definitions, this project's with what it depends on, and those of ``packages``.

    Raises ``FileFault`` for a broken one.
    """
    found = Definitions()
    for package in (PROFILES, SDC, *packages):
        try:
            for resource in read_package(package):
                found.add(resource)
        except BrokenPackage as fault:
            raise FileFault(
                f"no FHIR package can be read: {fault}.",
                where=str(package),
                remedy="A package is a folder of JSON files or a .tgz with a folder `package` in it.",
            ) from None
    return found


def require_profiles(checks: Checks) -> None:
    """Raises ``WrongUse`` when a profile that is asked for is in no package."""
    known = definitions(checks.packages)
    for url in checks.profiles:
        if known.get("StructureDefinition", url) is None:
            raise WrongUse(
                f"the profile {url} is in none of the packages.",
                remedy="Name the package that has it with --package, and the profile by its canonical URL.",
            )


def files_in(given: Sequence[Path]) -> list[Path]:
    """The files to read, folders opened; raises ``WrongUse`` for a folder that has none."""
    files: list[Path] = []
    for path in given:
        if path == STANDARD_INPUT or not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(inner for inner in path.iterdir() if inner.is_file())
        except OSError as fault:
            raise FileFault(f"cannot be read ({fault.strerror}).", where=str(path)) from None
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
                where=str(path),
                remedy="Name files, or a folder that holds some; subfolders are not looked into.",
            )
        files += wanted
    return files


def look_at(
    files: Sequence[Path],
    checks: Checks,
    jobs: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Looked]:
    """What there is to say of ``files``, part by part, in their order.

    ``jobs`` processes do it; by default as many as there are processors, and this one alone where there is
    little to do. Raises ``WrongUse`` for a profile that is in no package, ``FileFault`` for a package that
    cannot be read, and ``CannotBeDone`` when a process is killed.
    """
    require_profiles(checks)
    total = sum(_size(path) for path in files)
    if jobs is None:
        jobs = processors() if total > _ALONE else 1
    parts = (part for path in files for part in _parts(path))
    done = resources = 0
    with _workers(jobs, checks) as look:
        for looked in look(parts):
            done, resources = done + looked.bytes, resources + looked.resources
            share = f", {min(100, done * 100 // total)} %" if total else ""
            progress(f"validating: {resources:,} resources{share}")
            yield looked


def _size(path: Path) -> int:
    try:
        return 0 if path == STANDARD_INPUT else path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _workers(jobs: int, checks: Checks) -> Iterator[Callable[[Iterator[_Part]], Iterator[Looked]]]:
    """What takes parts and returns, in their order, what there is to say of each."""
    if jobs == 1:
        yield lambda parts: (_look(part, checks) for part in parts)
        return
    # Here, since what starts processes takes longer to load than one small file to check.
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(jobs, initializer=_begin)

    def look(parts: Iterator[_Part]) -> Iterator[Looked]:
        waiting: deque[Future[Looked]] = deque()
        try:
            for part in parts:
                waiting.append(pool.submit(_look, part, checks))
                if len(waiting) > 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise CannotBeDone(
                "a process that validated was killed, perhaps for want of memory.",
                remedy="Try with --jobs 1, or with fewer entries in a Bundle.",
            ) from None

    try:
        yield look
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    # An interrupt is the first process's to deal with.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# --- Reading ---


def _parts(path: Path) -> Iterator[_Part]:
    # A name that is no text in the system's encoding is shown as far as it is.
    name = "<stdin>" if path == STANDARD_INPUT else os.fsencode(path).decode(errors="replace")
    try:
        with _opened(path) as stream:
            if path.name.lower().endswith(_LINES):
                yield from _blocks(name, path, stream, b"")
            elif path == STANDARD_INPUT:
                first = stream.readline(LARGEST + 1)
                if load(first).resource is not None:
                    yield from _blocks(name, path, stream, first)
                else:
                    yield _whole(name, path, first + stream.read(max(0, LARGEST + 1 - len(first))))
            elif stream is sys.stdin.buffer or isinstance(stream, gzip.GzipFile):
                yield _whole(name, path, stream.read(LARGEST + 1))
            elif _size(path) > LARGEST:
                yield _too_large(name, path, _size(path))
            else:
                yield _Part(name, path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        why = "the packed file is damaged or cut off"
        yield _Part(name, path, looked=Looked(name, unreadable=why))
    except OSError as fault:
        why = fault.strerror or type(fault).__name__
        yield _Part(name, path, looked=Looked(name, unreadable=why))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        packed = file.read(2) == _PACKED
    with gzip.open(path) if packed else path.open("rb") as stream:
        yield stream  # type: ignore[misc]


def _whole(name: str, path: Path, text: bytes) -> _Part:
    return _Part(name, path, text) if len(text) <= LARGEST else _too_large(name, path, len(text))


def _too_large(name: str, path: Path, size: int, line: int = 1) -> _Part:
    return _Part(name, path, looked=Looked(name, 1, size, [_larger(name, line)]))


def _larger(file: str, line: int) -> Found:
    message = (
        f"is larger than the {LARGEST >> 20} MB that one resource may have here;"
        " write the entries of a Bundle as NDJSON, a resource a line"
    )
    return Found(file, line, 1, "", Issue("error", "", "too-large", message, "too-long"))


def _blocks(name: str, path: Path, stream: IO[bytes], begun: bytes) -> Iterator[_Part]:
    """Whole lines, about a megabyte of them at a time."""
    line, some = 1, False
    kept, size = [begun], len(begun)
    while block := stream.read(_BLOCK):
        end = block.rfind(b"\n") + 1
        if not end:
            kept.append(block)
            size += len(block)
            if size > LARGEST:
                yield _too_large(name, path, size, line)
                some = True
                begun = _after_line(stream)
                kept, size, line = [begun], len(begun), line + 1
            continue
        text = b"".join([*kept, block[:end]])
        kept, size = [block[end:]], len(block) - end
        if text.strip():
            some = True
            yield _Part(name, path, text, lines=True, line=line)
        line += text.count(b"\n")
    text = b"".join(kept)
    if text.strip():
        yield _Part(name, path, text, lines=True, line=line)
    elif not some:
        yield _Part(name, path, b"")


def _after_line(stream: IO[bytes]) -> bytes:
    """Pass over the rest of a line; returns what was read of the next."""
    while block := stream.read(_BLOCK):
        end = block.find(b"\n")
        if end >= 0:
            return block[end + 1 :]
    return b""


# --- Looking ---


def _look(part: _Part, checks: Checks) -> Looked:
    if part.looked is not None:
        return part.looked
    if part.lines:
        looked = Looked(part.file, bytes=len(part.text or b""))
        for number, text in enumerate((part.text or b"").split(b"\n"), part.line):
            if text.strip():
                looked.resources += 1
                looked.found += _one(part.file, number, text, checks)
        return looked
    try:
        text = part.path.read_bytes() if part.text is None else part.text
    except OSError as fault:
        return Looked(part.file, unreadable=fault.strerror or type(fault).__name__)
    return Looked(part.file, 1, len(text), _one(part.file, 1, text, checks))


def _one(file: str, line: int, text: bytes, checks: Checks) -> list[Found]:
    """What there is to say of one text, which begins at ``line`` of its file, from its top to its end."""
    if len(text) > LARGEST:
        return [_larger(file, line)]
    document = load(text)
    issues = document.issues
    if document.resource is not None:
        issues = issues + validate(
            document.resource, profiles=checks.profiles, definitions=definitions(checks.packages)
        )
    least = _RANKS[checks.severity]
    wanted = [issue for issue in issues if _RANKS[issue.severity] >= least]
    if not wanted:
        return []
    found = [
        Found(file, line + at - 1, column, _name(_nearest(document, issue.expression)), issue)
        for issue, (at, column) in zip(wanted, document.positions(wanted), strict=True)
    ]
    return sorted(found, key=lambda one: (one.line, one.column))


def _nearest(document: Document, expression: str) -> Any:
    """The resource that a person would name for ``expression``: in a Bundle the entry's, else the whole."""
    resource: Any = document.resource
    entry = _ENTRY.match(expression)
    while entry:
        resource = resource["entry"][int(entry[1])]["resource"]
        expression = "Bundle" + expression[entry.end() :]
        is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
        entry = _ENTRY.match(expression) if is_bundle else None
    return resource


def _name(resource: Any) -> str:
    if not isinstance(resource, dict):
        return ""
    kind, id = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return ""
    return f"{kind}/{id}" if isinstance(id, str) and ID.fullmatch(id) else kind
