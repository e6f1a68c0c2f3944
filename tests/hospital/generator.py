"""A synthetic hospital: the stories of ``stories.toml`` as FHIR R4 resources of two systems.

``"hospital"`` is a hospital information system in China: the study, its participants, laboratory results,
the physician's global assessment, the doses, and what the criteria of entry look at, in its own codes and
spellings (``mappings/example-cn``).
``"ratings"`` is a rating system with patient ids of its own, in international codes
(``mappings/international``): ESSDAI, ESSPRI, Hočevar, Schirmer and saliva. Both know a child by one MRN.

What a story says is the same under every seed. The seed decides the noise: spellings of units, results
that the trial does not use, codes that nobody knows, patients who are not in the trial.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import requests

from fhir_adapter.exchange.resource import encode

Resource = dict[str, Any]

STORIES = Path(__file__).with_name("stories.toml")
MAPPINGS = Path(__file__).parents[2] / "mappings"

STUDY = ("https://clinicaltrials.gov", "NCT06410833")
PARTICIPANT_SYSTEM = "urn:example:trial-participant"
MRN_SYSTEM = "urn:example:mrn"
LAB_SYSTEM = "urn:example-cn:lab"
UCUM = "http://unitsofmeasure.org"
CANONICAL = "https://w3id.org/fhir-adapter"
ITEMS = f"{CANONICAL}/CodeSystem/items"
LEVELS = f"{CANONICAL}/CodeSystem/levels"
SITES = f"{CANONICAL}/CodeSystem/sites"
TEXT = f"{CANONICAL}/CodeSystem/text"
DRUG_SYSTEM = "urn:example-cn:drug"
FORM_SYSTEM = "urn:example-cn:form"
ROUTE_SYSTEM = "urn:example-cn:route"
VISIT_SYSTEM = "urn:example-cn:visit"
RESULT_SYSTEM = "urn:example-cn:result"
ICD10_SYSTEM = "urn:example-cn:icd10"
SCREENING_FORM = "urn:example-cn:form:screening"
SCT = "http://snomed.info/sct"

UNKNOWN_CODE = "XJ9907"
"""A laboratory code that no mapping knows; the child of one story has it under every seed."""
UNKNOWN_CODE_STORY = "JSS-02"

DOMAINS = (
    "constitutional", "lymphadenopathy", "glandular", "articular", "cutaneous", "pulmonary",
    "renal", "muscular", "pns", "cns", "haematological", "biological",
)  # fmt: skip
SCALES = ("dryness", "fatigue", "pain")
GLANDS = ("parotid-right", "parotid-left", "submandibular-right", "submandibular-left")
COMPONENTS = ("echogenicity", "homogeneity", "hypoechogenic", "hyperechogenic", "border")
EYES = ("18944008", "8966001")
"""SNOMED CT: the right eye, the left eye."""

LAB_ITEMS = {"esr": "esr", "igg": "igg", "rf": "rheumatoid-factor", "physician": "physician-global"}
"""Names in the stories → items of the trial that the hospital itself sends."""

# What the noise may look like: not-used code → unit, lowest and highest value, digits after the point.
NOISE = {
    "GLU01": ("mmol/L", 40, 62, 1), "ALT01": ("U/L", 8, 45, 0), "AST01": ("U/L", 12, 40, 0),
    "TBIL01": ("umol/L", 40, 180, 1), "UREA01": ("mmol/L", 250, 650, 2), "UA01": ("umol/L", 150, 420, 0),
    "K01": ("mmol/L", 350, 510, 2), "NA01": ("mmol/L", 136, 145, 0),
}  # fmt: skip

_VALUE = re.compile(r"([<>]?)\s*([\d.]+)\s*([^(]*?)\s*(?:\(([\d.]+)-([\d.]+)\))?")
_LOCAL = timedelta(hours=8)

TRANSACTION = 100
"""The most resources that ``load`` sends at once."""

# Referenced resources first: a server that guards its references refuses the other order.
_ORDER = (
    "Patient", "Medication", "ResearchStudy", "Consent", "ResearchSubject", "Specimen", "Observation",
    "QuestionnaireResponse", "MedicationAdministration", "Condition", "MedicationRequest",
    "MedicationStatement", "Encounter", "Immunization", "DiagnosticReport", "Procedure",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hospital:
    """Resources by source, and which story each participant lives.

    ``story_of`` leads from a participant's id to the id of the story; ``shift`` to the days by which the
    story was moved (whole weeks, 0 for the story itself).
    """

    sources: dict[str, list[Resource]]
    story_of: dict[str, str]
    shift: dict[str, int]


def stories() -> dict[str, Any]:
    """The stories as they stand in the file; numbers that are not whole come as ``Decimal``."""
    return tomllib.loads(STORIES.read_text(encoding="utf-8"), parse_float=Decimal)


def hospital(seed: int = 1, participants: int | None = None) -> Hospital:
    """The resources of the stories, or of ``participants`` children who live the stories in turn.

    Child 16 lives the first story again, under another id and moved by whole weeks, so that its outcomes
    are those of the story, moved by as many days. The same seed gives the same resources.
    """
    book = stories()
    told = book["participant"]
    made = Hospital({"hospital": [_study()], "ratings": []}, {}, {})
    for number in range(len(told) if participants is None else participants):
        story = told[number % len(told)]
        copied = number >= len(told)
        id = f"JSS-{number + 1:02d}" if copied else story["id"]
        rng = random.Random(f"{seed} {id}")
        shift = timedelta(weeks=_weeks(story, rng) if copied else 0)
        _tell(made, story, id, f"MRN{100001 + number}", shift, rng)
    for story in book["screened"]:
        _tell(made, story, story["id"], "MRN100000", timedelta(), random.Random(f"{seed} {story['id']}"))
    for number in range(max(4, len(made.story_of) // 5)):
        made.sources["hospital"] += _outsider(number, random.Random(f"{seed} outsider {number}"))
    for medication in _medications():
        made.sources["hospital"].append(medication)
    return made


def write_ndjson(hospital: Hospital, folder: Path, lines: int = 400) -> None:
    """Write ``folder/<source>/`` in the shape of a bulk export: ``Observation.ndjson``, then
    ``Observation.1.ndjson`` and so on, each of at most ``lines`` resources with ``meta.lastUpdated``."""
    for source, resources in hospital.sources.items():
        (folder / source).mkdir(parents=True, exist_ok=True)
        for kind in _ORDER:
            texts = [encode(_exported(each)) for each in resources if each["resourceType"] == kind]
            for part, start in enumerate(range(0, len(texts), lines)):
                name = f"{kind}.{part}.ndjson" if part else f"{kind}.ndjson"
                (folder / source / name).write_bytes(b"\n".join(texts[start : start + lines]) + b"\n")


def transactions(resources: Iterable[Resource], base_url: str) -> Iterator[Resource]:
    """The resources as transaction Bundles of at most 100 PUTs; what is referenced goes before."""
    ordered = sorted(resources, key=lambda each: _ORDER.index(each["resourceType"]))
    for start in range(0, len(ordered), TRANSACTION):
        entries = [_entry(each, base_url) for each in ordered[start : start + TRANSACTION]]
        yield {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def load(resources: Iterable[Resource], base_url: str) -> None:
    """PUT the resources onto a FHIR server, under their own ids, in transactions of at most 100.

    Raises ``RuntimeError`` with the server's answer where it refuses one.
    """
    with requests.Session() as session:
        session.trust_env = False
        for bundle in transactions(resources, base_url):
            answer = session.post(
                base_url,
                data=encode(bundle),
                headers={"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"},
                timeout=300,
            )
            if not answer.ok:
                raise RuntimeError(f"{answer.status_code} {answer.text[:2000]}")


def _entry(resource: Resource, base_url: str) -> Resource:
    place = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"{base_url.rstrip('/')}/{place}",
        "resource": resource,
        "request": {"method": "PUT", "url": place},
    }


def _exported(resource: Resource) -> Resource:
    """The resource as an export shows it: with the time of its last change."""
    changed = resource.get("issued") or resource.get("authored", "")
    if len(changed) < len("2024-01-01T00:00:00Z"):
        changed = "2026-03-01T00:00:00Z"
    head = {"resourceType": resource["resourceType"], "id": resource["id"]}
    return head | {"meta": {"versionId": "1", "lastUpdated": changed}} | resource


def _weeks(story: Mapping[str, Any], rng: random.Random) -> int:
    """How far a copy is moved: so that a window that is closed stays closed, and an open one open."""
    return -rng.randint(0, 9) if story.get("copies") == "earlier" else rng.randint(0, 10)


@dataclass
class _Chart:
    """The records of one child in both systems, as they grow."""

    id: str
    shift: timedelta
    rng: random.Random
    resources: dict[str, list[Resource]] = field(default_factory=lambda: {"hospital": [], "ratings": []})
    named: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def patient(self, source: str) -> str:
        return f"pat-{self.id.lower()}" if source == "hospital" else f"subj-{self.id.lower()}"

    def add(self, source: str, kind: str, content: Resource) -> Resource:
        """Give the content an id of its source and file it."""
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        prefix = {"hospital": "his", "ratings": "rate"}[source]
        resource = {
            "resourceType": kind,
            "id": f"{prefix}-{self.id.lower()}-{_SHORT[kind]}{number}",
        } | content
        self.resources[source].append(resource)
        return resource

    def about(self, source: str) -> Resource:
        return {"reference": f"Patient/{self.patient(source)}"}

    def day(self, day: date) -> str:
        return str(day + self.shift)

    def moved(self, at: str) -> str:
        """A time or partial date as sent, moved; a month is moved by its middle."""
        if len(at) == len("2024-04"):
            return str(date.fromisoformat(f"{at}-15") + self.shift)[:7]
        return self.day(date.fromisoformat(at[:10])) + at[10:]

    def local(self, day: date, time: str) -> str:
        return f"{self.day(day)}T{time}+08:00"


_SHORT = {
    "Observation": "o", "QuestionnaireResponse": "q", "MedicationAdministration": "m", "Specimen": "s",
    "Consent": "c", "ResearchSubject": "rs", "Condition": "d", "MedicationRequest": "mr",
    "MedicationStatement": "ms", "Encounter": "e", "Immunization": "i", "DiagnosticReport": "dr",
    "Procedure": "p",
}  # fmt: skip


def _study() -> Resource:
    system, value = STUDY
    return {
        "resourceType": "ResearchStudy",
        "id": "study-jss",
        "identifier": [{"system": system, "value": value}],
        "title": "Belimumab after rituximab in resistant primary juvenile Sjögren's syndrome (synthetic)",
        "status": "active",
    }


def _medications() -> Iterator[Resource]:
    for code in ("RTX01", "RTX02"):
        yield {
            "resourceType": "Medication",
            "id": f"med-{code.lower()}",
            "code": _drug(DRUG_SYSTEM, code),
        }


def _tell(
    made: Hospital, story: Mapping[str, Any], id: str, mrn: str, shift: timedelta, rng: random.Random
) -> None:
    """Turn one story into resources."""
    chart = _Chart(id, shift, rng)
    _enrol(chart, story, mrn)
    for visit in story["visit"]:
        _visit(chart, visit, story["forms"])
    for result in story.get("result", ()):
        _result(chart, result, story["forms"])
    _doses(chart, story)
    _noise(chart, story)
    _history(chart, story)
    for source, resources in chart.resources.items():
        made.sources[source] += resources
    made.story_of[id] = story["id"]
    made.shift[id] = shift.days


def _enrol(chart: _Chart, story: Mapping[str, Any], mrn: str) -> None:
    for source in ("hospital", "ratings"):
        born = story.get("born_sent", story["born"])
        chart.resources[source].append(_patient(chart.patient(source), mrn, story["sex"], born))
    consented = chart.day(story["consent"])
    consent = chart.add(
        "hospital",
        "Consent",
        {
            "status": "active",
            "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
            "category": [_concept("http://terminology.hl7.org/CodeSystem/consentcategorycodes", "research")],
            "patient": chart.about("hospital"),
            "dateTime": consented,
            "policyRule": _coded("consents", FORM_SYSTEM, "ICF-01"),
        },
    )
    period = {"start": consented}
    if "withdrawn" in story:
        period["end"] = chart.day(story["withdrawn"])
        consent |= {"status": "inactive", "provision": {"period": dict(period)}}
    chart.add(
        "hospital",
        "ResearchSubject",
        {
            "identifier": [{"system": PARTICIPANT_SYSTEM, "value": chart.id}],
            "status": story["status"],
            "period": period,
            "study": {"reference": "ResearchStudy/study-jss"},
            "individual": chart.about("hospital"),
            "consent": {"reference": f"Consent/{consent['id']}"},
        },
    )


def _patient(id: str, mrn: str, sex: str, born: date | str) -> Resource:
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": MRN_SYSTEM, "value": mrn}],
        "active": True,
        "gender": sex,
        "birthDate": str(born),
    }


def _concept(system: str, code: str, display: str | None = None, text: str | None = None) -> Resource:
    coding = {"system": system, "code": code}
    if display:
        coding["display"] = display
    return {"coding": [coding]} | ({"text": text} if text else {})


def _visit(chart: _Chart, visit: Mapping[str, Any], forms: list[str]) -> None:
    rated = chart.local(visit["day"], "14:00:00")
    for instrument in ("essdai", "esspri", "schirmer", "saliva", "hocevar"):
        if instrument in visit:
            _rate(chart, instrument, visit[instrument], rated, forms)
    specimens: dict[str, str] = {}
    for name in ("igg", "rf", "esr", "physician"):
        if name in visit:
            at = chart.local(visit["day"], "14:30:00" if name == "physician" else "08:10:00")
            _measure(chart, name, visit[name], at, specimen=_drawn(chart, name, at, specimens))


def _drawn(chart: _Chart, name: str, at: str, specimens: dict[str, str]) -> str | None:
    """The tube of a blood test: one of serum for a visit, one for the sedimentation rate."""
    if name == "physician":
        return None
    tube = _tube(name)
    if tube not in specimens:
        specimens[tube] = _specimen(chart, tube, at)
    return specimens[tube]


def _tube(name: str) -> str:
    return "whole blood" if name == "esr" else "serum"


def _specimen(chart: _Chart, tube: str, at: str) -> str:
    content = {
        "subject": chart.about("hospital"),
        "type": {"text": tube},
        "collection": {"collectedDateTime": at},
    }
    return str(chart.add("hospital", "Specimen", content)["id"])


def _result(chart: _Chart, result: Mapping[str, Any], forms: list[str]) -> None:
    """A result that is told by itself: it has a specimen of its own, or that of the result it corrects."""
    name, at = result["item"], chart.moved(result["at"])
    if name not in LAB_ITEMS:
        _rate(chart, name, result["value"], at, forms)
        return
    first = chart.named.get(result.get("corrects", ""))
    specimen = None
    if name != "physician":
        specimen = chart.named.get(f"{result.get('corrects')}, specimen") or _specimen(chart, _tube(name), at)
    for _ in range(result.get("copies", 1)):
        observation = _measure(
            chart,
            name,
            result["value"],
            at,
            specimen=specimen,
            status=result.get("status", "final"),
            text=result.get("text", False),
        )
        if first:
            observation["derivedFrom"] = [{"reference": f"Observation/{first}"}]
            observation["issued"] = _later(observation["issued"])
        if "name" in result and specimen:
            chart.named[result["name"]] = observation["id"]
            chart.named[f"{result['name']}, specimen"] = specimen


def _measure(
    chart: _Chart,
    name: str,
    value: str,
    at: str,
    *,
    specimen: str | None,
    status: str = "final",
    text: bool = False,
) -> Resource:
    """A result of the hospital's own system, in its codes and one of its spellings."""
    laboratory = name != "physician"
    content: Resource = {
        "identifier": [{"system": "urn:example-cn:report", "value": _report(chart)}],
        "status": status,
        "category": [_category("laboratory" if laboratory else "exam")],
        "code": _lab_code(chart, LAB_ITEMS[name], sure=text or not laboratory),
        "subject": chart.about("hospital"),
        "effectiveDateTime": at,
        "issued": _later(at),
        "performer": [{"display": "检验科" if laboratory else "风湿免疫科"}],
    }
    if specimen:
        content["specimen"] = {"reference": f"Specimen/{specimen}"}
    content |= _value(chart, value, text, own_spelling=laboratory)
    return chart.add("hospital", "Observation", content)


