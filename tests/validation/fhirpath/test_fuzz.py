"""Random texts, random expressions and random JSON: an answer or an error that is said, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.validation.fhirpath import Environment, FhirPathError, NotAnExpression, compile
from fhir_adapter.validation.fhirpath.compiler import OPERATORS, SPECIAL
from fhir_adapter.validation.fhirpath.functions import COLLECTIONS, SCALARS
from tests.validation.fhirpath.test_cases import CASES, MODEL, NOW

_TOKENS = [
    "name", "given", "value", "Patient", "where", "(", ")", ".", ",", "[", "]", "{", "}", "'a'",
    "'", "`a`", "%", "%resource", "$this", "$index", "1", "1.5", "-", "+", "@2015", "@T10:00", "@",
    "/*", "//", "\\", "é", "is", "as", "and", "implies", "in", "contains", "=", "!=", "|", "&", "~",
    "<=", "count()", " ", "\n", "4 days",
]  # fmt: skip

_LEAVES = [
    "name", "given", "value", "component", "birthDate", "active", "contained", "$this", "$index",
    "$total", "{}", "1", "0", "2.50", "'a'", "'2015-02'", "'('", "true", "false", "@2015-02",
    "@2015-02-04T14:34:28Z", "@T14:30", "%resource", "%context", "%ucum", "4 days", "1 'mg'",
]  # fmt: skip

_NAMES = [
    "name", "given", "_given", "value", "valueQuantity", "birthDate", "_birthDate", "active",
    "component", "contained", "resourceType", "extension", "code", "unit", "system",
]  # fmt: skip

# Not repeat, of which some expressions find ever new items until they are stopped.
_FUNCTIONS = sorted({*COLLECTIONS, *SCALARS, *SPECIAL} - {"repeat", "is", "as", "ofType"})


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({}).{}({}, {})".format, parts, st.sampled_from(_FUNCTIONS), parts, parts),
        st.builds("({}).{}({})".format, parts, st.sampled_from(_FUNCTIONS), parts),
        st.builds("({}).{}()".format, parts, st.sampled_from(_FUNCTIONS)),
        st.builds("({} {} {})".format, parts, st.sampled_from(list(OPERATORS)), parts),
        st.builds("({})[{}]".format, parts, parts),
        st.builds("-({})".format, parts),
        st.builds("({}).ofType({})".format, parts, st.sampled_from(["string", "Quantity", "System.Date"])),
        st.builds("({} is {})".format, parts, st.sampled_from(["code", "Resource", "Integer"])),
    )


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["2015", "2015-02-30", "final", "Patient", Decimal("1E+400"), 10**400]),
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


def _evaluate(expression: str, resource: Any) -> None:
    with suppress(NotAnExpression):
        rule = compile(expression)
        for kind in ("Patient", "Observation"):
            node = MODEL.node(resource | {"resourceType": kind} if isinstance(resource, dict) else {})
            with suppress(FhirPathError):
                rule(node, Environment(node, now=NOW))
            with suppress(FhirPathError):
                rule.holds(node, Environment(node, now=NOW))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_TOKENS), max_size=12).map("".join) | st.text(max_size=30))
def test_any_text_is_an_expression_or_is_said_to_be_none(text: str) -> None:
    with suppress(NotAnExpression):
        compile(text)


@settings(max_examples=500, deadline=None)
@given(st.recursive(st.sampled_from(_LEAVES), _grown, max_leaves=6), _json)
def test_any_expression_on_any_json(expression: str, resource: Any) -> None:
    _evaluate(expression, resource)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([case["expression"] for case in CASES if case.get("error") != "more than"]), _json)
def test_known_expressions_on_any_json(expression: str, resource: Any) -> None:
    _evaluate(expression, resource)
