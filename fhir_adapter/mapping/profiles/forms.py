"""Questionnaires for ESSDAI, ESSPRI and Hočevar that score themselves in any SDC renderer.

The wording is the project's own (the official texts of ESSDAI and ESSPRI are protected, their weights and
thresholds are facts) and follows dossier §1.3, §2 and §4. The extensions are those of the FHIR
implementation guide Structured Data Capture (SDC) 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.mapping.hospital import UCUM
from fhir_adapter.mapping.profiles.resource import HL7, Json, canonical_url, resource
from fhir_adapter.scores.essdai import WEIGHTS
from fhir_adapter.scores.hocevar import GRADES, TOTAL
from fhir_adapter.trial.components import LEVELS
from fhir_adapter.trial.items import (
    ESSDAI_DOMAINS,
    ESSPRI_SCALES,
    HOCEVAR_COMPONENTS,
    HOCEVAR_GLANDS,
    ITEMS,
    OUTCOMES,
    OutcomeCode,
)

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire"

ESSDAI_GUIDE: Mapping[str, tuple[str, Mapping[int, str]]] = {
    "constitutional": (
        "Not from infection or wanted weight loss.",
        {
            1: "fever of 37.5 to 38.5 °C or now and then, night sweats, or 5 to 10 % of weight lost",
            2: "fever above 38.5 °C, or more than 10 % of weight lost, with or without night sweats",
        },
    ),
    "lymphadenopathy": (
        "Not from infection.",
        {
            1: "a node of 1 cm or more, in the groin 2 cm or more",
            2: "a node of 2 cm or more, in the groin 3 cm or more, or a large spleen",
            3: "a B-cell malignancy at present",
        },
    ),
    "glandular": (
        "Not from stones or infection.",
        {
            1: "parotid swelling up to 3 cm, or slight submandibular or lachrymal swelling",
            2: "parotid swelling of more than 3 cm, or marked submandibular or lachrymal swelling",
        },
    ),
    "articular": (
        "Not from osteoarthritis.",
        {
            1: "painful hands, wrists, ankles or feet, stiff for more than 30 minutes in the morning",
            2: "1 to 5 of 28 joints swollen",
            3: "6 or more of 28 joints swollen",
        },
    ),
    "cutaneous": (
        "Lasting marks are damage.",
        {
            1: "erythema multiforme",
            2: "limited or urticarial vasculitis, purpura up to the ankles only, or subacute cutaneous lupus",
            3: "widespread vasculitis or purpura, or ulcers from vasculitis",
        },
    ),
    "pulmonary": (
        "Not from smoking or other causes.",
        {
            1: "bronchial cough without X-ray change, or interstitial disease on imaging alone",
            2: "interstitial disease with NYHA II, DLCO of 40 to below 70 %, or FVC of 60 to below 80 %",
            3: "interstitial disease with NYHA III or IV, DLCO below 40 %, or FVC below 60 %",
        },
    ),
    "renal": (
        "By biopsy where there is one; old stable proteinuria is damage.",
        {
            1: "tubular acidosis with a GFR of 60 or more, or glomerular proteinuria of 0.5 to 1 g a day",
            2: "tubular acidosis with a GFR below 60, glomerular proteinuria up to 1.5 g a day, membranous"
            " nephropathy or heavy interstitial infiltrates",
            3: "glomerular proteinuria above 1.5 g a day, haematuria or a GFR below 60, proliferative or"
            " cryoglobulin-related nephritis",
        },
    ),
    "muscular": (
        "Proven by electromyography, biopsy or imaging; not from steroids.",
        {
            1: "no weakness, CK up to twice the limit",
            2: "weakness no worse than 4 of 5, or CK above 2 and up to 4 times the limit",
            3: "weakness of 3 of 5 or worse, or CK above 4 times the limit",
        },
    ),
    "pns": (
        "Proven by conduction studies or biopsy.",
        {
            1: "purely sensory axonal or small-fibre neuropathy, or trigeminal neuralgia",
            2: "sensory-motor neuropathy with little weakness, sensory neuropathy with cryoglobulinaemic"
            " vasculitis, mild ataxia or CIDP, or another cranial nerve",
            3: "weakness of 3 of 5 or worse, vasculitic neuropathy, severe ataxia or CIDP",
        },
    ),
    "cns": (
        "There is no low level.",
        {
            2: "central cranial nerve lesion, optic neuritis, or sensory signs or loss of cognition as in"
            " multiple sclerosis",
            3: "stroke from vasculitis, seizures, myelitis, lymphocytic meningitis, or motor signs as in"
            " multiple sclerosis",
        },
    ),
    "haematological": (
        "Only what is autoimmune, not from drugs or lack of iron or vitamins; the worst cell line"
        " counts. Cells in 10⁹/L.",
        {
            1: "neutrophils 1.0 to 1.5, haemoglobin 100 to 120 g/L, platelets 100 to 150, or"
            " lymphocytes 0.5 to 1.0 (limits excluded)",
            2: "neutrophils 0.5 to 1.0, haemoglobin 80 to 100 g/L, platelets 50 to 100 (limits"
            " included), or lymphocytes 0.5 or less",
            3: "neutrophils below 0.5, haemoglobin below 80 g/L, or platelets below 50",
        },
    ),
    "biological": (
        "Not from drugs.",
        {
            1: "monoclonal component, low C3, C4 or CH50, or IgG of 16 to 20 g/L",
            2: "cryoglobulins, IgG above 20 g/L, or IgG newly low or fallen below 5 g/L",
        },
    ),
}
"""Domain → what to leave out, and what its levels mean in the project's words (dossier §1.3)."""


