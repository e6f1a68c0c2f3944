"""Definitions by their canonical URL: R4's own, which ship with the program, and those of packages."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from fhir_adapter.validation.definitions.compact import compact

__all__ = ["BrokenPackage", "Definitions", "core", "read_package"]

_CORE: Final = "http://hl7.org/fhir/StructureDefinition/"

Resource = dict[str, Any]


class BrokenPackage(ValueError):
    """A package that cannot be read; the text names the file in it and says why."""


@cache
def _core_bytes() -> tuple[bytes, dict[str, tuple[int, int]], int]:
    content = files(__package__).joinpath("r4.bin").read_bytes()
    start = 8 + int.from_bytes(content[:8], "big")
    return content, msgspec.msgpack.decode(content[8:start]), start


@lru_cache(maxsize=8192)
def core(kind: str, url: str) -> Resource | None:
    """R4's own definition of ``kind`` (such as ``ValueSet``) at ``url``, compact, or ``None``."""
    content, index, start = _core_bytes()
    at = index.get(f"{kind} {url}")
    if at is None:
        return None
    packed = content[start + at[0] : start + at[0] + at[1]]
    decoded: Resource = msgspec.msgpack.decode(zlib.decompress(packed))
    return decoded


def core_urls(kind: str) -> list[str]:
    """The canonical URLs of all of R4's own definitions of ``kind``."""
    return [key.partition(" ")[2] for key in _core_bytes()[1] if key.startswith(f"{kind} ")]


class Definitions:
    """R4's definitions with those of packages over them.

    Resources of packages are kept whole, by kind and canonical URL; StructureDefinitions, ValueSets and
    CodeSystems also compact. Of two with one URL and version the later counts; without a version the last
    one added does, and a version asked for that is not there is not found.
    """

    __slots__ = ("_by_id", "_by_url", "_compact", "caches")

    def __init__(self, resources: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_url: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        self._compact: dict[int, Resource] = {}
        self._by_id: dict[str, Mapping[str, Any]] = {}
        self.caches: dict[str, dict[Any, Any]] = {}
        """What modules have compiled from these definitions, each under a name of its own."""
        for resource in resources:
            self.add(resource)

    def add(self, resource: Mapping[str, Any]) -> None:
        """Add a resource that has a canonical URL; others are kept by ``Type/id``."""
        kind, url, id = resource.get("resourceType"), resource.get("url"), resource.get("id")
        if isinstance(kind, str) and isinstance(id, str):
            self._by_id[f"{kind}/{id}"] = resource
        if isinstance(kind, str) and isinstance(url, str):
            self._by_url.setdefault((kind, url), []).append(resource)
            self.caches.clear()

    def whole(self, kind: str, canonical: str) -> Mapping[str, Any] | None:
        """The resource of a package at ``canonical`` (``url`` or ``url|version``), or ``None``."""
        url, _, version = canonical.partition("|")
        for resource in reversed(self._by_url.get((kind, url), ())):
            if not version or _fits(version, resource.get("version")):
                found: Mapping[str, Any] = resource
                return found
        return None

    def get(self, kind: str, canonical: str) -> Resource | None:
        """The StructureDefinition, ValueSet or CodeSystem at ``canonical``, compact; or ``None``."""
        if not isinstance(canonical, str):
            return None  # of a definition that has not the form of its type
        if (kind, canonical.partition("|")[0]) in self._by_url:
            found = self.whole(kind, canonical)
            if found is not None:
                made = self._compact.get(id(found))
                if made is None:
                    made = self._compact[id(found)] = _compacted(kind, found)
                return made or None
        url, _, version = canonical.partition("|")
        shipped = core(kind, url)
        if shipped is None or (
            version and kind == "StructureDefinition" and not _fits(version, shipped.get("version"))
        ):
            return None
        return shipped

    def type(self, name: str) -> Resource | None:
        """The StructureDefinition of a type or resource of R4 by its name."""
        return core("StructureDefinition", _CORE + name) if name and "/" not in name else None

    def by_id(self, reference: str) -> Mapping[str, Any] | None:
        """A resource of a package by ``Type/id``."""
        return self._by_id.get(reference)

    def all(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The resources of ``kind`` in packages."""
        for (one, _), resources in self._by_url.items():
            if one == kind:
                yield from resources

    def cache(self, name: str) -> dict[Any, Any]:
        """A place where a module keeps what it made of these definitions; emptied when one is added."""
        return self.caches.setdefault(name, {})


def _compacted(kind: str, found: Mapping[str, Any]) -> Resource:
    """A definition, compact. A profile without the form of its type is broken, others are not known."""
    try:
        return compact(dict(found)) or {}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"url": found.get("url"), "broken": True} if kind == "StructureDefinition" else {}


def _fits(asked: str, version: object) -> bool:
    # A canonical may name a part of the version: 4.0 for 4.0.1.
    return isinstance(version, str) and (version == asked or version.startswith(f"{asked}."))


_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


def read_package(path: Path) -> list[Resource]:
    """The resources of a FHIR package: a folder (or its ``package`` folder) or a ``.tgz`` file.

    Raises ``BrokenPackage`` when it cannot be read, or holds no resource.
    """
    found: list[Resource] = []
    for name, content in _files(path):
        try:
            resource = _DECODER.decode(content)
        except (ValueError, RecursionError) as fault:
            raise BrokenPackage(f"{name}: is not JSON ({fault})") from None
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            found.append(resource)
    if not found:
        raise BrokenPackage(f"{path}: has no FHIR resource in it")
    return found


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            inner = path / "package"
            for file in sorted((inner if inner.is_dir() else path).glob("*.json")):
                yield str(file), file.read_bytes()
            return
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if member.isfile() and name.endswith(".json") and folder.rpartition("/")[2] == "package":
                    reader = archive.extractfile(member)
                    if reader is not None:
                        yield f"{path}:{member.name}", reader.read()
    except (OSError, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as fault:
        why = (
            fault.strerror
            if isinstance(fault, OSError) and fault.strerror
            else "it is no archive, or damaged"
        )
        raise BrokenPackage(f"{path}: cannot be read ({why})") from None
