"""Encounter, Immunization and Consent → stays, vaccinations, agreements (§8 I4, E5b, E5d, §13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from msgspec import structs

from fhir_adapter.conduct import exclusion
from fhir_adapter.mapping import consent, encounter, immunization
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.history import History, Reason
from fhir_adapter.trial.types import QueryKind
from tests.conduct.build import eligibility_rule
from tests.mapping.build import SCT, Json, coded, context, wired

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CVX = "http://hl7.org/fhir/sid/cvx"
ATC = "http://www.whocc.no/atc"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
OWN = "https://w3id.org/fhir-adapter/CodeSystem"
ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
FIRST, LAST = date(2024, 2, 10), date(2024, 2, 20)


def asked(mapped: Mapped) -> list[tuple[str, QueryKind]]:
    return [(query.item, query.kind) for query in mapped.queries]


# ------------------------------------------------------------------------------------------ Encounter


def stayed(**more: object) -> Json:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": ACT, "code": "IMP"},
        "period": {"start": "2024-02-10T09:00:00+08:00", "end": "2024-02-20T09:00:00+08:00"},
        "reasonCode": [coded(ICD10, "J18.9")],
        **more,
    }


def read_stay(resource: Json, folder: str = "international", **conditions: Json) -> Mapped:
    known = {name.replace("_", "/"): each for name, each in conditions.items()}
    return encounter.read(wired(resource), known, context(folder, resource))


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        ({}, [(FIRST, LAST, False)], []),
        ({"status": "in-progress", "period": {"start": "2024-02-10"}}, [(FIRST, None, False)], []),
        ({"period": {"start": "2024-02-10"}}, [(FIRST, None, True)], []),
        ({"status": "planned"}, [], []),
        ({"status": "cancelled"}, [], []),
        ({"status": "entered-in-error"}, [], []),
        ({"status": "unknown"}, [(None, None, False)], [("stay", QueryKind.UNCLEAR_STATUS)]),
        ({"period": None}, [(None, None, True)], [("stay", QueryKind.NO_DATE)]),
        (
            {"period": {"start": "2024-02", "end": "2024-02-20"}},
            [(None, LAST, False)],
            [("stay", QueryKind.PARTIAL_DATE)],
        ),
    ],
)
def test_stays(
    more: Json, found: list[tuple[date | None, date | None, bool]], query: list[tuple[str, QueryKind]]
) -> None:
    mapped = read_stay(stayed(**more))
    assert [(each.first, each.last, each.over) for each in mapped.stays] == found
    assert asked(mapped) == query


@pytest.mark.parametrize(
    ("folder", "sort", "admitted", "unknown"),
    [
        ("international", {"system": ACT, "code": "IMP"}, [True], []),
        ("international", {"system": ACT, "code": "ACUTE"}, [True], []),
        ("international", {"system": ACT, "code": "AMB"}, [], []),
        ("international", {"system": ACT, "code": "EMER"}, [], []),
        ("international", {"system": ACT, "code": "XX"}, [None], [(ACT, "XX")]),
        ("international", None, [None], []),
        ("example-cn", {"system": "urn:example-cn:visit", "code": "ZY"}, [True], []),
        ("example-cn", {"system": "urn:example-cn:visit", "code": "MZ"}, [], []),
    ],
)
def test_only_stays_in_hospital_count(
    folder: str, sort: Json | None, admitted: list[bool | None], unknown: list[tuple[str, str]]
) -> None:
    """Where it is not known whether she was admitted, it is not known whether it was a stay."""
    mapped = read_stay(stayed(**{"class": sort}), folder)
    assert [each.admitted for each in mapped.stays] == admitted
    rule = eligibility_rule().stay
    assert rule
    assert [exclusion.for_infection(each, rule) for each in mapped.stays] == admitted
    assert mapped.unknown_codes == unknown


PNEUMONIA = {"resourceType": "Condition", "id": "p", "code": coded(ICD10, "J15.9")}
FRACTURE = {"resourceType": "Condition", "id": "f", "code": coded(ICD10, "S52.5")}


def diagnosis(id: str, **more: object) -> Json:
    return {"condition": {"reference": f"Condition/{id}"}, **more}


@pytest.mark.parametrize(
    ("more", "infection"),
    [
        ({"reasonCode": [coded(ICD10, "J18.9")]}, True),
        ({"reasonCode": [coded(ICD10, "A41.9")]}, True),
        ({"reasonCode": [coded(ICD10, "N39.0")]}, True),
        ({"reasonCode": [coded(ICD10, "M72.6")]}, True),
        ({"reasonCode": [coded(ICD10, "K12.2")]}, True),
        ({"reasonCode": [coded(ICD10, "H05.0")]}, True),
        ({"reasonCode": [coded(ICD10, "R65.2")]}, True),
        ({"reasonCode": [coded(ICD10, "R50.9")]}, None),
        ({"reasonCode": [coded(ICD10, "N12")]}, None),
        ({"reasonCode": [coded(ICD10, "K52.9")]}, None),
        ({"reasonCode": [coded(ICD10, "S52.5"), coded(ICD10, "R50.9")]}, None),
        ({"reasonCode": [coded(ICD10, "R50.9"), coded(ICD10, "J18.9")]}, True),
        ({"reasonCode": [coded(ICD10, "S52.5")]}, False),
        ({"reasonCode": [coded(ICD10, "M35.0")]}, False),
        ({"reasonCode": [coded(ICD10, "S52.5"), coded(ICD10, "J18.9")]}, True),
        ({"reasonCode": [coded(SCT, "1")]}, None),
        ({"reasonCode": [coded(ICD10, "S52.5"), coded(SCT, "1")]}, None),
        ({"reasonCode": None}, None),
        ({"reasonCode": None, "reasonReference": [{"reference": "Condition/p"}]}, True),
        ({"reasonCode": None, "diagnosis": [diagnosis("p")]}, True),
        ({"reasonCode": None, "diagnosis": [diagnosis("f")]}, False),
        ({"reasonCode": None, "diagnosis": [diagnosis("f", rank=1), diagnosis("p", rank=2)]}, None),
        ({"reasonCode": None, "diagnosis": [diagnosis("f", rank=2), diagnosis("p", rank=1)]}, True),
        (
            {
                "reasonCode": None,
                "diagnosis": [diagnosis("f", use=coded(ROLE, "AD")), diagnosis("p", use=coded(ROLE, "CM"))],
            },
            None,
        ),
        ({"reasonCode": [coded(ICD10, "S52.5")], "diagnosis": [diagnosis("p", rank=2)]}, None),
        ({"reasonCode": None, "diagnosis": [diagnosis("gone")]}, None),
    ],
)
def test_whether_a_stay_was_for_an_infection(more: Json, infection: bool | None) -> None:
    """An infection beside another reason may be why she came or not; nobody guesses."""
    (found,) = read_stay(stayed(**more), Condition_p=PNEUMONIA, Condition_f=FRACTURE).stays
    rule = eligibility_rule().stay
    assert rule
    assert exclusion.for_infection(found, rule) is infection


def test_reasons_of_a_stay() -> None:
    """What she came for leads, what else she had does not; a code that nobody knows is a reason not known."""
    more = {
        "reasonCode": [coded(ICD10, "S52.5"), coded(SCT, "1")],
        "diagnosis": [diagnosis("p", rank=2), diagnosis("gone", rank=1)],
    }
    mapped = read_stay(stayed(**more), Condition_p=PNEUMONIA)
    assert mapped.stays[0].reasons == (
        Reason(("S52.5",), True),
        Reason((), True),
        Reason(("J15.9",), False),
        Reason((), True),
    )
    assert mapped.unknown_codes == [(SCT, "1")]


def test_another_trial_counts_other_diagnoses_as_infections() -> None:
    shipped = eligibility_rule().stay
    assert shipped
    rule = replace(shipped, infections=("S52",), perhaps_infections=("J15-J18",))
    (fracture,) = read_stay(stayed(reasonCode=[coded(ICD10, "S52.5")])).stays
    (pneumonia,) = read_stay(stayed(reasonCode=[coded(ICD10, "J18.9")])).stays
    (sepsis,) = read_stay(stayed(reasonCode=[coded(ICD10, "A41.9")])).stays
    found = [exclusion.for_infection(each, rule) for each in (fracture, pneumonia, sepsis)]
    assert found == [True, None, False]


# --------------------------------------------------------------------------------------- Immunization


def vaccinated(**more: object) -> Json:
    return {
        "resourceType": "Immunization",
        "id": "i1",
        "status": "completed",
        "vaccineCode": coded(CVX, "03"),
        "occurrenceDateTime": "2024-02-10",
        **more,
    }


def read_vaccine(resource: Json, folder: str = "international") -> Mapped:
    return immunization.read(wired(resource), context(folder, resource))


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        ({}, [(FIRST, FIRST)], []),
        ({"status": "not-done"}, [], []),
        ({"status": "entered-in-error"}, [], []),
        ({"status": None}, [(date.min, date.max)], [("vaccination", QueryKind.UNCLEAR_STATUS)]),
        ({"occurrenceDateTime": "2024-02"}, [(date(2024, 2, 1), date(2024, 2, 29))], []),
        (
            {"occurrenceDateTime": None, "occurrenceString": "as a baby"},
            [(date.min, date.max)],
            [("vaccination", QueryKind.NO_DATE)],
        ),
        (
            {"occurrenceDateTime": None, "recorded": "2024-03-01"},
            [(date.min, date(2024, 3, 1))],
            [("vaccination", QueryKind.NO_DATE)],
        ),
    ],
)
def test_vaccinations(more: Json, found: list[tuple[date, date]], query: list[tuple[str, QueryKind]]) -> None:
    mapped = read_vaccine(vaccinated(**more))
    assert [(each.at.first, each.at.last) for each in mapped.vaccinations] == found
    assert asked(mapped) == query


@pytest.mark.parametrize(
    ("folder", "code", "live", "unknown"),
    [
        ("international", coded(CVX, "03"), True, []),
        ("international", coded(CVX, "19"), True, []),
        ("international", coded(CVX, "21"), True, []),
        ("international", coded(CVX, "111"), True, []),
        ("international", coded(CVX, "116"), True, []),
        ("international", coded(CVX, "10"), False, []),
        ("international", coded(CVX, "187"), False, []),
        ("international", coded(ATC, "J07BD52"), True, []),
        ("international", coded(ATC, "J07BC01"), False, []),
        ("international", coded(CVX, "9999"), None, [(CVX, "9999")]),
        ("example-cn", coded("", text="甲型肝炎减毒活疫苗"), True, []),
        ("example-cn", coded("", text="甲型肝炎灭活疫苗"), False, []),
        ("example-cn", coded("", text="乙型脑炎减毒活疫苗"), True, []),
        ("example-cn", coded("urn:example-cn:vaccine", "V0301"), True, []),
        ("example-cn", coded("", text="甲肝疫苗"), None, [(f"{OWN}/text", "甲肝疫苗")]),
    ],
)
def test_live_vaccines(folder: str, code: Json, live: bool | None, unknown: list[tuple[str, str]]) -> None:
    """§8 E5d: of hepatitis A and Japanese encephalitis there are both kinds; the bare name says neither."""
    mapped = read_vaccine(vaccinated(vaccineCode=code), folder)
    assert [each.live for each in mapped.vaccinations] == [live]
    assert mapped.unknown_codes == unknown


# -------------------------------------------------------------------------------------------- Consent

BOTH = frozenset({"study-treatment"})
RITUXIMAB, BELIMUMAB = frozenset({"rituximab"}), frozenset({"belimumab"})
TO_TREATMENT = {"category": [coded(f"{OWN}/consents", "study-treatment")]}


def agreed(**more: object) -> Json:
    return {
        "resourceType": "Consent",
        "id": "k1",
        "status": "active",
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "dateTime": "2024-02-10",
        **TO_TREATMENT,
        **more,
    }


def read_consent(resource: Json, folder: str = "international") -> Mapped:
    return consent.read(wired(resource), context(folder, resource))


UNCLEAR = [("consent", QueryKind.UNCLEAR_STATUS)]


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        ({}, [(BOTH, True, FIRST, None)], []),
        ({"status": "rejected"}, [(BOTH, False, FIRST, None)], []),
        ({"status": "draft"}, [], []),
        ({"status": "proposed"}, [], []),
        ({"status": "entered-in-error"}, [], []),
        ({"status": "inactive"}, [(BOTH, True, None, None)], UNCLEAR),
        ({"status": None}, [(BOTH, True, None, None)], UNCLEAR),
        (
            {"status": "inactive", "provision": {"period": {"start": "2024-02-10", "end": "2024-02-20"}}},
            [(BOTH, True, FIRST, LAST)],
            [],
        ),
        ({"provision": {"period": {"end": "2024-02-20"}}}, [(BOTH, True, FIRST, LAST)], []),
        (
            {"provision": {"period": {"end": "2024-02-09"}}},
            [(BOTH, True, None, None)],
            [("consent", QueryKind.NO_DATE)],
        ),
        ({"provision": {"period": {"end": "2024-02-10"}}}, [(BOTH, True, FIRST, FIRST)], []),
        ({"provision": {"type": "deny"}}, [(BOTH, False, FIRST, None)], []),
        (
            {"dateTime": None, "provision": {"period": {"start": "2024-02-10"}}},
            [(BOTH, True, FIRST, None)],
            [],
        ),
        ({"dateTime": None}, [(BOTH, True, None, None)], [("consent", QueryKind.NO_DATE)]),
        ({"dateTime": "2024-02"}, [(BOTH, True, None, None)], [("consent", QueryKind.PARTIAL_DATE)]),
    ],
)
def test_consents(
    more: Json,
    found: list[tuple[frozenset[str], bool, date | None, date | None]],
    query: list[tuple[str, QueryKind]],
) -> None:
    """One that ended on a day that nobody knows may have stood on day 0 or not: it has no day."""
    mapped = read_consent(agreed(**more))
    assert [(each.drugs, each.given, each.since, each.until) for each in mapped.agreements] == found
    assert asked(mapped) == query


def about(code: Json, **more: object) -> Json:
    return {"code": [code], **more}


RTX, BEL = coded(ATC, "L01FA01"), coded(ATC, "L04AG04")


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"category": [], "provision": about(RTX)}, {(RITUXIMAB, True)}),
        ({"category": [], "provision": about(RTX, type="deny")}, {(RITUXIMAB, False)}),
        ({"category": [], "provision": {"code": [RTX, BEL]}}, {(RITUXIMAB | BELIMUMAB, True)}),
        (
            {
                "category": [],
                "provision": {"provision": [about(RTX, type="permit"), about(BEL, type="deny")]},
            },
            {(RITUXIMAB, True), (BELIMUMAB, False)},
        ),
        (
            {"provision": {"type": "permit", "provision": [about(BEL, type="deny")]}},
            {(BOTH, True), (BELIMUMAB, False)},
        ),
        (
            {"category": [], "policyRule": {"coding": [{"system": f"{OWN}/consents", "code": "rituximab"}]}},
            {(RITUXIMAB, True)},
        ),
    ],
)
def test_consent_to_each_drug(more: Json, found: set[tuple[frozenset[str], bool]]) -> None:
    mapped = read_consent(agreed(**more))
    assert {(each.drugs, each.given) for each in mapped.agreements} == found
    assert mapped.unknown_codes == []


@pytest.mark.parametrize(
    ("folder", "more", "found", "unknown"),
    [
        (
            "example-cn",
            {"category": [], "policyRule": {"text": "知情同意书(利妥昔单抗联合贝利尤单抗)"}},
            [BOTH],
            [],
        ),
        ("example-cn", {"category": [coded("urn:example-cn:form", "ICF-PRIV")]}, [], []),
        (
            "example-cn",
            {"category": [coded("urn:example-cn:form", "X9")]},
            [],
            [("urn:example-cn:form", "X9")],
        ),
    ],
)
def test_what_a_form_is_about_says_the_table(
    folder: str, more: Json, found: list[frozenset[str]], unknown: list[tuple[str, str]]
) -> None:
    mapped = read_consent(agreed(**more), folder)
    assert [each.drugs for each in mapped.agreements] == found
    assert mapped.unknown_codes == unknown


# ----------------------------------------------------------------------------------- entered in error


@pytest.mark.parametrize(
    ("right", "wrong", "kept"),
    [
        (read_stay(stayed()).stays, read_stay(stayed(status="entered-in-error")), 1),
        (read_vaccine(vaccinated()).vaccinations, read_vaccine(vaccinated(status="entered-in-error")), 1),
        (read_consent(agreed()).agreements, read_consent(agreed(status="entered-in-error")), 1),
    ],
)
def test_what_was_entered_in_error_is_kept_apart(right: list[History], wrong: Mapped, kept: int) -> None:
    """§13: it never was, and asks nothing; what it said is kept, for a person to look at."""
    assert len(right) == kept
    assert [structs.replace(each, origins=()) for each in wrong.struck] == [
        structs.replace(each, origins=()) for each in right
    ]
    assert (wrong.stays, wrong.vaccinations, wrong.agreements, wrong.queries) == ([], [], [], [])


def test_what_was_entered_in_error_asks_nothing() -> None:
    """Without a day, of a vaccine that nobody knows: no question, no unknown code."""
    resource = vaccinated(status="entered-in-error", occurrenceDateTime=None, vaccineCode=coded(CVX, "9999"))
    mapped = read_vaccine(resource)
    assert (mapped.queries, mapped.unknown_codes, len(mapped.struck)) == ([], [], 1)
