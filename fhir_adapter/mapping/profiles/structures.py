"""StructureDefinitions of what is written, and of what is asked of a hospital.

They hold a differential only: validators and servers make the snapshot from R4's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fhir_adapter.conduct.answers import Verdict
from fhir_adapter.mapping.profiles.resource import FHIR_VERSION, HL7, Json, canonical_url, resource
from fhir_adapter.trial.components import BOUNDS, REASON
from fhir_adapter.trial.items import CANONICAL

UCUM = "http://unitsofmeasure.org"
URI = "urn:ietf:rfc:3986"
OUTCOME_ID = f"{CANONICAL}/outcome-id"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


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
    return {"strength": "required", "valueSet": canonical_url("ValueSet", value_set)}


def _types(*codes: str) -> list[Json]:
    return [{"code": code} for code in codes]


def _reference(*types: str) -> list[Json]:
    return [
        {"code": "Reference", "targetProfile": [f"{HL7}/StructureDefinition/{target}" for target in types]}
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
        **resource("StructureDefinition", name, title, description),
        "fhirVersion": FHIR_VERSION,
        "kind": "resource",
        "abstract": False,
        **more,
        "type": type_,
        "baseDefinition": f"{HL7}/StructureDefinition/{type_}",
        "derivation": "constraint",
        "differential": {"element": list(elements)},
    }


def structures() -> list[Json]:
    """Every StructureDefinition of the package."""
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
            _element("Extension.url", fixedUri=canonical_url("StructureDefinition", "visit")),
            _once("Extension.value[x]", type=_types("code")),
        ],
        kind="complex-type",
        context=[{"type": "element", "expression": "Observation"}],
    )


def _quantity_in_ucum(name: str) -> list[Json]:
    return [
        _element(f"{name}:valueQuantity", sliceName="valueQuantity", min=0, max="1", type=_types("Quantity")),
        _once(f"{name}:valueQuantity.value"),
        _once(f"{name}:valueQuantity.system", fixedUri=UCUM),
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
        # The code first: where it is another one, the system need not be looked at.
        criteria = f"code = '{code}' and " if code else ""
        criteria += f"system = '{canonical_url('CodeSystem', system)}'"
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
        _invariant(
            "outcome-7",
            "A criterion is satisfied, violated or undetermined, and has the trial's own name as its text",
            f"{has('code', 'criteria')} implies (code.text.exists() and ("
            + " or ".join(has("value.ofType(CodeableConcept)", "results", each.value) for each in Verdict)
            + "))",
        ),
    ]
    study = "Observation.extension:researchStudy"
    category = [{"system": OBSERVATION_CATEGORY, "code": "survey"}]
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
                        "profile": [f"{HL7}/StructureDefinition/workflow-researchStudy"],
                    }
                ],
            ),
            _once(f"{study}.value[x]", type=_reference("ResearchStudy")),
            _once(f"{study}.value[x].identifier"),
            _once(f"{study}.value[x].identifier.value"),
            _once(
                "Observation.extension:visit",
                sliceName="visit",
                type=[{"code": "Extension", "profile": [canonical_url("StructureDefinition", "visit")]}],
            ),
            _sliced("Observation.identifier", "value", "system", min=2),
            _once("Observation.identifier:outcome", sliceName="outcome"),
            _once("Observation.identifier:outcome.system", fixedUri=OUTCOME_ID),
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
            _element("Observation.component.code", binding=_bound("component-codes")),
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
            *_logical("Provenance.entity.what", URI),
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
