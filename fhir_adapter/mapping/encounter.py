"""Encounter → stays in hospital, and whether they were for an infection (dossier §8 E5b).

Only admissions count. What the reason was: ``reasonCode``, ``reasonReference`` and ``diagnosis``, by ICD-10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_adapter.conduct.record import has_code
from fhir_adapter.mapping import reference
from fhir_adapter.mapping.condition import confirmed
from fhir_adapter.mapping.context import Context, Mapped, Named, query, said_status
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of, listed
from fhir_adapter.mapping.span import Span, day, span
from fhir_adapter.trial.history import Stay
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Truth, all_of

INFECTIONS = (
    "A00-B99", "D73.3", "G00-G08", "H05.0", "H44.0", "H60.0-H60.1", "H66", "H70", "I30.1", "I33", "I40.0",
    "J00-J22", "J32", "J36", "J39.0-J39.1", "J44.0", "J69", "J85-J86", "K04.6-K04.7", "K11.3", "K12.2", "K35",
    "K61", "K63.0", "K65", "K75.0", "K81.0", "K83.0", "L00-L08", "L30.3", "M00-M01", "M46.2-M46.5", "M60.0",
    "M65.0-M65.1", "M71.0-M71.1", "M72.6", "M86", "N10", "N13.6", "N15.1", "N30", "N34", "N39.0", "N41",
    "N45", "N48.2", "N49", "N61", "N70-N77", "O23", "O85-O86", "P35-P39", "R57.2", "R65.0-R65.2", "T80.2",
    "T81.4", "T82.6-T82.7", "T83.5-T83.6", "T84.5-T84.7", "T85.7", "U04", "U07.1-U07.2",
)  # fmt: skip
"""ICD-10 ranges of infections for which people are admitted. The record names none: chosen here [J]."""
PERHAPS = ("K52", "N11-N12", "R50", "R65.9")
"""Reasons that may be an infection or not: enteritis and nephritis without a cause, fever [J]."""

_OVER = {"arrived": False, "triaged": False, "in-progress": False, "onleave": False, "finished": True}
_NEVER_WERE = ("planned", "cancelled", "entered-in-error")
STATUSES = (*_OVER, *_NEVER_WERE, "unknown")
"""Encounter.status of R4."""
_LESSER = ("CM", "billing", "post-op")
"""Roles of a diagnosis that is not, by itself, what a stay was for."""


def read(resource: Mapping[str, Any], conditions: Named, context: Context) -> Mapped:
    """The stay of one Encounter, if the patient was, or may have been, admitted."""
    mapped = Mapped()
    status = resource.get("status")
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
    infection = _for_infection(resource, conditions, context, mapped)
    mapped.stays.append(
        Stay(
            context.subject,
            days.first,
            days.last,
            all_of((admitted, infection)),
            (context.origin,),
            days.over,
        )
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


def _for_infection(resource: Mapping[str, Any], conditions: Named, context: Context, mapped: Mapped) -> Truth:
    """Yes where a leading reason is an infection; open where only another diagnosis is, or one is unknown."""
    leading: list[Truth] = []
    lesser: list[Truth] = []
    for concept, leads in _reasons(resource, conditions, context):
        answers = leading if leads else lesser
        if concept is None:
            answers.append(None)
            continue
        try:
            codes = context.hospital.diagnoses(concept)
            answers.append(_infection(codes))
        except UnknownCode as unknown:
            mapped.unknown_codes.append(unknown.code)
            answers.append(None)
    if True in leading:
        return True
    known = [*leading, *lesser]
    return False if known and set(known) == {False} else None


def _infection(codes: tuple[str, ...]) -> Truth:
    """Whether the ICD-10 codes of a reason are of an infection; open where it has none."""
    if has_code(codes, INFECTIONS):
        return True
    return None if not codes or has_code(codes, PERHAPS) else False


def _reasons(
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