def _form(name: str, title: str, description: str, items: list[Json]) -> Json:
    return {
        **resource("Questionnaire", name, title, description),
        "subjectType": ["Patient"],
        "code": [{"system": canonical_url("CodeSystem", "outcomes"), "code": name}],
        "item": items,
    }


def _extracted() -> Json:
    """The extension by which a renderer makes an Observation of an answer."""
    return {"url": f"{SDC}-observationExtract", "valueBoolean": True}


def _score(outcome: OutcomeCode, kind: str, expression: str) -> Json:
    """An item that shows the score, calculated while the form is filled in.

    Its linkId is the outcome's code. It stays empty where the scorer gives no number: FHIRPath's arithmetic
    with an empty operand is empty. The expression needs nothing but ``%resource``, the response.
    """
    display, unit = OUTCOMES[outcome]
    calculated = {"language": "text/fhirpath", "expression": expression}
    points = {"system": UCUM, "code": unit}
    return {
        "extension": [
            {"url": f"{SDC}-calculatedExpression", "valueExpression": calculated},
            _extracted(),
            {"url": f"{HL7}/StructureDefinition/questionnaire-unit", "valueCoding": points},
        ],
        "linkId": outcome.value,
        "code": [{"system": canonical_url("CodeSystem", "outcomes"), "code": outcome.value}],
        "text": display,
        "type": kind,
        "readOnly": True,
    }


def _answer(link: str) -> str:
    return f"%resource.item.where(linkId = '{link}').answer.value"


def _help(name: str, text: str) -> Json:
    """A display item with advice for the person who fills the form in."""
    control = {"coding": [{"system": f"{HL7}/questionnaire-item-control", "code": "help"}]}
    return {
        "extension": [
            {"url": f"{HL7}/StructureDefinition/questionnaire-itemControl", "valueCodeableConcept": control}
        ],
        "linkId": name,
        "text": text,
        "type": "display",
    }


def _item_code(code: str) -> list[Json]:
    return [{"system": canonical_url("CodeSystem", "items"), "code": code, "display": ITEMS[code].display}]


def _whole_number(link: str, item: str, text: str, low: int, high: int) -> Json:
    limits = (("minValue", low), ("maxValue", high))
    return {
        "extension": [
            *({"url": f"{HL7}/StructureDefinition/{name}", "valueInteger": limit} for name, limit in limits),
            _extracted(),
        ],
        "linkId": link,
        "code": _item_code(item),
        "text": text,
        "type": "integer",
    }


def _level(level: int, weight: int) -> Json:
    points = {"url": f"{HL7}/StructureDefinition/ordinalValue", "valueDecimal": weight * level}
    return {
        "valueCoding": {
            "extension": [points],
            "system": canonical_url("CodeSystem", "levels"),
            "code": str(level),
            "display": LEVELS[level],
        }
    }


