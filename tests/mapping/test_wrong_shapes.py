"""Whatever shape the elements of a resource have: its reader answers, and quotes no status that is none."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import patient, research_subject
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.mapping.head import Sieve, head
from fhir_adapter.mapping.reading import read_into
from fhir_adapter.trial.types import Query
from tests.hospital import generator
from tests.mapping.build import Json, context, hospital, wired
from tests.scores.build import ZONE

MUTATIONS = 5_000
JUNK: list[Any] = [
    None, True, 1, -5, 1e3, "", "x", "2024-13-45", "<",
    [], [1], [None], ["a", {}], {}, {"a": 1}, [{"code": 7}],
]  # fmt: skip
MAPPINGS = ("international", "example-cn")


@cache
def resources() -> tuple[str, ...]:
    made = generator.hospital().sources.values()
    return tuple(encode(each).decode() for source in made for each in source)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every element below ``value``."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from paths(value[key], (*path, key))


def mutated(chance: random.Random) -> Json:
    """A resource of the hospital with one or two elements of a wrong shape; its type and id stay."""
    resource = json.loads(chance.choice(resources()))
    for _ in range(chance.randint(1, 2)):
        *way, last = chance.choice(
            [path for path in paths(resource) if path[0] not in ("resourceType", "id")]
        )
        element = resource
        for key in way:
            element = element[key]
        element[last] = json.loads(json.dumps(chance.choice(JUNK)))
    return decode(json.dumps(resource).encode())


def read(resource: Json, folder: str) -> Mapped:
    """What the reader of its type makes of a resource."""
    known = context(folder, resource)
    mapped = Mapped()
    match resource["resourceType"]:
        case "ResearchStudy":
            research_subject.study_names(resource)
        case "ResearchSubject":
            research_subject.belongs(resource, frozenset())
            research_subject.read(resource, "urn:example:trial-participant", known.origin, ZONE)
        case "Medication" | "Specimen":  # what others refer to has no reader of its own
            pass
        case type:
            if type == "Observation":
                Sieve(known.hospital).sift(encode(resource))
            if type == "Patient":
                patient.index([(resource, "")], known.hospital, "mrn")
            read_into(mapped, resource, known, {}, {})
    return mapped


def queries(resource: Json) -> list[Query]:
    """What is asked about a resource, in each of the dialects."""
    return [query for folder in MAPPINGS for query in read(wired(resource), folder).queries]


def test_no_reader_fails_over_an_element_of_a_wrong_shape() -> None:
    chance = random.Random(20240401)
    for _ in range(MUTATIONS):
        resource = mutated(chance)
        head(encode(resource))
        for folder in MAPPINGS:
            read(resource, folder)


@pytest.mark.parametrize("system", [[], {}, ["urn:example:mrn"], 1, None])
def test_an_identifier_of_a_wrong_shape_matches_nothing(system: object) -> None:
    resource: Json = {"identifier": [{"system": system, "value": "7"}]}
    assert hospital("international").identifier_values(resource, "mrn") == frozenset()


@pytest.mark.parametrize("code", ["rituximab", 7, [], None])
def test_a_contained_medication_with_a_code_of_a_wrong_shape_is_unknown(code: object) -> None:
    resource: Json = {
        "resourceType": "MedicationAdministration",
        "id": "d1",
        "status": "completed",
        "contained": [{"resourceType": "Medication", "id": "m", "code": code}],
        "medicationReference": {"reference": "#m"},
    }
    assert len(read(resource, "international").unknown_codes) == 1


@pytest.mark.parametrize("status", ["Zhang San", ["Zhang San"], {"a": "Zhang San"}, None, 7])
@pytest.mark.parametrize(
    "type",
    [
        "Observation", "QuestionnaireResponse", "MedicationAdministration", "MedicationRequest",
        "MedicationStatement", "Encounter", "Consent", "Immunization",
    ],
)  # fmt: skip
def test_a_status_that_fhir_does_not_have_is_not_quoted(type: str, status: object) -> None:
    resource = next(
        found
        for text in resources()
        if (found := json.loads(text))["resourceType"] == type
        and any("status" in query.text for query in queries({**found, "status": "unknown"}))
    )
    texts = [query.text for query in queries({**resource, "status": status})]
    assert any("an unknown status" in text for text in texts)
    assert not any("Zhang" in text for text in texts)


def test_a_status_that_fhir_has_is_quoted() -> None:
    resource = next(
        found for text in resources() if (found := json.loads(text))["resourceType"] == "Observation"
    )
    texts = [query.text for query in queries({**resource, "status": "preliminary"})]
    assert any("the status 'preliminary'" in text for text in texts)
