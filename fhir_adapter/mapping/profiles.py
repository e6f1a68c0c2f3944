"""The project's FHIR package, generated from the domain: code systems, value sets, profiles, forms.

``python -m fhir_adapter.mapping.profiles profiles/`` writes it. Every code comes from ``trial``, so a
code stands once; the wording of the forms is the project's own (the official texts of ESSDAI and
ESSPRI are protected, their weights and thresholds are facts) and follows dossier §1.3, §2 and §4.
Profiles hold a differential only: validators and servers make the snapshot from R4's own.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fhir_adapter.scores.essdai import WEIGHTS
from fhir_adapter.trial.components import BOUNDS, COMPONENTS, FINDINGS, LEVELS, REASON
from fhir_adapter.trial.items import (
    CANONICAL,
    CATEGORIES,
    DRUGS,
    ESSDAI_DOMAINS,
    ESSPRI_SCALES,
    EYES,
    HOCEVAR_COMPONENTS,
    HOCEVAR_GLANDS,
    ITEMS,
    NOT_USED,
    OUTCOMES,
    REASONS,
    RESULTS,
    SITED,
    Item,
    Kind,
)

Json = dict[str, Any]

PACKAGE = "org.w3id.fhir-adapter"
VERSION = "0.1.0"
FHIR_VERSION = "4.0.1"

_HL7 = "http://hl7.org/fhir"
_UCUM = "http://unitsofmeasure.org"
_URI = "urn:ietf:rfc:3986"
_OUTCOME_ID = f"{CANONICAL}/outcome-id"
_OBSERVATION_STATUS = f"{_HL7}/observation-status"
_OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def resources() -> list[Json]:
    """Every resource of the package, each as R4 JSON with ``resourceType``, ``id`` and ``url``."""
    return [*_terminology(), *_profiles(), _essdai(), _esspri(), _hocevar()]


def package() -> dict[str, str]:
    """The files of the package: name → text, ``package.json`` and ``.index.json`` included."""
    made = {f"{resource['resourceType']}-{resource['id']}.json": resource for resource in resources()}
    described = ("resourceType", "id", "url", "version", "kind", "type")
    index = [
        {"filename": name, **{key: resource[key] for key in described if key in resource}}
        for name, resource in sorted(made.items())
    ]
    manifest = {
        "name": PACKAGE,
        "version": VERSION,
        "title": "fhir-adapter",
        "description": "Outcomes of Sjögren trials in FHIR R4: codes, profiles and forms",
        "type": "IG",
        "canonical": CANONICAL,
        "url": CANONICAL,
        "author": "The fhir-adapter maintainers",
        "license": "Apache-2.0",
        "fhirVersions": [FHIR_VERSION],
        "dependencies": {"hl7.fhir.r4.core": FHIR_VERSION},
    }
    files = {**made, "package.json": manifest, ".index.json": {"index-version": 2, "files": index}}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def _url(kind: str, name: str) -> str:
    return f"{CANONICAL}/{kind}/{name}"


def _resource(kind: str, name: str, title: str, description: str) -> Json:
    """What every resource of the package opens with; ``name`` is its id."""
    return {
        "resourceType": kind,
        "id": name,
        "url": _url(kind, name),
        "version": VERSION,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "title": title,
        "status": "active",
        "experimental": False,
        "publisher": "The fhir-adapter maintainers",
        "description": description,
    }


# --- Code systems and value sets ---------------------------------------------------------------------


def _concepts(displays: Mapping[str, str]) -> list[Json]:
    return [{"code": code, "display": display} for code, display in displays.items()]


def _item_concept(item: Item) -> Json:
    """An item's concept; the definition tells those who map a hospital's codes which units are read."""
    concept = {"code": item.code, "display": item.display}
    if item.kind is Kind.LEVEL:
        first, *_, last = item.levels
        steps = ", ".join(map(str, item.levels)) if len(item.levels) < 5 else f"{first} to {last}"
        concept["definition"] = f"A whole number: {steps}."
    elif item.kind is Kind.FINDING:
        concept["definition"] = "Positive, negative or indeterminate."
    elif item.kind is Kind.TITRE:
        concept["definition"] = "A dilution 1:n, kept as n."
    else:
        concept["definition"] = f"Kept in {item.unit}; read from {', '.join(item.factors)}."
    return concept


def _sited_concepts() -> list[Json]:
    concepts = []
    for group, members in SITED.items():
        site, item = next(iter(members.items()))
        display = ITEMS[item].display.replace(site.replace("-", " "), "one")
        definition = f"The body site says which: {', '.join(members.values())}."
        concepts.append({"code": group, "display": display, "definition": definition})
    return concepts


def _sites() -> dict[str, str]:
    codes = dict.fromkeys(site for sites in SITED.values() for site in sites)
    return {
        site: f"{site.capitalize()} eye" if site in EYES else f"{site.replace('-', ' ').capitalize()} gland"
        for site in codes
    }


def _terminology() -> list[Json]:
    not_used = {NOT_USED: "Known, and not used by the trial"}
    systems: list[tuple[str, str, str, list[Json]]] = [
        (
            "items",
            "Items",
            "What is measured, rated or asked; the targets of a hospital's code lists.",
            [*map(_item_concept, ITEMS.values()), *_sited_concepts(), *_concepts(not_used)],
        ),
        (
            "outcomes",
            "Outcomes",
            "What is computed and written back.",
            _concepts({code.value: display for code, (display, _) in OUTCOMES.items()}),
        ),
        (
            "components",
            "Components of outcomes",
            "Parts, intermediate answers and alternative readings of an outcome.",
            _concepts(COMPONENTS),
        ),
        ("results", "Results of a response", "Whether a participant responded.", _concepts(RESULTS)),
        ("reasons", "Reasons", "Why an outcome or a component has no value.", _concepts(REASONS)),
        (
            "categories",
            "Categories of activity",
            "Categories of ESSDAI and ClinESSDAI: below 5, 5 to 13, 14 and more.",
            _concepts(CATEGORIES),
        ),
        ("sites", "Body sites", "The eyes and glands that items are told apart by.", _concepts(_sites())),
        (
            "levels",
            "Levels",
            "The whole number that a coded answer stands for: an ESSDAI level or a Hočevar grade.",
            _concepts({str(level): display for level, display in LEVELS.items()}),
        ),
        ("findings", "Findings", "What a coded laboratory finding says.", _concepts(FINDINGS)),
        ("drugs", "Drugs", "The drugs that the trial asks about.", _concepts({**DRUGS, **not_used})),
    ]
    made = [_code_system(*system) for system in systems]
    made += [
        _value_set(name, title, description, [{"system": _url("CodeSystem", name)}])
        for name, title, description, _ in systems
    ]
    for name, title, codes in (
        ("essdai-domains", "ESSDAI domains", [f"essdai-{domain}" for domain in ESSDAI_DOMAINS]),
        ("esspri-scales", "ESSPRI scales", [f"esspri-{scale}" for scale in ESSPRI_SCALES]),
        (
            "hocevar-grades",
            "Hočevar grades",
            [f"hocevar-{gland}-{component}" for gland in HOCEVAR_GLANDS for component in HOCEVAR_COMPONENTS],
        ),
    ):
        concepts = _concepts({code: ITEMS[code].display for code in codes})
        include = {"system": _url("CodeSystem", "items"), "concept": concepts}
        made.append(_value_set(name, title, f"{title}: the items that the total is made of.", [include]))
    made.append(
        _value_set(
            "coded-values",
            "Coded values of components",
            "The result of a response, a category of activity, or why a response is open.",
            [{"system": _url("CodeSystem", name)} for name in ("results", "categories", "reasons")],
        )
    )
    statuses = [{"code": "final"}, {"code": "entered-in-error"}]
    made.append(
        _value_set(
            "outcome-status",
            "Statuses of an outcome",
            "A computed outcome stands, or is withdrawn; it is never preliminary.",
            [{"system": _OBSERVATION_STATUS, "concept": statuses}],
        )
    )
    return made


def _code_system(name: str, title: str, description: str, concepts: list[Json]) -> Json:
    return {
        **_resource("CodeSystem", name, title, description),
        "caseSensitive": True,
        "valueSet": _url("ValueSet", name),
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def _value_set(name: str, title: str, description: str, include: list[Json]) -> Json:
    return {**_resource("ValueSet", name, title, description), "compose": {"include": include}}


# --- Profiles ----------------------------------------------------------------------------------------


def _element(name: str, **constraints: Any) -> Json:
    """One element of a differential; ``name`` is its id, slices included (``a.b:slice.c``)."""
    return {"id": name, "path": re.sub(r":[^.]+", "", name), **constraints}


def _once(name: str, **constraints: Any) -> Json:
    return _element(name, min=1, max="1", **constraints)


def _never(name: str) -> Json:
    return _element(name, max="0")


def _sliced(name: str, kind: str, path: str, rules: str = "open", **constraints: Any) -> Json:
    """An element that is sliced by ``path``; ``kind`` is the discriminator's type."""
    discriminator = [{"type": kind, "path": path}]
    slicing = {"discriminator": discriminator, "ordered": False, "rules": rules}
    return _element(name, slicing=slicing, **constraints)


