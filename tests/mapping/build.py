"""Short ways to say what a hospital sends, for tests of the readers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import hospital as hospitals
from fhir_adapter.mapping.context import Context
from fhir_adapter.mapping.hospital import Hospital
from fhir_adapter.shipped import MAPPINGS
from fhir_adapter.study import read_mapping
from fhir_adapter.trial.origin import Origin
from tests.scores.build import ZONE

Json = dict[str, Any]
SERVER = "https://hospital.example/fhir"
LOINC = "http://loinc.org"
OWN = "https://w3id.org/fhir-adapter/CodeSystem/items"
LAB = "urn:example-cn:lab"
SCT = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
DOSED = frozenset(("rituximab", "belimumab", "immunoglobulin"))


@cache
def hospital(folder: str) -> Hospital:
    """The look-ups of a mapping folder that ships."""
    read = read_mapping(MAPPINGS / folder)
    return hospitals.hospital(read.concept_maps, read.settings, folder)


def context(folder: str, resource: Mapping[str, Any]) -> Context:
    type, id = resource["resourceType"], resource["id"]
    url = f"{SERVER}/{type}/{id}/_history/1"
    return Context("JSS-01", Origin("hospital", type, id, "1", url), hospital(folder), ZONE, DOSED)


def wired(resource: Mapping[str, Any]) -> Json:
    """The resource after the way over the wire: numbers come as exact decimals."""
    return decode(encode(resource))


def quantity(value: int | str, unit: str | None = None, **more: Any) -> Json:
    """A valueQuantity with the unit as text."""
    made: Json = {"value": Decimal(value), **more}
    if unit is not None:
        made["unit"] = unit
    return {"valueQuantity": made}


def coded(system: str, *codes: str, text: str | None = None) -> Json:
    """A CodeableConcept."""
    made: Json = {"coding": [{"system": system, "code": code} for code in codes]} if codes else {}
    return made | ({"text": text} if text is not None else {})


def observed(code: Json | str, value: Json, **more: Any) -> Json:
    """A final Observation of 2024-04-01; a bare code is one of the project's own items."""
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": coded(OWN, code) if isinstance(code, str) else code,
        "subject": {"reference": "Patient/7"},
        "effectiveDateTime": "2024-04-01",
        **value,
        **more,
    }
