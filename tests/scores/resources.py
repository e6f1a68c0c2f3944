"""A worked case as FHIR resources in a hospital's own codes, and the way back through the mapping.

``resources_of`` makes what a hospital would send: Observations, filled-in forms and administrations, valid
R4 and ready for a server. Baseline values stand on the day of the first rituximab, two hours before it,
values of week 28 on day 196.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import hospital as hospitals
from fhir_adapter.mapping import medication_administration, observation, patient, questionnaire_response
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.shipped import MAPPINGS
from fhir_adapter.study import read_mapping
from fhir_adapter.trial.items import CANONICAL, HOCEVAR_GLANDS, ITEMS, Kind
from fhir_adapter.trial.origin import Origin
from tests.scores.build import CHILD, DAY0, WEEK28, ZONE
from tests.scores.inputs import Case, Given, Inputs, inputs_of

Resource = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
OWN = f"{CANONICAL}/CodeSystem"
LOINC = "http://loinc.org"
SCT = "http://snomed.info/sct"
ATC = "http://www.whocc.no/atc"
LAB = "urn:example-cn:lab"

_DOMAINS = (
    "constitutional", "lymphadenopathy", "glandular", "articular", "cutaneous", "pulmonary",
    "renal", "muscular", "pns", "cns", "haematological", "biological",
)  # fmt: skip
_SCALES = ("dryness", "fatigue", "pain")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one hospital writes things down.

    ``forms`` leads from a family of items to its Questionnaire and each item's linkId; ``codes`` from an
    item to its code and body site (system, code); ``units`` from UCUM to the spelling.
    """

    forms: Mapping[str, tuple[str, Mapping[str, str]]]
    codes: Mapping[str, tuple[tuple[str, str], tuple[str, str] | None]]
    level: Callable[[Given], Resource]
    quantity: Callable[[str, Given], Resource]
    limit: Callable[[str, Given], Resource]
    drugs: Mapping[str, tuple[str, str]]
    morning: str
    word: Callable[[bool], Resource]
    ask: Callable[[Mapping[str, bool], str], list[Resource]]


def resources_of(case: Case, hospital_folder: str) -> list[Resource]:
    """The resources of a case in the codes of ``mappings/<hospital_folder>``; the Patient comes first.

    Raises KeyError for a case whose instrument is not within scope.
    """
    return written(inputs_of(case), hospital_folder, str(case["id"]).lower())


def written(inputs: Inputs, hospital_folder: str, id: str) -> list[Resource]:
    """Inputs as resources, with ids that begin with ``id``. Without doses named, one on day 0 is given."""
    dialect = DIALECTS[hospital_folder]
    made: list[Resource] = []
    for name, day, given in (("b", DAY0, inputs.baseline), ("f", WEEK28, inputs.week28)):
        made += _forms(dialect, given, day, f"{id}-{name}")
        made += _observations(dialect, given, day, f"{id}-{name}")
    for number, (day, item, value) in enumerate(inputs.dated):
        made += _observations(dialect, {item: value}, day, f"{id}-d{number}")
    made += dialect.ask(inputs.said, id)
    doses = [("rituximab", day) for day in inputs.rituximab or (DAY0,)]
    doses += [("belimumab", day) for day in inputs.belimumab]
    for number, (drug, day) in enumerate(doses):
        system, code = dialect.drugs[drug]
        made.append(
            {
                "resourceType": "MedicationAdministration",
                "id": f"{id}-dose-{number}",
                "status": "completed",
                "medicationCodeableConcept": {"coding": [{"system": system, "code": code}]},
                "effectiveDateTime": f"{day}T10:00:00+08:00",
                "dosage": {"dose": {"value": 500, "unit": "mg", "system": UCUM, "code": "mg"}},
            }
        )
    for resource in made:
        resource["subject"] = {"reference": f"Patient/{id}"}
    person: Resource = {
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": "urn:example:mrn", "value": id}],
    }
    if inputs.born:
        person["birthDate"] = str(inputs.born)
    if inputs.sex:
        person["gender"] = inputs.sex
    return [person, *made]


def read(resources: Iterable[Resource], hospital_folder: str) -> Mapped:
    """What the mapping makes of the resources, after the way over the wire."""
    folder = read_mapping(MAPPINGS / hospital_folder)
    known = hospitals.hospital(folder.concept_maps, folder.settings, str(folder.path))
    mapped = Mapped()
    for sent in resources:
        resource = decode(encode(sent))
        type, id = resource["resourceType"], resource["id"]
        origin = Origin(hospital_folder, type, id, "1", f"https://hospital.example/{type}/{id}/_history/1")
        context = Context(CHILD.id, origin, known, ZONE, frozenset(("rituximab", "belimumab")))
        if type == "Patient":
            mapped.add(patient.read(resource, context))
        elif type == "Observation":
            mapped.add(observation.read(resource, context))
        elif type == "QuestionnaireResponse":
            mapped.add(questionnaire_response.read(resource, context))
        elif type == "MedicationAdministration":
            mapped.add(medication_administration.read(resource, {}, context))
    return mapped


