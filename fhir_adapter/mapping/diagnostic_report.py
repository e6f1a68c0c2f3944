"""DiagnosticReport → statements and findings: its conclusion is read like the result of an Observation.

Sialography, scintigraphy (dossier §8.1). A report without a conclusion says nothing by itself; quantities
stand in the Observations that it lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_adapter.mapping import observation
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of, listed
from fhir_adapter.mapping.statement import ASKED
from fhir_adapter.trial.items import Kind


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """What the conclusion of a report states."""
    codes = listed(resource, "conclusionCode")
    text = resource.get("conclusion")
    if len(codes) == 1:
        value: Mapping[str, Any] = {"valueCodeableConcept": codes[0]}
    elif codes:
        value = {"valueString": "several conclusions"}
    elif isinstance(text, str) and text.strip():
        value = {"valueString": text}
    else:
        return Mapped()
    status = resource.get("status")
    as_result = {**resource, **value, "status": "amended" if status == "appended" else status}
    return concluded(as_result, context)


def concluded(as_result: Mapping[str, Any], context: Context) -> Mapped:
    """An examination's result in the shape of an Observation, read if it is of a finding or a statement."""
    try:
        item = ASKED.get(context.hospital.target("items", concept_of(as_result, "code")))
    except (UnknownCode, AmbiguousCode):
        return observation.read(as_result, context)
    if item is None or item.kind is not Kind.FINDING:
        return Mapped()
    return observation.read(as_result, context)
