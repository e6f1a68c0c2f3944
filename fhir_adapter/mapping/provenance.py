"""Provenance of an outcome: which software made it, by which rules, from exactly which resources."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.mapping.outcome import digest, source
from fhir_adapter.trial.items import CANONICAL
from fhir_adapter.trial.types import Origin

PROFILE = f"{CANONICAL}/StructureDefinition/outcome-provenance"
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, PROFILE)


def provenance_id(observation: Mapping[str, Any]) -> str:
    """The id of the Provenance of this content of an outcome: R4's Provenance has no identifier."""
    return str(uuid.uuid5(_NAMESPACE, f"{observation['id']}|{digest(observation)}"))


def write(
    observation: Mapping[str, Any],
    origins: Sequence[Origin],
    *,
    operation: str,
    recorded: str,
    software: str,
    rules: Sequence[str],
) -> dict[str, Any]:
    """The Provenance of one content of an outcome's Observation.

    ``operation`` is CREATE, UPDATE or NULLIFY (v3-DataOperation); ``recorded`` is fixed in the journal;
    ``software`` is the version; ``rules`` are URIs that name protocol, mappings and study with their
    digests.
    """
    provenance: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": provenance_id(observation),
        "meta": {"profile": [PROFILE]},
        "contained": [
            {
                "resourceType": "Device",
                "id": "software",
                "deviceName": [{"name": "fhir-adapter", "type": "manufacturer-name"}],
                "version": [{"value": software}],
            }
        ],
        "target": [{"reference": f"Observation/{observation['id']}"}],
        "recorded": recorded,
        "policy": list(rules),
        "activity": {"coding": [{"system": _OPERATION, "code": operation}]},
        "agent": [{"who": {"reference": "#software"}}],
    }
    if origins:
        provenance["entity"] = [{"role": "source", "what": source(origin)} for origin in origins]
    return provenance
