"""FHIRPath by the specification: cases.toml, expressions that are none, and all of R4's own."""

from __future__ import annotations

import datetime
import tomllib
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter.validation.definitions.store import core, core_urls
from fhir_adapter.validation.fhirpath import (
    CannotEvaluate,
    Environment,
    Model,
    Node,
    NotAnExpression,
    Undecidable,
    compile,
)
from fhir_adapter.validation.fhirpath.values import text_of, value_of

HERE = Path(__file__).parent
MODEL = Model(lambda name: core("StructureDefinition", f"http://hl7.org/fhir/StructureDefinition/{name}"))
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
RESOURCES = {
    name: _DECODER.decode(text) for name, text in tomllib.loads((HERE / "resources.toml").read_text()).items()
}
CASES = tomllib.loads((HERE / "cases.toml").read_text(), parse_float=Decimal)["case"]
NOW = datetime.datetime(2026, 11, 25, 12, 30, 15, 250_000, tzinfo=datetime.UTC)
STATUSES = "http://hl7.org/fhir/ValueSet/observation-status"


def environment(resource: Node) -> Environment:
    def resolve(reference: str) -> Node | None:
        for inner in resource.value.get("contained", ()):
            if reference == f"#{inner['id']}":
                return MODEL.node(inner)
        return None

    return Environment(
        resource,
        resolve=resolve,
        member_of=lambda node, url: node.value in ("final", "amended") if url == STATUSES else None,
        html=lambda text: text.startswith("<div"),
        variables={"answer": [42]},
        now=NOW,
    )


def found(expression: str, on: str = "patient") -> list[Any]:
    node = MODEL.node(RESOURCES[on])
    items = [value_of(item) for item in compile(expression)(node, environment(node))]
    return [item if type(item) in (bool, int, Decimal) else text_of(item) for item in items]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('on', 'patient')}: {case['expression']}")
def test_the_specification(case: dict[str, Any]) -> None:
    on = case.get("on", "patient")
    if "error" in case:
        with pytest.raises(CannotEvaluate, match=case["error"]):
            found(case["expression"], on)
    elif "undecidable" in case:
        with pytest.raises(Undecidable, match=case["undecidable"]):
            found(case["expression"], on)
    else:
        items = found(case["expression"], on)
        assert items == case["is"]
        assert [type(item) is bool for item in items] == [type(item) is bool for item in case["is"]]


@pytest.mark.parametrize(
    ("expression", "position", "said"),
    [
        ("", 0, "name is expected here, not the end"),
        ("1 +", 3, "not the end"),
        ("name.", 5, "not the end"),
        ("name given", 5, "‘given’ is not expected"),
        ("name.where(use = 'x'", 20, "‘)’ is expected"),
        ("name)", 4, "‘)’ is not expected"),
        ("'open", 0, "string has no end"),
        ("1 /* open", 2, "comment has no end"),
        ("name # given", 5, "‘#’ is not part of FHIRPath"),
        ("$that", 0, "there is no $that"),
        ("name.$this", 5, "cannot follow"),
        ("@2015-13-01", 0, "no such date"),
        ("@", 0, "‘@’ is not part"),
        ("a or or b", 5, "not ‘or’"),
        ("name.whare(true)", 5, "no function whare()"),
        ("name.where()", 5, "where() takes 1 arguments, not 0"),
        ("name.first(1)", 5, "first() takes 0 arguments, not 1"),
        ("name.ofType(1)", 5, "name of a type"),
        ("{1}", 1, "‘}’ is expected"),
        ("(" * 1000, 150, "nested too deeply"),
        ("a" + ".a" * 1000, 299, "nested too deeply"),
        ("1" + "+1" * 1000, 298, "nested too deeply"),
        ("a" * 200_000, 100_000, "longer than"),
    ],
)
def test_what_is_no_expression(expression: str, position: int, said: str) -> None:
    with pytest.raises(NotAnExpression) as caught:
        compile(expression)
    assert said in str(caught.value)
    assert caught.value.position == position


def test_every_invariant_of_r4_compiles() -> None:
    keys = set()
    for url in core_urls("StructureDefinition"):
        definition = core("StructureDefinition", url)
        assert definition is not None
        for element in definition.get("snapshot", ()):
            for rule in element.get("constraint", ()):
                if "expression" in rule:
                    keys.add(rule["key"])
                    compile(rule["expression"])
    # R4 has 246 of them by key and text; the definitions that ship leave out what cannot be met in data.
    assert {"ele-1", "ext-1", "dom-3", "obs-7", "bdl-7", "ref-1", "eld-19", "tst-5", "vs-1"} <= keys


@pytest.mark.parametrize(
    ("rule", "on", "holds"),
    [
        ("name.exists()", "patient", True),
        ("photo.exists()", "patient", False),
        ("photo.url = 'x'", "patient", False),  # empty: an invariant that says nothing is not fulfilled
        ("name", "small", True),  # one item that is no truth value counts as true
    ],
)
def test_an_invariant_holds_only_where_it_is_true(rule: str, on: str, holds: bool) -> None:
    node = MODEL.node(RESOURCES[on])
    assert compile(rule).holds(node, environment(node)) is holds


def test_what_hangs_on_the_resource_alone_is_worked_out_once_for_each() -> None:
    rule = compile("name.all(%resource.id = 'example')")
    for on, holds in (("patient", True), ("small", False), ("patient", True)):
        node = MODEL.node(RESOURCES[on])
        assert rule.holds(node, environment(node)) is holds


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patient", "name": "no list"},
        {"resourceType": "Patient", "name": {"given": {"deep": 1}}},
        {"resourceType": "Patient", "name": [[["A"]]], "_name": [1]},
        {"resourceType": "Patient", "name": [{"given": [["A"], ["A"], {"b": []}], "use": [{}]}]},
        {"resourceType": "Patient", "active": {"a": []}, "_active": "x", "birthDate": 5},
        {"resourceType": ["Patient"]},
        {"resourceType": "Nothing", "name": []},
        {},
    ],
)
def test_wrong_shapes_are_empty_or_an_error_that_is_said(resource: dict[str, Any]) -> None:
    node = MODEL.node(resource)
    for case in (case for case in CASES if case.get("error") != "more than"):
        with suppress(CannotEvaluate, Undecidable):
            compile(case["expression"])(node, Environment(node, now=NOW))