def _bound(value_set: str) -> Json:
    return {"strength": "required", "valueSet": _url("ValueSet", value_set)}


def _types(*codes: str) -> list[Json]:
    return [{"code": code} for code in codes]


def _reference(*types: str) -> list[Json]:
    return [
        {"code": "Reference", "targetProfile": [f"{_HL7}/StructureDefinition/{target}" for target in types]}
    ]


def _invariant(key: str, human: str, expression: str, severity: str = "error") -> Json:
    return {"key": key, "severity": severity, "human": human, "expression": expression}


def _logical(name: str, system: str | None = None) -> list[Json]:
    """A reference by type and identifier alone, so that no server checks, rewrites or guards its target."""
    return [
        _never(f"{name}.reference"),
        _once(f"{name}.type"),
        _once(f"{name}.identifier"),
        _once(f"{name}.identifier.system", **({"fixedUri": system} if system else {})),
        _once(f"{name}.identifier.value"),
    ]


def _profile(
    name: str, type_: str, title: str, description: str, elements: Iterable[Json], **more: Any
) -> Json:
    return {
        **_resource("StructureDefinition", name, title, description),
        "fhirVersion": FHIR_VERSION,
        "kind": "resource",
        "abstract": False,
        **more,
        "type": type_,
        "baseDefinition": f"{_HL7}/StructureDefinition/{type_}",
        "derivation": "constraint",
        "differential": {"element": list(elements)},
    }


