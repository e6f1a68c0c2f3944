"""What orders, statements and administrations say alike: the drug, its route, what it is for.

Drugs: the hospital's table first, then ATC by the longest prefix of ``trial.drugs``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fhir_adapter.mapping import reference
from fhir_adapter.mapping.condition import confirmed
from fhir_adapter.mapping.context import Context, Mapped, Named, query
from fhir_adapter.mapping.hospital import (
    AmbiguousCode,
    Hospital,
    UnknownCode,
    codes_of,
    concept_of,
    listed,
)
from fhir_adapter.mapping.span import Span
from fhir_adapter.trial.drugs import DRUGS
from fhir_adapter.trial.history import Order
from fhir_adapter.trial.items import NOT_USED
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Truth, any_of

ATC = ("http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.73")
"""The systems under which ATC codes are sent."""

_MAY_BE_ASKED_FOR = ("A07E", "H02", "J", "L", "M01C", "P")
"""ATC groups with drugs that suppress the immune system, are biologics, glucocorticoids or anti-infectives.

A drug of another group is known and not used; one of these that is not in the list is not thereby harmless.
"""
_SUBSTANCE = re.compile(r"[A-Z]\d\d[A-Z][A-Z]\d\d")
_BY_PREFIX: Mapping[str, str] = {prefix: drug.code for drug in DRUGS.values() for prefix in drug.atc}


def drug(concept: Mapping[str, Any], hospital: Hospital) -> str:
    """The drug's code, or ``not-used``. Raises UnknownCode and AmbiguousCode."""
    try:
        return hospital.target("drugs", concept)
    except UnknownCode:
        found = {by_atc(code) for system, code in codes_of(concept) if system in ATC} - {None}
        if not found:
            raise
        used = [each for each in found if each is not None and each != NOT_USED]
        if len(used) > 1:
            raise AmbiguousCode from None
        return used[0] if used else NOT_USED


def by_atc(code: str) -> str | None:
    """The drug of an ATC code, ``not-used``, or None where the code does not say."""
    prefixes = [code[:length] for length in range(len(code), 2, -1)]
    found = next((_BY_PREFIX[prefix] for prefix in prefixes if prefix in _BY_PREFIX), None)
    if found is not None or not _SUBSTANCE.fullmatch(code):
        return found
    return None if code.startswith(_MAY_BE_ASKED_FOR) else NOT_USED


def named(resource: Mapping[str, Any], medications: Named, context: Context, mapped: Mapped) -> str | None:
    """The drug of a resource; None where it is not used, or not known, which is filed."""
    found = _named(resource, medications, context, mapped)
    if found is None:
        mapped.unread.append(context.origin.type)
    return None if found == NOT_USED else found


def _named(resource: Mapping[str, Any], medications: Named, context: Context, mapped: Mapped) -> str | None:
    concept = _concept(resource, medications, reference.base_of(context.origin.url))
    if concept is None:
        text = (
            "The Medication that is referred to was not received, or has a modifier that is not understood,"
            " so the drug is not known."
        )
        administered = context.origin.type == "MedicationAdministration"
        kind = QueryKind.DOSE_STATUS if administered else QueryKind.UNCLEAR_STATUS
        mapped.queries.append(query(context, "", kind, text))
        return None
    try:
        return drug(concept, context.hospital)
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
        return None
    except AmbiguousCode:
        text = "The codes of this medication lead to different drugs."
        mapped.queries.append(query(context, "", QueryKind.AMBIGUOUS_CODE, text))
        return None


def _concept(resource: Mapping[str, Any], medications: Named, base: str | None) -> Mapping[str, Any] | None:
    """The coded drug: in the resource itself, contained, or in a Medication of the source."""
    concept = resource.get("medicationCodeableConcept")
    if isinstance(concept, Mapping):
        return concept
    pointer = resource.get("medicationReference")
    for name in reference.names(pointer, base):
        for contained in listed(resource, "contained"):
            if name == f"#{contained.get('id')}":
                return concept_of(contained, "code")
        if name in medications:
            return concept_of(medications[name], "code")
    shown = pointer.get("display") if isinstance(pointer, Mapping) else None
    return {"text": shown} if isinstance(shown, str) else None


def order(
    resource: Mapping[str, Any],
    drug: str,
    days: Span,
    dosages: Iterable[Mapping[str, Any]],
    conditions: Named,
    context: Context,
    mapped: Mapped,
) -> None:
    """File the order of a drug over some days, with the questions that its days raise."""
    mapped.orders.append(
        Order(
            context.subject,
            drug,
            days.first,
            days.last,
            _parenteral(dosages, context, mapped),
            reasons(resource, conditions, context, mapped),
            (context.origin,),
            days.over,
        )
    )
    mapped.queries += days.queries("The record of a drug", drug, context)


def _parenteral(dosages: Iterable[Mapping[str, Any]], context: Context, mapped: Mapped) -> Truth:
    """Whether any of it went into vein or muscle; a dosage without a known route leaves it open."""
    answers: list[Truth] = []
    for dosage in dosages:
        route = concept_of(dosage, "route")
        try:
            answers.append(context.hospital.target("routes", route) == "parenteral" if route else None)
        except UnknownCode as unknown:
            mapped.unknown_codes.append(unknown.code)
            answers.append(None)
        except AmbiguousCode:
            answers.append(None)
    return any_of(answers) if answers else None


def reasons(
    resource: Mapping[str, Any], conditions: Named, context: Context, mapped: Mapped
) -> tuple[str, ...]:
    """The ICD-10 codes of what it was given for, by code or by reference to a Condition of the source."""
    concepts = listed(resource, "reasonCode")
    base = reference.base_of(context.origin.url)
    for pointer in listed(resource, "reasonReference"):
        found = next((conditions[name] for name in reference.names(pointer, base) if name in conditions), {})
        if found and confirmed(found):
            concepts.append(concept_of(found, "code"))
    codes: set[str] = set()
    for concept in concepts:
        try:
            codes.update(context.hospital.diagnoses(concept))
        except UnknownCode as unknown:
            mapped.unknown_codes.append(unknown.code)
    return tuple(sorted(codes))
