"""Procedure → statements: its outcome is read like the result of an Observation (dossier §8.1).

That something was done says nothing of what was found: a procedure without an outcome is none of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_adapter.mapping import when
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.diagnostic_report import concluded
from fhir_adapter.mapping.hospital import concept_of

_NEVER_WERE = ("preparation", "not-done", "entered-in-error")
_AS_RESULTS = {"completed": "final", **dict.fromkeys(_NEVER_WERE, "cancelled")}


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """What the outcome of a procedure states; one that is not completed does not count."""
    outcome = concept_of(resource, "outcome")
    if not outcome:
        return Mapped()
    as_result = {
        "status": _AS_RESULTS.get(str(resource.get("status")), "unknown"),
        "code": resource.get("code"),
        "effectiveDateTime": when.started(resource, "performed"),
        "valueCodeableConcept": outcome,
    }
    return concluded(as_result, context)