def essdai() -> Json:
    """ESSDAI: a level for each of the twelve domains."""
    items = [
        _help(
            "instructions",
            "Rate what was present at the visit or in the four weeks before it and comes from active"
            " Sjögren's disease. Damage, effects of drugs, infections and other diseases count as none.",
        )
    ]
    for domain, (name, levels) in ESSDAI_DOMAINS.items():
        caution, guide = ESSDAI_GUIDE[domain]
        weight, _ = WEIGHTS[domain]
        meaning = " ".join(f"{LEVELS[level]}: {guide[level]}." for level in levels if level)
        items.append(
            {
                "extension": [_extracted()],
                "linkId": domain,
                "code": _item_code(f"essdai-{domain}"),
                "text": f"{name[0].upper()}{name[1:]}",
                "type": "choice",
                "answerOption": [_level(level, weight) for level in levels],
                "item": [_help(f"{domain}-help", f"{caution} {meaning}")],
            }
        )
    for column, outcome in enumerate((OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI)):
        points = [
            f"{_answer(domain)}.code.toInteger() * {weights[column]}"
            for domain, weights in WEIGHTS.items()
            if weights[column]
        ]
        items.append(_score(outcome, "integer", " + ".join(points)))
    description = (
        "The level of activity in each ESSDAI domain, as rated by a physician. The ordinal value of an"
        " answer is the domain's weight times the level; their sum is the ESSDAI, which the form shows"
        " together with the ClinESSDAI. Wording of this project."
    )
    return _form("essdai", "ESSDAI, levels of activity", description, items)


def esspri() -> Json:
    """ESSPRI: three scales from 0 to 10."""
    felt = {"dryness": "Dryness", "fatigue": "Tiredness", "pain": "Pain in joints, muscles, arms or legs"}
    items = [
        _whole_number(
            scale,
            f"esspri-{scale}",
            f"{felt[scale]} over the past two weeks: 0 is not at all, 10 is as bad as can be",
            0,
            10,
        )
        for scale in ESSPRI_SCALES
    ]
    # Rounded as outcomes are written; a third is never half way between two decimals.
    mean = f"(({' + '.join(map(_answer, ESSPRI_SCALES))}) / {len(ESSPRI_SCALES)}).round(4)"
    items.append(_score(OutcomeCode.ESSPRI, "decimal", mean))
    description = (
        "Three scales that the participant marks; ESSPRI is their mean, which the form shows."
        " Wording of this project."
    )
    return _form("esspri", "ESSPRI, three scales", description, items)


def hocevar() -> Json:
    """Hočevar: five grades for each of four glands, or the total."""

    def grade(gland: str, component: str) -> Json:
        code = f"hocevar-{gland}-{component}"
        name, most = HOCEVAR_COMPONENTS[component][0], ITEMS[code].levels[-1]
        text = f"{name[0].upper()}{name[1:]}: 0 is normal, {most} is worst"
        return _whole_number(f"{gland}-{component}", code, text, 0, most)

    items: list[Json] = [
        {
            "linkId": gland,
            "text": f"{gland.replace('-', ' ').capitalize()} gland",
            "type": "group",
            "item": [grade(gland, component) for component in HOCEVAR_COMPONENTS],
        }
        for gland in HOCEVAR_GLANDS
    ]
    most = ITEMS[TOTAL].levels[-1]
    text = f"Total, 0 to {most}, where it was noted"
    items.append(_whole_number("total", TOTAL, text, 0, most))
    items.append(_score(OutcomeCode.HOCEVAR, "integer", _hocevar_sum(most)))
    description = (
        "Grades of four salivary glands on ultrasound; their sum is the Hočevar score, which the form"
        " shows. Wording of this project."
    )
    return _form("hocevar", "Salivary gland ultrasound, Hočevar grades", description, items)


def _hocevar_sum(most: int) -> str:
    """The sum of the 20 grades; where one is missing, the total that was noted, if the grades allow it.

    Every grade reaches 3 or 1; what those that were given could have reached, taken from ``most``, is how
    much the missing ones may add.
    """
    given = "%resource.item.item.where(answer.exists())"
    known = f"{given}.answer.value.aggregate($this + $total, 0)"
    single = " | ".join(
        f"'{grade.removeprefix('hocevar-')}'" for grade in GRADES if ITEMS[grade].levels[-1] == 1
    )
    reached = f"({given}.count() * 3 - {given}.where(linkId in ({single})).count() * 2)"
    possible = f"{known} <= $this and $this <= {known} + {most} - {reached}"
    return f"iif({given}.count() = {len(GRADES)}, {known}, {_answer('total')}.where({possible}))"
