"""A folder of NDJSON in the shape of a bulk export, read and written."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from fhir_adapter.errors import Conflict, FileFault, Finding
from fhir_adapter.exchange.resource import BYTE_ORDER_MARK, ID, UNREADABLE, Head, Received, encode, peek
from fhir_adapter.exchange.transaction import Answer, Entry, check

SUFFIXES: Final = (".ndjson", ".ndjson.gz", ".json")


class _Kind(msgspec.Struct, rename="camel"):
    resource_type: str = ""


class _BundleEntry(msgspec.Struct, rename="camel"):
    full_url: str = ""
    resource: msgspec.Raw = msgspec.Raw()


class _Bundle(msgspec.Struct):
    entry: list[_BundleEntry] = []


_Stamp = tuple[int, int]
"""When a file was last changed, and its size."""
_heads = msgspec.json.Decoder(Head)


class Folder:
    """The folder at ``path``, called ``name`` in the study file.

    Read are ``*.ndjson`` and ``*.ndjson.gz`` (a resource a line) and ``*.json`` (one resource, or a Bundle
    of them), whatever they are called: the ``resourceType`` decides. Subfolders are not looked into.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        self.path = path
        self.name = name
        self._kinds: dict[Path, tuple[_Stamp, frozenset[str]]] = {}

    def resources(self, types: Container[str]) -> Iterator[Received | Finding]:
        """Every resource of one of ``types``, and a ``Finding`` for each line that cannot be one.

        Raises ``FileFault`` when there is no such folder, nothing to read in it, or a file cannot be read.
        """
        files = self._files()
        if not files:
            raise FileFault(
                "there is no *.ndjson or *.json in it." if self.path.is_dir() else "there is no such folder.",
                where=str(self.path),
                remedy="Give the folder that holds the files of the export.",
            )
        return self._all(files, types)

    def read_many(self, type: str, ids: Sequence[str]) -> dict[str, Received]:
        """The resources of ``type`` that have one of ``ids``, by id; of several, the one that comes last.

        A folder that is empty or not yet there holds none of them. Lines that cannot be read are passed over.
        """
        wanted = set(ids)
        return {
            found.id: found
            for found in self._all(self._files(), {type})
            if isinstance(found, Received) and found.id in wanted
        }

    def write(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write all ``entries`` to ``<Type>.ndjson``, a line each; the answers stand in their order.

        A line of the same id is replaced, all others stay byte for byte; ``meta.versionId`` counts up from
        "1", and a resource that would not change keeps its line. Each file is replaced as a whole or not at
        all. One writer at a time. Raises ``Conflict`` before anything is written when an ``if_match`` is not
        the version that stands there, ``FileFault`` when a file cannot be written, ``ValueError`` for entries
        that are no PUT of their own resource.
        """
        check(entries)
        if any(entry.method != "PUT" for entry in entries):
            raise ValueError("a folder gives no ids: only PUT is written")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            kinds = list(dict.fromkeys(entry.place[0] for entry in entries))
            plans = [_Plan(self.path / f"{kind}.ndjson", kind, entries) for kind in kinds]
            answers = {url: answer for plan in plans for url, answer in plan.answers.items()}
            for plan in plans:
                plan.prepare()
            for plan in plans:
                plan.carry_out()
        except OSError as fault:
            raise FileFault(
                f"it cannot be written ({fault.strerror}).",
                where=str(fault.filename or self.path),
                remedy="Check that you may write there and that there is room.",
            ) from None
        return [answers[entry.url] for entry in entries]

    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return []
        try:
            return sorted(
                path
                for path in self.path.iterdir()
                if path.name.endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file()
            )
        except OSError as fault:
            raise _unreadable(self.path, fault) from None

    def _all(self, files: Iterable[Path], types: Container[str]) -> Iterator[Received | Finding]:
        for path in files:
            name = path.name
            try:
                stamp = _stamp(path)
                known, kinds = self._kinds.get(path, (None, frozenset()))
                if known == stamp and not any(kind in types for kind in kinds):
                    continue
                yield from self._file(path, types, stamp)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                yield self._finding(name, "the packed file is damaged or cut off: what follows is lost.")
            except OSError as fault:
                raise _unreadable(path, fault) from None

    def _file(self, path: Path, types: Container[str], stamp: _Stamp) -> Iterator[Received | Finding]:
        """What is in one file. The types of one without faults are remembered: it need not be opened again
        for others, and exports are of many gigabytes.
        """
        name, faults = path.name, False
        seen: set[str] = set()
        if name.endswith(".json"):
            for found in self._look(path.read_bytes(), name, types, seen):
                faults |= isinstance(found, Finding)
                yield found
        else:
            with gzip.open(path) if name.endswith(".gz") else path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    # Most lines of an export are of types that nobody asked for, and must cost little.
                    head = _head(line)
                    kind = head.resource_type if head else ""
                    if head and kind in types:
                        seen.add(kind)
                        one = self._one(head, line.strip(), "")
                        if type(one) is Received:
                            yield one
                            continue
                    elif kind and kind != "Bundle":
                        seen.add(kind)
                        continue
                    for found in self._look(line, f"{name}:{number}", types, seen):
                        faults |= isinstance(found, Finding)
                        yield found
        if not faults:
            self._kinds[path] = stamp, frozenset(seen)

    def _look(
        self, text: bytes, place: str, types: Container[str], seen: set[str], full_url: str = ""
    ) -> Iterable[Received | Finding]:
        """What is in one line, one file, or one entry of a Bundle: nothing, one, or a Bundle's many."""
        body = text.removeprefix(BYTE_ORDER_MARK).strip()
        if not body:
            return ()
        try:
            head = _heads.decode(body)
        except msgspec.ValidationError as fault:
            # JSON of another shape than we look for; in a type that nobody asked for it may be so
            kind = peek(body, _Kind)
            if kind is not None and kind.resource_type and kind.resource_type not in types:
                seen.add(kind.resource_type)
                return ()
            return (self._finding(place, f"it has no resource's shape: {fault}."),)
        except UNREADABLE as fault:
            return (self._finding(place, _no_json(fault)),)
        seen.add(head.resource_type)
        if head.resource_type in types:
            one = self._one(head, body, full_url)
            return (self._finding(place, one) if isinstance(one, str) else one,)
        if head.resource_type == "Bundle":
            return self._unpack(body, place, types, seen)
        if not head.resource_type:
            return (self._finding(place, "it has no resourceType."),)
        return ()

    def _unpack(
        self, body: bytes, place: str, types: Container[str], seen: set[str]
    ) -> Iterator[Received | Finding]:
        bundle = peek(body, _Bundle)
        if bundle is None:
            yield self._finding(place, "it has no Bundle's shape.")
            return
        for number, entry in enumerate(bundle.entry):
            inside = f"{place} entry[{number}]"
            yield from self._look(bytes(entry.resource), inside, types, seen, entry.full_url)

    @staticmethod
    def _one(head: Head, body: bytes, full_url: str) -> Received | str:
        """The resource, or why it is none."""
        if not ID.fullmatch(head.id):
            return f"the {head.resource_type} has no id, or one that is none."
        if not body.isascii():  # msgspec skips over bytes that are no UTF-8
            try:
                body.decode()
            except UnicodeDecodeError:
                return "it is not UTF-8."
        version = head.version_of(body)
        url = full_url or f"{head.resource_type}/{head.id}"
        if full_url.startswith("http") and "/_history/" not in full_url and head.version_id:
            url += f"/_history/{version}"
        return Received(head.resource_type, head.id, version, head.meta.last_updated, url, body)

    def _finding(self, place: str, what: str) -> Finding:
        return Finding(self.name, place, "", what, "Have the file exported again, or mend the line.")


def _head(line: bytes) -> Head | None:
    """The head of a line that holds one resource in the usual shape, or None."""
    try:
        return _heads.decode(line)
    except UNREADABLE:
        return None


class _Plan:
    """What is to become of one file: laid out first, then written beside it, then put in its place."""

    def __init__(self, path: Path, kind: str, entries: Sequence[Entry]) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self._beside = path.with_name(f".{path.name}.part")
        self._new: dict[str, bytes] = {}
        mine = {entry.place[1]: entry for entry in entries if entry.place[0] == kind}
        # line number -> id, of the lines that give way
        self._gives_way: dict[int, str] = {}
        standing: dict[str, tuple[Head, bytes]] = {}
        for number, line in enumerate(_lines(path)):
            body = line.removeprefix(BYTE_ORDER_MARK).strip()
            head = peek(body, Head)
            if head is not None and head.resource_type == kind and head.id in mine:
                self._gives_way[number] = head.id
                standing[head.id] = (head, body)
        for id, entry in mine.items():
            self._decide(id, entry, standing.get(id))

    def _decide(self, id: str, entry: Entry, standing: tuple[Head, bytes] | None) -> None:
        if entry.if_match is not None:
            found = standing[0].version_of(standing[1]) if standing else "none"
            if found != entry.if_match:
                raise Conflict(
                    f"version {entry.if_match} of {entry.url} was to be replaced, and {found} stands there.",
                    where=str(self.path),
                    remedy="Read it again, then decide.",
                )
        version = "1"
        if standing:
            old = standing[0].version_id
            if old and _versioned(entry, old) == standing[1]:
                self._new[id] = standing[1]
                self.answers[entry.url] = Answer(200, old, entry.url)
                return
            version = str(int(old) + 1) if old.isdecimal() else "1"
        self._new[id] = _versioned(entry, version)
        self.answers[entry.url] = Answer(200 if standing else 201, version, entry.url)

    def prepare(self) -> None:
        """Write the whole new file beside the old one, down to the disk."""
        written: set[str] = set()
        with self._beside.open("wb") as out:
            for number, line in enumerate(_lines(self.path)):
                id = self._gives_way.get(number)
                if id is None:
                    out.write(line if line.endswith(b"\n") else line + b"\n")
                elif id not in written:
                    written.add(id)
                    out.write(self._new[id] + b"\n")
            for id, body in self._new.items():
                if id not in written:
                    out.write(body + b"\n")
            out.flush()
            os.fsync(out.fileno())

    def carry_out(self) -> None:
        """Put the new file in the place of the old one."""
        self._beside.replace(self.path)
        if os.name == "posix":  # the rename itself must reach the disk too
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _versioned(entry: Entry, version: str) -> bytes:
    resource = entry.resource
    meta = {"versionId": version} | {k: v for k, v in resource.get("meta", {}).items() if k != "versionId"}
    first = {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta}
    return encode(first | {k: v for k, v in resource.items() if k not in first})


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as lines:
            yield from lines
    except FileNotFoundError:
        return


def _no_json(fault: Exception) -> str:
    if isinstance(fault, UnicodeDecodeError):
        return "it is not UTF-8."
    if isinstance(fault, RecursionError):
        return "it is nested too deep."
    return "it is cut off." if "truncated" in str(fault) else "it is not JSON."


def _unreadable(path: Path, fault: OSError) -> FileFault:
    return FileFault(
        f"it cannot be read ({fault.strerror}).", where=str(path), remedy="Check that you may read it."
    )