def _profiles() -> list[Json]:
    return [_visit(), _outcome(), _outcome_provenance(), *_asked_of_a_hospital()]


def _visit() -> Json:
    return _profile(
        "visit",
        "Extension",
        "Visit",
        "The visit of the trial's protocol that an outcome speaks of, such as baseline or week-28.",
        [
            _element("Extension", max="1"),
            _never("Extension.extension"),
            _element("Extension.url", fixedUri=_url("StructureDefinition", "visit")),
            _once("Extension.value[x]", type=_types("code")),
        ],
        kind="complex-type",
        context=[{"type": "element", "expression": "Observation"}],
    )


def _quantity_in_ucum(name: str) -> list[Json]:
    return [
        _element(f"{name}:valueQuantity", sliceName="valueQuantity", min=0, max="1", type=_types("Quantity")),
        _once(f"{name}:valueQuantity.value"),
        _once(f"{name}:valueQuantity.system", fixedUri=_UCUM),
        _once(f"{name}:valueQuantity.code"),
    ]


def _coded(name: str, value_set: str) -> Json:
    return _element(
        f"{name}:valueCodeableConcept",
        sliceName="valueCodeableConcept",
        min=0,
        max="1",
        type=_types("CodeableConcept"),
        binding=_bound(value_set),
    )


