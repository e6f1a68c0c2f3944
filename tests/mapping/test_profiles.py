"""The FHIR package: up to date with the domain, valid, complete in itself, and true to the instruments."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.conduct.names import CRITERIA
from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.mapping import profiles
from fhir_adapter.shipped import SDC
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.drugs import DRUGS, ORDERED
from fhir_adapter.trial.items import CANONICAL, ITEMS, OUTCOMES, REASONS, SITED
from tests.reference import ReferenceIssue, errors, require_java, validate

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "profiles"
EXAMPLES = Path(__file__).parent / "examples"

GOOD = sorted(path.stem for path in EXAMPLES.glob("*-good*.json"))
BAD = sorted(path.stem for path in EXAMPLES.glob("*-bad-*.json"))

RESOURCES = {f"{each['resourceType']}/{each['id']}": each for each in profiles.resources()}


def codes(system: str) -> set[str]:
    return {concept["code"] for concept in RESOURCES[f"CodeSystem/{system}"]["concept"]}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a value, outermost first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def test_the_files_are_what_the_domain_says(tmp_path: Path) -> None:
    profiles.write(tmp_path)
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in PACKAGE.iterdir() if path.suffix == ".json"}
    stale = sorted(name for name in expected.keys() | committed if expected.get(name) != committed.get(name))
    assert not stale, f"make them anew: python -m fhir_adapter.mapping.profiles profiles/ ({stale})"


def test_the_layout_is_a_package() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text("utf-8"))
    assert manifest["name"] == "org.w3id.fhir-adapter"
    assert manifest["fhirVersions"] == ["4.0.1"]
    assert manifest["dependencies"] == {"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.uv.sdc": "3.0.0"}
    for entry in json.loads((PACKAGE / ".index.json").read_text("utf-8"))["files"]:
        resource = json.loads((PACKAGE / entry["filename"]).read_text("utf-8"))
        assert entry["url"] == resource["url"] == f"{CANONICAL}/{resource['resourceType']}/{resource['id']}"


@pytest.mark.parametrize("name", RESOURCES)
def test_each_resource_parses(name: str) -> None:
    type_, _ = name.split("/")
    module = importlib.import_module(f"fhir.resources.R4B.{type_.lower()}")
    getattr(module, type_).model_validate(RESOURCES[name])


def test_every_code_of_the_domain_has_a_concept() -> None:
    assert codes("items") == {*ITEMS, *SITED, *STATEMENTS, "not-used"}
    assert codes("outcomes") == {code.value for code in OUTCOMES}
    assert codes("components") == set(COMPONENTS)
    assert codes("criteria") == set(CRITERIA)
    assert codes("reasons") == set(REASONS)
    assert codes("levels") == set("012345")
    assert codes("drugs") == {*DRUGS, "not-used"}
    assert codes("routes") == {"parenteral", "other-route"}
    assert codes("contacts") == {"inpatient", "other-contact"}
    assert codes("vaccines") == {"live", "not-live", "not-used"}
    assert codes("consents") == {"study-treatment", *ORDERED, "not-used"}
    assert {"right", "left", "parotid-left", "submandibular-right"} < codes("sites")


def test_no_code_stands_twice() -> None:
    for resource in RESOURCES.values():
        listed = [concept["code"] for concept in resource.get("concept", ())]
        assert len(listed) == len(set(listed))


def test_every_canonical_and_coding_leads_to_something_in_the_package() -> None:
    urls = {resource["url"] for resource in RESOURCES.values()}
    for resource in RESOURCES.values():
        for node in nodes(resource):
            named = [node.get("valueSet"), node.get("system"), *node.get("profile", ())]
            for url in (url for url in named if isinstance(url, str) and url.startswith(CANONICAL)):
                assert url in urls
            system = node.get("system")
            if isinstance(system, str) and system.startswith(f"{CANONICAL}/CodeSystem/"):
                used = [concept["code"] for concept in node.get("concept", ())]
                used += [node["code"]] if "code" in node else []
                assert set(used) <= codes(system.rsplit("/", 1)[1])


def test_the_ordinal_values_of_the_essdai_form_add_up_to_its_maximum() -> None:
    form = RESOURCES["Questionnaire/essdai"]
    domains = [item for item in form["item"] if item["type"] == "choice"]
    points = {
        item["linkId"]: [
            option["valueCoding"]["extension"][0]["valueDecimal"] for option in item["answerOption"]
        ]
        for item in domains
    }
    assert sum(max(each) for each in points.values()) == 123
    assert points["cns"] == [0, 10, 15]
    assert points["biological"] == [0, 1, 2]


def test_the_limits_of_the_ultrasound_form_add_up_to_its_maximum() -> None:
    form = RESOURCES["Questionnaire/hocevar"]
    grades = [grade for group in form["item"] for grade in group.get("item", ())]
    assert sum(grade["extension"][1]["valueInteger"] for grade in grades) == 48
    assert [item["linkId"] for item in form["item"] if item["type"] == "integer"] == ["total", "hocevar"]


@pytest.fixture(scope="module")
def faults() -> dict[str, list[ReferenceIssue]]:
    """What HL7's validator has against the package's resources and the examples: file name → errors."""
    require_java("HL7's validator did not check the profiles, nor the examples against them.")
    files = [*sorted(PACKAGE.glob("*-*.json")), *sorted(EXAMPLES.glob("*.json"))]
    found: dict[str, list[ReferenceIssue]] = {file.stem: [] for file in files}
    for issue in errors(validate(files, [SDC, PACKAGE])):
        found[issue.file.stem].append(issue)
    return found


def test_the_reference_finds_no_fault_in_the_package(faults: dict[str, list[ReferenceIssue]]) -> None:
    assert not [fault for name in RESOURCES for fault in faults[name.replace("/", "-")]]


@pytest.mark.parametrize("name", GOOD)
def test_the_reference_passes_a_good_example(name: str, faults: dict[str, list[ReferenceIssue]]) -> None:
    assert not faults[name]


@pytest.mark.parametrize("name", BAD)
def test_the_reference_refuses_a_bad_example(name: str, faults: dict[str, list[ReferenceIssue]]) -> None:
    assert faults[name]


def test_each_profile_has_good_and_bad_examples() -> None:
    for name in ("outcome", "outcome-provenance", "participant", "patient", "measurement", "form", "dose"):
        assert any(each == f"{name}-good" or each.startswith(f"{name}-good-") for each in GOOD)
        assert sum(each.startswith(f"{name}-bad-") for each in BAD) >= 3