def _report(chart: _Chart) -> str:
    return f"{chart.id}-{chart.counts.get('Observation', 0) + 1:05d}"


def _category(code: str) -> Resource:
    return _concept("http://terminology.hl7.org/CodeSystem/observation-category", code)


def _later(at: str) -> str:
    """When it was issued: three hours later, as an instant."""
    moment = datetime.fromisoformat(at) if "T" in at else datetime.fromisoformat(f"{at[:7]}-28T00:00:00Z")
    return (moment + timedelta(hours=3)).isoformat().replace("+00:00", "Z")


def _lab_code(chart: _Chart, item: str, *, sure: bool) -> Resource:
    """The laboratory's code of an item; now and then only its name, as the laboratory writes it."""
    code, names = _codes(LAB_SYSTEM)[item][0], _codes(TEXT)[item]
    if not sure and chart.rng.random() < 0.1:
        return {"text": chart.rng.choice(names)}
    return _concept(LAB_SYSTEM, code, _displays("items", LAB_SYSTEM)[code], names[0])


def _value(chart: _Chart, value: str, text: bool, own_spelling: bool) -> Resource:
    """``value[x]`` and the printed range of a result as the story gives it."""
    parts = _VALUE.fullmatch(value)
    if parts is None:
        return {"valueString": value}
    comparator, number, unit, low, high = parts.groups()
    printed: Resource = {}
    if text:
        printed["valueString"] = f"{comparator}{number} {unit}".strip()
        sent = {"unit": unit} if unit else {}
    else:
        sent = _unit(chart, unit, own_spelling)
        content = {"value": Decimal(number)} | ({"comparator": comparator} if comparator else {})
        printed["valueQuantity"] = content | sent
    if low:
        limits: Resource = {"low": {"value": Decimal(low)} | sent, "high": {"value": Decimal(high)} | sent}
        printed["referenceRange"] = [limits | {"text": f"{low}-{high}"}]
    return printed


