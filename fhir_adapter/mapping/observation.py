"""Observation → measurements and ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_adapter.mapping import reference, value, when
from fhir_adapter.mapping.context import Context, Mapped, dated, query, query_of_problem, said_status
from fhir_adapter.mapping.hospital import AmbiguousCode, Hospital, UnknownCode, concept_of, listed
from fhir_adapter.mapping.statement import ASKED, STATED, statement
from fhir_adapter.trial.items import NOT_USED, SITED, Item, Kind
from fhir_adapter.trial.types import Measurement, Query, QueryKind, Rating
from fhir_adapter.trial.values import Moment

COUNTING = ("final", "amended", "corrected")
"""Results with these statuses count (dossier §13)."""
NEVER_WERE = ("cancelled", "entered-in-error")
"""Results with these are as if they never were; any other status is reported and does not count."""
STATUSES = (*COUNTING, *NEVER_WERE, "registered", "preliminary", "unknown")
"""Observation.status of R4."""


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The measurements and statements of one Observation and of its components, with what must be asked."""
    mapped = Mapped()
    read_into(mapped, resource, context)
    return mapped


def read_into(mapped: Mapped, resource: Mapping[str, Any], context: Context) -> None:
    """As ``read``, beside what was mapped before: most that is read are Observations."""
    if resource.get("status") not in NEVER_WERE:
        for element in _coded(resource):
            _read_one(resource, element, context, mapped)


def _coded(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The Observation itself, where it has a value or no components, and each component."""
    components = listed(resource, "component")
    if components and not any(key.startswith("value") for key in resource):
        return [*components]
    return [resource, *components]


def _read_one(
    resource: Mapping[str, Any],
    element: Mapping[str, Any],
    context: Context,
    mapped: Mapped,
) -> None:
    hospital = context.hospital
    try:
        name, code = hospital.match("items", concept_of(element, "code"))
    except UnknownCode as unknown:
        mapped.unknown_codes.append(unknown.code)
        return
    except AmbiguousCode:
        text = "The codes of this result lead to different items; correct it, or the ConceptMap."
        mapped.queries.append(query(context, "", QueryKind.AMBIGUOUS_CODE, text))
        return
    if name == NOT_USED:
        return
    at, fault = _moment(resource, context)
    if name in SITED:
        sided = _sided(name, resource, hospital)
        if sided is None:
            text = "The body site of this result is missing or not mapped; without it the side is not known."
            asked = query(context, name, QueryKind.NO_BODY_SITE, text)
            mapped.queries.append(dated(asked, at))
            return
        name = sided
    if resource.get("status") not in COUNTING:
        text = f"The result has {said_status(resource.get('status'), STATUSES)} and does not count."
        mapped.queries.append(dated(query(context, name, QueryKind.NOT_FINAL, text), at))
        return
    if at is None:
        kind = QueryKind.NO_TIME_ZONE if fault == "zone" else QueryKind.NO_DATE
        mapped.queries.append(query(context, name, kind, _DATE_TEXTS[kind]))
        return
    default_unit = hospital.default_units.get(code, "")
    measurement = measured(resource, element, ASKED[name], at, context, default_unit)
    keep(measurement, mapped)
    if name in _JUDGED_BY_RANGE and measurement.normal is None:
        mapped.queries += _range_as_text(element, name, at, context)


def keep(measurement: Measurement, mapped: Mapped) -> None:
    """File a measurement, or what it states, with the question that a refused value raises."""
    if measurement.item not in STATED:
        mapped.measurements.append(measurement)
    elif (said := statement(measurement)) is not None:
        mapped.statements.append(said)
    if measurement.problem is not None and (asked := query_of_problem(measurement)) is not None:
        mapped.queries.append(asked)


_JUDGED_BY_RANGE = frozenset(
    (
        "esr", "igg", "rheumatoid-factor", "c3", "c4", "ch50", "flc-kappa", "flc-lambda", "flc-ratio",
        "b2-microglobulin", "ck",
    )
)  # fmt: skip
"""Items that some rule holds against the laboratory's own limits."""


def _range_as_text(element: Mapping[str, Any], name: str, at: Moment, context: Context) -> list[Query]:
    """The question about limits that are printed as text: which numbers are meant, only people see."""
    texts = [
        each.get("text") for each in listed(element, "referenceRange") if not each.keys() & {"low", "high"}
    ]
    printed = [text for text in texts if isinstance(text, str) and any(sign.isdigit() for sign in text)]
    if not printed:
        return []
    text = "The laboratory's range is text only, so the result is not held against it; send numbers."
    return [dated(query(context, name, QueryKind.RANGE_AS_TEXT, text, printed), at)]


_DATE_TEXTS = {
    QueryKind.NO_TIME_ZONE: "The time has no time zone; name the hospital's in its settings.",
    QueryKind.NO_DATE: "There is no date that can be read, or two, so the value belongs to no visit.",
}


def _moment(resource: Mapping[str, Any], context: Context) -> tuple[Moment | None, str]:
    try:
        return when.effective(resource, context.zone, context.hospital.timezone), ""
    except when.NoTimeZone:
        return None, "zone"
    except when.NoDate:
        return None, "date"


def _sided(group: str, resource: Mapping[str, Any], hospital: Hospital) -> str | None:
    """The item of one side; None where the body site is missing, unknown or of another organ."""
    try:
        return SITED[group].get(hospital.target("sites", concept_of(resource, "bodySite")))
    except (UnknownCode, AmbiguousCode):
        return None


def measured(
    resource: Mapping[str, Any],
    element: Mapping[str, Any],
    item: Item,
    at: Moment,
    context: Context,
    default_unit: str,
) -> Measurement:
    """The measurement (or rating) of ``item`` that ``element`` of ``resource`` states."""
    normal = None
    if "referenceRange" in element:
        spelled = _unit_of(element) or default_unit
        normal = value.normal_range(element, item, context.hospital, spelled)
    found = value.read(element, item, context.hospital, default_unit, normal.high if normal else None)
    kind = Rating if item.kind in (Kind.LEVEL, Kind.SCALE) else Measurement
    return kind(
        subject=context.subject,
        item=item.code,
        at=at,
        value=found.value,
        sent=found.sent,
        origins=(context.origin,),
        unit=found.unit,
        found=found.found,
        normal=normal,
        problem=found.problem,
        corrects=resource.get("status") in ("amended", "corrected"),
        links=_links(resource, context.origin.url),
        about=_about(resource, context.origin.url),
    )


_NOTHING: frozenset[str] = frozenset()


def _links(resource: Mapping[str, Any], url: str) -> frozenset[str]:
    """Identifiers and the specimen; a number of no system and a contained specimen (``#1``) tie nothing."""
    links = reference.identifier_names(resource) if "identifier" in resource else []
    if "specimen" in resource:
        links += reference.names(resource["specimen"], reference.base_of(url))
    return frozenset([link for link in links if not link.startswith(("|", "#"))])


def _about(resource: Mapping[str, Any], url: str) -> frozenset[str]:
    """The results that a resource refers to; a body structure or a device that it is about ties nothing."""
    if "derivedFrom" not in resource and "focus" not in resource:
        return _NOTHING
    base = reference.base_of(url)
    return frozenset(
        name
        for element in ("derivedFrom", "focus")
        for each in listed(resource, element)
        if each.get("type", "Observation") == "Observation"
        for name in reference.names(each, base)
        if name.startswith("Observation/") or name.find("|") > 0
    )


def _unit_of(element: Mapping[str, Any]) -> str:
    quantity = element.get("valueQuantity")
    return value.spelled_unit(quantity) if isinstance(quantity, dict) else ""
