"""The same expressions by fhirpathpy, another engine; where the two differ, apart.toml says why."""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import fhirpathpy
import msgspec
import pytest
from fhirpathpy.models import models

from fhir_adapter.validation.definitions.store import core
from fhir_adapter.validation.fhirpath import Environment, FhirPathError, compile
from tests.validation.fhirpath.test_cases import CASES, HERE, MODEL, found

_BASE = "http://hl7.org/fhir/StructureDefinition/"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

_PLAIN = {
    name: json.loads(text) for name, text in tomllib.loads((HERE / "resources.toml").read_text()).items()
}
_APART = tomllib.loads((HERE / "apart.toml").read_text())
APART = {expression for group in _APART["apart"] for expression in group["expressions"]}
UNCOMPARED = {expression for group in _APART["uncompared"] for expression in group["expressions"]}


def _alike(items: list[Any]) -> list[Any]:
    return [
        item if isinstance(item, bool) else round(float(item), 9) if _is_number(item) else _text(item)
        for item in items
    ]


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float | Decimal)


def _text(item: Any) -> str | None:
    return None if isinstance(item, dict) else str(item)


def _ours(case: dict[str, Any]) -> list[Any] | None:
    try:
        return _alike(found(case["expression"], case.get("on", "patient")))
    except FhirPathError:
        return None


def _theirs(case: dict[str, Any]) -> list[Any] | None:
    resource = _PLAIN[case.get("on", "patient")]
    surroundings = {"resource": resource, "context": resource, "answer": 42}
    try:
        return _alike(fhirpathpy.evaluate(resource, case["expression"], surroundings, models["r4"]))
    except Exception:
        return None


COMPARED = [case for case in CASES if case["expression"] not in UNCOMPARED]


@pytest.mark.parametrize(
    "case", COMPARED, ids=lambda case: f"{case.get('on', 'patient')}: {case['expression']}"
)
def test_two_engines_agree_or_it_is_known_why_not(case: dict[str, Any]) -> None:
    if case["expression"] in APART:
        # An expression can stand in several cases; on some resource the two differ.
        same = [one for one in CASES if one["expression"] == case["expression"]]
        assert any(_ours(one) != _theirs(one) for one in same)
    else:
        assert _ours(case) == _theirs(case)


MUTANTS = HERE.parent / "mutants.ndjson.gz"
# What fhirpathpy has not: functions, the container of a contained resource; it fails on the union in dom-3.
_LACKS = ("hasValue", "resolve", "htmlChecks", "%rootResource")


def _resources() -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources that the agreement with HL7's validator is measured on, each with its name."""
    with gzip.open(MUTANTS) as lines:
        next(lines)
        for line in lines:
            case = json.loads(line)
            with suppress(msgspec.DecodeError):
                resource = _DECODER.decode(case["text"])
                if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                    yield case["name"], resource


def _rules(resource: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, path and expression of the invariants that R4 lays on the elements of a resource."""
    definition = core("StructureDefinition", f"{_BASE}{resource['resourceType']}") or {}
    for element in definition.get("snapshot", ()):
        for rule in element.get("constraint", ()):
            lacks = rule["key"] == "dom-3" or any(word in rule["expression"] for word in _LACKS)
            if not lacks and "[x]" not in element["path"]:
                yield rule["key"], element["path"], rule["expression"]


def _their_verdict(value: Any, path: str, expression: str, resource: dict[str, Any]) -> bool:
    plain = json.loads(_ENCODER.encode(value))
    surroundings = {"resource": json.loads(_ENCODER.encode(resource)), "context": plain}
    based = {"base": path, "expression": expression}
    answer = fhirpathpy.evaluate(plain, based, surroundings, models["r4"])
    return answer == [True] if answer and isinstance(answer[0], bool) else bool(answer)


def test_of_right_and_wrong_resources_both_engines_say_the_same_by_every_invariant() -> None:
    compared, apart = 0, []
    for name, resource in _resources():
        root = MODEL.node(resource)
        for rule, path, expression in _rules(resource):
            for node in compile(path)(root, Environment(root)):
                compared += 1
                try:
                    ours = compile(expression).holds(node, Environment(root))
                except FhirPathError:
                    continue
                if ours != _their_verdict(node.value, path, expression, resource):
                    apart.append((rule, path, name))
    assert apart == []
    assert compared > 2000