def _outcome() -> Json:
    def has(concept: str, system: str, code: str = "") -> str:
        criteria = f"system = '{_url('CodeSystem', system)}'" + (f" and code = '{code}'" if code else "")
        return f"{concept}.coding.where({criteria}).exists()"

    is_bounds = has("code", "components", BOUNDS)
    is_reason = has("code", "components", REASON)
    invariants = [
        _invariant(
            "outcome-1",
            "An outcome has a value or the reason why there is none, never both",
            "value.exists() xor dataAbsentReason.exists()",
        ),
        _invariant(
            "outcome-2",
            "Bounds stand only where the value is missing",
            f"component.where({is_bounds}).exists() implies dataAbsentReason.exists()",
        ),
    ]
    component_invariants = [
        _invariant(
            "outcome-3",
            "A component has a value or the reason why there is none, never both",
            "value.exists() xor dataAbsentReason.exists()",
        ),
        _invariant(
            "outcome-4",
            "The component of the bounds, and no other, has a range as its value",
            f"{is_bounds} = value.ofType(Range).exists()",
        ),
        _invariant(
            "outcome-5",
            "A range has a lower or an upper limit",
            "value.ofType(Range).all(low.exists() or high.exists())",
        ),
        _invariant(
            "outcome-6",
            "The component of the reason, and no other, has a reason as its value",
            f"{is_reason} = {has('value.ofType(CodeableConcept)', 'reasons')}",
        ),
    ]
    study = "Observation.extension:researchStudy"
    category = [{"system": _OBSERVATION_CATEGORY, "code": "survey"}]
    return _profile(
        "outcome",
        "Observation",
        "Outcome",
        "A computed outcome of one participant at one visit, with the readings and answers it rests on.",
        [
            _element("Observation", constraint=invariants),
            _sliced("Observation.extension", "value", "url", min=2),
            _once(
                study,
                sliceName="researchStudy",
                type=[
                    {
                        "code": "Extension",
                        "profile": [f"{_HL7}/StructureDefinition/workflow-researchStudy"],
                    }
                ],
            ),
            _once(f"{study}.value[x]", type=_reference("ResearchStudy")),
            _once(f"{study}.value[x].identifier"),
            _once(f"{study}.value[x].identifier.value"),
            _once(
                "Observation.extension:visit",
                sliceName="visit",
                type=[{"code": "Extension", "profile": [_url("StructureDefinition", "visit")]}],
            ),
            _sliced("Observation.identifier", "value", "system", min=2),
            _once("Observation.identifier:outcome", sliceName="outcome"),
            _once("Observation.identifier:outcome.system", fixedUri=_OUTCOME_ID),
            _once("Observation.identifier:outcome.value"),
            _element("Observation.status", binding=_bound("outcome-status")),
            _sliced("Observation.category", "pattern", "$this", min=1),
            _once(
                "Observation.category:survey",
                sliceName="survey",
                patternCodeableConcept={"coding": category},
            ),
            _element("Observation.code", binding=_bound("outcomes")),
            _once("Observation.subject", type=_reference("Patient")),
            _element("Observation.effective[x]", type=_types("dateTime", "Period")),
            _once("Observation.issued"),
            _sliced(
                "Observation.value[x]",
                "type",
                "$this",
                rules="closed",
                type=_types("Quantity", "CodeableConcept", "dateTime"),
            ),
            *_quantity_in_ucum("Observation.value[x]"),
            _coded("Observation.value[x]", "results"),
            _element(
                "Observation.value[x]:valueDateTime",
                sliceName="valueDateTime",
                min=0,
                max="1",
                type=_types("dateTime"),
            ),
            _element("Observation.dataAbsentReason", binding=_bound("reasons")),
            *_logical("Observation.derivedFrom"),
            _element("Observation.component", constraint=component_invariants),
            _element("Observation.component.code", binding=_bound("components")),
            _sliced(
                "Observation.component.value[x]",
                "type",
                "$this",
                type=_types("Quantity", "CodeableConcept", "boolean", "Range", "dateTime"),
            ),
            *_quantity_in_ucum("Observation.component.value[x]"),
            _coded("Observation.component.value[x]", "coded-values"),
            _element("Observation.component.dataAbsentReason", binding=_bound("reasons")),
        ],
    )


