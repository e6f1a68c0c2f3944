"""Profiles: what they ask, slices, snapshots; each with what fulfils it and what does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fhir_adapter.validation import validate
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.definitions.snapshot import NoSnapshot, snapshot
from tests.validation.agreement import folder

Resource = dict[str, Any]

URL = "http://x.test/p"
BASE = "http://hl7.org/fhir/StructureDefinition/"
TEXT: Resource = {"text": "x"}
OBSERVATION: Resource = {"resourceType": "Observation", "status": "final", "code": TEXT}
PATIENT: Resource = {"resourceType": "Patient", "active": True}
CS = "http://x.test/cs"


def profile(type: str, *elements: Resource, url: str = URL, base: str = "", **more: Any) -> Resource:
    return {
        "resourceType": "StructureDefinition", "url": url, "name": "P", "status": "draft", "kind": "resource",
        "abstract": False, "type": type, "baseDefinition": base or BASE + type, "derivation": "constraint",
        "differential": {"element": list(elements)},
    } | more  # fmt: skip


def element(path: str, slice_name: str = "", **more: Any) -> Resource:
    return {"path": path} | ({"sliceName": slice_name} if slice_name else {}) | more


def sliced(path: str, *discriminators: str, rules: str = "open", **more: Any) -> Resource:
    """``value:url`` and the like."""
    listed = [dict(zip(("type", "path"), one.split(":"), strict=True)) for one in discriminators]
    return element(path, slicing={"discriminator": listed, "rules": rules} | more)


def concept(code: str, system: str = CS) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def found(resource: Resource, *definitions: Resource) -> list[tuple[str, str]]:
    issues = validate(resource, profiles=[URL], definitions=Definitions(definitions))
    return [(issue.rule, issue.expression) for issue in issues if issue.severity == "error"]


VALUE_SET: Resource = {
    "resourceType": "ValueSet",
    "url": "http://x.test/vs",
    "status": "draft",
    "compose": {"include": [{"system": CS, "concept": [{"code": "a"}, {"code": "b"}]}]},
}

# name: profile's elements, what fulfils it, what does not, and the rule and place of that.
CASES: dict[str, tuple[str, Sequence[Resource], Resource, Resource, str, str]] = {
    "min": (
        "Patient",
        [element("Patient.name", min=1)],
        PATIENT | {"name": [TEXT]},
        PATIENT,
        "cardinality",
        "Patient",
    ),
    "max": (
        "Patient",
        [element("Patient.name", max="1")],
        PATIENT | {"name": [TEXT]},
        PATIENT | {"name": [TEXT, TEXT]},
        "cardinality",
        "Patient",
    ),
    "max 0": (
        "Patient",
        [element("Patient.active", max="0")],
        {"resourceType": "Patient", "gender": "male"},
        PATIENT,
        "cardinality",
        "Patient",
    ),
    "min inside a datatype": (
        "Patient",
        [element("Patient.name.family", min=1)],
        PATIENT | {"name": [{"family": "x"}]},
        PATIENT | {"name": [TEXT]},
        "cardinality",
        "Patient.name[0]",
    ),
    "fixed code": (
        "Patient",
        [element("Patient.gender", fixedCode="male")],
        PATIENT | {"gender": "male"},
        PATIENT | {"gender": "female"},
        "fixed",
        "Patient.gender",
    ),
    "fixed concept allows no more": (
        "Observation",
        [element("Observation.code", fixedCodeableConcept=concept("a"))],
        OBSERVATION | {"code": concept("a")},
        OBSERVATION | {"code": concept("a") | TEXT},
        "fixed",
        "Observation.code.text",
    ),
    "pattern allows more": (
        "Observation",
        [element("Observation.code", patternCodeableConcept=concept("a"))],
        OBSERVATION
        | {"code": {"coding": [{"code": "z", "system": CS}, {"code": "a", "system": CS}], "text": "x"}},
        OBSERVATION | {"code": concept("b")},
        "pattern",
        "Observation.code",
    ),
    "max length": (
        "Patient",
        [element("Patient.name.text", maxLength=2)],
        PATIENT | {"name": [{"text": "ab"}]},
        PATIENT | {"name": [{"text": "abc"}]},
        "max-length",
        "Patient.name[0].text",
    ),
    "least number": (
        "Observation",
        [
            element("Observation.value[x]", type=[{"code": "Quantity"}]),
            element("Observation.value[x].value", minValueDecimal=0),
        ],
        OBSERVATION | {"valueQuantity": {"value": 0}},
        OBSERVATION | {"valueQuantity": {"value": -1}},
        "min-value",
        "Observation.value.ofType(Quantity).value",
    ),
    "most, in another unit": (
        "Observation",
        [
            element(
                "Observation.valueQuantity",
                maxValueQuantity={"value": 1, "system": "http://unitsofmeasure.org", "code": "kg"},
            )
        ],
        OBSERVATION | {"valueQuantity": {"value": 900, "system": "http://unitsofmeasure.org", "code": "g"}},
        OBSERVATION | {"valueQuantity": {"value": 1100, "system": "http://unitsofmeasure.org", "code": "g"}},
        "max-value",
        "Observation.value.ofType(Quantity)",
    ),
    "latest date": (
        "Patient",
        [element("Patient.birthDate", maxValueDate="2000-12-31")],
        PATIENT | {"birthDate": "2000"},
        PATIENT | {"birthDate": "2001-01-01"},
        "max-value",
        "Patient.birthDate",
    ),
    "fewer types": (
        "Observation",
        [element("Observation.value[x]", type=[{"code": "Quantity"}])],
        OBSERVATION | {"valueQuantity": {"value": 1}},
        OBSERVATION | {"valueString": "x"},
        "type",
        "Observation",
    ),
    "a profile of a type": (
        "Observation",
        [element("Observation.value[x]", type=[{"code": "Quantity", "profile": [BASE + "SimpleQuantity"]}])],
        OBSERVATION | {"valueQuantity": {"value": 1}},
        OBSERVATION | {"valueQuantity": {"value": 1, "comparator": "<"}},
        "cardinality",
        "Observation.value.ofType(Quantity)",
    ),
    "binding": (
        "Observation",
        [element("Observation.code", binding={"strength": "required", "valueSet": "http://x.test/vs"})],
        OBSERVATION | {"code": concept("a")},
        OBSERVATION | {"code": concept("c")},
        "binding",
        "Observation.code",
    ),
    "invariant": (
        "Patient",
        [
            element(
                "Patient",
                constraint=[
                    {"key": "x-1", "severity": "error", "human": "a name", "expression": "name.exists()"}
                ],
            )
        ],
        PATIENT | {"name": [TEXT]},
        PATIENT,
        "x-1",
        "Patient",
    ),
    "an invariant that does not parse": (
        "Patient",
        [
            element(
                "Patient.name",
                constraint=[
                    {"key": "x-1", "severity": "error", "human": "a name", "expression": "name.exists("}
                ],
            )
        ],
        PATIENT,
        PATIENT | {"name": [TEXT]},
        "x-1",
        "Patient.name[0]",
    ),
    "must have value": (
        "Patient",
        [
            element(
                "Patient.active",
                extension=[
                    {
                        "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.mustHaveValue",
                        "valueBoolean": True,
                    }
                ],
            )
        ],
        PATIENT,
        {
            "resourceType": "Patient",
            "_active": {"extension": [{"url": "http://example.org/x", "valueCode": "x"}]},
        },
        "must-have-value",
        "Patient.active",
    ),
    "slice by value": (
        "Observation",
        [
            sliced("Observation.component", "value:code.coding.code"),
            element("Observation.component", "a", min=1, max="1"),
            element("Observation.component.code.coding.code", fixedCode="a"),
        ],
        OBSERVATION
        | {
            "component": [
                {"code": concept("b"), "valueInteger": 1},
                {"code": concept("a"), "valueInteger": 1},
            ]
        },
        OBSERVATION | {"component": [{"code": concept("b"), "valueInteger": 1}]},
        "cardinality",
        "Observation",
    ),
    "what a slice asks": (
        "Observation",
        [
            sliced("Observation.component", "pattern:code"),
            element("Observation.component", "a"),
            element("Observation.component.code", patternCodeableConcept=concept("a")),
            element("Observation.component.value[x]", min=1),
        ],
        OBSERVATION | {"component": [{"code": concept("b")}, {"code": concept("a"), "valueInteger": 1}]},
        OBSERVATION | {"component": [{"code": concept("b")}, {"code": concept("a")}]},
        "cardinality",
        "Observation.component[1]",
    ),
    "closed slices": (
        "Observation",
        [
            sliced("Observation.component", "pattern:code", rules="closed"),
            element("Observation.component", "a"),
            element("Observation.component.code", patternCodeableConcept=concept("a")),
        ],
        OBSERVATION | {"component": [{"code": concept("a"), "valueInteger": 1}]},
        OBSERVATION
        | {
            "component": [
                {"code": concept("a"), "valueInteger": 1},
                {"code": concept("b"), "valueInteger": 1},
            ]
        },
        "slicing",
        "Observation.component[1]",
    ),
    "slices open at the end": (
        "Observation",
        [
            sliced("Observation.component", "pattern:code", rules="openAtEnd"),
            element("Observation.component", "a"),
            element("Observation.component.code", patternCodeableConcept=concept("a")),
        ],
        OBSERVATION
        | {
            "component": [
                {"code": concept("a"), "valueInteger": 1},
                {"code": concept("b"), "valueInteger": 1},
            ]
        },
        OBSERVATION
        | {
            "component": [
                {"code": concept("b"), "valueInteger": 1},
                {"code": concept("a"), "valueInteger": 1},
            ]
        },
        "slicing",
        "Observation.component[1]",
    ),
    "ordered slices": (
        "Observation",
        [
            sliced("Observation.component", "pattern:code", ordered=True),
            element("Observation.component", "a"),
            element("Observation.component.code", patternCodeableConcept=concept("a")),
            element("Observation.component", "b"),
            element("Observation.component.code", patternCodeableConcept=concept("b")),
        ],
        OBSERVATION
        | {
            "component": [
                {"code": concept("a"), "valueInteger": 1},
                {"code": concept("b"), "valueInteger": 1},
            ]
        },
        OBSERVATION
        | {
            "component": [
                {"code": concept("b"), "valueInteger": 1},
                {"code": concept("a"), "valueInteger": 1},
            ]
        },
        "slicing",
        "Observation.component[1]",
    ),
    "slice by a value set": (
        "Observation",
        [
            sliced("Observation.component", "value:code"),
            element("Observation.component", "a", max="1"),
            element(
                "Observation.component.code", binding={"strength": "required", "valueSet": "http://x.test/vs"}
            ),
        ],
        OBSERVATION
        | {
            "component": [
                {"code": concept("a"), "valueInteger": 1},
                {"code": concept("c"), "valueInteger": 1},
            ]
        },
        OBSERVATION
        | {
            "component": [
                {"code": concept("a"), "valueInteger": 1},
                {"code": concept("b"), "valueInteger": 1},
            ]
        },
        "cardinality",
        "Observation",
    ),
    "slice by existence": (
        "Patient",
        [
            sliced("Patient.identifier", "exists:period"),
            element("Patient.identifier", "dated", max="1"),
            element("Patient.identifier.period", min=1),
        ],
        PATIENT | {"identifier": [{"value": "x"}, {"value": "y", "period": {"start": "2024"}}]},
        PATIENT
        | {
            "identifier": [
                {"value": "x", "period": {"start": "2024"}},
                {"value": "y", "period": {"start": "2024"}},
            ]
        },
        "cardinality",
        "Patient",
    ),
    "slice by type": (
        "Observation",
        [
            sliced("Observation.value[x]", "type:$this"),
            element("Observation.value[x]", "valueQuantity", type=[{"code": "Quantity"}]),
            element("Observation.value[x].code", min=1),
        ],
        OBSERVATION | {"valueString": "x"},
        OBSERVATION | {"valueQuantity": {"value": 1}},
        "cardinality",
        "Observation.value.ofType(Quantity)",
    ),
    "slice by the type of a reference's target": (
        "Observation",
        [
            sliced("Observation.performer", "type:resolve()"),
            element(
                "Observation.performer",
                "organization",
                min=1,
                type=[{"code": "Reference", "targetProfile": [BASE + "Organization"]}],
            ),
        ],
        OBSERVATION | {"performer": [{"reference": "Practitioner/1"}, {"reference": "Organization/1"}]},
        OBSERVATION | {"performer": [{"reference": "Practitioner/1"}]},
        "cardinality",
        "Observation",
    ),
    "slice by profile": (
        "Patient",
        [
            sliced("Patient.contained", "profile:$this"),
            element(
                "Patient.contained",
                "o",
                max="1",
                type=[{"code": "Organization", "profile": ["http://x.test/named"]}],
            ),
        ],
        PATIENT
        | {
            "contained": [
                {"resourceType": "Organization", "id": "a", "name": "x"},
                {"resourceType": "Organization", "id": "b", "identifier": [{"value": "x"}]},
            ],
            "managingOrganization": {"reference": "#a"},
            "generalPractitioner": [{"reference": "#b"}],
        },
        PATIENT
        | {
            "contained": [
                {"resourceType": "Organization", "id": "a", "name": "x"},
                {"resourceType": "Organization", "id": "b", "name": "x"},
            ],
            "managingOrganization": {"reference": "#a"},
            "generalPractitioner": [{"reference": "#b"}],
        },
        "cardinality",
        "Patient",
    ),
    "slice of extensions": (
        "Patient",
        [
            element(
                "Patient.extension",
                "place",
                min=1,
                type=[{"code": "Extension", "profile": [BASE + "patient-birthPlace"]}],
            )
        ],
        PATIENT | {"extension": [{"url": BASE + "patient-birthPlace", "valueAddress": {"city": "x"}}]},
        PATIENT,
        "cardinality",
        "Patient",
    ),
    "slice in a slice": (
        "Patient",
        [
            sliced("Patient.identifier", "value:system"),
            element(
                "Patient.identifier",
                "mrn",
                slicing={"discriminator": [{"type": "value", "path": "use"}], "rules": "open"},
            ),
            element("Patient.identifier.system", fixedUri="http://x.test/mrn"),
            element("Patient.identifier", "mrn/old", max="0"),
            element("Patient.identifier.use", fixedCode="old"),
        ],
        PATIENT
        | {
            "identifier": [
                {"system": "http://x.test/mrn", "value": "x"},
                {"system": "http://x.test/y", "use": "old"},
            ]
        },
        PATIENT | {"identifier": [{"system": "http://x.test/mrn", "use": "old", "value": "x"}]},
        "cardinality",
        "Patient",
    ),
    "a discriminator that nothing decides": (
        "Patient",
        [sliced("Patient.identifier", "value:system"), element("Patient.identifier", "mrn")],
        PATIENT,
        PATIENT | {"identifier": [{"value": "x"}]},
        "slicing",
        "Patient.identifier[0]",
    ),
    "target profile in the resource": (
        "Patient",
        [
            element(
                "Patient.managingOrganization",
                type=[{"code": "Reference", "targetProfile": ["http://x.test/named"]}],
            )
        ],
        PATIENT
        | {
            "contained": [{"resourceType": "Organization", "id": "a", "name": "x"}],
            "managingOrganization": {"reference": "#a"},
        },
        PATIENT
        | {
            "contained": [{"resourceType": "Organization", "id": "a", "identifier": [{"value": "x"}]}],
            "managingOrganization": {"reference": "#a"},
        },
        "reference-profile",
        "Patient.managingOrganization",
    ),
    "aggregation": (
        "Patient",
        [
            element(
                "Patient.managingOrganization",
                type=[
                    {
                        "code": "Reference",
                        "targetProfile": [BASE + "Organization"],
                        "aggregation": ["contained"],
                    }
                ],
            )
        ],
        PATIENT
        | {
            "contained": [{"resourceType": "Organization", "id": "a", "name": "x"}],
            "managingOrganization": {"reference": "#a"},
        },
        PATIENT | {"managingOrganization": {"reference": "Organization/1"}},
        "reference-aggregation",
        "Patient.managingOrganization",
    ),
    "versioning": (
        "Patient",
        [
            element(
                "Patient.managingOrganization",
                type=[
                    {"code": "Reference", "targetProfile": [BASE + "Organization"], "versioning": "specific"}
                ],
            )
        ],
        PATIENT | {"managingOrganization": {"reference": "Organization/1/_history/2"}},
        PATIENT | {"managingOrganization": {"reference": "Organization/1"}},
        "reference-version",
        "Patient.managingOrganization",
    ),
}
NAMED = profile("Organization", element("Organization.name", min=1), url="http://x.test/named")


@pytest.mark.parametrize(
    ("kind", "elements", "good", "bad", "rule", "place"), CASES.values(), ids=CASES.keys()
)
def test_what_a_profile_asks(
    kind: str, elements: Sequence[Resource], good: Resource, bad: Resource, rule: str, place: str
) -> None:
    made = profile(kind, *elements)
    assert found(good, made, VALUE_SET, NAMED) == []
    assert (rule, place) in found(bad, made, VALUE_SET, NAMED)


def test_a_profile_of_a_profile_asks_for_both() -> None:
    other = profile("Patient", element("Patient.name", min=1), url="http://x.test/base")
    made = profile("Patient", element("Patient.gender", min=1), base="http://x.test/base")
    assert found(PATIENT, made, other) == [("cardinality", "Patient")] * 2
    assert found(PATIENT | {"name": [TEXT], "gender": "male"}, made, other) == []


def test_an_extension_whose_differential_makes_it_a_modifier() -> None:
    url = "http://x.test/modifier"
    made = profile(
        "Extension",
        element("Extension", isModifier=True, isModifierReason="x"),
        element("Extension.url", fixedUri=url),
        url=url,
        context=[{"type": "element", "expression": "Patient"}],
    )
    anything = profile("Patient")
    held = [{"url": url, "valueBoolean": True}]
    assert found(PATIENT | {"modifierExtension": held}, made, anything) == []
    wrong = found(PATIENT | {"extension": held}, made, anything)
    assert wrong == [("extension-modifier", "Patient.extension[0]")]


def test_an_amount_that_cannot_be_compared_with_its_limit() -> None:
    ucum = {"system": "http://unitsofmeasure.org"}
    limit = {"value": 1, "unit": "g", "code": "g"} | ucum
    made = profile(
        "Observation", element("Observation.value[x]", type=[{"code": "Quantity"}], minValueQuantity=limit)
    )
    assert found(OBSERVATION | {"valueQuantity": {"value": 1500, "code": "mg"} | ucum}, made) == []
    assert found(OBSERVATION | {"valueQuantity": {"value": False, "code": "g"} | ucum}, made)
    wrong = found(OBSERVATION | {"valueQuantity": {"value": 5, "code": "mL"} | ucum}, made)
    assert wrong == [("min-value", "Observation.value.ofType(Quantity)")]


def test_a_profile_that_is_asked_for_and_missing_is_an_error_that_names_it() -> None:
    (issue,) = validate(PATIENT, profiles=["http://x.test/nowhere"])
    assert (issue.severity, issue.rule) == ("error", "profile-unknown")
    assert "http://x.test/nowhere" in issue.message


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (profile("Patient", base=URL), "circle"),
        (profile("Patient", base="http://x.test/nowhere"), "http://x.test/nowhere"),
        (profile("Patient", element("Patient.banana", min=1)), "Patient.banana"),
        (profile("Banana", base=BASE + "Patient"), "Banana"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(made: Resource, said: str) -> None:
    issues = validate(PATIENT | {"meta": {"profile": [URL]}}, definitions=Definitions([made]))
    assert any(said in issue.message for issue in issues)


def test_profiles_that_lead_to_each_other_end() -> None:
    made = profile(
        "Patient",
        element("Patient.gender", fixedCode="male"),
        element("Patient.link.other", type=[{"code": "Reference", "targetProfile": [URL]}]),
    )
    ours = PATIENT | {
        "gender": "male",
        "link": [{"type": "seealso", "other": {"reference": "http://s.test/Patient/2"}}],
    }
    entries = [
        {
            "fullUrl": f"http://s.test/Patient/{one}",
            "resource": ours | {"id": one, "meta": {"profile": [URL]}},
        }
        for one in "12"
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert validate(bundle, definitions=Definitions([made])) == []


def test_profiles_for_all_resources_of_a_type() -> None:
    guide = {
        "resourceType": "ImplementationGuide", "url": "http://x.test/ig",
        "global": [{"type": "Patient", "profile": URL}],
    }  # fmt: skip
    made = profile("Patient", element("Patient.name", min=1))
    issues = validate(PATIENT, definitions=Definitions([guide, made]))
    assert [(issue.rule, issue.expression) for issue in issues] == [("cardinality", "Patient")]


def _essence(rows: Sequence[Mapping[str, Any]]) -> dict[str, Resource]:
    """What of a snapshot decides on instances, by the element's place among slices."""
    kept, latest = {}, dict[str, str]()
    for row in rows:
        above, _, last = row["path"].rpartition(".")
        key = f"{latest.get(above, above)}.{last}:{row.get('sliceName', '')}"
        latest[row["path"]] = key
        binding = row.get("binding", {})
        kept[key] = {
            name: value
            for name, value in row.items()
            if name in ("min", "max") or name.startswith(("fixed", "pattern", "minV", "maxV"))
        } | {
            # HL7's validator writes the version of the value set, and for ids the type of later versions.
            "types": sorted(kind["code"] for kind in row.get("type", ()) if last != "id"),
            "binding": (binding.get("strength"), binding.get("valueSet", "").partition("|")[0]),
        }
    return kept


