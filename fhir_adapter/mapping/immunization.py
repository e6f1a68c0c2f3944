"""Immunization → vaccinations, and whether the vaccine was live (dossier §8 E5d).

Not-done and entered-in-error never were; what the latter said is kept apart. One without a readable day may
have been at any time up to the day on which it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fhir_adapter.mapping.context import Context, Mapped, query, said_status, struck
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of
from fhir_adapter.mapping.span import moment
from fhir_adapter.trial.history import Vaccination
from fhir_adapter.trial.items import NOT_USED
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Moment, Truth

STATUSES = ("completed", "entered-in-error", "not-done")
"""Immunization.status of R4."""


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The vaccination of one Immunization."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "completed"}, context))
    if status == "not-done":
        return mapped
    live: Truth = None
    try:
        target = context.hospital.target("vaccines", concept_of(resource, "vaccineCode"))
        if target == NOT_USED:
            return mapped
        live = target == "live"
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
    except AmbiguousCode:
        text = "The codes of this vaccine lead to a live and to another one; correct it."
        mapped.queries.append(query(context, "vaccination", QueryKind.AMBIGUOUS_CODE, text))
    mapped.vaccinations.append(
        Vaccination(context.subject, live, _at(resource, status, context, mapped), (context.origin,))
    )
    return mapped


def _at(resource: Mapping[str, Any], status: object, context: Context, mapped: Mapped) -> Moment:
    if status != "completed":
        text = f"The vaccination has {said_status(status, STATUSES)}; say whether it was given, and when."
        mapped.queries.append(query(context, "vaccination", QueryKind.UNCLEAR_STATUS, text))
        return Moment(date.min, date.max)
    found = moment(resource.get("occurrenceDateTime"), context)
    if isinstance(found, Moment):
        return found
    mapped.queries.append(
        query(context, "vaccination", found, "The vaccination has no date that can be read; add it.")
    )
    recorded = moment(resource.get("recorded"), context)
    return Moment(date.min, recorded.last if isinstance(recorded, Moment) else date.max)
