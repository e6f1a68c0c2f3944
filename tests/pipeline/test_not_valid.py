"""What R4 does not allow in what was received is asked about as far as it is used; by hand from R4."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping.used import USED
from fhir_adapter.pipeline.not_valid import questions
from fhir_adapter.pipeline.run import Report, rescored, run
from fhir_adapter.report.queries import of_run
from fhir_adapter.study import Study, read_study
from fhir_adapter.trial.types import Query, QueryKind
from fhir_adapter.validation import validate
from fhir_adapter.validation.parts import Parts
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study
from tests.mapping.build import Json, context, wired
from tests.mapping.test_wrong_shapes import mutated

MUTATIONS = 3_000
STEPS = frozenset(("pull", "score"))
LAB = "urn:example-cn:lab"
ATC = "http://www.whocc.no/atc"
IGG: Json = {"coding": [{"system": LAB, "code": "IGG01"}]}
RESULT: Json = {
    "resourceType": "Observation",
    "id": "more",
    "status": "final",
    "code": IGG,
    "subject": {"reference": "Patient/pat-jss-01"},
    "effectiveDateTime": "2023-01-05T08:00:00+08:00",
    "valueQuantity": {"value": 12, "unit": "g/L"},
}


# ------------------------------------------------------------------------------------- one resource


def asked(resource: Json, folder: str = "example-cn") -> list[Query]:
    known = context(folder, resource)
    local_times = known.hospital.timezone is not None
    return list(questions(wired(resource), known.subject, known.origin, {}, local_times=local_times))


def test_what_is_right_is_not_asked_about() -> None:
    assert asked(RESULT) == []


def test_a_question_names_element_fault_rule_and_source() -> None:
    resource = RESULT | {"referenceRange": [{"low": {"value": "7"}}]}
    (query,) = asked(resource)
    assert (query.subject, query.visit, query.kind) == ("JSS-01", "", QueryKind.NOT_VALID)
    assert query.item == "Observation.referenceRange.low.value"
    assert query.values == (
        "Observation.referenceRange[0].low.value is a string; expected a number, not in quotes [json-type]",
    )
    assert [origin.id for origin in query.origins] == ["more"]


def test_several_faults_of_one_resource_are_one_question() -> None:
    resource = RESULT | {
        "referenceRange": [{"low": {"value": "7"}}, {"low": {"value": "8"}}],
        "specimen": {"reference": "a specimen"},
    }
    (query,) = asked(resource)
    assert query.item == "Observation.referenceRange.low.value, Observation.specimen"
    assert len(query.values) == 3


def test_a_question_quotes_no_text_date_or_number() -> None:
    resource = RESULT | {
        "effectiveDateTime": "on the day of Zhang San's 12th birthday",
        "valueQuantity": {"value": "Zhang San 12", "unit": 12},
        "subject": {"reference": "Zhang San 12"},
    }
    for query in asked(resource):
        assert "Zhang" not in f"{query.text} {query.item} {query.values}"
        assert "12" not in f"{query.text} {query.item} {query.values}"


LOCAL_TIME = RESULT | {"effectiveDateTime": "2023-01-05T08:00:00"}


def test_a_time_without_a_zone_is_settled_where_the_hospital_names_its_own() -> None:
    """``example-cn`` names one, ``international`` does not."""
    assert asked(LOCAL_TIME) == []
    assert [query.item for query in asked(LOCAL_TIME, "international")] == [
        "Observation.effective.ofType(dateTime)"
    ]


NOT_ASKED: dict[str, Json] = {
    "a profile that nobody has": {"meta": {"profile": ["https://hospital.example/lab"]}},
    "an extension that nobody knows": {
        "extension": [{"url": "https://hospital.example/x", "valueCode": "x"}],
        "valueQuantity": {"value": 12, "unit": "g/L", "extension": [{"url": "https://hospital.example/x"}]},
    },
    "a category that is none": {"category": "laboratory"},
    "a narrative that is none": {"text": {"status": "generated", "div": "<p>IgG</p>"}},
    "a performer that is none": {"performer": "Zhang San"},
    "two codings": {"code": {"coding": [*IGG["coding"], {"system": "http://loinc.org", "code": "2465-3"}]}},
    "a flag of the laboratory that is none": {"interpretation": "H"},
    "a type that R4 does not have": {"specimen": {"reference": "Banana/1"}},
}


@pytest.mark.parametrize("more", NOT_ASKED.values(), ids=NOT_ASKED)
def test_what_is_not_used_is_not_asked_about(more: Json) -> None:
    assert asked(RESULT | more) == []


DRUG: Json = {"medicationCodeableConcept": {"coding": [{"system": ATC, "code": "L01FA01"}]}}
SUBJECT: Json = {"subject": {"reference": "Patient/pat-jss-01"}}
OF_OTHERS: dict[str, tuple[Json, list[str]]] = {
    "a dosage without an amount": (
        {
            "resourceType": "MedicationAdministration", "status": "completed", **DRUG, **SUBJECT,
            "effectiveDateTime": "2024-04-01", "dosage": {"text": "as usual"},
        },
        ["MedicationAdministration.dosage"],
    ),
    "an illness that has ended and is active": (
        {
            "resourceType": "Condition", "code": {"text": "x"}, **SUBJECT, "abatementDateTime": "2024",
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                        "code": "active",
                    }
                ]
            },
        },
        ["Condition"],
    ),
    "an answer without its question": (
        {
            "resourceType": "QuestionnaireResponse", "status": "completed", **SUBJECT,
            "item": [{"answer": [{"valueBoolean": True}]}],
        },
        ["QuestionnaireResponse.item"],
    ),
    "a sex that R4 does not have": ({"resourceType": "Patient", "gender": "F"}, ["Patient.gender"]),
    "an order without an intent": (
        {"resourceType": "MedicationRequest", "status": "active", **DRUG, **SUBJECT},
        ["MedicationRequest"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "items"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_questions_about_other_types(resource: Json, items: list[str]) -> None:
    assert [query.item for query in asked(resource | {"id": "x"})] == items


# ------------------------------------------------------------------------------------------- a run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    generator.write_ndjson(generator.hospital(participants=2), tmp_path)
    write_study(tmp_path, hospital="hospital", ratings="ratings", target="outcomes")
    return tmp_path


def appended(home: Path, *resources: Json) -> None:
    with (home / "hospital" / "more.ndjson").open("ab") as out:
        out.writelines(encode(resource) + b"\n" for resource in resources)


def study_in(home: Path) -> Study:
    return read_study(home / "study.toml")


def scored(home: Path) -> Report:
    return run(study_in(home), STEPS, AS_OF)


def not_valid(report: Report) -> list[Query]:
    assert report.scored is not None
    return [each for each in report.scored.queries.values() if each.kind is QueryKind.NOT_VALID]


def kinds(report: Report) -> list[str]:
    assert report.scored is not None
    return sorted(each.kind.value for each in report.scored.queries.values())


LIMIT_AS_TEXT: Json = {"referenceRange": [{"low": {"value": "7"}, "high": {"value": 16}}]}


def test_a_run_asks_about_what_is_wrong_and_uses_what_can_be_read(home: Path) -> None:
    assert not_valid(scored(home)) == []
    appended(home, RESULT | LIMIT_AS_TEXT)
    (query,) = not_valid(scored(home))
    assert (query.subject, query.item) == ("JSS-01", "Observation.referenceRange.low.value")
    assert [origin.name for origin in query.origins] == ["hospital: Observation/more"]
    found = rescored(study_in(home), AS_OF, "JSS-01").scored
    assert found is not None
    assert [each.item for each in not_valid(Report(AS_OF, scored=found))] == [query.item]


def test_the_same_fault_in_many_resources_is_one_question_with_all_of_them(home: Path) -> None:
    appended(home, *(RESULT | LIMIT_AS_TEXT | {"id": f"more{number}"} for number in range(3)))
    (query,) = not_valid(scored(home))
    assert [origin.id for origin in query.origins] == ["more0", "more1", "more2"]
    assert len(query.values) == 1


OF_NO_CODE: dict[str, tuple[Json, str]] = {
    "a result with a lone coding": (
        RESULT | {"code": {"coding": {"system": LAB, "code": "IGG01"}}}, "Observation.code.coding",
    ),
    "a result with a list of codes": (RESULT | {"code": [IGG]}, "Observation.code"),
    "a result without a code": (
        {name: value for name, value in RESULT.items() if name != "code"}, "Observation",
    ),
    "a diagnosis with a lone coding": (
        {
            "resourceType": "Condition", "id": "more", **SUBJECT,
            "code": {"coding": {"system": "http://hl7.org/fhir/sid/icd-10", "code": "C85.9"}},
        },
        "Condition.code.coding",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "item"), OF_NO_CODE.values(), ids=OF_NO_CODE)
def test_what_has_no_code_that_can_be_read_may_be_of_the_trial(home: Path, resource: Json, item: str) -> None:
    appended(home, resource)
    assert [query.item for query in not_valid(scored(home))] == [item]


def test_a_code_that_nobody_knows_is_no_fault_and_nor_is_a_name_alone(home: Path) -> None:
    appended(home, RESULT | {"code": {"coding": [{"code": "XJ9908"}]}, **LIMIT_AS_TEXT})
    appended(home, RESULT | {"code": {"coding": [{"display": "IgG"}]}, "id": "more2"})
    assert not_valid(scored(home)) == []


def test_a_participant_with_a_status_that_r4_does_not_have_is_asked_about(home: Path) -> None:
    """Who has it does not count, and would be missed by nobody; one of the three was only screened."""
    path = home / "hospital" / "ResearchSubject.ndjson"
    lines = [decode(line) for line in path.read_bytes().splitlines()]
    for each in lines:
        each["status"] = "enrolled"
    path.write_bytes(b"".join(encode(each) + b"\n" for each in lines))
    found = not_valid(scored(home))
    assert [(query.subject, query.item) for query in found] == [
        (id, "ResearchSubject.status") for id in ("JSS-01", "JSS-02", "JSS-S1")
    ]
    assert all("enrolled" in value for query in found for value in query.values)


def test_a_medication_is_looked_at_with_what_refers_to_it(home: Path) -> None:
    """A drug whose code stands alone and not in a list: no dose of it is known, and somebody is told why."""
    path = home / "hospital" / "Medication.ndjson"
    lines = [decode(line) for line in path.read_bytes().splitlines()]
    for each in lines:
        (each["code"]["coding"],) = each["code"]["coding"]
    path.write_bytes(b"".join(encode(each) + b"\n" for each in lines))
    found = [query for query in not_valid(scored(home)) if query.subject == "JSS-01"]
    assert [query.item for query in found] == ["Medication.code.coding"]
    assert {origin.type for origin in found[0].origins} == {"MedicationAdministration"}


def test_a_sex_that_r4_does_not_have_is_asked_about(home: Path) -> None:
    path = home / "hospital" / "Patient.ndjson"
    path.write_bytes(path.read_bytes().replace(b'"gender":"female"', b'"gender":"F"', 1))
    (query,) = not_valid(scored(home))
    assert query.item == "Patient.gender"


def test_the_question_is_resolved_when_the_fault_is_mended(home: Path) -> None:
    appended(home, RESULT | LIMIT_AS_TEXT)
    report = scored(home)
    assert report.scored is not None
    before = [each.id for each in of_run(report.scored.queries) if each.kind == "not-valid"]
    again = scored(home)
    assert again.scored is not None
    assert [each.id for each in of_run(again.scored.queries) if each.kind == "not-valid"] == before
    (home / "hospital" / "more.ndjson").unlink()
    appended(home, RESULT)
    assert not_valid(scored(home)) == []


OTHERWISE: dict[str, tuple[Json, list[str]]] = {
    "a result that never was": (RESULT | LIMIT_AS_TEXT | {"status": "entered-in-error"}, []),
    "a result of which nothing is read": (
        RESULT | LIMIT_AS_TEXT | {"code": {"coding": [{"system": LAB, "code": "K01"}]}}, [],
    ),
    "a result of somebody else": (
        RESULT | LIMIT_AS_TEXT | {"subject": {"reference": "Patient/other"}}, [],
    ),
    "an order that never was": (
        {"resourceType": "MedicationRequest", "id": "more", "status": "cancelled", **DRUG, **SUBJECT}, [],
    ),
    "no status, which is asked about as it was": (
        {name: value for name, value in RESULT.items() if name != "status"} | LIMIT_AS_TEXT, ["not-final"],
    ),
    "two times, which is asked about as no date": (
        RESULT | {"effectivePeriod": {"start": "2023-01-05"}}, ["no-date"],
    ),
    "no date that is one, which is asked about as it was": (
        RESULT | {"effectiveDateTime": "2024-13-01"}, ["no-date"],
    ),
    "a number as a text, which is asked about as it was": (
        RESULT | {"valueQuantity": {"value": "12", "unit": "g/L"}}, ["unreadable-value"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "further"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_is_not_used_or_asked_about_already_is_not_asked_about(
    home: Path, resource: Json, further: list[str]
) -> None:
    before = kinds(scored(home))
    appended(home, resource)
    assert kinds(scored(home)) == sorted([*before, *further])


def test_a_value_whose_range_is_wrong_counts(home: Path) -> None:
    """A text where the laboratory's lower limit belongs: the result itself is as good as before."""
    before = outcomes(home)
    changed = 0
    for path in (home / "hospital").glob("Observation*.ndjson"):
        lines = [decode(line) for line in path.read_bytes().splitlines()]
        for each in lines:
            for limits in each.get("referenceRange", ()):
                if "IGG01" not in str(each["code"]) or "low" not in limits:
                    continue
                limits["low"]["value"] = str(limits["low"]["value"])
                changed += 1
        path.write_bytes(b"".join(encode(each) + b"\n" for each in lines))
    assert changed
    assert outcomes(home) == before
    assert {query.item for query in not_valid(scored(home))} == {"Observation.referenceRange.low.value"}


