"""Condition → diagnoses, by ICD-10.

What is refuted does not count, what is not yet confirmed stays open, and both are asked about; what was
entered in error never was, and is kept apart. Without a verificationStatus the record is taken at its word
(dossier §8 E6, E7).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fhir_adapter.mapping import when
from fhir_adapter.mapping.context import Context, Mapped, dated, query, said_status, struck
from fhir_adapter.mapping.hospital import UnknownCode, concept_of, listed
from fhir_adapter.mapping.span import moment
from fhir_adapter.trial.history import Diagnosis
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Moment

VERIFICATION = ("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error")
"""Condition.verificationStatus of R4."""
_ENDED = ("inactive", "remission", "resolved")


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The diagnosis that a Condition states."""
    mapped = Mapped()
    status = _status(resource, "verificationStatus")
    if status == "entered-in-error":
        return struck(read({**resource, "verificationStatus": None}, context))
    try:
        codes = context.hospital.diagnoses(concept_of(resource, "code"))
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
        mapped.unread.append(context.origin.type)
        return mapped
    if not codes:
        return mapped
    since = _since(resource, context)
    sure = confirmed(resource)
    if not sure:
        effect = (
            "does not count; correct it if that is wrong"
            if status == "refuted"
            else "leaves criteria open; confirm or refute it"
        )
        text = f"The diagnosis has {said_status(status, VERIFICATION)} and {effect}."
        asked = query(context, " ".join(codes), QueryKind.NOT_CONFIRMED, text)
        mapped.queries.append(dated(asked, since))
    if status == "refuted":
        return mapped
    until = _until(resource, context)
    ended = _status(resource, "clinicalStatus") in _ENDED or any(
        key.startswith("abatement") for key in resource
    )
    mapped.diagnoses.append(
        Diagnosis(context.subject, codes, since, until, (context.origin,), ended and until is None, sure)
    )
    return mapped


def confirmed(resource: Mapping[str, Any]) -> bool:
    """Whether a Condition counts."""
    return _status(resource, "verificationStatus") in (None, "confirmed")


def _status(resource: Mapping[str, Any], element: str) -> str | None:
    """The code of a status, of several the one that FHIR has; None where there is no status."""
    concept = concept_of(resource, element)
    if not concept:
        return None
    codes = [str(coding.get("code")) for coding in listed(concept, "coding")]
    return next((code for code in codes if code in (*VERIFICATION, *_ENDED)), "unknown")


def _since(resource: Mapping[str, Any], context: Context) -> Moment | None:
    """The onset; else at any time up to the day on which it was recorded."""
    onset = moment(when.started(resource, "onset"), context)
    if isinstance(onset, Moment):
        return onset
    recorded = moment(resource.get("recordedDate"), context)
    return Moment(date.min, recorded.last) if isinstance(recorded, Moment) else None


def _until(resource: Mapping[str, Any], context: Context) -> date | None:
    """The last day on which it may have been there."""
    period = resource.get("abatementPeriod")
    text = resource.get("abatementDateTime") or (period.get("end") if isinstance(period, Mapping) else None)
    found = moment(text, context)
    return found.last if isinstance(found, Moment) else None