def test_snapshots_are_those_that_hl7s_validator_makes() -> None:
    base = folder()
    if base is None:
        pytest.skip(
            "the snapshots of HL7's validator are not on this machine (FHIR_TEST_CASES): they are left out"
        )
    compared = different = 0
    for name in ("hl7", "hl7-from-xml", "mutants", "mutants-extra"):
        entries = json.loads((base / name / "manifest.json").read_bytes())
        files = sorted({file for entry in entries for file in entry.get("supporting") or ()})
        known = [json.loads((base / name / file).read_bytes()) for file in files]
        pairs = {pair for entry in entries for pair in (entry.get("snapshots") or {}).items()}
        for source, made in sorted(pairs):
            given = json.loads((base / name / source).read_bytes())
            theirs = Definitions([json.loads((base / name / made).read_bytes())]).get(
                "StructureDefinition", given["url"]
            )
            ours = Definitions([*known, given])
            structure = ours.get("StructureDefinition", given["url"])
            assert theirs is not None
            assert structure is not None
            try:
                rows = _essence(snapshot(ours, structure))
            except NoSnapshot:
                different += 1
                continue
            wanted = _essence(theirs["snapshot"])
            compared += len(rows.keys() & wanted.keys())
            different += sum(rows[key] != wanted[key] for key in rows.keys() & wanted.keys())
    assert compared > 1000
    assert different <= 5
