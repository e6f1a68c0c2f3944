"""Makes the file of R4's definitions that ships with the program.

``python -m fhir_adapter.validation.definitions.build SOURCE FILE``

SOURCE is HL7's definitions of R4 (4.0.1): the jar ``ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4`` of
Maven Central, or the folder of a package ``hl7.fhir.r4.core``. The same SOURCE makes the same FILE, byte for
byte. FILE is one after another: the length of the index (8 bytes, big-endian); the index (msgpack: a map from
``<resource type> <canonical URL>`` to offset and length); the definitions, each msgpack packed with zlib.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from fhir_adapter.validation.definitions import xml
from fhir_adapter.validation.definitions.compact import compact

_FOLDER: Final = "org/hl7/fhir/r4/model/"
_STRUCTURES: Final = ("profile/profiles-types.xml", "profile/profiles-resources.xml")
_FURTHER: Final = (
    "profile/profiles-others.xml", "extension/extension-definitions.xml", "valueset/valuesets.xml",
    "valueset/v2-tables.xml", "valueset/v3-codesystems.xml",
)  # fmt: skip
_SEARCHES: Final = "sp/search-parameters.json"
_KINDS: Final = ("StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter")


def build(source: Path) -> bytes:
    """The file's content. Raises ``OSError``, ``KeyError`` or ``ValueError`` for another ``source``."""
    found = _of_package(source) if source.is_dir() else _of_jar(source)
    packed: dict[str, bytes] = {}
    for resource in found:
        made = compact(resource)
        if made is not None and "url" in made:
            key = f"{made['resourceType']} {made['url']}"
            packed.setdefault(key, zlib.compress(msgspec.msgpack.encode(made), 9))
    index: dict[str, tuple[int, int]] = {}
    at = 0
    for key in sorted(packed):
        index[key] = (at, len(packed[key]))
        at += len(packed[key])
    head = msgspec.msgpack.encode(index)
    return b"".join([len(head).to_bytes(8, "big"), head, *(packed[key] for key in sorted(packed))])


def _of_jar(source: Path) -> Iterator[dict[str, Any]]:
    shapes: xml.Shapes = {}
    with zipfile.ZipFile(source) as jar:
        for name in _STRUCTURES:
            for resource in xml.entries(jar.read(_FOLDER + name)):
                xml.learn(resource, shapes)
        for name in (*_STRUCTURES, *_FURTHER):
            for resource in xml.entries(jar.read(_FOLDER + name)):
                if resource.tag.endswith(_KINDS):
                    yield xml.to_json(resource, shapes)
        for entry in msgspec.json.decode(jar.read(_FOLDER + _SEARCHES))["entry"]:
            yield entry["resource"]


def _of_package(source: Path) -> Iterator[dict[str, Any]]:
    inner = source / "package"
    decoder = msgspec.json.Decoder(dict[str, Any])
    for path in sorted((inner if inner.is_dir() else source).glob("*.json")):
        if path.name.startswith(_KINDS):
            yield decoder.decode(path.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("python -m fhir_adapter.validation.definitions.build SOURCE FILE")
    Path(sys.argv[2]).write_bytes(build(Path(sys.argv[1])))
