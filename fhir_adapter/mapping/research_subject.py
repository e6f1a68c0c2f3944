"""ResearchSubject → participant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fhir_adapter.mapping import reference, when
from fhir_adapter.mapping.hospital import listed
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Subject

STATUSES = (
    "candidate", "eligible", "follow-up", "ineligible", "not-registered", "off-study", "on-study",
    "on-study-intervention", "on-study-observation", "pending-on-study", "potential-candidate", "screening",
    "withdrawn",
)  # fmt: skip
"""ResearchSubject.status of R4."""


def study_names(study: Mapping[str, Any], url: str = "") -> list[str]:
    """The names under which ResearchSubjects refer to a ResearchStudy that came from ``url``."""
    return reference.own_names(study, url)


def belongs(resource: Mapping[str, Any], studies: frozenset[str], base: str | None = None) -> bool:
    """Whether a ResearchSubject from the server ``base`` is of one of the studies, by any of their names."""
    return any(name in studies for name in reference.names(resource.get("study"), base))


def read(
    resource: Mapping[str, Any], identifier_system: str, origin: Origin, zone: ZoneInfo
) -> tuple[Subject, list[str]] | None:
    """The participant, and the names of the Patient; None where the study's own number is missing.

    Consent is the start of the period; the day of a withdrawal is its end, and of a partial date the
    first day that it may mean: what may be from after the withdrawal is not used.
    """
    number = next(
        (
            str(each["value"])
            for each in listed(resource, "identifier")
            if each.get("system") == identifier_system and each.get("value")
        ),
        None,
    )
    if number is None:
        return None
    period = resource.get("period")
    period = period if isinstance(period, Mapping) else {}
    status = str(resource.get("status", ""))
    subject = Subject(
        id=number,
        status=status,
        consent=when.day(period.get("start"), zone),
        withdrawn=when.first_day(period.get("end"), zone) if status == "withdrawn" else None,
        origins=(origin,),
    )
    return subject, reference.names(resource.get("individual"), reference.base_of(origin.url))
