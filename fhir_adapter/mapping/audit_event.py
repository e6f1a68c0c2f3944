"""AuditEvent of a push: who wrote into the record, when, with which software, and how it ended."""

from __future__ import annotations

import uuid
from typing import Any

from fhir_adapter.trial.items import CANONICAL

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, f"{CANONICAL}/audit")
_EVENT = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
_TRANSACTION = {"system": "http://hl7.org/fhir/restful-interaction", "code": "transaction"}
_ROLE = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"


def write(
    study: tuple[str, str], run: int, *, user: str, software: str, recorded: str, written: int, clashes: int
) -> dict[str, Any]:
    """The AuditEvent of one run's push: how many outcomes were written, and how many were in conflict.

    ``study`` is the study's identifier; it names no patient.
    """
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid.uuid5(_NAMESPACE, "|".join((*study, str(run), recorded)))),
        "type": _EVENT,
        "subtype": [_TRANSACTION],
        "action": "U",
        "recorded": recorded,
        "outcome": "4" if clashes else "0",
        "outcomeDesc": f"{written} outcomes written, {clashes} in conflict",
        "agent": [
            {"type": {"coding": [{"system": _ROLE, "code": "humanuser"}]}, "altId": user, "requestor": True},
            {
                "type": {"coding": [{"system": _ROLE, "code": "dataprocessor"}]},
                "name": f"fhir-adapter {software}",
                "requestor": False,
            },
        ],
        "source": {"observer": {"display": "fhir-adapter"}},
        "entity": [
            {
                "what": {"type": "ResearchStudy", "identifier": {"system": study[0], "value": study[1]}},
                "name": f"run {run}",
            }
        ],
    }