def _unit(chart: _Chart, unit: str, own_spelling: bool) -> Resource:
    """A unit as this hospital sends it: UCUM as a code, or one of its own spellings and no code."""
    if not unit:
        return {}
    ucum = _units().get(unit, unit)
    if not own_spelling or chart.rng.random() < 0.5:
        return {"unit": unit, "system": UCUM, "code": ucum}
    return {"unit": chart.rng.choice([unit, *(own for own, code in _units().items() if code == ucum)])}


def _rate(chart: _Chart, instrument: str, value: Any, at: str, forms: list[str]) -> None:
    """What the rating system holds of one instrument: a form, or an Observation for each part."""
    if instrument == "saliva":
        number, unit = value.split(" ")
        quantity = {"value": Decimal(number), "unit": unit, "system": UCUM, "code": unit}
        _observe(chart, "salivary-flow", at, {"valueQuantity": quantity})
        return
    if instrument == "schirmer":
        for mm, site in zip(value, EYES, strict=True):
            quantity = {"value": mm, "unit": "mm", "system": UCUM, "code": "mm"}
            content = {"bodySite": _concept(SCT, site), "valueQuantity": quantity}
            _observe(chart, "schirmer", at, content)
        return
    if instrument in forms:
        _fill_in(chart, instrument, value, at)
        return
    if instrument == "essdai":
        for domain, level in _levels(value).items():
            _observe(chart, f"essdai-{domain}", at, {"valueCodeableConcept": _concept(LEVELS, str(level))})
    elif instrument == "esspri":
        for scale, mark in zip(SCALES, value, strict=True):
            _observe(chart, f"esspri-{scale}", at, {"valueInteger": mark})
    else:
        for gland, component, grade in _grades(value):
            graded: Resource = {"bodySite": _concept(SITES, gland), "valueInteger": grade}
            _observe(chart, f"hocevar-{component}", at, graded)


