"""MedicationStatement → orders: what somebody says was taken, by its own period.

Active ones go on; completed and stopped ones are over; what was not taken, or is only intended, never was.
On-hold and unknown say nothing of the days, and are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_adapter.mapping import when
from fhir_adapter.mapping.context import Context, Mapped, Named, query, said_status, struck
from fhir_adapter.mapping.hospital import listed
from fhir_adapter.mapping.medication import named, order
from fhir_adapter.mapping.span import Span, day, span
from fhir_adapter.trial.drugs import ORDERED
from fhir_adapter.trial.types import QueryKind

_OVER = {"active": False, "completed": True, "stopped": True}
_NEVER_WERE = ("not-taken", "intended")
STATUSES = (*_OVER, *_NEVER_WERE, "entered-in-error", "on-hold", "unknown")
"""MedicationStatement.status of R4."""


def read(resource: Mapping[str, Any], medications: Named, conditions: Named, context: Context) -> Mapped:
    """The order that a statement stands for, if its drug is one that criteria look at."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "completed"}, medications, conditions, context))
    if status in _NEVER_WERE:
        return mapped
    drug = named(resource, medications, context, mapped)
    if drug is None or drug not in ORDERED:
        return mapped
    if str(status) in _OVER:
        period = resource.get("effectivePeriod")
        end = period.get("end") if isinstance(period, Mapping) else None
        start = day(when.started(resource, "effective"), context)
        days = span(start, day(end, context), over=_OVER[str(status)])
    else:
        text = f"The statement has {said_status(status, STATUSES)}; say whether the drug was taken, and when."
        mapped.queries.append(query(context, drug, QueryKind.UNCLEAR_STATUS, text))
        days = Span(None, None, False)
    order(resource, drug, days, listed(resource, "dosage"), conditions, context, mapped)
    return mapped
