"""Outcome ↔ Observation: what the adapter writes into a hospital's record, and how it reads it back.

All readings of one outcome are components of one Observation. Sources are logical references, so that
the hospital's own deletes and corrections go through although our outcomes rest on them.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from fhir_adapter.conduct.names import CRITERIA
from fhir_adapter.mapping.hospital import UCUM, listed
from fhir_adapter.trial.components import BOUNDS, COMPONENTS, REASON
from fhir_adapter.trial.items import CANONICAL, CATEGORIES, FLAGS, OUTCOMES, REASONS, RESULTS, OutcomeCode
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import Interval, rounded

PROFILE = f"{CANONICAL}/StructureDefinition/outcome"
OUTCOME_ID = f"{CANONICAL}/outcome-id"
VISIT = f"{CANONICAL}/StructureDefinition/visit"
STUDY = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
SOURCE_SYSTEM = "urn:ietf:rfc:3986"
_SYSTEM = {
    name: f"{CANONICAL}/CodeSystem/{name}"
    for name in ("outcomes", "components", "criteria", "results", "categories", "reasons")
}
_SURVEY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_DERIVED_FROM = ("Observation", "QuestionnaireResponse")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, CANONICAL)

_SAYS_NOTHING = ("id", "meta", "text", "issued")
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorted = msgspec.json.Encoder(order="deterministic")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What an outcome needs to know of the place that it is written to.

    ``study`` is the study's identifier as (system, value), ``subject_system`` the system of the
    participants' numbers, ``patients`` the reference to each participant's Patient.
    """

    study: tuple[str, str]
    subject_system: str
    patients: Mapping[str, Json]


def outcome_id(study: tuple[str, str], subject: str, visit: str, code: str) -> str:
    """The id of an outcome's Observation: the same for the same study, subject, visit and outcome."""
    return str(uuid.uuid5(_NAMESPACE, "|".join((*study, subject, visit, code))))


def provenance_id(outcome: str, digest: str) -> str:
    """The id of the Provenance of one content of an outcome: R4's Provenance has no identifier."""
    return str(uuid.uuid5(_NAMESPACE, f"{outcome}|{digest}"))


class _Part(NamedTuple):
    """An element of an Observation in bytes: as it is written, and in the form of ``content``."""

    written: msgspec.Raw
    said: msgspec.Raw


def _part(element: Json) -> _Part:
    return _Part(msgspec.Raw(_encoder.encode(element)), msgspec.Raw(_sorted.encode(_plain(element))))


class Written(NamedTuple):
    """An outcome as it is written: the Observation's id, its bytes, and the ``digest`` of what it says."""

    id: str
    body: bytes
    digest: str


def write(outcome: Outcome, target: Target) -> Written:
    """The Observation of an outcome, without ``issued``: that is the journal's to fix.

    The same outcome always gives the same bytes; nothing in them depends on the software or the day. Parts
    that many outcomes have are encoded once for all of them, as they are written and as the digest has them.
    """
    id = outcome_id(target.study, outcome.subject, outcome.visit, outcome.code)
    components = _parts(outcome)
    sources = [_encoded_source(origin) for origin in outcome.origins if origin.type in _DERIVED_FROM]
    said = _content(id, outcome, target)
    observation = {"resourceType": "Observation", "id": id, "meta": {"profile": [PROFILE]}, **said}
    # Elsewhere in an Observation of ours no number stands, and only numbers need another form.
    if "valueQuantity" in said:
        said["valueQuantity"] = _plain(said["valueQuantity"])
    if sources:
        observation["derivedFrom"] = said["derivedFrom"] = sources
    if components:
        observation["component"] = [part.written for part in components]
        said["component"] = [part.said for part in components]
    return Written(id, _encoder.encode(observation), hashlib.sha256(_sorted.encode(said)).hexdigest())


def _content(id: str, outcome: Outcome, target: Target) -> Json:
    """What the Observation says, but for its sources and components."""
    name, _ = OUTCOMES[OutcomeCode(outcome.code)]
    content: Json = {
        "resourceType": "Observation",
        "extension": [
            {
                "url": STUDY,
                "valueReference": {
                    "type": "ResearchStudy",
                    "identifier": {"system": target.study[0], "value": target.study[1]},
                },
            },
            {"url": VISIT, "valueCode": outcome.visit},
        ],
        "identifier": [
            {"system": OUTCOME_ID, "value": id},
            {"system": target.subject_system, "value": outcome.subject},
        ],
        "status": "final",
        "category": [{"coding": [_SURVEY]}],
        "code": {"coding": [{"system": _SYSTEM["outcomes"], "code": str(outcome.code), "display": name}]},
        "subject": target.patients[outcome.subject],
        **_effective(outcome),
        **_value(outcome),
    }
    if outcome.flags:
        content["note"] = [{"text": f"{flag}: {FLAGS[flag]}"} for flag in outcome.flags]
    return content