def _levels(rated: Mapping[str, int]) -> dict[str, int]:
    return {
        domain: rated.get(domain, rated.get("others", -1))
        for domain in DOMAINS
        if domain in rated or "others" in rated
    }


def _grades(rows: list[list[int]]) -> Iterator[tuple[str, str, int]]:
    for gland, row in zip(GLANDS, rows, strict=True):
        for component, grade in zip(COMPONENTS, row, strict=True):
            yield gland, component, grade


def _observe(chart: _Chart, code: str, at: str, content: Resource) -> None:
    head = {
        "status": "final",
        "category": [_category("exam")],
        "code": _concept(ITEMS, code),
        "subject": chart.about("ratings"),
        "effectiveDateTime": at,
        "issued": _later(at),
        "performer": [{"display": "Rater 1"}],
    }
    chart.add("ratings", "Observation", head | content)


def _fill_in(chart: _Chart, instrument: str, value: Any, at: str) -> None:
    if instrument == "essdai":
        items = [
            _answer(domain, {"valueCoding": {"system": LEVELS, "code": str(level)}})
            for domain, level in _levels(value).items()
        ]
    elif instrument == "esspri":
        items = [_answer(scale, {"valueInteger": mark}) for scale, mark in zip(SCALES, value, strict=True)]
    else:
        graded = [
            (gland, _answer(f"{gland}-{part}", {"valueInteger": n})) for gland, part, n in _grades(value)
        ]
        items = [{"linkId": gland, "item": [item for of, item in graded if of == gland]} for gland in GLANDS]
    content = {
        "questionnaire": f"{CANONICAL}/Questionnaire/{instrument}",
        "status": "completed",
        "subject": chart.about("ratings"),
        "authored": at,
        "item": items,
    }
    chart.add("ratings", "QuestionnaireResponse", content)


