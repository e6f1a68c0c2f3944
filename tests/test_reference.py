"""HL7's validator, as we run it, passes what is right and refuses what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference import ReferenceIssue, errors, require_java, validate

PROFILE = "https://example.org/StructureDefinition/with-subject"
GOOD: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "good",
    "status": "final",
    "code": {"text": "ESSPRI"},
    "valueQuantity": {"value": 5.50, "system": "http://unitsofmeasure.org", "code": "{score}"},
}
RESOURCES: dict[str, dict[str, Any]] = {
    "good": GOOD,
    "status": GOOD | {"id": "status", "status": "bogus"},
    "reason": {key: value for key, value in GOOD.items() if key != "valueQuantity"}
    | {"id": "reason", "valueString": "5", "dataAbsentReason": {"text": "unknown"}},
    "profile": GOOD | {"id": "profile", "meta": {"profile": [PROFILE]}},
    "conforming": GOOD | {"meta": {"profile": [PROFILE]}, "subject": {"reference": "Patient/1"}},
    "unknown": GOOD
    | {"id": "unknown", "meta": {"profile": ["https://example.org/StructureDefinition/misspelt"]}},
}
WITH_SUBJECT = {
    "resourceType": "StructureDefinition",
    "id": "with-subject",
    "url": PROFILE,
    "name": "WithSubject",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Observation",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
    "derivation": "constraint",
    "differential": {
        "element": [{"id": "Observation.subject", "path": "Observation.subject", "min": 1}],
    },
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[ReferenceIssue]]:
    """The errors of each resource above, by its name, and of all of them as one NDJSON file."""
    require_java("HL7's validator did not say whether what we write is valid FHIR.")
    package = tmp_path_factory.mktemp("package")
    (package / "package.json").write_text(json.dumps({"name": "test.package", "version": "1.0.0"}))
    (package / "StructureDefinition-with-subject.json").write_text(json.dumps(WITH_SUBJECT))
    folder = tmp_path_factory.mktemp("resources")
    for name, resource in RESOURCES.items():
        (folder / f"{name}.json").write_text(json.dumps(resource))
    (folder / "broken.json").write_text('{"resourceType": "Observation", ')
    (folder / "all.ndjson").write_text("\n".join(map(json.dumps, RESOURCES.values())))
    files = sorted(folder.iterdir())
    issues = errors(validate(files, [package]))
    return {file.stem: [issue for issue in issues if issue.file == file] for file in files}


@pytest.mark.parametrize("name", ["good", "conforming"])
def test_a_right_resource_passes(found: dict[str, list[ReferenceIssue]], name: str) -> None:
    assert found[name] == []


@pytest.mark.parametrize(
    ("name", "code", "expression", "part"),
    [
        ("status", "code-invalid", "Observation.status", "bogus"),
        ("reason", "invariant", "Observation", "obs-6"),
        ("profile", "structure", "Observation", PROFILE),
        ("unknown", "structure", "Observation.meta.profile[0]", "misspelt"),
    ],
)
def test_a_wrong_resource_is_refused(
    found: dict[str, list[ReferenceIssue]], name: str, code: str, expression: str, part: str
) -> None:
    assert [issue for issue in found[name] if (issue.code, issue.expression) == (code, expression)]
    assert all(part in issue.message and issue.resource == f"Observation/{name}" for issue in found[name])


def test_broken_json_is_refused(found: dict[str, list[ReferenceIssue]]) -> None:
    assert found["broken"]


def test_the_lines_of_ndjson_are_told_apart(found: dict[str, list[ReferenceIssue]]) -> None:
    wrong = [line for line, name in enumerate(RESOURCES, 1) if name not in ("good", "conforming")]
    assert sorted({issue.line for issue in found["all"]}) == wrong


def test_unknown_profiles_can_be_allowed(tmp_path: Path) -> None:
    require_java("HL7's validator was not tried with an unknown profile.")
    file = tmp_path / "unknown.json"
    file.write_text(json.dumps(RESOURCES["unknown"]))
    issues = validate([file], [], allow_unknown_profiles=True)
    assert errors(issues) == []
    assert any("misspelt" in issue.message for issue in issues)


def test_a_package_without_resources_is_no_package(tmp_path: Path) -> None:
    require_java("HL7's validator was not tried with an empty package.")
    with pytest.raises(RuntimeError, match="No conformance resource"):
        validate([], [tmp_path])
