"""What was found faultless once is passed over where it stands again, and a fault never is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.validation import alike, validate
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.run import Settings

Json = dict[str, Any]


@pytest.fixture
def definitions() -> Definitions:
    """Definitions with which nothing was validated so far."""
    return Definitions()


def observation(**rest: Any) -> Json:
    code = {"coding": [{"system": "http://loinc.org", "code": "4537-7"}]}
    return {"resourceType": "Observation", "status": "final", "code": code, **rest}


def faults(definitions: Definitions, resource: Json, **how: Any) -> list[str]:
    found = validate(resource, definitions=definitions, **how)
    return [issue.rule for issue in found if issue.severity == "error"]


def known(definitions: Definitions) -> list[bytes]:
    """The parts that need not be looked at again."""
    (faultless,) = definitions.cache("faultless").values()
    return [part for parts in faultless.parts.values() for part in parts]


def test_a_fault_is_found_each_time(definitions: Definitions) -> None:
    wrong = observation(category=[{"coding": "laboratory"}])
    assert faults(definitions, wrong) == faults(definitions, wrong) == ["json-type"]


def test_a_part_is_looked_at_once(definitions: Definitions) -> None:
    twice = observation(subject={"identifier": {"system": "urn:x", "value": "1"}})
    assert faults(definitions, twice) == []
    parts = known(definitions)
    assert parts
    assert faults(definitions, twice) == []
    assert known(definitions) == parts


def test_a_number_is_not_the_same_number_in_another_form(definitions: Definitions) -> None:
    def component(value: object) -> Json:
        return observation(component=[{"code": {"text": "x"}, "valueInteger": value}])

    assert faults(definitions, component(1)) == []
    assert faults(definitions, component(Decimal("1.0"))) != []
    assert faults(definitions, component("1")) != []
    assert faults(definitions, component(True)) != []


def test_an_id_that_was_right_alone_is_a_fault_beside_the_same(definitions: Definitions) -> None:
    part = {"id": "same", "text": "x"}
    assert faults(definitions, observation(category=[part])) == []
    assert faults(definitions, observation(category=[part, part])) == ["duplicate-id"]


def test_a_reference_to_what_is_contained_is_looked_up_in_each_resource(definitions: Definitions) -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    subject = {"reference": "#p"}
    assert faults(definitions, observation(contained=[patient], subject=subject)) == []
    assert faults(definitions, observation(subject=subject)) != []


def test_a_link_of_a_narrative_is_looked_up_in_each_resource(definitions: Definitions) -> None:
    div = "<div xmlns='http://www.w3.org/1999/xhtml'><a href='#p'>the patient</a></div>"
    linked = observation(text={"status": "generated", "div": div})
    patient = {"resourceType": "Patient", "id": "p"}
    assert faults(definitions, {**linked, "contained": [patient], "subject": {"reference": "#p"}}) == []
    assert faults(definitions, linked) == ["xhtml-link"]


def test_an_extension_that_asks_where_it_stands_is_asked_each_time() -> None:
    url = "http://hospital.test/StructureDefinition/only-final"
    definition = {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "OnlyFinal",
        "status": "active",
        "kind": "complex-type",
        "abstract": False,
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "context": [{"type": "fhirpath", "expression": "Observation.where(status = 'final')"}],
        "differential": {"element": [{"id": "Extension", "path": "Extension"}]},
    }
    definitions = Definitions([definition])
    marked = observation(extension=[{"url": url, "valueBoolean": True}])
    assert faults(definitions, marked) == []
    assert faults(definitions, {**marked, "status": "preliminary"}) == ["extension-context"]


def test_other_settings_have_their_own_answer(definitions: Definitions) -> None:
    picture = {"contentType": "image/png", "url": "http://example.org/picture.png"}
    resource = {"resourceType": "Patient", "photo": [picture]}
    assert faults(definitions, resource) == []
    assert faults(definitions, resource, settings=Settings(examples=False)) == ["example-url"]
    assert faults(definitions, resource) == []


def test_what_was_found_beside_a_fault_is_looked_at_again(definitions: Definitions) -> None:
    resource = observation(status=7, category=[{"text": "x"}])
    assert faults(definitions, resource) != []
    assert b'{"text":"x"}' not in known(definitions)
    assert faults(definitions, {**resource, "status": "final"}) == []
    assert b'{"text":"x"}' in known(definitions)


def test_memory_holds_so_much_and_no_more(definitions: Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST", 500)
    for number in range(50):
        assert faults(definitions, observation(category=[{"text": f"x{number}"}])) == []
        assert 0 < sum(map(len, known(definitions))) <= 500
    assert faults(definitions, observation(category=[{"text": "x" * 5_000}])) == []
    assert max(map(len, known(definitions))) < 5_000


@pytest.mark.parametrize("around", ["%resource", "%rootResource"])
@pytest.mark.parametrize("place", ["code", "category", "component", "component.code", "value[x]", "subject"])
def test_a_rule_of_a_profile_that_looks_around_is_asked_in_each_resource(place: str, around: str) -> None:
    expression = f"{around}.status = 'final'"
    rule = {"key": "x-1", "severity": "error", "human": "only final", "expression": expression}
    path = f"Observation.{place}"
    profile = {
        "resourceType": "StructureDefinition",
        "url": "http://hospital.test/StructureDefinition/only-final",
        "name": "OnlyFinal",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "derivation": "constraint",
        "differential": {"element": [{"id": path, "path": path, "constraint": [rule]}]},
    }
    definitions = Definitions([profile])
    final = observation(
        category=[{"text": "x"}],
        component=[{"code": {"text": "x"}, "valueInteger": 1}],
        valueQuantity={"value": 1},
        subject={"display": "x"},
    )
    how = {"profiles": [profile["url"]]}
    assert faults(definitions, final, **how) == []
    assert faults(definitions, {**final, "status": "preliminary"}, **how) == ["x-1"]