def _answer(link: str, value: Resource) -> Resource:
    return {"linkId": link, "answer": [value]}


def _doses(chart: _Chart, story: Mapping[str, Any]) -> None:
    for drug in ("rituximab", "belimumab"):
        for number, day in enumerate(story.get(drug, ())):
            _dose(chart, drug, day, [story[f"{drug}_amount"]], number)
    for number, dose in enumerate(story.get("dose", ())):
        if dose.get("status") == "not-done":
            content = {
                "status": "not-done",
                "statusReason": [{"text": dose["reason"]}],
                "effectiveDateTime": chart.local(dose["day"], "10:00:00"),
            }
            _administer(chart, dose["drug"], content, number)
        else:
            _dose(chart, dose["drug"], dose["day"], dose["bags"], number)


def _dose(chart: _Chart, drug: str, day: date, bags: list[str], number: int) -> None:
    """One dose from 10:00; each bag is an administration of its own, one hour after the other."""
    for hour, bag in enumerate(bags, start=10):
        amount, unit = bag.split(" ")
        quantity = {"value": Decimal(amount), "unit": unit, "system": UCUM, "code": unit}
        period = {
            "start": chart.local(day, f"{hour}:00:00"),
            "end": chart.local(day, f"{hour + (2 if len(bags) == 1 else 1)}:00:00"),
        }
        content = {"status": "completed", "effectivePeriod": period, "dosage": {"dose": quantity}}
        _administer(chart, drug, content, number)


