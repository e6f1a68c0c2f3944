"""Each check with what is right and what is wrong, by hand from the specification.

A case is a name, a resource, and of a wrong one the rule and the place that must be named.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.validation import Issue, validate
from fhir_adapter.validation.run import Settings

Resource = dict[str, Any]

TEXT: Resource = {"text": "x"}
OBSERVATION: Resource = {"resourceType": "Observation", "status": "final", "code": TEXT}
PATIENT: Resource = {"resourceType": "Patient", "active": True}
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
SERVER = "http://s.example/fhir/"
ONE, TWO = (f"urn:uuid:c757873d-ec9a-4326-a141-556f4323952{number}" for number in (1, 2))
DOCUMENT: Resource = {
    "identifier": {"system": "http://x.example", "value": "1"},
    "timestamp": "2024-01-01T00:00:00Z",
}
COMPOSITION: Resource = {
    "resourceType": "Composition",
    "status": "final",
    "type": TEXT,
    "date": "2024",
    "title": "x",
    "author": [{"display": "x"}],
}


def observation(**changes: Any) -> Resource:
    return OBSERVATION | changes


def patient(**changes: Any) -> Resource:
    return PATIENT | changes


def narrative(inner: str, attributes: str = XHTML) -> Resource:
    return patient(text={"status": "generated", "div": f"<div {attributes}>{inner}</div>"})


def entry(url: str, resource: Resource, **more: Any) -> Resource:
    return {"fullUrl": url, "resource": resource} | more


def bundle(kind: str, *entries: Resource, **more: Any) -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)} | more


def extended(*extensions: Resource, **changes: Any) -> Resource:
    return patient(extension=list(extensions), **changes)


def concept(system: str, code: str, **more: Any) -> Resource:
    return {"coding": [{"system": system, "code": code} | more]}


def definition(kind: str, /, **more: Any) -> Resource:
    return {"resourceType": kind, "url": "http://x.example/1", "name": "X", "status": "draft"} | more


def constraint(*elements: Resource, **more: Any) -> Resource:
    """A profile of Patient that says no more than ``elements``."""
    made = definition(
        "StructureDefinition",
        kind="resource",
        abstract=False,
        type="Patient",
        baseDefinition="http://hl7.org/fhir/StructureDefinition/Patient",
        derivation="constraint",
        differential={"element": [{"id": "Patient", "path": "Patient"}, *elements]},
    )
    return made | more


def rule_for(path: str, **more: Any) -> Resource:
    return {"id": path, "path": path} | more


def code_system(**more: Any) -> Resource:
    concepts = [{"code": "a", "property": [{"code": "weight", "valueDecimal": 1}]}, {"code": "b"}]
    properties = [{"code": "weight", "type": "decimal"}]
    made = definition("CodeSystem", content="complete", property=properties, concept=concepts)
    return made | more


def value_set(include: Resource) -> Resource:
    return definition("ValueSet", compose={"include": [include]})


def concept_map(source: str, code: str) -> Resource:
    target = {"code": "x", "equivalence": "equal"}
    group = {"source": source, "target": "urn:x:y", "element": [{"code": code, "target": [target]}]}
    return definition("ConceptMap", group=[group])


def questionnaire(question: str) -> Resource:
    condition = {"question": question, "operator": "exists", "answerBoolean": True}
    items = [
        {"linkId": "a", "type": "string"},
        {
            "linkId": "b",
            "type": "group",
            "item": [{"linkId": "c", "type": "string", "enableWhen": [condition]}],
        },
    ]
    return definition("Questionnaire", item=items)


GENDER = "http://hl7.org/fhir/administrative-gender"


GOOD: dict[str, Resource] = {
    "a profile with the same ids in its snapshot and its differential": constraint(
        snapshot={
            "element": [
                {
                    "id": "Patient",
                    "path": "Patient",
                    "definition": "x",
                    "min": 0,
                    "max": "*",
                    "base": {"path": "Patient", "min": 0, "max": "*"},
                }
            ]
        },
    ),
    "a profile's elements in the order of its base": constraint(
        rule_for("Patient.identifier", min=1),
        rule_for("Patient.name"),
        rule_for("Patient.name.given", min=1),
        rule_for("Patient.contact"),
        rule_for("Patient.contact.name"),
    ),
    "a profile of an extension of HL7's on a type": constraint(
        rule_for(
            "Patient.id",
            type=[
                {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type",
                            "valueUrl": "string",
                        }
                    ],
                    "code": "http://hl7.org/fhirpath/System.String",
                }
            ],
        ),
    ),
    "a code system with all that it says": code_system(count=2),
    "a value set of known codes": value_set({"system": GENDER, "concept": [{"code": "male"}]}),
    "a value set of codes below a known one": value_set(
        {"system": MARITAL, "filter": [{"property": "concept", "op": "is-a", "value": "M"}]}
    ),
    "a map from known codes": concept_map(GENDER, "male"),
    "a map from codes that nobody here knows": concept_map("http://loinc.org", "1-8"),
    "a question that hangs on another": questionnaire("a"),
    "a search parameter with an expression": definition(
        "SearchParameter",
        description="x",
        code="x",
        base=["Patient"],
        type="token",
        expression="Patient.gender | Patient.contact.gender",
    ),
    "a conditional reference in a transaction": bundle(
        "transaction",
        entry(
            ONE,
            observation(subject={"reference": "Patient?identifier=a|1"}),
            request={"method": "POST", "url": "Observation"},
        ),
    ),
    "a resource of few elements": OBSERVATION,
    "each form of a date": observation(effectiveDateTime="2024-02-29T23:59:60.5+14:00"),
    "a year before 1000": patient(birthDate="0999"),
    "a decimal with an exponent": observation(valueQuantity={"value": Decimal("1.5E+3")}),
    "spaces that are characters": observation(code={"text": "a\u3000b\u00a0c\n"}),
    "an extension in the place of a value": {
        "resourceType": "Patient",
        "_birthDate": {"extension": [{"url": "http://example.org/why", "valueCode": "asked"}]},
    },
    "a null that keeps a place": patient(
        name=[
            {
                "given": ["Li", None],
                "_given": [None, {"extension": [{"url": "http://example.org/x", "valueString": "x"}]}],
            }
        ]
    ),
    "an id for a primitive": patient(gender="male", _gender={"id": "a"}),
    "a code of a code system, with its display in other letters": patient(
        maritalStatus=concept(MARITAL, "M", display="married")
    ),
    "a code that nobody here can judge": observation(code=concept("http://loinc.org", "nope")),
    "a language with script and region": patient(language="zh-Hans-CN"),
    "a contained resource that another one leads to": observation(
        contained=[observation(id="a", subject={"reference": "#b"}), patient(id="b")],
        hasMember=[{"reference": "#a"}],
    ),
    "a contained resource that leads back": observation(
        contained=[observation(id="a", hasMember=[{"reference": "#"}])]
    ),
    "a contained picture that the narrative shows": observation(
        contained=[{"resourceType": "Binary", "id": "a", "contentType": "image/png"}],
        text={"status": "generated", "div": f'<div {XHTML}><img src="#a"/></div>'},
    ),
    "references of all forms": observation(
        subject={"reference": "Patient/1/_history/2"},
        focus=[{"reference": "http://x.example/y"}, {"identifier": {"value": "1"}}, {"display": "x"}],
    ),
    "a reference in a Bundle by the server's URL": bundle(
        "collection",
        entry(f"{SERVER}Patient/1", patient(id="1")),
        entry(f"{SERVER}Observation/1", observation(id="1", subject={"reference": "Patient/1"})),
    ),
    "a transaction without an identity for what is new": bundle(
        "transaction", {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    ),
    "two versions of one resource": bundle(
        "collection",
        entry(f"{SERVER}Patient/1", patient(id="1", meta={"versionId": "1"})),
        entry(f"{SERVER}Patient/1", patient(id="1", meta={"versionId": "2"})),
    ),
    "a document with what it speaks of": bundle(
        "document",
        entry(ONE, COMPOSITION | {"subject": {"reference": TWO}}),
        entry(TWO, PATIENT),
        **DOCUMENT,
    ),
    "a narrative with tables, lists and links": narrative(
        '<table border="1"><tr><td nowrap="nowrap">x</td></tr></table><ul><li>x</li></ul>'
        '<p><a href="#y">y</a></p><p id="y">&lt;&#160;</p>'
    ),
    "a narrative of a picture alone": narrative('<img src="x.png" alt="x"/>'),
    "an extension of R4 where it belongs": {
        "resourceType": "Patient",
        "birthDate": "1970-03-30",
        "_birthDate": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                    "valueDateTime": "1970-03-30T10:00:00Z",
                }
            ]
        },
    },
    "an extension of extensions": extended(
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-citizenship",
            "extension": [{"url": "code", "valueCodeableConcept": TEXT}],
        }
    ),
    "a profile that is fulfilled": observation(
        meta={"profile": ["http://hl7.org/fhir/StructureDefinition/bodyweight"]},
        category=[concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        code=concept("http://loinc.org", "29463-7"),
        subject={"reference": "Patient/1"},
        effectiveDateTime="2024-01-01",
        valueQuantity={"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    ),
}

BAD: dict[str, tuple[Resource, str, str]] = {
    # structure: json.html, elements and types
    "an unknown element": (observation(banana=1), "unknown-element", "Observation"),
    "a sibling of no element": (observation(_banana={"id": "x"}), "unknown-element", "Observation"),
    "a sibling of what is no primitive": (observation(_code={"id": "x"}), "unknown-element", "Observation"),
    "two types of a value": (observation(valueString="x", valueInteger=1), "choice", "Observation"),
    "two types, one by its extension": (
        observation(
            valueInteger=1, _valueString={"extension": [{"url": "http://example.org/x", "valueCode": "x"}]}
        ),
        "choice",
        "Observation",
    ),
    "a missing element": ({"resourceType": "Observation", "status": "final"}, "cardinality", "Observation"),
    "a missing choice": (
        {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "subject": {"display": "x"},
            "medicationCodeableConcept": TEXT,
        },
        "cardinality",
        "MedicationAdministration",
    ),
    "an object instead of an array": (observation(category=TEXT), "json-type", "Observation.category"),
    "an array instead of an object": (observation(code=[TEXT]), "json-type", "Observation.code"),
    "a string instead of an object": (observation(subject="Patient/1"), "json-type", "Observation.subject"),
    "a number in quotes": (
        observation(valueQuantity={"value": "1.5"}),
        "json-type",
        "Observation.value.ofType(Quantity).value",
    ),
    "true in quotes": (patient(active="true"), "json-type", "Patient.active"),
    "null": (patient(gender=None), "null", "Patient.gender"),
    "null in an array": (patient(name=[{"given": ["a", None]}]), "null", "Patient.name[0].given[1]"),
    "an empty array": (observation(component=[]), "empty", "Observation.component"),
    "an empty array of primitives": (patient(name=[{"given": []}]), "empty", "Patient.name[0].given"),
    "an empty object": (observation(subject={}), "empty", "Observation.subject"),
    "an empty sibling": (patient(_gender={}, gender="male"), "empty", "Patient.gender"),
    "an element with an id alone": (observation(subject={"id": "x"}), "ele-1", "Observation.subject"),
    "an element's id twice": (
        patient(name=[{"id": "x", "family": "y"}, {"id": "x", "family": "z"}]),
        "duplicate-id",
        "Patient.name[1]",
    ),
    "an extension of a resource's id": (
        patient(id="a", _id={"extension": [{"url": "http://example.org/x", "valueCode": "x"}]}),
        "id-extension",
        "Patient.id",
    ),
    "no resourceType": ({"id": "x"}, "resource-type", "$"),
    "a resourceType of another version": ({"resourceType": "DeviceUsage"}, "resource-type", "DeviceUsage"),
    "an abstract type": ({"resourceType": "DomainResource"}, "resource-type", "DomainResource"),
    # primitives: datatypes.html#primitive
    "a date with a time": (patient(birthDate="2024-01-01T00:00:00Z"), "form-date", "Patient.birthDate"),
    "a day that no calendar has": (patient(birthDate="2023-02-29"), "form-date", "Patient.birthDate"),
    "a time without a zone": (
        observation(effectiveDateTime="2024-01-01T10:00:00"),
        "form-dateTime",
        "Observation.effective.ofType(dateTime)",
    ),
    "an instant without a time": (observation(issued="2024-01-01"), "form-instant", "Observation.issued"),
    "an hour of 24": (observation(valueTime="24:00:00"), "form-time", "Observation.value.ofType(time)"),
    "a whole number with a fraction": (
        observation(valueInteger=Decimal("1.0")),
        "form-integer",
        "Observation.value.ofType(integer)",
    ),
    "more than 32 bits": (
        observation(valueInteger=2**31),
        "form-integer",
        "Observation.value.ofType(integer)",
    ),
    "a count below nothing": (bundle("searchset", total=-1), "form-unsignedInt", "Bundle.total"),
    "an id with a blank": (patient(id="a b"), "form-id", "Patient.id"),
    "an id of 65 characters": (patient(id="a" * 65), "form-id", "Patient.id"),
    "a code with two blanks": (observation(language="a  b"), "form-code", "Observation.language"),
    "a URI with a blank": (patient(implicitRules="http://a b"), "form-uri", "Patient.implicitRules"),
    "a UUID in capitals": (
        patient(identifier=[{"system": ONE.upper().replace("URN:UUID", "urn:uuid")}]),
        "form-uri",
        "Patient.identifier[0].system",
    ),
    "a canonical that is relative": (
        observation(meta={"profile": ["x"]}),
        "form-canonical",
        "Observation.meta.profile[0]",
    ),
    "base64 that is none": (
        patient(photo=[{"contentType": "image/png", "data": "QUJ"}]),
        "form-base64Binary",
        "Patient.photo[0].data",
    ),
    "an empty string": (observation(code={"text": ""}), "empty", "Observation.code.text"),
    "a control character": (observation(code={"text": "a\u0001"}), "form-string", "Observation.code.text"),
    "a size that is not that of the data": (
        patient(photo=[{"contentType": "image/png", "data": "QUJD", "size": 4}]),
        "attachment-size",
        "Patient.photo[0]",
    ),
    # terminology
    "a code outside of a required binding": (patient(gender="F"), "binding", "Patient.gender"),
    "a coding outside of a required binding": (
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"display": "x"},
            "clinicalStatus": concept("http://example.org/x", "active"),
        },
        "binding",
        "AllergyIntolerance.clinicalStatus",
    ),
    "a text where a code is required": (
        {"resourceType": "AllergyIntolerance", "patient": {"display": "x"}, "clinicalStatus": TEXT},
        "binding",
        "AllergyIntolerance.clinicalStatus",
    ),
    "a code that its code system has not": (
        observation(code=concept(MARITAL, "XX")),
        "unknown-code",
        "Observation.code.coding[0].code",
    ),
    "a display that its code system has not": (
        patient(maritalStatus=concept(MARITAL, "M", display="Single")),
        "display",
        "Patient.maritalStatus.coding[0].display",
    ),
    "a language that is none": (patient(language="english"), "binding", "Patient.language"),
    "a system of a coding that is relative": (
        observation(meta={"tag": [{"system": "x", "code": "y"}]}),
        "coding-system",
        "Observation.meta.tag[0]",
    ),
    "a system of an identifier that is relative": (
        patient(identifier=[{"system": "x", "value": "y"}]),
        "identifier-system",
        "Patient.identifier[0]",
    ),
    "an identifier that is no URI": (
        patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": "y"}]),
        "identifier-value",
        "Patient.identifier[0]",
    ),
    # invariants, of types and of elements that are described elsewhere
    "an invariant of a resource": (
        observation(dataAbsentReason=TEXT, valueString="x"),
        "obs-6",
        "Observation",
    ),
    "an invariant of a datatype": (
        observation(effectivePeriod={"start": "2024-02-01", "end": "2024-01-01"}),
        "per-1",
        "Observation.effective.ofType(Period)",
    ),
    "an invariant of a backbone element": (
        observation(referenceRange=[{"type": TEXT}]),
        "obs-3",
        "Observation.referenceRange[0]",
    ),
    "an invariant by reference to another element": (
        observation(component=[{"code": TEXT, "referenceRange": [{"type": TEXT}]}]),
        "obs-3",
        "Observation.component[0].referenceRange[0]",
    ),
    "an invariant of all resources": (
        observation(contained=[patient(id="a", meta={"versionId": "1"})], subject={"reference": "#a"}),
        "dom-4",
        "Observation",
    ),
    # references
    "a reference with a blank": (
        observation(subject={"reference": "Patient 1"}),
        "reference-form",
        "Observation.subject",
    ),
    "a contained resource that is not there": (
        observation(subject={"reference": "#a"}),
        "reference-contained",
        "Observation.subject",
    ),
    "a contained resource of a wrong type": (
        observation(
            contained=[{"resourceType": "Organization", "id": "a", "name": "x"}], subject={"reference": "#a"}
        ),
        "reference-target",
        "Observation.subject",
    ),
    "a type that is not that of the reference": (
        observation(subject={"reference": "Patient/1", "type": "Group"}),
        "reference-type",
        "Observation.subject",
    ),
    "an entry of a wrong type": (
        bundle("collection", entry(ONE, COMPOSITION), entry(TWO, observation(subject={"reference": ONE}))),
        "reference-target",
        "Bundle.entry[1].resource.subject",
    ),
    "a contained resource without an id": (
        observation(contained=[PATIENT], subject={"display": "x"}),
        "contained-id",
        "Observation.contained[0]",
    ),
    "an id of two contained resources": (
        observation(contained=[patient(id="a"), patient(id="a")], subject={"reference": "#a"}),
        "contained-id",
        "Observation.contained[1]",
    ),
    "a contained resource of no use": (
        observation(contained=[patient(id="a")]),
        "dom-3",
        "Observation.contained[0]",
    ),
    # Bundles
    "an entry without an identity": (
        bundle("collection", {"resource": PATIENT}),
        "full-url",
        "Bundle.entry[0]",
    ),
    "a relative identity": (
        bundle("collection", entry("Patient/1", patient(id="1"))),
        "full-url",
        "Bundle.entry[0]",
    ),
    "an identity of another id": (
        bundle("collection", entry(f"{SERVER}Patient/2", patient(id="1"))),
        "full-url",
        "Bundle.entry[0]",
    ),
    "an identity without an id": (
        bundle("collection", entry(f"{SERVER}Patient/2", PATIENT)),
        "full-url",
        "Bundle.entry[0]",
    ),
    "references that nothing resolves": (
        bundle(
            "transaction",
            {
                "resource": observation(subject={"reference": "Patient/1"}),
                "request": {"method": "POST", "url": "Observation"},
            },
        ),
        "full-url",
        "Bundle.entry[0]",
    ),
    "one identity twice": (
        bundle("collection", entry(ONE, PATIENT), entry(ONE, OBSERVATION)),
        "bdl-7",
        "Bundle",
    ),
    "a document without a Composition": (
        bundle("document", entry(ONE, PATIENT), **DOCUMENT),
        "bundle-first",
        "Bundle.entry[0].resource",
    ),
    "a document without its subject": (
        bundle("document", entry(ONE, COMPOSITION | {"subject": {"reference": TWO}}), **DOCUMENT),
        "bundle-missing",
        "Bundle.entry[0].resource.subject",
    ),
    "a stranger in a document": (
        bundle("document", entry(ONE, COMPOSITION), entry(TWO, PATIENT), **DOCUMENT),
        "bundle-orphan",
        "Bundle.entry[1]",
    ),
    "two self links": (
        bundle("searchset", link=[{"relation": "self", "url": f"{SERVER}Patient"}] * 2),
        "bundle-link",
        "Bundle.link[1]",
    ),
    "a match of another type": (
        bundle(
            "searchset",
            entry(f"{SERVER}Patient/1", patient(id="1"), search={"mode": "match"}),
            link=[{"relation": "self", "url": f"{SERVER}Observation?code=x"}],
        ),
        "bundle-search",
        "Bundle.entry[0].resource",
    ),
    "a fault in an entry": (
        bundle("collection", entry(ONE, patient(gender="x"))),
        "binding",
        "Bundle.entry[0].resource.gender",
    ),
    "a fault in a parameter": (
        {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": patient(gender="x")}]},
        "binding",
        "Parameters.parameter[0].resource.gender",
    ),
    # narrative.html
    "a narrative outside of its namespace": (narrative("x", ""), "xhtml-namespace", "Patient.text.div"),
    "a narrative that does not begin with div": (
        patient(text={"status": "generated", "div": f"<p {XHTML}>x</p>"}),
        "xhtml-div",
        "Patient.text.div",
    ),
    "a narrative that is not well-formed": (narrative("<p>x"), "xhtml-form", "Patient.text.div"),
    "an entity of HTML": (narrative("a&nbsp;b"), "xhtml-entity", "Patient.text.div"),
    "a script": (narrative("x<script>y</script>"), "txt-1", "Patient.text.div"),
    "an event handler": (narrative('<p onclick="x">y</p>'), "txt-1", "Patient.text.div"),
    "a narrative of nothing": (narrative(" \n "), "txt-2", "Patient.text.div"),
    "a link to nowhere": (narrative('<a href="#y">x</a>'), "xhtml-link", "Patient.text.div"),
    "a link that acts": (narrative('<a href="javascript:x">x</a>'), "xhtml-link", "Patient.text.div"),
    # extensibility.html
    "an extension without url": (extended({"valueString": "x"}), "cardinality", "Patient.extension[0]"),
    "an extension with a relative url": (
        extended({"url": "x", "valueString": "x"}),
        "extension-url",
        "Patient.extension[0]",
    ),
    "an extension that nobody defined": (
        extended({"url": "http://nobody.test/x", "valueString": "x"}),
        "extension-unknown",
        "Patient.extension[0]",
    ),
    "an extension in a wrong place": (
        extended(
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "2024"}
        ),
        "extension-context",
        "Patient",
    ),
    "an extension of a wrong type": (
        extended({"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "x"}),
        "type",
        "Patient.extension[0]",
    ),
    "an extension with neither value nor extensions": (
        extended({"url": "http://example.org/x"}),
        "ext-1",
        "Patient.extension[0]",
    ),
    "an extension in one that does not define it": (
        extended(
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-citizenship",
                "extension": [{"url": "cod", "valueCodeableConcept": TEXT}],
            }
        ),
        "extension-nested",
        "Patient.extension[0].extension[0]",
    ),
    "an extension that does not modify": (
        patient(
            modifierExtension=[
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {"city": "x"},
                }
            ]
        ),
        "extension-modifier",
        "Patient.modifierExtension[0]",
    ),
    # profiles
    "a vital sign without its profile's elements": (
        observation(code=concept("http://loinc.org", "8867-4")),
        "cardinality",
        "Observation",
    ),
    "a profile of another type": (
        patient(meta={"profile": ["http://hl7.org/fhir/StructureDefinition/bodyweight"]}),
        "profile-type",
        "Patient",
    ),
    # conformance resources and measures
    "a search parameter of another type than its base": (
        {
            "resourceType": "SearchParameter",
            "url": "http://x.example/s",
            "name": "x",
            "status": "draft",
            "description": "x",
            "code": "x",
            "base": ["Patient"],
            "type": "token",
            "derivedFrom": "http://hl7.org/fhir/SearchParameter/Patient-name",
        },
        "derived-from",
        "SearchParameter",
    ),
    "a search parameter under a wrong type": (
        {
            "resourceType": "CapabilityStatement",
            "status": "draft",
            "date": "2024",
            "kind": "requirements",
            "description": "x",
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {
                            "type": "Patient",
                            "searchParam": [
                                {
                                    "name": "name",
                                    "type": "token",
                                    "definition": "http://hl7.org/fhir/SearchParameter/individual-gender",
                                },
                                {
                                    "name": "name",
                                    "type": "string",
                                    "definition": "http://hl7.org/fhir/SearchParameter/individual-gender",
                                },
                            ],
                        }
                    ],
                }
            ],
        },
        "search-type",
        "CapabilityStatement.rest[0].resource[0].searchParam[1]",
    ),
    "a supplement that is not called one": (
        {
            "resourceType": "CodeSystem",
            "status": "draft",
            "content": "complete",
            "supplements": "http://x.example/cs",
        },
        "supplement",
        "CodeSystem.content",
    ),
    "a discriminator that leads nowhere": (
        {
            "resourceType": "StructureDefinition",
            "url": "http://x.example/p",
            "name": "P",
            "status": "draft",
            "kind": "resource",
            "abstract": False,
            "type": "Patient",
            "derivation": "constraint",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
            "differential": {
                "element": [
                    {
                        "id": "Patient.name",
                        "path": "Patient.name",
                        "slicing": {"rules": "open", "discriminator": [{"type": "value", "path": "banana"}]},
                    }
                ]
            },
        },
        "discriminator",
        "StructureDefinition.differential.element[0].slicing.discriminator[0]",
    ),
    "a profile at a type that it is not for": (
        {
            "resourceType": "StructureDefinition",
            "url": "http://x.example/p",
            "name": "P",
            "status": "draft",
            "kind": "resource",
            "abstract": False,
            "type": "Patient",
            "derivation": "constraint",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
            "differential": {
                "element": [
                    {
                        "id": "Patient.name",
                        "path": "Patient.name",
                        "type": [
                            {
                                "code": "HumanName",
                                "profile": ["http://hl7.org/fhir/StructureDefinition/SimpleQuantity"],
                            }
                        ],
                    }
                ]
            },
        },
        "profile-type",
        "StructureDefinition.differential.element[0].type[0].profile[0]",
    ),
    "subjects in a summary": (
        {
            "resourceType": "MeasureReport",
            "status": "complete",
            "type": "summary",
            "measure": "http://x.example/m",
            "period": {"start": "2024"},
            "group": [{"population": [{"subjectResults": {"reference": "List/1"}}]}],
        },
        "measure-subjects",
        "MeasureReport.group[0].population[0]",
    ),
    "a canonical URL that is relative": (
        definition("CodeSystem", content="complete", url="CodeSystem/x"),
        "canonical-url",
        "CodeSystem.url",
    ),
    "a canonical fragment that leads nowhere": (
        {"resourceType": "QuestionnaireResponse", "status": "in-progress", "questionnaire": "#q"},
        "canonical-url",
        "QuestionnaireResponse.questionnaire",
    ),
    "a question that hangs on none": (
        questionnaire("z"),
        "questionnaire-link",
        "Questionnaire.item[1].item[0]",
    ),
    "a question that hangs on itself": (
        questionnaire("c"),
        "questionnaire-link",
        "Questionnaire.item[1].item[0]",
    ),
    "a picture that is not there": (
        narrative('<img src="#x" alt="x"/>'),
        "xhtml-link",
        "Patient.text.div",
    ),
    "a reference in a Bundle that names no resource": (
        bundle("collection", entry(ONE, observation(subject={"reference": "Patient"}))),
        "reference-form",
        "Bundle.entry[0].resource.subject",
    ),
    "a conditional reference outside a transaction": (
        bundle("collection", entry(ONE, observation(subject={"reference": "Patient?identifier=a|1"}))),
        "reference-form",
        "Bundle.entry[0].resource.subject",
    ),
    "a reference that leads to two entries": (
        bundle(
            "collection",
            entry(f"{SERVER}Patient/1", patient(id="1", meta={"versionId": "1"})),
            entry(f"{SERVER}Patient/1", patient(id="1", meta={"versionId": "2"})),
            entry(f"{SERVER}Observation/1", observation(id="1", subject={"reference": "Patient/1"})),
        ),
        "reference-bundle",
        "Bundle.entry[2].resource.subject",
    ),
    "a reference's type as a URL": (
        observation(
            subject={"reference": "Patient/1", "type": "http://hl7.org/fhir/StructureDefinition/Patient"}
        ),
        "reference-type",
        "Observation.subject",
    ),
    "a wrong number of concepts": (code_system(count=3), "concept-count", "CodeSystem.count"),
    "a property of a concept of another type": (
        code_system(concept=[{"code": "a", "property": [{"code": "weight", "valueCode": "b"}]}]),
        "concept-property",
        "CodeSystem.concept[0].property[0]",
    ),
    "a property that is defined twice": (
        code_system(property=[{"code": "weight", "type": "decimal"}, {"code": "weight", "type": "string"}]),
        "concept-property",
        "CodeSystem.property[1]",
    ),
    "a supplement of nothing": (
        code_system(content="supplement"),
        "supplement",
        "CodeSystem.content",
    ),
    "a supplement with a code that is not in what it supplements": (
        code_system(content="supplement", supplements=GENDER),
        "supplement",
        "CodeSystem.concept[0]",
    ),
    "a value set of a system that is relative": (
        value_set({"system": "x"}),
        "coding-system",
        "ValueSet.compose.include[0]",
    ),
    "a value set of a value set's codes": (
        value_set({"system": "http://hl7.org/fhir/ValueSet/administrative-gender"}),
        "coding-system",
        "ValueSet.compose.include[0]",
    ),
    "a value set of codes below none": (
        value_set({"system": GENDER, "filter": [{"property": "concept", "op": "is-a", "value": "x"}]}),
        "unknown-code",
        "ValueSet.compose.include[0].filter[0]",
    ),
    "a map from a code that is none": (
        concept_map(GENDER, "x"),
        "unknown-code",
        "ConceptMap.group[0].element[0].code",
    ),
    "a search parameter with an expression that is none": (
        definition(
            "SearchParameter",
            description="x",
            code="x",
            base=["Patient"],
            type="token",
            expression="Patient.gender(",
        ),
        "expression",
        "SearchParameter.expression",
    ),
    "a profile of an element that its base does not have": (
        constraint(rule_for("Patient.foo")),
        "profile-element",
        "StructureDefinition.differential.element[1]",
    ),
    "a profile's element after one that follows it in the base": (
        constraint(rule_for("Patient.name"), rule_for("Patient.identifier")),
        "profile-element",
        "StructureDefinition.differential.element[1]",
    ),
    "a profile that gives an element a type that it cannot have": (
        constraint(rule_for("Patient.name", type=[{"code": "string"}])),
        "profile-element",
        "StructureDefinition",
    ),
    "a pattern of another type than its element": (
        constraint(rule_for("Patient.name", patternString="x")),
        "profile-element",
        "StructureDefinition",
    ),
    "a profile of another kind than its base": (
        constraint(kind="logical"),
        "profile-kind",
        "StructureDefinition",
    ),
    "a profile that does not say that it is one": (
        {name: value for name, value in constraint().items() if name != "derivation"},
        "profile-kind",
        "StructureDefinition",
    ),
    "a context of what is no extension": (
        constraint(context=[{"type": "element", "expression": "Patient"}]),
        "profile-kind",
        "StructureDefinition.context[0]",
    ),
    "an extension of another URL than its own": (
        constraint(
            type="Extension",
            kind="complex-type",
            baseDefinition="http://hl7.org/fhir/StructureDefinition/Extension",
            context=[{"type": "element", "expression": "Patient"}],
            differential={
                "element": [
                    {"id": "Extension", "path": "Extension"},
                    {"id": "Extension.url", "path": "Extension.url", "fixedUri": "http://x.example/2"},
                ]
            },
        ),
        "profile-kind",
        "StructureDefinition",
    ),
    "CQL without a library": (
        {
            "resourceType": "Measure",
            "status": "draft",
            "group": [{"population": [{"criteria": {"language": "text/cql", "expression": "x"}}]}],
        },
        "measure-library",
        "Measure.group[0].population[0].criteria",
    ),
}

# What may be right, and is said all the same: a warning, or information.
DOUBTFUL: dict[str, tuple[Resource, str, str]] = {
    "a code outside of an extensible binding": (
        patient(maritalStatus=concept("http://hl7.org/fhir/administrative-gender", "male")),
        "binding",
        "Patient.maritalStatus",
    ),
    "a required code that nobody here knows": (
        extended({"url": "http://example.org/x", "valueMoney": {"value": 1, "currency": "XYZ"}}),
        "binding-unchecked",
        "Patient.extension[0].value.ofType(Money).currency",
    ),
    "an example's extension": (
        extended({"url": "http://example.org/x", "valueString": "x"}),
        "extension-unknown",
        "Patient.extension[0]",
    ),
    "a reference to no type of R4": (
        observation(subject={"reference": "Banana/1"}),
        "reference-type",
        "Observation.subject",
    ),
    "a profile that is not known": (
        patient(meta={"profile": ["http://x.example/p"]}),
        "profile-unknown",
        "Patient.meta.profile[0]",
    ),
    "a questionnaire that is not known": (
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "questionnaire": "http://x.example/q",
        },
        "questionnaire-unknown",
        "QuestionnaireResponse.questionnaire",
    ),
    "a search without its link": (
        bundle("searchset", entry(f"{SERVER}Patient/1", patient(id="1"))),
        "bundle-link",
        "Bundle",
    ),
}


def errors(found: list[Issue]) -> list[Issue]:
    return [issue for issue in found if issue.severity == "error"]


@pytest.mark.parametrize("resource", GOOD.values(), ids=GOOD.keys())
def test_what_is_right_has_no_error(resource: Resource) -> None:
    assert errors(validate(resource)) == []


@pytest.mark.parametrize(("resource", "rule", "place"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_an_error_at_its_place(resource: Resource, rule: str, place: str) -> None:
    assert (rule, place) in [(issue.rule, issue.expression) for issue in errors(validate(resource))]


@pytest.mark.parametrize(("resource", "rule", "place"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_what_may_be_right_is_said_and_no_error(resource: Resource, rule: str, place: str) -> None:
    found = validate(resource)
    assert errors(found) == []
    assert (rule, place) in [(issue.rule, issue.expression) for issue in found]


def test_best_practice_is_checked_where_it_is_asked_for() -> None:
    assert "dom-6" not in {issue.rule for issue in validate(OBSERVATION)}
    asked = validate(OBSERVATION, settings=Settings(best_practice=True))
    assert [issue.severity for issue in asked if issue.rule == "dom-6"] == ["warning"]


def test_references_are_taken_at_their_word_where_that_is_asked_for() -> None:
    resource = observation(subject={"reference": "Medication/1"})
    assert validate(resource) == []
    (issue,) = validate(resource, settings=Settings(rest_references=True))
    assert (issue.rule, issue.expression) == ("reference-target", "Observation.subject")


def test_references_are_followed_where_something_can_fetch_them() -> None:
    held = {"Patient/1": PATIENT, "Group/1": {"resourceType": "Medication"}}
    settings = Settings(fetch=held.get)
    assert validate(observation(subject={"reference": "Patient/1"}), settings=settings) == []
    rules = [
        [issue.rule for issue in validate(observation(subject={"reference": one}), settings=settings)]
        for one in ("Patient/2", "Group/1")
    ]
    assert rules == [["reference-missing"], ["reference-target"]]


def test_urls_of_examples_are_refused_where_that_is_asked_for() -> None:
    resource = patient(photo=[{"url": "http://example.org/x.png"}])
    assert validate(resource) == []
    (issue,) = validate(resource, settings=Settings(examples=False))
    assert (issue.rule, issue.expression) == ("example-url", "Patient.photo[0].url")


def test_tags_in_texts_are_refused_where_that_is_asked_for() -> None:
    resource = patient(
        name=[{"text": "<b>x</b>"}], text={"status": "generated", "div": f"<div {XHTML}><b>x</b></div>"}
    )
    assert validate(resource) == []
    (issue,) = validate(resource, settings=Settings(html=False))
    assert (issue.rule, issue.expression) == ("html", "Patient.name[0].text")


def test_contained_resources_are_passed_over_where_that_is_asked_for() -> None:
    resource = observation(contained=[patient(id="a", gender="x")])
    assert {issue.rule for issue in validate(resource)} == {"binding", "dom-3"}
    assert validate(resource, settings=Settings(contained=False)) == []


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (observation(status="finl"), 'Did you mean "final"?'),
        (observation(statu="final"), 'Did you mean "status"?'),
        ({"resourceType": "patient"}, 'Did you mean "Patient"?'),
        (patient(maritalStatus=concept(MARITAL, "m")), 'Did you mean "M"?'),
    ],
)
def test_a_slip_is_answered_with_a_suggestion(resource: Resource, said: str) -> None:
    assert any(issue.message.endswith(said) for issue in validate(resource))