def outcomes(home: Path) -> list[tuple[str, str, str, object, object]]:
    """What a run comes to, of everybody."""
    scored(home)
    found = rescored(study_in(home), AS_OF).scored
    assert found is not None
    return [
        (each.subject, each.code, each.visit, each.number, each.result)
        for assessment in found.assessments.values()
        for each in assessment.outcomes
    ]


# ------------------------------------------------------------------------------------- any resource


def test_whatever_shape_a_resource_has_its_errors_are_among_those_of_the_whole() -> None:
    """Resources of the hospital with an element or two of a wrong shape, judged whole and as far as used."""
    parts, chance, found = Parts(USED), random.Random(20260401), 0
    for _ in range(MUTATIONS):
        resource = mutated(chance)
        whole = {(each.expression, each.rule, each.message) for each in validate(resource)}
        used = {(each.expression, each.rule, each.message) for each in parts.errors(resource)}
        found += bool(used)
        # Who suggests another element knows only those that are looked at.
        assert {each for each in used if each[1] != "unknown-element"} <= whole, resource
    assert found > MUTATIONS // 10


# ------------------------------------------------------------------- what may mean something else

MODIFIER: Json = {"modifierExtension": [{"url": "urn:example:not", "valueBoolean": True}]}


@pytest.mark.parametrize(
    "resource",
    [
        RESULT | MODIFIER,
        RESULT | {"implicitRules": "urn:example:rules"},
        RESULT | {"component": [{"code": IGG, **MODIFIER}]},
    ],
    ids=["of the whole", "rules", "of a part"],
)
def test_a_result_with_a_modifier_is_not_used_but_asked_about(home: Path, resource: Json) -> None:
    before, results = kinds(scored(home)), outcomes(home)
    appended(home, resource)
    report = scored(home)
    assert kinds(report) == sorted([*before, "not-understood"])
    assert report.scored is not None
    (query,) = (each for each in report.scored.queries.values() if each.kind == "not-understood")
    assert (query.item, [origin.id for origin in query.origins]) == ("Observation", ["more"])
    assert outcomes(home) == results