def source(origin: Origin) -> Json:
    """The logical reference to exactly the version that was used."""
    return {"type": origin.type, "identifier": {"system": SOURCE_SYSTEM, "value": origin.url}}


@lru_cache(maxsize=4096)
def _encoded_source(origin: Origin) -> msgspec.Raw:
    """Without a number in it, an element with its keys sorted is written as it is said."""
    return msgspec.Raw(_sorted.encode(source(origin)))


def _effective(outcome: Outcome) -> Json:
    if outcome.effective is None:
        return {}
    first, last = outcome.effective
    if first == last:
        return {"effectiveDateTime": first.isoformat()}
    return {"effectivePeriod": {"start": first.isoformat(), "end": last.isoformat()}}


def _value(outcome: Outcome) -> Json:
    if outcome.number is not None:
        return {"valueQuantity": quantity(outcome.number, outcome.unit)}
    if outcome.result is not None:
        return {"valueCodeableConcept": _coded("results", outcome.result, RESULTS)}
    if outcome.day is not None:
        return {"valueDateTime": outcome.day.isoformat()}
    return {"dataAbsentReason": _reason(outcome.reason or "undetermined", outcome.detail)}


def quantity(number: Fraction, unit: str) -> Json:
    """A number as a Quantity with at most four decimals; ``unit`` is UCUM."""
    return {"value": rounded(number), "unit": unit, "system": UCUM, "code": unit}


def _coded(system: str, code: str, names: Mapping[str, str]) -> Json:
    return {"coding": [{"system": _SYSTEM[system], "code": code, "display": names[code]}]}


def _reason(code: str, detail: str = "") -> Json:
    """Why there is no value: ours first, then FHIR's own code for those who know only that."""
    concept = _coded("reasons", code, REASONS)
    general = "not-performed" if code == "not-assessed" else "unknown"
    concept["coding"].append({"system": _ABSENT, "code": general})
    return _with_text(concept, detail)


def _with_text(concept: Json, text: str) -> Json:
    return {**concept, "text": text} if text else concept


def _own_components(outcome: Outcome) -> list[Json]:
    """The bounds of a missing number, and why a response is open."""
    made: list[Json] = []
    if outcome.bounds is not None:
        ends = (("low", outcome.bounds.low), ("high", outcome.bounds.high))
        limits = {end: quantity(limit, outcome.unit) for end, limit in ends if limit is not None}
        if limits:
            made.append({"code": _named(BOUNDS), "valueRange": limits})
    if outcome.result is not None and outcome.reason is not None:
        why = _with_text(_coded("reasons", outcome.reason, REASONS), outcome.detail)
        made.append({"code": _named(REASON), "valueCodeableConcept": why})
    return made


def _named(component: str) -> Json:
    if component in CRITERIA:
        return _coded("criteria", component, CRITERIA)
    return _coded("components", component, COMPONENTS)


def _parts(outcome: Outcome) -> list[_Part]:
    own = [_part(each) for each in _own_components(outcome)]
    # What an answer rests on is no part of what is written, and must not be kept for the next.
    return own + [_encoded(each.alone() if each.rests_on else each) for each in outcome.components]


@lru_cache(maxsize=4096)
def _encoded(component: Component) -> _Part:
    """Most components of an outcome say what thousands of others say."""
    return _part(_component(component))


def _component(component: Component) -> Json:
    made: Json = {"code": _with_text(_named(component.name), component.label)}
    if component.number is not None:
        made["valueQuantity"] = quantity(component.number, component.unit)
    elif component.answer is not None:
        made["valueBoolean"] = component.answer
    elif component.code is not None:
        table = ("categories", CATEGORIES) if component.code in CATEGORIES else ("results", RESULTS)
        made["valueCodeableConcept"] = _with_text(
            _coded(table[0], component.code, table[1]), component.detail
        )
    elif component.day is not None:
        made["valueDateTime"] = component.day.isoformat()
    else:
        made["dataAbsentReason"] = _reason(component.reason or "undetermined", component.detail)
    return made