def _administer(chart: _Chart, drug: str, content: Resource, number: int) -> None:
    """Name the drug in the three ways that FHIR allows, in turn: by reference, contained, as a code."""
    local = "RTX01" if drug == "rituximab" else "BEL01"
    if drug == "rituximab" and number % 2 == 0:
        medication: Resource = {"medicationReference": {"reference": f"Medication/med-{local.lower()}"}}
    elif number % 3 == 1:
        contained = {"resourceType": "Medication", "id": "drug", "code": _drug(DRUG_SYSTEM, local)}
        medication = {"contained": [contained], "medicationReference": {"reference": "#drug"}}
    else:
        atc = "L01FA01" if drug == "rituximab" else "L04AG04"
        medication = {"medicationCodeableConcept": _drug("http://www.whocc.no/atc", atc)}
    chart.add(
        "hospital", "MedicationAdministration", medication | {"subject": chart.about("hospital")} | content
    )


def _drug(system: str, code: str) -> Resource:
    return _concept(system, code, _displays("drugs", system)[code])


def _noise(chart: _Chart, story: Mapping[str, Any]) -> None:
    """Results that the trial does not use, and codes that nobody knows."""
    days = [visit["day"] for visit in story["visit"]]
    for _ in range(chart.rng.randint(4, 10)):
        _unused(chart, chart.rng.choice(days) + timedelta(days=chart.rng.randint(-3, 3)))
    if chart.rng.random() < 0.2:
        _unknown(chart, f"QT{chart.rng.randint(1000, 9999)}", days[0])
    if chart.id == UNKNOWN_CODE_STORY:
        _unknown(chart, UNKNOWN_CODE, days[0])


def _unused(chart: _Chart, day: date) -> None:
    code = chart.rng.choice(sorted(NOISE))
    unit, low, high, digits = NOISE[code]
    number = Decimal(chart.rng.randint(low, high)).scaleb(-digits)
    name = _concept(LAB_SYSTEM, code, _displays("items", LAB_SYSTEM)[code])
    _local(chart, name, day, {"value": number, "unit": unit})


def _unknown(chart: _Chart, code: str, day: date) -> None:
    number = Decimal(chart.rng.randint(100, 999)).scaleb(-1)
    _local(chart, _concept(LAB_SYSTEM, code, text=f"院内项目{code}"), day, {"value": number, "unit": "U/L"})


def _local(chart: _Chart, code: Resource, day: date, quantity: Resource) -> None:
    at = chart.local(day, f"{chart.rng.randint(7, 9):02d}:{chart.rng.randint(0, 59):02d}:00")
    content = {
        "identifier": [{"system": "urn:example-cn:report", "value": _report(chart)}],
        "status": "final",
        "category": [_category("laboratory")],
        "code": code,
        "subject": chart.about("hospital"),
        "effectiveDateTime": at,
        "issued": _later(at),
        "performer": [{"display": "检验科"}],
        "valueQuantity": quantity,
    }
    chart.add("hospital", "Observation", content)