def status(system: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/condition-{system}", "code": code}]}


def test_a_diagnosis_with_a_modifier_leaves_open_what_diagnoses_decide(home: Path) -> None:
    """A lymphoma that may be none: E7 is neither satisfied nor violated."""
    malignancy: Json = {
        "resourceType": "Condition", "id": "more", **SUBJECT,
        "clinicalStatus": status("clinical", "active"),
        "verificationStatus": status("ver-status", "confirmed"),
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C85.9"}]},
    }  # fmt: skip
    found = {}
    for name, resource in (("plain", malignancy), ("modified", malignancy | MODIFIER)):
        (home / "hospital" / "more.ndjson").unlink(missing_ok=True)
        appended(home, resource)
        scored(home)
        report = rescored(study_in(home), AS_OF, "JSS-01")
        assert report.scored is not None
        answers = {each.criterion: each.holds for each in report.scored.conduct["JSS-01"].answers}
        found[name] = answers["E7"]
    assert found == {"plain": False, "modified": None}


@pytest.mark.parametrize("modifier", [{}, MODIFIER], ids=["plain", "modified"])
def test_a_medication_with_a_modifier_names_no_drug(home: Path, modifier: Json) -> None:
    """What is in the bag may be something else: whoever refers to it is asked of what was given."""
    before = kinds(scored(home))
    code = {"coding": [{"system": ATC, "code": "L01FA01"}]}
    medication: Json = {"resourceType": "Medication", "id": "bag", "code": code, **modifier}
    (home / "hospital" / "Medication.more.ndjson").write_bytes(encode(medication))
    administration: Json = {
        "resourceType": "MedicationAdministration", "id": "more", **SUBJECT, "status": "completed",
        "medicationReference": {"reference": "Medication/bag"},
        "effectiveDateTime": "2023-01-05T08:00:00+08:00",
        "dosage": {"dose": {"value": 375, "unit": "mg"}},
    }  # fmt: skip
    appended(home, administration)
    found = [kind for kind in kinds(scored(home)) if kind == "dose-status"]
    assert len(found) - before.count("dose-status") == bool(modifier)
