"""What the resources of the package share: addresses, version, the elements that each opens with."""

from __future__ import annotations

from typing import Any

from fhir_adapter.trial.items import CANONICAL

Json = dict[str, Any]

PACKAGE = "org.w3id.fhir-adapter"
VERSION = "0.1.0"
FHIR_VERSION = "4.0.1"
SDC_VERSION = "3.0.0"
HL7 = "http://hl7.org/fhir"


def canonical_url(kind: str, name: str) -> str:
    """The canonical URL of a resource of the package."""
    return f"{CANONICAL}/{kind}/{name}"


def resource(kind: str, name: str, title: str, description: str) -> Json:
    """What every resource of the package opens with; ``name`` is its id."""
    return {
        "resourceType": kind,
        "id": name,
        "url": canonical_url(kind, name),
        "version": VERSION,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "title": title,
        "status": "active",
        "experimental": False,
        "publisher": "The fhir-adapter maintainers",
        "description": description,
    }