def _history(chart: _Chart, story: Mapping[str, Any]) -> None:
    """What the criteria of entry look at; none of it depends on the seed."""
    background = stories()["background"]
    if "rituximab" in story:
        first = story["visit"][0]["day"]
        _screen(chart, first, background["tests"] | story.get("tests", {}))
        _ask(chart, first, background["answers"] | story.get("answers", {}))
        orders = [] if story.get("orders") == "own" else background["order"]
        for order in (*orders, *story.get("order", ())):
            _order(chart, order, story["consent"])
        for diagnosis in (*background["diagnosis"], *story.get("diagnosis", ())):
            _diagnose(chart, diagnosis)
    for gate in story.get("gate", ()):
        _screen(chart, gate["day"], {item: value for item, value in gate.items() if item != "day"})
    for stay in story.get("stay", ()):
        _stay(chart, stay)
    for vaccine in story.get("vaccine", ()):
        _vaccinate(chart, vaccine)
    for agreement in story.get("agreement", ()):
        _agree(chart, agreement)
    for examined in story.get("examined", ()):
        _examine(chart, examined)


def _screen(chart: _Chart, day: date, tests: Mapping[str, str]) -> None:
    """Laboratory results of one morning, in UCUM, or as words."""
    for item, value in tests.items():
        if not value:
            continue
        at, code = chart.local(day, "08:20:00"), _codes(LAB_SYSTEM)[item][0]
        content: Resource = {
            "status": "final",
            "category": [_category("laboratory")],
            "code": _coded("items", LAB_SYSTEM, code),
            "subject": chart.about("hospital"),
            "effectiveDateTime": at,
            "issued": _later(at),
        }
        parts = _VALUE.fullmatch(value)
        if parts is None:
            content["valueString"] = value
        else:
            _, number, unit, low, high = parts.groups()
            measured = {"unit": unit, "system": UCUM, "code": _units().get(unit, unit)}
            content["valueQuantity"] = {"value": Decimal(number)} | measured
            if low:
                limits = {
                    "low": {"value": Decimal(low)} | measured,
                    "high": {"value": Decimal(high)} | measured,
                }
                content["referenceRange"] = [limits]
        chart.add("hospital", "Observation", content)


def _ask(chart: _Chart, day: date, answers: Mapping[str, str]) -> None:
    """The screening form, as the physician filled it in."""
    links = _codes(SCREENING_FORM)
    content = {
        "questionnaire": SCREENING_FORM,
        "status": "completed",
        "subject": chart.about("hospital"),
        "authored": chart.local(day, "15:00:00"),
        "item": [
            _answer(links[code][0], {"valueString": answer}) for code, answer in answers.items() if answer
        ],
    }
    chart.add("hospital", "QuestionnaireResponse", content)


def _order(chart: _Chart, order: Mapping[str, Any], consent: date) -> None:
    def day(value: Any) -> str:
        return chart.day(consent + timedelta(days=value) if isinstance(value, int) else value)

    period = {end: day(order[name]) for end, name in (("start", "first"), ("end", "last")) if name in order}
    content: Resource = {
        "status": order["status"],
        "medicationCodeableConcept": {"text": order["drug"]},
        "subject": chart.about("hospital"),
        "reasonCode": [_concept(ICD10_SYSTEM, order["for"])],
    }
    route = _coded("routes", ROUTE_SYSTEM, order["route"])
    if order.get("stated"):
        content |= {"effectivePeriod": period, "dosage": [{"route": route}]}
        chart.add("hospital", "MedicationStatement", content)
        return
    dosage: Resource = {"route": route}
    if period:
        content["authoredOn"] = period["start"]
        dosage["timing"] = {"repeat": {"boundsPeriod": period}}
    chart.add("hospital", "MedicationRequest", content | {"intent": "order", "dosageInstruction": [dosage]})


def _diagnose(chart: _Chart, diagnosis: Mapping[str, Any]) -> None:
    verified = diagnosis.get("status", "confirmed")
    code = _concept(ICD10_SYSTEM, diagnosis["code"]) if "code" in diagnosis else {"text": diagnosis["name"]}
    content: Resource = {
        "verificationStatus": _concept(f"{_CONDITION}-ver-status", verified),
        "code": code,
        "subject": chart.about("hospital"),
        "onsetDateTime": diagnosis["since"],
    }
    if verified == "confirmed":
        content["clinicalStatus"] = _concept(f"{_CONDITION}-clinical", "active")
    chart.add("hospital", "Condition", content)


_CONDITION = "http://terminology.hl7.org/CodeSystem/condition"


