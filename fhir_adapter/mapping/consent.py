"""Consent → agreements: to which drugs, given or refused, since when and until when.

What a consent is about say the drugs in its provision, else its rule and category by the hospital's table
``consents``. A nested provision is an exception from what stands around it. Drafts and proposals never were;
one that is inactive without an end has no day that is known (dossier §8 I4, §13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from fhir_adapter.mapping.context import Context, Mapped, query, said_status, struck
from fhir_adapter.mapping.hospital import AmbiguousCode, UnknownCode, concept_of, listed
from fhir_adapter.mapping.medication import drug
from fhir_adapter.mapping.span import day
from fhir_adapter.trial.history import Agreement
from fhir_adapter.trial.items import NOT_USED
from fhir_adapter.trial.types import QueryKind

_NEVER_WERE = ("draft", "proposed")
STATUSES = ("active", "rejected", "inactive", *_NEVER_WERE, "entered-in-error")
"""Consent.status of R4."""


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The agreements that one Consent states; several where its provision makes exceptions."""
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return struck(read({**resource, "status": "active"}, context))
    if status in _NEVER_WERE:
        return mapped
    provision = concept_of(resource, "provision")
    about = _about(resource, provision, context, mapped)
    nested = [
        (drugs, each.get("type") != "deny")
        for each in _nested(provision)
        if (drugs := _drugs(listed(each, "code"), context, mapped))
    ]
    stated = [*([(about, provision.get("type") != "deny")] if about else []), *nested]
    if not stated:
        return mapped
    since, until = _days(resource, status, provision, context, mapped)
    mapped.agreements += (
        Agreement(context.subject, drugs, given and status != "rejected", since, until, (context.origin,))
        for drugs, given in stated
    )
    return mapped


def _about(
    resource: Mapping[str, Any], provision: Mapping[str, Any], context: Context, mapped: Mapped
) -> frozenset[str]:
    """What the whole consent is about."""
    named = _drugs(listed(provision, "code"), context, mapped)
    if named:
        return named
    found: set[str] = set()
    unknown = []
    for concept in _forms(resource):
        try:
            found.add(context.hospital.target("consents", concept))
        except UnknownCode as fault:
            unknown.append(fault.code)
        except AmbiguousCode:
            text = "The codes of this consent lead to different drugs; correct it, or the ConceptMap."
            mapped.queries.append(query(context, "consent", QueryKind.AMBIGUOUS_CODE, text))
    if not found:
        mapped.unknown_codes += unknown
    return frozenset(found - {NOT_USED})


def _forms(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What says which form it is: its rule and its categories."""
    rule = concept_of(resource, "policyRule")
    return [*([rule] if rule else []), *listed(resource, "category")]


def _drugs(concepts: list[dict[str, Any]], context: Context, mapped: Mapped) -> frozenset[str]:
    """The drugs that a provision names."""
    found = set()
    for concept in concepts:
        try:
            found.add(drug(concept, context.hospital))
        except UnknownCode as unknown:
            mapped.unknown_codes.append(unknown.code)
        except AmbiguousCode:
            text = "The codes of this consent lead to different drugs; correct it."
            mapped.queries.append(query(context, "consent", QueryKind.AMBIGUOUS_CODE, text))
    return frozenset(found - {NOT_USED})


def _nested(provision: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    stack = listed(provision, "provision")
    while stack:
        each = stack.pop(0)
        yield each
        stack += listed(each, "provision")


def _days(
    resource: Mapping[str, Any],
    status: object,
    provision: Mapping[str, Any],
    context: Context,
    mapped: Mapped,
) -> tuple[date | None, date | None]:
    """Since when it stands, and until when; without the first it decides nothing."""
    period = concept_of(provision, "period")
    since = day(resource.get("dateTime") or period.get("start"), context)
    until = day(period.get("end"), context)
    if status not in ("active", "rejected", "inactive") or (status == "inactive" and until.day is None):
        text = f"The consent has {said_status(status, STATUSES)}; say from when to when it stood."
        mapped.queries.append(query(context, "consent", QueryKind.UNCLEAR_STATUS, text))
        return None, None
    backwards = since.day is not None and until.day is not None and until.day < since.day
    fault = since.fault or until.fault or (QueryKind.NO_DATE if backwards or not since.given else None)
    if fault is not None:
        text = "The consent has no day that can be read, or ends before it begins; correct its days."
        mapped.queries.append(query(context, "consent", fault, text))
        return None, None
    return since.day, until.day
