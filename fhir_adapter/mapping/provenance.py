"""Provenance of an outcome: which software made it, by which rules, from exactly which resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.mapping.outcome import provenance_id, source
from fhir_adapter.trial.items import CANONICAL
from fhir_adapter.trial.origin import Origin

PROFILE = f"{CANONICAL}/StructureDefinition/outcome-provenance"
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_CONTENT = "urn:fhir-adapter:outcome:sha256:"


def write(
    observation: Mapping[str, Any],
    origins: Sequence[Origin],
    *,
    content: str,
    operation: str,
    recorded: str,
    software: str,
    rules: Sequence[str],
    reason: str = "",
) -> dict[str, Any]:
    """The Provenance of one content of an outcome's Observation.

    ``content`` is that content's digest (``outcome.digest``); ``operation`` is CREATE, UPDATE or NULLIFY
    (v3-DataOperation); ``recorded`` is fixed in the journal; ``software`` is the version; ``rules`` are URIs
    that name protocol, mappings and study with their digests; ``reason`` says why an outcome was withdrawn.
    """
    provenance: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": provenance_id(observation["id"], content),
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
        # The first is no rule but what the Provenance is of: it tells the contents of an outcome apart
        # where a server chooses the Provenance's id.
        "policy": [f"{_CONTENT}{content}", *rules],
        "activity": {"coding": [{"system": _OPERATION, "code": operation}]},
        "agent": [{"who": {"reference": "#software"}}],
    }
    if reason:
        provenance["reason"] = [{"text": reason}]
    if origins:
        provenance["entity"] = [{"role": "source", "what": source(origin)} for origin in origins]
    return provenance


def names_digest(provenance: Mapping[str, Any], content: str) -> bool:
    """Whether a Provenance is of this content of its outcome."""
    return f"{_CONTENT}{content}" in provenance.get("policy", [])
