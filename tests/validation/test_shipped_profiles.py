"""The project's profiles by our own validation: their examples, good and bad, and the package's resources."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from fhir_adapter.shipped import SDC
from fhir_adapter.validation import Issue, validate
from fhir_adapter.validation.definitions import Definitions, read_package
from fhir_adapter.validation.source import load
from tests.mapping.test_profiles import BAD, EXAMPLES, GOOD, PACKAGE


@cache
def definitions() -> Definitions:
    return Definitions([*read_package(SDC), *read_package(PACKAGE)])


def errors(path: Path) -> list[Issue]:
    document = load(path.read_bytes())
    assert document.resource is not None
    issues = [*document.issues, *validate(document.resource, definitions=definitions())]
    return [issue for issue in issues if issue.severity == "error"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_example_passes(name: str) -> None:
    assert errors(EXAMPLES / f"{name}.json") == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_example_is_refused(name: str) -> None:
    assert errors(EXAMPLES / f"{name}.json")


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*-*.json")), ids=lambda path: path.stem)
def test_the_package_has_no_fault(path: Path) -> None:
    assert errors(path) == []