def _outcome_provenance() -> Json:
    software = _invariant(
        "outcome-provenance-1",
        "The software is the contained device with the id 'software', and its version is given",
        "contained.ofType(Device).where(id = 'software' and version.value.exists()).exists()",
    )
    unversioned = _invariant(
        "outcome-provenance-2",
        "The target is named without a version, which servers rewrite",
        "target.reference.all(contains('/_history/').not())",
    )
    return _profile(
        "outcome-provenance",
        "Provenance",
        "Provenance of an outcome",
        "Which software computed an outcome, when, and from which versions of which resources.",
        [
            _element("Provenance", constraint=[software, unversioned]),
            _once("Provenance.contained"),
            _once("Provenance.target", type=_reference("Observation")),
            _once("Provenance.target.reference"),
            _once("Provenance.recorded"),
            _once("Provenance.activity"),
            _once("Provenance.agent"),
            _element("Provenance.agent.who", type=_reference("Device")),
            _once("Provenance.agent.who.reference", fixedString="#software"),
            _element("Provenance.entity.role", fixedCode="source"),
            *_logical("Provenance.entity.what", _URI),
        ],
    )


def _asked_of_a_hospital() -> list[Json]:
    """The least that the adapter needs; elements marked mustSupport are read where they are sent."""
    answered = _invariant(
        "measurement-1",
        "A result has a value, the reason why there is none, or components",
        "value.exists() or dataAbsentReason.exists() or component.exists()"
        " or status = 'cancelled' or status = 'entered-in-error'",
    )
    reasoned = _invariant(
        "dose-1", "A dose that was not given says why", "status = 'not-done' implies statusReason.exists()",
        severity="warning",
    )  # fmt: skip
    return [
        _profile(
            "participant",
            "ResearchSubject",
            "Participant",
            "Who takes part in the study, under which identifier and since when.",
            [
                _element("ResearchSubject.identifier", min=1, mustSupport=True),
                _once("ResearchSubject.identifier.value"),
                _element("ResearchSubject.status", mustSupport=True),
                _element("ResearchSubject.period", mustSupport=True),
                _element("ResearchSubject.study", mustSupport=True),
                _element("ResearchSubject.individual", mustSupport=True),
                _element("ResearchSubject.consent", mustSupport=True),
            ],
        ),
        _profile(
            "patient",
            "Patient",
            "Patient",
            "A participant's record, with the identifiers by which other systems know the same person.",
            [
                _element("Patient.identifier", min=1, mustSupport=True),
                _once("Patient.identifier.system"),
                _once("Patient.identifier.value"),
                _element("Patient.link", mustSupport=True),
            ],
        ),
        _profile(
            "measurement",
            "Observation",
            "Measurement",
            "A laboratory result, a test or a rating that an outcome is computed from.",
            [
                _element("Observation", constraint=[answered]),
                _element("Observation.status", mustSupport=True),
                _element("Observation.code", mustSupport=True),
                _once("Observation.subject", type=_reference("Patient"), mustSupport=True),
                _once("Observation.effective[x]", mustSupport=True),
                _element("Observation.value[x]", mustSupport=True),
                _element("Observation.dataAbsentReason", mustSupport=True),
                _element("Observation.bodySite", mustSupport=True),
                _element("Observation.referenceRange", mustSupport=True),
                _element("Observation.component", mustSupport=True),
            ],
        ),
        _profile(
            "form",
            "QuestionnaireResponse",
            "Form",
            "A filled-in form: ESSDAI, ESSPRI, the ultrasound score, or a hospital's own.",
            [
                _once("QuestionnaireResponse.questionnaire", mustSupport=True),
                _element("QuestionnaireResponse.status", mustSupport=True),
                _once("QuestionnaireResponse.subject", type=_reference("Patient"), mustSupport=True),
                _once("QuestionnaireResponse.authored", mustSupport=True),
                _element("QuestionnaireResponse.item", min=1, mustSupport=True),
            ],
        ),
        _profile(
            "dose",
            "MedicationAdministration",
            "Dose",
            "One administration of a study drug.",
            [
                _element("MedicationAdministration", constraint=[reasoned]),
                _element("MedicationAdministration.status", mustSupport=True),
                _element("MedicationAdministration.statusReason", mustSupport=True),
                _element("MedicationAdministration.medication[x]", mustSupport=True),
                _element(
                    "MedicationAdministration.subject", type=_reference("Patient"), mustSupport=True
                ),
                _element("MedicationAdministration.effective[x]", mustSupport=True),
                _element("MedicationAdministration.dosage", mustSupport=True),
            ],
        ),
    ]  # fmt: skip