def is_outcome(resource: Mapping[str, Any]) -> bool:
    """Whether an Observation is one of ours: it is an outcome, not a source of outcomes."""
    return any(
        coding.get("system") == _SYSTEM["outcomes"] for coding in listed(resource.get("code") or {}, "coding")
    )


def read(observation: Mapping[str, Any]) -> Outcome:
    """The outcome that an Observation of ours states, at four decimals.

    What it rests on comes back as origins, by their addresses. Raises KeyError or ValueError for an
    Observation that is not one of ours.
    """
    subject = next(each["value"] for each in observation["identifier"] if each.get("system") != OUTCOME_ID)
    visit = next(each["valueCode"] for each in observation["extension"] if each["url"] == VISIT)
    components = {_code(each["code"]): each for each in observation.get("component", [])}
    amount = observation.get("valueQuantity", {})
    concept = observation.get("valueCodeableConcept")
    absent = observation.get("dataAbsentReason") or components.get(REASON, {}).get("valueCodeableConcept")
    bounds = components.get(BOUNDS, {}).get("valueRange")
    code = OutcomeCode(_code(observation["code"]))
    return Outcome(
        subject=subject,
        visit=visit,
        code=code,
        number=_number(amount),
        unit=OUTCOMES[code][1],
        result=_code(concept) if concept else None,
        day=_day(observation.get("valueDateTime")),
        reason=_code(absent) if absent else None,
        detail=absent.get("text", "") if absent else "",
        bounds=Interval(_number(bounds.get("low")), _number(bounds.get("high"))) if bounds else None,
        components=tuple(
            _read_component(name, each) for name, each in components.items() if name not in (BOUNDS, REASON)
        ),
        flags=tuple(each["text"].split(":")[0] for each in observation.get("note", [])),
        effective=_read_effective(observation),
        origins=tuple(_origin(each) for each in observation.get("derivedFrom", [])),
    )


def _code(concept: Mapping[str, Any]) -> str:
    return str(concept["coding"][0]["code"])


def _number(amount: Mapping[str, Any] | None) -> Fraction | None:
    return Fraction(str(amount["value"])) if amount and "value" in amount else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def _read_component(name: str, component: Mapping[str, Any]) -> Component:
    amount = component.get("valueQuantity", {})
    concept, absent = component.get("valueCodeableConcept"), component.get("dataAbsentReason")
    return Component(
        name,
        number=_number(amount),
        unit=amount.get("code", "{score}"),
        answer=component.get("valueBoolean"),
        code=_code(concept) if concept else None,
        day=_day(component.get("valueDateTime")),
        reason=_code(absent) if absent else None,
        label=component["code"].get("text", ""),
        detail=(concept or absent or {}).get("text", ""),
    )


def _read_effective(observation: Mapping[str, Any]) -> tuple[date, date] | None:
    period = observation.get("effectivePeriod", {})
    first = _day(observation.get("effectiveDateTime") or period.get("start"))
    last = _day(period.get("end")) or first
    return (first, last) if first and last else None


_ADDRESS = re.compile(r".*?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/]+)(?:/_history/(?P<version>.+))?")


def _origin(reference: Mapping[str, Any]) -> Origin:
    url = reference["identifier"]["value"]
    match = _ADDRESS.fullmatch(url)
    id, version = (match["id"], match["version"] or "") if match else ("", "")
    return Origin("", reference["type"], id, version, url)


def content(resource: Mapping[str, Any]) -> bytes:
    """What of a resource says something, in one form: for comparing, whatever a server did to the rest.

    Without what servers choose or add (``id``, ``meta``, ``text``) and what is fixed in the journal
    (``issued``); keys sorted, numbers without their spelling (1.50 is 1.5), since servers change both.
    """
    said = {key: value for key, value in resource.items() if key not in _SAYS_NOTHING}
    return _sorted.encode(_plain(said))


def digest(resource: Mapping[str, Any]) -> str:
    """SHA-256 of the content."""
    return hashlib.sha256(content(resource)).hexdigest()


def _plain(value: Any) -> Any:
    # In the order of how often each is met: every outcome passes here at each push.
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int | Decimal | float) and not isinstance(value, bool):
        return str(Fraction(str(value)))
    return value