def _forms(dialect: Dialect, given: Mapping[str, Given], day: date, id: str) -> list[Resource]:
    made = []
    for family, (questionnaire, links) in dialect.forms.items():
        answers = [
            {"linkId": links[item], "answer": [_answer(dialect, item, value)]}
            for item, value in given.items()
            if item in links
        ]
        if answers:
            made.append(
                {
                    "resourceType": "QuestionnaireResponse",
                    "id": f"{id}-{family}",
                    "questionnaire": questionnaire,
                    "status": "completed",
                    "authored": f"{day}{dialect.morning}",
                    "item": answers,
                }
            )
    return made


def _answer(dialect: Dialect, item: str, given: Given) -> Resource:
    if item.startswith("essdai-"):
        return dialect.level(given)
    number = Decimal(given.value)
    return {"valueInteger": int(number)} if number == int(number) else {"valueDecimal": number}


def _observations(dialect: Dialect, given: Mapping[str, Given], day: date, id: str) -> Iterable[Resource]:
    in_forms = {item for _, links in dialect.forms.values() for item in links}
    for item, value in given.items():
        if item in in_forms:
            continue
        (system, code), site = dialect.codes.get(item) or (_code(dialect, item), None)
        resource: Resource = {
            "resourceType": "Observation",
            "id": f"{id}-{item}",
            "status": "final",
            "code": {"coding": [{"system": system, "code": code}]},
            "effectiveDateTime": f"{day}{dialect.morning}",
        }
        if site is not None:
            resource["bodySite"] = {"coding": [{"system": site[0], "code": site[1]}]}
        if isinstance(value.value, bool):
            resource |= dialect.word(value.value)
        elif ITEMS[item].kind is Kind.LEVEL:
            resource["valueInteger"] = int(value.value)
        else:
            resource |= dialect.quantity(item, value)
        limits = {"low": value.lower, "high": value.limit}
        printed = {
            end: dialect.limit(item, replace(value, limit=number))
            for end, number in limits.items()
            if number is not None
        }
        if printed:
            resource["referenceRange"] = [printed]
        yield resource


def _code(dialect: Dialect, item: str) -> tuple[str, str]:
    """The first code of the hospital's tables that leads to an item."""
    folder = next(name for name, each in DIALECTS.items() if each is dialect)
    return _codes(folder)[item]


@cache
def _codes(folder: str) -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for concept_map in read_mapping(MAPPINGS / folder).concept_maps:
        for group in concept_map["group"]:
            if group["target"] == f"{OWN}/items" and ":form:" not in group["source"]:
                for element in group["element"]:
                    target = element["target"][0]["code"]
                    if "/Questionnaire/" not in group["source"] and not group["source"].endswith("/text"):
                        found.setdefault(target, (group["source"], element["code"]))
    return found


def _by_observations(said: Mapping[str, bool], id: str) -> list[Resource]:
    """A physician's answers, an Observation each."""
    return [
        {
            "resourceType": "Observation",
            "id": f"{id}-said-{number}",
            "status": "final",
            "code": {"coding": [{"system": f"{OWN}/items", "code": code}]},
            "effectiveDateTime": f"{DAY0}T00:30:00Z",
            "valueBoolean": answer,
        }
        for number, (code, answer) in enumerate(said.items())
    ]


def _by_form(said: Mapping[str, bool], id: str) -> list[Resource]:
    """A physician's answers on the hospital's screening form."""
    form = "urn:example-cn:form:screening"
    links = {
        element["target"][0]["code"]: element["code"]
        for concept_map in read_mapping(MAPPINGS / "example-cn").concept_maps
        for group in concept_map["group"]
        if group["source"] == form
        for element in group["element"]
    }
    items = [
        {"linkId": links[code], "answer": [{"valueString": "是" if answer else "否"}]}
        for code, answer in said.items()
    ]
    if not items:
        return []
    return [
        {
            "resourceType": "QuestionnaireResponse",
            "id": f"{id}-screening",
            "questionnaire": form,
            "status": "completed",
            "authored": f"{DAY0}T08:30:00+08:00",
            "item": items,
        }
    ]


def _by_code(found: bool) -> Resource:
    code = "10828004" if found else "260385009"
    return {"valueCodeableConcept": {"coding": [{"system": SCT, "code": code}]}}


def _ucum(item: str, given: Given) -> Resource:
    """A Quantity as LOINC and UCUM want it, ``<`` as its comparator."""
    text, unit = str(given.value), given.unit or ITEMS[item].unit
    quantity: Resource = {"value": Decimal(text.lstrip("<>")), "unit": unit, "system": UCUM, "code": unit}
    if text.startswith(("<", ">")):
        quantity["comparator"] = text[0]
    return {"valueQuantity": quantity}


def _ucum_limit(item: str, given: Given) -> Resource:
    unit = ITEMS[item].unit
    return {"value": Decimal(str(given.limit)), "unit": unit, "system": UCUM, "code": unit}


