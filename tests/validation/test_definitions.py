"""R4's definitions as they ship, and packages as they are read."""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter.validation import definitions as room
from fhir_adapter.validation import validate
from fhir_adapter.validation.definitions import BrokenPackage, Definitions, read_package
from fhir_adapter.validation.definitions.build import build
from fhir_adapter.validation.definitions.store import core_urls
from fhir_adapter.validation.model import ancestors, model, resource_types
from fhir_adapter.validation.versions import ELSEWHERE

SHIPPED = Path(room.__file__).parent / "r4.bin"
JAR = "ca/uhn/hapi/fhir/hapi-fhir-validation-resources-r4/8.12.1/hapi-fhir-validation-resources-r4-8.12.1.jar"
PATIENT = {"resourceType": "Patient", "active": True}
PROFILE: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "id": "p",
    "url": "http://x.test/p",
    "version": "2.1",
    "type": "Patient",
    "kind": "resource",
    "derivation": "constraint",
    "abstract": False,
    "name": "P",
    "status": "draft",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "differential": {"element": [{"path": "Patient.name", "min": 1}]},
}


def test_all_of_r4_is_there() -> None:
    assert len(resource_types()) == 146  # of 148, without Resource and DomainResource
    assert not resource_types() & ELSEWHERE.keys()
    assert len(core_urls("StructureDefinition")) == 649
    assert {
        "http://hl7.org/fhir/StructureDefinition/bodyweight",
        "http://hl7.org/fhir/StructureDefinition/Patient",
    } <= {*core_urls("StructureDefinition")}


def unpacked(content: bytes) -> dict[str, bytes]:
    """The definitions in a file, each as it is before it is packed: zlib's versions pack differently."""
    start = 8 + int.from_bytes(content[:8], "big")
    index = msgspec.msgpack.decode(content[8:start])
    return {
        key: zlib.decompress(content[start + at : start + at + length]) for key, (at, length) in index.items()
    }


def test_what_ships_is_made_of_hl7s_definitions() -> None:
    jar = Path.home() / ".m2" / "repository" / JAR
    if not jar.exists():
        pytest.skip("HL7's definitions are not on this machine (Maven): what ships is not made again")
    assert unpacked(build(jar)) == unpacked(SHIPPED.read_bytes())


def test_a_package_folder_is_read_as_the_jar_is(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "StructureDefinition-p.json").write_text(json.dumps(PROFILE))
    (folder / "package.json").write_text("{}")
    first, second = build(tmp_path), build(folder)
    assert first == second
    assert b"http://x.test/p" in first


def test_models() -> None:
    found = model("Observation")
    assert found is not None
    assert {"valueQuantity", "valueSampledData", "effectiveTiming"} <= found.keys.keys()
    assert "value" not in found.keys
    assert (found.elements["status"].least, found.elements["category"].repeats) == (1, True)
    assert model("Observation.component") is not None
    assert model("SimpleQuantity") is None  # a profile
    assert ancestors("Age") == ("Age", "Quantity", "Element")


def names(issues: list[Any]) -> list[str]:
    return [issue.rule for issue in issues]


@pytest.mark.parametrize("kind", ["folder", "inner folder", "tgz"])
def test_packages(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.tgz" if kind == "tgz" else tmp_path
    content = json.dumps(PROFILE).encode()
    if kind == "tgz":
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("package/StructureDefinition-p.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    else:
        inside = tmp_path / "package" if kind == "inner folder" else tmp_path
        inside.mkdir(exist_ok=True)
        (inside / "StructureDefinition-p.json").write_bytes(content)
        (inside / "package.json").write_text("{}")
    definitions = Definitions(read_package(path))
    assert names(validate(PATIENT, profiles=["http://x.test/p"], definitions=definitions)) == ["cardinality"]


@pytest.mark.parametrize(
    ("version", "rules"),
    [
        ("", ["cardinality"]),
        ("|2.1", ["cardinality"]),
        ("|2", ["cardinality"]),
        ("|3.0", ["profile-unknown"]),
    ],
)
def test_versions_of_a_profile(version: str, rules: list[str]) -> None:
    definitions = Definitions([PROFILE])
    assert names(validate(PATIENT, profiles=[f"http://x.test/p{version}"], definitions=definitions)) == rules


def test_of_two_with_one_url_the_later_counts() -> None:
    later = PROFILE | {"differential": {"element": [{"path": "Patient.name", "min": 0}]}}
    assert validate(PATIENT, profiles=["http://x.test/p"], definitions=Definitions([PROFILE, later])) == []


def test_a_definition_that_is_added_later_is_used() -> None:
    definitions = Definitions()
    assert names(validate(PATIENT, profiles=["http://x.test/p"], definitions=definitions)) == [
        "profile-unknown"
    ]
    definitions.add(PROFILE)
    assert names(validate(PATIENT, profiles=["http://x.test/p"], definitions=definitions)) == ["cardinality"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b"{", "x.json"),
        ("x.json", b"{}", "no FHIR resource"),
        ("x.txt", b"{}", "no FHIR resource"),
        ("x.tgz", b"no archive", "cannot be read"),
    ],
)
def test_a_broken_package_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokenPackage, match=said):
        read_package(tmp_path / name if name.endswith(".tgz") else tmp_path)


def test_a_package_that_is_not_there() -> None:
    with pytest.raises(BrokenPackage, match="nowhere"):
        read_package(Path("/nowhere"))