def _stay(chart: _Chart, stay: Mapping[str, Any]) -> None:
    content: Resource = {
        "status": "finished",
        "class": {"system": VISIT_SYSTEM, "code": stay["class"]},
        "subject": chart.about("hospital"),
        "period": {
            "start": chart.local(stay["first"], "09:00:00"),
            "end": chart.local(stay["last"], "16:00:00"),
        },
    }
    if "for" in stay:
        content["reasonCode"] = [_concept(ICD10_SYSTEM, stay["for"])]
    chart.add("hospital", "Encounter", content)


def _vaccinate(chart: _Chart, vaccine: Mapping[str, Any]) -> None:
    content = {
        "status": "completed",
        "vaccineCode": {"text": vaccine["name"]},
        "patient": chart.about("hospital"),
        "occurrenceDateTime": chart.day(vaccine["day"]),
    }
    chart.add("hospital", "Immunization", content)


def _agree(chart: _Chart, agreement: Mapping[str, Any]) -> None:
    content = {
        "status": agreement["status"],
        "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "category": [_concept("http://terminology.hl7.org/CodeSystem/consentcategorycodes", "research")],
        "patient": chart.about("hospital"),
        "dateTime": chart.day(agreement["day"]),
        "policyRule": _coded("consents", FORM_SYSTEM, agreement["form"]),
    }
    chart.add("hospital", "Consent", content)


def _examine(chart: _Chart, examined: Mapping[str, Any]) -> None:
    """A report with its conclusion, or a procedure with its outcome."""
    at = chart.local(examined["day"], "11:00:00")
    result = _coded("findings", RESULT_SYSTEM, examined["result"])
    kind = examined["kind"]
    content: Resource = {
        "code": _coded("items", LAB_SYSTEM, _codes(LAB_SYSTEM)[examined["item"]][0]),
        "subject": chart.about("hospital"),
    }
    if kind == "DiagnosticReport":
        content |= {"status": "final", "effectiveDateTime": at, "conclusionCode": [result]}
    else:
        content |= {"status": "completed", "performedDateTime": at, "outcome": result}
    chart.add("hospital", kind, content)


def _coded(table: str, system: str, code: str) -> Resource:
    """A code of the hospital's own with the name that it has there."""
    return _concept(system, code, _displays(table, system)[code])


def _outsider(number: int, rng: random.Random) -> list[Resource]:
    """A patient of the hospital who is not in the trial, with results and a dose of a study drug."""
    chart = _Chart(f"X{number + 1:03d}", timedelta(), rng)
    first = date(2024, 3, 1) + timedelta(days=rng.randint(0, 600))
    chart.resources["hospital"].append(
        _patient(
            chart.patient("hospital"),
            f"MRN{900001 + number}",
            rng.choice(["female", "male"]),
            date(rng.randint(1950, 2015), 1, 1) + timedelta(days=rng.randint(0, 364)),
        )
    )
    for week in range(rng.randint(1, 4)):
        at = chart.local(first + timedelta(weeks=week), "08:10:00")
        serum = _specimen(chart, "serum", at)
        igg = Decimal(rng.randint(60, 250)).scaleb(-1)
        _measure(chart, "igg", f"{igg} g/L (7.0-16.0)", at, specimen=serum)
        _measure(chart, "rf", f"{rng.randint(5, 90)} IU/mL (0-20)", at, specimen=serum)
        _unused(chart, first + timedelta(weeks=week))
    if rng.random() < 0.5:
        _dose(chart, "rituximab", first, ["500 mg"], 1)
    return chart.resources["hospital"]


def _elements(table: str, system: str) -> Iterator[Resource]:
    """The elements of the hospital's ConceptMaps that lead from ``system`` to a table of the trial."""
    for path in sorted((MAPPINGS / "example-cn").glob("ConceptMap-*.json")):
        for group in json.loads(path.read_text(encoding="utf-8"))["group"]:
            if group["source"] == system and group["target"] == f"{CANONICAL}/CodeSystem/{table}":
                yield from group["element"]


@cache
def _displays(table: str, system: str) -> dict[str, str]:
    """Code → its name."""
    return {element["code"]: element["display"] for element in _elements(table, system)}


@cache
def _codes(system: str) -> dict[str, list[str]]:
    """Item → the codes of ``system`` that lead to it."""
    found: dict[str, list[str]] = {}
    for element in _elements("items", system):
        found.setdefault(element["target"][0]["code"], []).append(element["code"])
    return found


@cache
def _units() -> dict[str, str]:
    """The hospital's spellings of units → UCUM."""
    settings = tomllib.loads((MAPPINGS / "example-cn" / "settings.toml").read_text(encoding="utf-8"))
    return dict(settings["units"])
