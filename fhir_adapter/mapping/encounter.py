"""Encounter → stays in hospital, and what they were for (dossier §8 E5b).

Only admissions count. The reasons: ``reasonCode``, ``reasonReference`` and ``diagnosis``, by ICD-10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_adapter.mapping import reference
from fhir_adapter.mapping.condition import confirmed
from fhir_adapter.mapping.context import Context, Mapped, Named, query, said_status, struck
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of, listed
from fhir_adapter.mapping.span import Span, day, span
from fhir_adapter.trial.history import Reason, Stay
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Truth

_OVER = {"arrived": False, "triaged": False, "in-progress": False, "onleave": False, "finished": True}
_NEVER_WERE = ("planned", "cancelled")
STATUSES = (*_OVER, *_NEVER_WERE, "entered-in-error", "unknown")
"""Encounter.status of R4."""
_LESSER = ("CM", "billing", "post-op")
"""Roles of a diagnosis that is not, by itself, what a stay was for."""


def read(resource: Mapping[str, Any], conditions: Named, context: Context) -> Mapped:
    """The stay of one Encounter, if the patient was, or may have been, admitted."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "finished"}, conditions, context))
    if status in _NEVER_WERE:
        return mapped
    admitted = _admitted(resource, context, mapped)
    if admitted is False:
        return mapped
    if str(status) in _OVER:
        period = resource.get("period")
        period = period if isinstance(period, Mapping) else {}
        start, end = day(period.get("start"), context), day(period.get("end"), context)
        days = span(start, end, over=_OVER[str(status)])
        mapped.queries += days.queries("The stay", "stay", context)
    else:
        text = f"The stay has {said_status(status, STATUSES)}; say whether it was, and from when to when."
        mapped.queries.append(query(context, "stay", QueryKind.UNCLEAR_STATUS, text))
        days = Span(None, None, False)
    reasons = tuple(
        Reason(_codes(concept, context, mapped), leads)
        for concept, leads in _concepts(resource, conditions, context)
    )
    mapped.stays.append(
        Stay(context.subject, days.first, days.last, admitted, reasons, (context.origin,), days.over)
    )
    return mapped


def _admitted(resource: Mapping[str, Any], context: Context, mapped: Mapped) -> Truth:
    """Whether it is a stay; the class of an Encounter is a Coding."""
    try:
        sort = concept_of(resource, "class")
        return context.hospital.target("contacts", sort) == "inpatient" if sort else None
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
    except AmbiguousCode:
        pass
    return None


def _codes(concept: Mapping[str, Any] | None, context: Context, mapped: Mapped) -> tuple[str, ...]:
    """The ICD-10 codes of a reason; none where it was not received, is unknown, or is known and not used."""
    if concept is None:
        return ()
    try:
        return context.hospital.diagnoses(concept)
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
        return ()


def _concepts(
    resource: Mapping[str, Any], conditions: Named, context: Context
) -> Iterator[tuple[Mapping[str, Any] | None, bool]]:
    """Each reason's concept, None where it was not received, and whether it leads."""
    base = reference.base_of(context.origin.url)

    def referred(pointer: object) -> Mapping[str, Any] | None:
        found = next(
            (conditions[name] for name in reference.names(pointer, base) if name in conditions), None
        )
        return concept_of(found, "code") if found is not None and confirmed(found) else None

    for concept in listed(resource, "reasonCode"):
        yield concept, True
    for pointer in listed(resource, "reasonReference"):
        yield referred(pointer), True
    # Behind a stated reason, a diagnosis leads only if its rank or role says so.
    alone = len(listed(resource, "diagnosis")) == 1 and not listed(resource, "reasonCode")
    for each in listed(resource, "diagnosis"):
        roles = {str(coding.get("code")) for coding in listed(concept_of(each, "use"), "coding")}
        ranked = each.get("rank") == 1 or bool(roles & {"AD", "CC"})
        leads = ranked or (alone and "rank" not in each and not roles & set(_LESSER))
        yield referred(each.get("condition")), leads