# --- Forms -------------------------------------------------------------------------------------------

_ESSDAI_GUIDE: Mapping[str, tuple[str, Mapping[int, str]]] = {
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
        **_resource("Questionnaire", name, title, description),
        "subjectType": ["Patient"],
        "code": [{"system": _url("CodeSystem", "outcomes"), "code": name}],
        "item": items,
    }


def _help(name: str, text: str) -> Json:
    """A display item with advice for the person who fills the form in."""
    control = {"coding": [{"system": f"{_HL7}/questionnaire-item-control", "code": "help"}]}
    return {
        "extension": [
            {"url": f"{_HL7}/StructureDefinition/questionnaire-itemControl", "valueCodeableConcept": control}
        ],
        "linkId": name,
        "text": text,
        "type": "display",
    }


def _item_code(code: str) -> list[Json]:
    return [{"system": _url("CodeSystem", "items"), "code": code, "display": ITEMS[code].display}]


def _whole_number(link: str, item: str, text: str, low: int, high: int) -> Json:
    limits = (("minValue", low), ("maxValue", high))
    return {
        "extension": [
            {"url": f"{_HL7}/StructureDefinition/{name}", "valueInteger": limit} for name, limit in limits
        ],
        "linkId": link,
        "code": _item_code(item),
        "text": text,
        "type": "integer",
    }


def _level(level: int, weight: int) -> Json:
    points = {"url": f"{_HL7}/StructureDefinition/ordinalValue", "valueDecimal": weight * level}
    return {
        "valueCoding": {
            "extension": [points],
            "system": _url("CodeSystem", "levels"),
            "code": str(level),
            "display": LEVELS[level],
        }
    }


def _essdai() -> Json:
    items = [
        _help(
            "instructions",
            "Rate what was present at the visit or in the four weeks before it and comes from active"
            " Sjögren's disease. Damage, effects of drugs, infections and other diseases count as none.",
        )
    ]
    for domain, (name, levels) in ESSDAI_DOMAINS.items():
        caution, guide = _ESSDAI_GUIDE[domain]
        weight, _ = WEIGHTS[domain]
        meaning = " ".join(f"{LEVELS[level]}: {guide[level]}." for level in levels if level)
        items.append(
            {
                "linkId": domain,
                "code": _item_code(f"essdai-{domain}"),
                "text": f"{name[0].upper()}{name[1:]}",
                "type": "choice",
                "answerOption": [_level(level, weight) for level in levels],
                "item": [_help(f"{domain}-help", f"{caution} {meaning}")],
            }
        )
    description = (
        "The level of activity in each ESSDAI domain, as rated by a physician. The ordinal value of an"
        " answer is the domain's weight times the level; their sum is the ESSDAI. Wording of this project."
    )
    return _form("essdai", "ESSDAI, levels of activity", description, items)


def _esspri() -> Json:
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
    description = "Three scales that the participant marks; ESSPRI is their mean. Wording of this project."
    return _form("esspri", "ESSPRI, three scales", description, items)


def _hocevar() -> Json:
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
    most = ITEMS["hocevar-total"].levels[-1]
    text = f"Total, 0 to {most}, where it was noted"
    items.append(_whole_number("total", "hocevar-total", text, 0, most))
    description = (
        "Grades of four salivary glands on ultrasound; their sum is the Hočevar score."
        " Wording of this project."
    )
    return _form("hocevar", "Salivary gland ultrasound, Hočevar grades", description, items)


def write(folder: Path) -> None:
    """Writes the package's files into ``folder``, made where it is missing; other files stay.

    Raises OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in package().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