_CHINESE = {
    "g/L": "克/升", "[IU]/mL": "IU/ml", "mm/h": "mm/1h", "mm": "毫米",
    "mL/min": "ml/min", "mL/(15.min)": "ml/15min", "10*9/L": "10^9/L", "/uL": "个/ul", "mg/dL": "mg/dl",
    "U/mL": "U/ml", "U/L": "U/l", "g/(24.h)": "g/24h", "umol/L": "umol/l", "cm": "厘米", "m": "米", "%": "%",
    "{foci}/(4.mm2)": "{foci}/(4.mm2)",
}  # fmt: skip
_FULL_WIDTH = str.maketrans("<>0123456789.", "＜＞０１２３４５６７８９．")


def _printed(item: str, given: Given) -> Resource:
    """A Quantity with a Chinese unit and no code; a censored value, and any ESR, as printed text."""
    text, unit = str(given.value), _CHINESE[given.unit or ITEMS[item].unit]
    if item == "esr":
        return {"valueString": text.translate(_FULL_WIDTH)}
    if text.startswith(("<", ">")):
        return {"valueString": f"{text.translate(_FULL_WIDTH)} {unit}"}
    return {"valueQuantity": {"value": Decimal(text), "unit": unit}}


def _printed_limit(item: str, given: Given) -> Resource:
    return {"value": Decimal(str(given.limit)), "unit": _CHINESE[ITEMS[item].unit]}


def _coded_level(system: str, codes: Sequence[str]) -> Callable[[Given], Resource]:
    return lambda given: {"valueCoding": {"system": system, "code": codes[int(given.value)]}}


_HOCEVAR_CODES = {
    "echogenicity": "HOC01", "homogeneity": "HOC02", "hypoechogenic": "HOC03", "hyperechogenic": "HOC04",
    "border": "HOC05",
}  # fmt: skip
_GRADES = [f"{gland}-{part}" for gland in HOCEVAR_GLANDS for part in _HOCEVAR_CODES]
_GLAND_CODES = dict(zip(HOCEVAR_GLANDS, ("PR", "PL", "SR", "SL"), strict=True))

DIALECTS: Mapping[str, Dialect] = {
    "international": Dialect(
        forms={
            "essdai": (
                f"{CANONICAL}/Questionnaire/essdai|0.1.0",
                {f"essdai-{domain}": domain for domain in _DOMAINS},
            ),
            "esspri": (f"{CANONICAL}/Questionnaire/esspri", {f"esspri-{scale}": scale for scale in _SCALES}),
            "hocevar": (
                f"{CANONICAL}/Questionnaire/hocevar",
                {f"hocevar-{each}": each for each in _GRADES},
            ),
        },
        codes={
            "igg": ((LOINC, "2465-3"), None),
            "rheumatoid-factor": ((LOINC, "11572-5"), None),
            "esr": ((LOINC, "4537-7"), None),
            "physician-global": ((f"{OWN}/items", "physician-global"), None),
            "salivary-flow": ((f"{OWN}/items", "salivary-flow"), None),
            "hocevar-total": ((f"{OWN}/items", "hocevar-total"), None),
            "schirmer-right": ((f"{OWN}/items", "schirmer"), (SCT, "18944008")),
            "schirmer-left": ((f"{OWN}/items", "schirmer"), (SCT, "8966001")),
        },
        level=_coded_level(f"{OWN}/levels", "0123"),
        quantity=_ucum,
        limit=_ucum_limit,
        drugs={"rituximab": (ATC, "L01FA01"), "belimumab": (ATC, "L04AG04")},
        morning="T00:00:00Z",
        word=_by_code,
        ask=_by_observations,
    ),
    "example-cn": Dialect(
        forms={
            "essdai": (
                "urn:example-cn:form:essdai",
                {f"essdai-{domain}": str(number) for number, domain in enumerate(_DOMAINS, start=1)},
            ),
            "esspri": (
                "urn:example-cn:form:esspri",
                {f"esspri-{scale}": str(number) for number, scale in enumerate(_SCALES, start=1)},
            ),
        },
        codes={
            "igg": ((LAB, "IGG01"), None),
            "rheumatoid-factor": ((LAB, "RF01"), None),
            "esr": ((LAB, "ESR01"), None),
            "physician-global": ((LAB, "PGA01"), None),
            "salivary-flow": ((LAB, "SAL01"), None),
            "hocevar-total": ((LAB, "HOC06"), None),
            "schirmer-right": ((LAB, "SCH01"), ("urn:example-cn:site", "OD")),
            "schirmer-left": ((LAB, "SCH01"), ("urn:example-cn:site", "OS")),
            **{
                f"hocevar-{gland}-{part}": ((LAB, code), ("urn:example-cn:site", site))
                for gland, site in _GLAND_CODES.items()
                for part, code in _HOCEVAR_CODES.items()
            },
        },
        level=_coded_level("urn:example-cn:level", "ABCD"),
        quantity=_printed,
        limit=_printed_limit,
        drugs={
            "rituximab": ("urn:example-cn:drug", "RTX02"),
            "belimumab": ("urn:example-cn:drug", "BEL01"),
        },
        morning="T08:00:00+08:00",
        word=lambda found: {"valueString": "阳性" if found else "阴性"},
        ask=_by_form,
    ),
}  # fmt: skip
"""The two hospitals whose mapping folders ship, by folder."""
