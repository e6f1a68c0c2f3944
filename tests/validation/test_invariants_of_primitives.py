"""Invariants that a profile lays on a primitive see its value and its extensions."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_adapter.validation import validate
from fhir_adapter.validation.definitions import Definitions

_URL = "http://hospital.test/fhir/StructureDefinition/p"
_TOLD = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}


def found(path: str, rule: str, content: dict[str, Any]) -> list[str]:
    """Where the rule is broken, in a Patient with the profile that lays it on ``path``."""
    constraint = {"key": "x-1", "severity": "error", "human": "The rule", "expression": rule}
    profile = {
        "resourceType": "StructureDefinition",
        "url": _URL,
        "name": "P",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": path, "path": path, "constraint": [constraint]}]},
    }
    patient = {"resourceType": "Patient", **content}
    issues = validate(patient, profiles=[_URL], definitions=Definitions([profile]))
    return [issue.expression for issue in issues if issue.rule == "x-1"]


@pytest.mark.parametrize(
    ("path", "rule", "content", "broken"),
    [
        ("Patient.birthDate", "extension.exists()", {"birthDate": "2000", "_birthDate": _TOLD}, []),
        ("Patient.birthDate", "extension.exists()", {"birthDate": "2000"}, ["Patient.birthDate"]),
        ("Patient.birthDate", "extension.exists()", {"_birthDate": _TOLD}, []),
        ("Patient.birthDate", "hasValue()", {"_birthDate": _TOLD}, ["Patient.birthDate"]),
        ("Patient.birthDate", "hasValue() and $this > @1999", {"birthDate": "2000"}, []),
        ("Patient.birthDate", "id = 'a'", {"birthDate": "2000", "_birthDate": {"id": "a"}}, []),
        (
            "Patient.name.given",
            "extension.empty()",
            {"name": [{"given": ["A", "B"], "_given": [None, _TOLD]}]},
            ["Patient.name[0].given[1]"],
        ),
        ("Patient.name", "given.extension.exists()", {"name": [{"given": ["A"], "_given": [_TOLD]}]}, []),
    ],
)  # fmt: skip
def test_value_and_extensions(path: str, rule: str, content: dict[str, Any], broken: list[str]) -> None:
    assert found(path, rule, content) == broken
