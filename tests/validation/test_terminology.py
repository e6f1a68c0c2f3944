"""Value sets by their definitions, units of UCUM, language tags; answers by hand from the specifications."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.languages import is_language
from fhir_adapter.validation.terminology import Members, has_code, members
from fhir_adapter.validation.ucum import canonical, is_unit

CS, VS, OPEN = "http://x.test/cs", "http://x.test/vs", "http://loinc.org"
CODE_SYSTEM = {
    "resourceType": "CodeSystem",
    "url": CS,
    "content": "complete",
    "status": "active",
    "concept": [
        {"code": "a", "concept": [{"code": "a1", "concept": [{"code": "a11"}]}, {"code": "a2"}]},
        {"code": "b"},
    ],
}
FOLDED = CODE_SYSTEM | {"url": "http://x.test/folded", "caseSensitive": False}


def value_set(include: list[Any], exclude: list[Any] | None = None, url: str = VS) -> dict[str, Any]:
    compose = {"include": include} | ({"exclude": exclude} if exclude else {})
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}


def by(operation: str, value: str, property: str = "concept") -> dict[str, Any]:
    return {"system": CS, "filter": [{"property": property, "op": operation, "value": value}]}


def listed(*codes: str, system: str = CS) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in codes]}


OTHER = value_set([listed("a", "b")], url="http://x.test/other")

# include, exclude, and of the codes a, a1, a11, b, z which are in: + yes, - no, ? nobody knows
COMPOSED: dict[str, tuple[list[Any], list[Any], str]] = {
    "listed": ([listed("a", "a1")], [], "++---"),
    "a whole system": ([{"system": CS}], [], "++++-"),
    "is-a": ([by("is-a", "a1")], [], "-++--"),
    "descendent-of": ([by("descendent-of", "a")], [], "-++--"),
    "is-not-a": ([by("is-not-a", "a")], [], "---+-"),
    "in": ([by("in", "a, b")], [], "+--+-"),
    "not-in": ([by("not-in", "a, b")], [], "-++--"),
    "=": ([by("=", "a")], [], "+----"),
    "regex": ([by("regex", "a1.*", "code")], [], "-++--"),
    "a property that is not kept": ([by("=", "x", "kind")], [], "????-"),
    "without": ([{"system": CS}], [listed("a")], "-+++-"),
    "of another value set": ([{"valueSet": [OTHER["url"]]}], [], "+--+-"),
    "of both": ([{"system": CS, "valueSet": [OTHER["url"]]}], [], "+--+-"),
    "of this and of that": ([listed("a1"), {"valueSet": [OTHER["url"]]}], [], "++-+-"),
    "of a value set that is not known": ([{"valueSet": ["http://x.test/nowhere"]}], [], "?????"),
    "without what is not known": ([listed("a")], [{"valueSet": ["http://x.test/nowhere"]}], "?----"),
    "of itself": ([{"valueSet": [VS]}], [], "?????"),
    "nothing": ([], [], "-----"),
}
ANSWERS = {"+": True, "-": False, "?": None}


@pytest.mark.parametrize(("include", "exclude", "answers"), COMPOSED.values(), ids=COMPOSED.keys())
def test_what_a_value_set_holds(include: list[Any], exclude: list[Any], answers: str) -> None:
    found = members(Definitions([CODE_SYSTEM, OTHER, value_set(include, exclude)]), VS)
    assert found is not None
    assert [found.holds(CS, code) for code in ("a", "a1", "a11", "b", "z")] == [
        ANSWERS[one] for one in answers
    ]


def held(*parts: Any) -> Members:
    found = members(Definitions([CODE_SYSTEM, FOLDED, value_set(list(parts))]), VS)
    assert found is not None
    return found


def test_a_code_alone_may_be_of_any_system() -> None:
    found = held(listed("a"), listed("x", system=OPEN))
    assert [found.holds(None, code) for code in ("a", "x", "y")] == [True, True, False]
    assert [found.holds(system, "x") for system in (OPEN, CS)] == [True, False]


def test_codes_of_a_system_that_is_not_here_are_in_doubt() -> None:
    found = held({"system": OPEN})
    assert found.holds(OPEN, "x") is None
    assert found.holds(CS, "a") is False


def test_letters_count_unless_the_system_says_that_they_do_not() -> None:
    assert held(listed("a")).holds(CS, "A") is False
    assert held(listed("a", system=str(FOLDED["url"]))).holds(str(FOLDED["url"]), "A") is True


def test_an_expansion_alone_is_what_it_lists() -> None:
    expanded = {
        "resourceType": "ValueSet",
        "url": VS,
        "expansion": {
            "contains": [
                {"system": CS, "code": "g", "abstract": True, "contains": [{"system": CS, "code": "a"}]}
            ]
        },
    }
    found = members(Definitions([expanded]), VS)
    assert found is not None
    assert [found.holds(CS, code) for code in ("a", "g")] == [True, False]


def test_a_value_set_that_is_not_known() -> None:
    assert members(Definitions(), "http://x.test/nowhere") is None


@pytest.mark.parametrize(
    ("system", "code", "answer"),
    [
        ("http://hl7.org/fhir/administrative-gender", "male", True),
        ("http://hl7.org/fhir/administrative-gender", "Male", False),
        ("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "M", True),
        (OPEN, "2885-2", None),
        ("http://snomed.info/sct", "83901003", None),
        ("http://unitsofmeasure.org", "mg/dL", True),
        ("http://unitsofmeasure.org", "mg/DL", False),
        ("urn:ietf:bcp:13", "application/pdf", True),
        ("urn:ietf:bcp:13", "json", None),
        ("urn:ietf:bcp:13", "a b/c", False),
        ("urn:iso:std:iso:4217", "CHF", None),
        ("urn:iso:std:iso:4217", "Fr", False),
        ("http://x.test/nowhere", "x", None),
    ],
)
def test_whether_a_system_has_a_code(system: str, code: str, answer: bool | None) -> None:
    assert has_code(Definitions(), system, code) is answer


@pytest.mark.parametrize(
    "code",
    [
        "mg/dL",
        "mmol/L",
        "10*9/L",
        "10^9/L",
        "%",
        "[iU]/L",
        "k[IU]/L",
        "mm[Hg]",
        "Cel",
        "kg/m2",
        "{score}",
        "/min",
        "mL/min/{1.73_m2}",
        "mL/(15.min)",
        "1",
        "g.m/s2",
        "10*-3/uL",
        "a",
        "mo",
        "[in_i]",
        "[lb_av]",
        "[degF]",
        "U/L",
        "fL",
        "/{hpf}",
        "[arb'U]/mL",
        "cm[H2O]",
        "1/m",
    ],
)
def test_units(code: str) -> None:
    assert is_unit(code)


@pytest.mark.parametrize(
    "code",
    ["", "mg/", "kgg", "xyz", "m[", "m]", "//", "mg dL", "{a", "a}", "MG/DL", "g/(L", "0", "µg", "m--2"],
)
def test_what_is_no_unit(code: str) -> None:
    assert not is_unit(code)


@pytest.mark.parametrize(
    ("code", "factor", "dimension"),
    [
        ("kg", "1000", (("g", 1),)),
        ("cm", "0.01", (("m", 1),)),
        ("L", "0.001", (("m", 3),)),
        ("m2/m", "1", (("m", 1),)),
        ("%", "0.01", ()),
        ("[in_i]", "0.0254", (("m", 1),)),
        ("10*3/uL", "1E+12", (("m", -3),)),
        ("min", "60", (("s", 1),)),
        ("N", "1000", (("g", 1), ("m", 1), ("s", -2))),
    ],
)
def test_units_in_base_units(code: str, factor: str, dimension: tuple[tuple[str, int], ...]) -> None:
    assert canonical(code) == (Decimal(factor), dimension)


@pytest.mark.parametrize("code", ["Cel", "[degF]", "xyz"])
def test_units_that_no_factor_converts(code: str) -> None:
    assert canonical(code) is None


@pytest.mark.parametrize(
    ("tag", "answer"),
    [
        ("en", True),
        ("de-CH", True),
        ("zh-Hans-CN", True),
        ("es-419", True),
        ("de-CH-1996", True),
        ("x-ours", True),
        ("en-x-ours", True),
        ("cmn", None),
        ("english", False),
        ("xx", False),
        ("en_US", False),
        ("e", False),
        ("", False),
        ("en-", False),
    ],
)
def test_language_tags(tag: str, answer: bool | None) -> None:
    assert is_language(tag) is answer
