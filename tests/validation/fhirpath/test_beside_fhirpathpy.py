"""The same expressions by fhirpathpy, another engine; where the two differ, apart.toml says why."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from fhir_adapter.validation.fhirpath import FhirPathError
from tests.validation.fhirpath.test_cases import CASES, HERE, found

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
