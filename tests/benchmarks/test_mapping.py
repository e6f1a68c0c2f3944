"""The filter spares work and changes nothing: whatever it passes over says nothing to the trial."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.mapping import compare
from benchmarks.observations import example_hospital
from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import observation, reference
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.head import Sieve
from fhir_adapter.trial.origin import Origin

HOSPITAL = example_hospital()
SIEVE = Sieve(HOSPITAL)
ZONE = ZoneInfo("Asia/Shanghai")
CONTEXT = Context("S", Origin("h", "Observation", "1", "1", "urn:1"), HOSPITAL, ZONE, frozenset())

LAB = "urn:example-cn:lab"
IGG, GLUCOSE, UNKNOWN = ({"system": LAB, "code": code} for code in ("IGG01", "GLU01", "XJ9907"))
TEXT_UNKNOWN = ("https://w3id.org/fhir-adapter/CodeSystem/text", "没有")


def test_the_benchmark_reads_the_same_with_and_without_the_filter() -> None:
    timings, measured = compare(400, 1)
    assert len(timings) == 4
    assert measured > 80


def unasked(content: dict[str, Any]) -> list[tuple[str, str]] | None:
    """The unknown codes of what the filter passes over; None where it wants the whole to be read."""
    found = SIEVE.sift(encode({"resourceType": "Observation", "status": "final"} | content))
    return None if found.asked else list(found.unknown_codes)


@pytest.mark.parametrize(
    "content",
    [
        {"code": {"coding": [IGG]}},
        {"code": {"coding": [UNKNOWN, IGG]}},
        {"code": {"coding": [GLUCOSE, IGG]}},
        {"code": {"coding": [UNKNOWN], "text": " ＩｇＧ "}},
        {"code": {"text": "免疫球蛋白G"}},
        {"code": IGG},
        {"code": {}},
        {"code": {"coding": IGG}},
        {},
        {"code": {"coding": [GLUCOSE]}, "component": [{"code": {"coding": [IGG]}}]},
        {"code": {"coding": [UNKNOWN]}, "component": [{"code": {"coding": [GLUCOSE]}}]},
        {"code": {"coding": [GLUCOSE]}, "component": {"code": {"coding": [IGG]}}},
        {"code": {"coding": [GLUCOSE]}, "status": ["final"]},
        {"code": {"coding": [UNKNOWN]}, "subject": "Patient/1"},
    ],
)
def test_what_may_be_of_the_trial_is_read_whole(content: dict[str, Any]) -> None:
    assert unasked(content) is None


@pytest.mark.parametrize(
    ("content", "unknown"),
    [
        ({"code": {"coding": [GLUCOSE], "text": "IgG"}}, []),
        ({"code": {"coding": [UNKNOWN, GLUCOSE]}}, []),
        ({"code": {"coding": [IGG]}, "status": "entered-in-error"}, []),
        ({"code": {"coding": [GLUCOSE]}, "component": [{"code": {"coding": [GLUCOSE]}}]}, []),
    ],
)
def test_what_the_trial_does_not_ask_for_is_passed_over(content: dict[str, Any], unknown: list[Any]) -> None:
    assert unasked(content) == unknown


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        ({"coding": [UNKNOWN]}, (LAB, "XJ9907")),
        ({"coding": [UNKNOWN], "text": "没有"}, (LAB, "XJ9907")),
        ({"text": " 没有 "}, TEXT_UNKNOWN),
    ],
)
def test_unknown_codes_are_told_with_whose_they_are(code: dict[str, Any], unknown: tuple[str, str]) -> None:
    body = encode({"resourceType": "Observation", "code": code, "subject": {"reference": "Patient/1"}})
    found = SIEVE.sift(body)
    assert not found.asked
    assert found.unknown_codes == (unknown,)
    assert found.subject == ["Patient/1"]


codings = st.sampled_from([IGG, GLUCOSE, UNKNOWN, {"code": "IGG01"}, {"system": LAB}, {}, 7, None])
concepts: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, [], "IgG", 0, IGG, GLUCOSE]),
    st.fixed_dictionaries(
        {},
        optional={
            "coding": st.one_of(st.lists(codings, max_size=3), codings),
            "text": st.sampled_from(["IgG", "ｉｇｇ ", "没有", "", 5, None]),
        },
    ),
)
components = st.fixed_dictionaries({}, optional={"code": concepts, "valueInteger": st.just(7)})
observations = st.fixed_dictionaries(
    {"resourceType": st.just("Observation")},
    optional={
        "status": st.sampled_from(["final", "preliminary", "cancelled", "nonsense", None, ["final"]]),
        "code": concepts,
        "component": st.one_of(st.lists(st.one_of(components, st.none()), max_size=3), components),
        "subject": st.sampled_from([{"reference": "Patient/1"}, {"identifier": {"value": "7"}}, None, "x"]),
        "effectiveDateTime": st.just("2024-03-01"),
        "valueQuantity": st.just({"value": 7, "unit": "g/L"}),
    },
)


@given(observations, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_passed_over_would_have_said_the_same(
    resource: dict[str, Any], ascii: bool, indent: int | None
) -> None:
    body = json.dumps(resource, ensure_ascii=ascii, indent=indent).encode()
    passed_over = SIEVE.sift(body)
    if passed_over.asked:
        names = reference.names(decode(body).get("subject"))
        assert passed_over.subject is None or list(passed_over.subject) == names
    else:
        whole = observation.read(decode(body), CONTEXT)
        if resource.get("subject") is None:  # of nobody: nothing is asked of it
            whole.unknown_codes.clear()
        assert whole == Mapped(unknown_codes=list(passed_over.unknown_codes))
