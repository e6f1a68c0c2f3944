"""MedicationRequest, MedicationStatement and administrations of other drugs → orders (§8 I3a, E1, E5, E9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction

import pytest
from msgspec.structs import replace

from fhir_adapter.mapping import medication_administration, medication_request, medication_statement
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.history import Order
from fhir_adapter.trial.types import QueryKind
from tests.mapping.build import SCT, Json, coded, context, wired

ATC = "http://www.whocc.no/atc"
LOCAL = "urn:example-cn:drug"
ROUTE = "urn:example-cn:route"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
METHOTREXATE = {"medicationCodeableConcept": coded(ATC, "L04AX03")}


def requested(medication: Json = METHOTREXATE, **more: object) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "r1",
        "status": "active",
        "intent": "order",
        "authoredOn": "2023-05-06",
        **medication,
        **more,
    }


def stated(**more: object) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "id": "s1",
        "status": "completed",
        "effectivePeriod": {"start": "2023-05-06", "end": "2023-08-01"},
        **METHOTREXATE,
        **more,
    }


def read(resource: Json, folder: str = "international", **known: Json) -> Mapped:
    named = {name.replace("_", "/"): each for name, each in known.items()}
    if resource["resourceType"] == "MedicationStatement":
        return medication_statement.read(wired(resource), named, named, context(folder, resource))
    return medication_request.read(wired(resource), named, named, context(folder, resource))


def asked(mapped: Mapped) -> list[tuple[str, QueryKind]]:
    return [(query.item, query.kind) for query in mapped.queries]


def spans(mapped: Mapped) -> list[tuple[date | None, date | None, bool]]:
    return [(order.first, order.last, order.over) for order in mapped.orders]


BEGUN = date(2023, 5, 6)
UNCLEAR = [("methotrexate", QueryKind.UNCLEAR_STATUS)]


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        ({"status": "active"}, [(BEGUN, None, False)], []),
        ({"status": "completed"}, [(BEGUN, None, True)], []),
        ({"status": "stopped"}, [(BEGUN, None, True)], []),
        ({"status": "cancelled"}, [], []),
        ({"status": "draft"}, [], []),
        ({"status": "entered-in-error"}, [], []),
        ({"status": "on-hold"}, [(None, None, False)], UNCLEAR),
        ({"status": "unknown"}, [(None, None, False)], UNCLEAR),
        ({"status": None}, [(None, None, False)], UNCLEAR),
        ({"status": "Zhang San"}, [(None, None, False)], UNCLEAR),
        ({"intent": "proposal"}, [], []),
        ({"intent": "plan"}, [], []),
        ({"intent": "option"}, [], []),
        ({"intent": "instance-order"}, [(BEGUN, None, False)], []),
        ({"doNotPerform": True}, [], []),
    ],
)
def test_what_a_request_says(
    more: Json, found: list[tuple[date | None, date | None, bool]], query: list[tuple[str, QueryKind]]
) -> None:
    """An order that may or may not have been carried out is there, on days that nobody knows."""
    mapped = read(requested(**more))
    assert spans(mapped) == found
    assert asked(mapped) == query
    assert not any("Zhang" in each.text for each in mapped.queries)


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        ({"status": "active"}, [(BEGUN, date(2023, 8, 1), False)], []),
        ({"status": "completed"}, [(BEGUN, date(2023, 8, 1), False)], []),
        ({"status": "active", "effectivePeriod": {"start": "2023-05-06"}}, [(BEGUN, None, False)], []),
        ({"effectivePeriod": {"start": "2023-05-06"}}, [(BEGUN, None, True)], []),
        (
            {"status": "stopped", "effectivePeriod": None, "effectiveDateTime": "2023-05-06"},
            [(BEGUN, None, True)],
            [],
        ),
        (
            {"status": "active", "effectivePeriod": None, "effectiveDateTime": "2023-05-06"},
            [(BEGUN, None, False)],
            [],
        ),
        ({"status": "not-taken"}, [], []),
        ({"status": "intended"}, [], []),
        ({"status": "entered-in-error"}, [], []),
        ({"status": "on-hold"}, [(None, None, False)], UNCLEAR),
        ({"status": "unknown"}, [(None, None, False)], UNCLEAR),
        (
            {"effectivePeriod": None, "dateAsserted": "2024-01-01"},
            [(None, None, True)],
            [("methotrexate", QueryKind.NO_DATE)],
        ),
    ],
)
def test_what_a_statement_says(
    more: Json, found: list[tuple[date | None, date | None, bool]], query: list[tuple[str, QueryKind]]
) -> None:
    mapped = read(stated(**more))
    assert spans(mapped) == found
    assert asked(mapped) == query


def dosed(*repeats: Json) -> Json:
    return {"dosageInstruction": [{"timing": {"repeat": repeat}} for repeat in repeats]}


@pytest.mark.parametrize(
    ("more", "found", "query"),
    [
        (
            dosed({"boundsPeriod": {"start": "2023-06-01", "end": "2023-07-31"}}),
            (date(2023, 6, 1), date(2023, 7, 31), False),
            [],
        ),
        (dosed({"boundsPeriod": {"start": "2023-06-01"}}), (date(2023, 6, 1), None, False), []),
        (
            dosed(
                {"boundsPeriod": {"start": "2023-06-01", "end": "2023-06-30"}},
                {"boundsPeriod": {"start": "2023-07-01", "end": "2023-08-31"}},
            ),
            (date(2023, 6, 1), date(2023, 8, 31), False),
            [],
        ),
        (dosed({"boundsDuration": {"value": 14, "code": "d"}}), (BEGUN, date(2023, 5, 19), False), []),
        (dosed({"boundsDuration": {"value": 2, "code": "wk"}}), (BEGUN, date(2023, 5, 19), False), []),
        (dosed({"boundsDuration": {"value": 3, "code": "mo"}}), (BEGUN, None, True), []),
        (
            {"dosageInstruction": [{"timing": {"event": ["2023-06-01", "2023-06-08"]}}]},
            (date(2023, 6, 1), date(2023, 6, 8), False),
            [],
        ),
        ({"authoredOn": None}, (None, None, False), [("methotrexate", QueryKind.NO_DATE)]),
        ({"authoredOn": "soon"}, (None, None, False), [("methotrexate", QueryKind.NO_DATE)]),
        ({"authoredOn": "2023-05"}, (None, None, False), [("methotrexate", QueryKind.PARTIAL_DATE)]),
        (
            {"authoredOn": "2023-05-06T10:00:00"},
            (None, None, False),
            [("methotrexate", QueryKind.NO_TIME_ZONE)],
        ),
        ({"authoredOn": "2023-05-05T20:00:00Z"}, (BEGUN, None, False), []),
        (
            dosed({"boundsPeriod": {"start": "2023-06-01", "end": "2023-07"}}),
            (date(2023, 6, 1), None, True),
            [("methotrexate", QueryKind.PARTIAL_DATE)],
        ),
        (
            dosed({"boundsPeriod": {"start": "2023-06-01", "end": "2023-05-01"}}),
            (None, None, True),
            [("methotrexate", QueryKind.NO_DATE)],
        ),
    ],
)
def test_the_days_of_a_request(
    more: Json, found: tuple[date | None, date | None, bool], query: list[tuple[str, QueryKind]]
) -> None:
    """A period goes before the day of writing; of a date to the month, nothing is guessed."""
    mapped = read(requested(**more))
    assert spans(mapped) == [found]
    assert asked(mapped) == query


@pytest.mark.parametrize(
    ("folder", "medication", "drug"),
    [
        ("international", coded(ATC, "L04AX03"), "methotrexate"),
        ("international", coded(ATC, "P01BA02"), "hydroxychloroquine"),
        ("international", coded(ATC, "P01BA01"), "antiparasitic"),
        ("international", coded(ATC, "H02AB07"), "prednisone"),
        ("international", coded(ATC, "J01DD04"), "antibacterial"),
        ("international", coded(ATC, "L04AA26"), "belimumab"),
        ("example-cn", coded(LOCAL, "MTX01"), "methotrexate"),
        ("example-cn", coded(LOCAL, "TEL01"), "telitacicept"),
        ("example-cn", coded("", text="泰它西普"), "telitacicept"),
        ("example-cn", coded("", text="雷公藤多苷片"), "tripterygium"),
        ("example-cn", coded("", text="醋酸泼尼松片"), "prednisone"),
        ("example-cn", coded("", text="注射用头孢曲松钠"), "antibacterial"),
    ],
)
def test_drugs(folder: str, medication: Json, drug: str) -> None:
    """By ATC, the longest prefix first, or by the hospital's table."""
    (order,) = read(requested({"medicationCodeableConcept": medication}), folder).orders
    assert order.drug == drug


@pytest.mark.parametrize("code", ["A02BC01", "C09AA05", "N02BE01", "R03BA02"])
def test_a_drug_of_another_group_is_known_and_not_used(code: str) -> None:
    mapped = read(requested({"medicationCodeableConcept": coded(ATC, code)}))
    assert (mapped.orders, mapped.unknown_codes) == ([], [])


@pytest.mark.parametrize("code", ["L04AC10", "L03AB07", "H02AB13", "M01CB01", "L04A", "X"])
def test_a_drug_that_may_be_one_of_the_groups_is_reported(code: str) -> None:
    """Secukinumab is a biologic (E1): what is not in the list is not thereby harmless."""
    mapped = read(requested({"medicationCodeableConcept": coded(ATC, code)}))
    assert (mapped.orders, mapped.unknown_codes) == ([], [(ATC, code)])


def test_immunoglobulin_is_no_order_that_anything_asks_for() -> None:
    mapped = read(requested({"medicationCodeableConcept": coded(ATC, "J06BA02")}))
    assert (mapped.orders, mapped.unknown_codes) == ([], [])


def test_a_drug_by_reference() -> None:
    medication = {"resourceType": "Medication", "id": "m", "code": coded(ATC, "L04AX01")}
    pointer = {"medicationReference": {"reference": "Medication/m"}}
    (order,) = read(requested(pointer), Medication_m=medication).orders
    assert order.drug == "azathioprine"
    mapped = read(requested(pointer))
    assert (mapped.orders, asked(mapped)) == ([], [("", QueryKind.UNCLEAR_STATUS)])


@pytest.mark.parametrize(
    ("folder", "routes", "parenteral", "unknown"),
    [
        ("international", [coded(SCT, "47625008")], True, []),
        ("international", [coded(SCT, "78421000")], True, []),
        ("international", [coded(SCT, "26643006")], False, []),
        ("international", [coded(SCT, "34206005")], False, []),
        ("international", [coded(SCT, "26643006"), coded(SCT, "47625008")], True, []),
        ("international", [coded(SCT, "26643006"), None], None, []),
        ("international", [coded(SCT, "1")], None, [(SCT, "1")]),
        ("international", [None], None, []),
        ("international", [], None, []),
        ("example-cn", [coded(ROUTE, "IV")], True, []),
        ("example-cn", [coded("", text="静脉滴注")], True, []),
        ("example-cn", [coded("", text="肌肉注射")], True, []),
        ("example-cn", [coded("", text="口服")], False, []),
    ],
)
def test_routes(
    folder: str, routes: list[Json | None], parenteral: bool | None, unknown: list[tuple[str, str]]
) -> None:
    """§8 E5c: into vein or muscle."""
    dosages = [{"route": route} if route else {"text": "once"} for route in routes]
    mapped = read(requested(dosageInstruction=dosages), folder)
    (order,) = mapped.orders
    assert (order.parenteral, mapped.unknown_codes) == (parenteral, unknown)
    (order,) = read(stated(dosage=dosages), folder).orders
    assert order.parenteral is parenteral


REFUTED = coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted")
SHINGLES = {"resourceType": "Condition", "id": "z", "code": coded(ICD10, "B02.9")}


@pytest.mark.parametrize(
    ("more", "known", "codes"),
    [
        ({}, {}, ()),
        ({"reasonCode": [coded(ICD10, "A15.0")]}, {}, ("A15.0",)),
        ({"reasonCode": [coded(SCT, "83901003"), coded(ICD10, "J45")]}, {}, ("J45", "M35.0")),
        ({"reasonReference": [{"reference": "Condition/z"}]}, {"Condition_z": SHINGLES}, ("B02.9",)),
        (
            {"reasonReference": [{"reference": "Condition/z"}]},
            {"Condition_z": {**SHINGLES, "verificationStatus": REFUTED}},
            (),
        ),
        ({"reasonReference": [{"reference": "Condition/z"}]}, {}, ()),
    ],
)
def test_indications(more: Json, known: dict[str, Json], codes: tuple[str, ...]) -> None:
    for resource in (requested(**more), stated(**more)):
        (order,) = read(resource, "international", **known).orders
        assert order.indication == codes


def test_a_reason_that_nobody_knows_is_reported() -> None:
    mapped = read(requested(reasonCode=[coded(SCT, "1")]))
    assert (mapped.orders[0].indication, mapped.unknown_codes) == ((), [(SCT, "1")])


@pytest.mark.parametrize(
    ("status", "days", "query"),
    [
        ("completed", [(date(2024, 3, 20), date(2024, 3, 22), False)], []),
        ("in-progress", [(date(2024, 3, 20), date(2024, 3, 22), False)], []),
        ("stopped", [(date(2024, 3, 20), date(2024, 3, 22), False)], []),
        ("not-done", [], []),
        ("entered-in-error", [], []),
        ("on-hold", [(None, None, False)], [("antibacterial", QueryKind.DOSE_STATUS)]),
        ("unknown", [(None, None, False)], [("antibacterial", QueryKind.DOSE_STATUS)]),
    ],
)
def test_an_administration_of_another_drug_is_an_order_of_its_day(
    status: str,
    days: list[tuple[date | None, date | None, bool]],
    query: list[tuple[str, QueryKind]],
) -> None:
    """An antibiotic that was infused was given, whether or not anybody shows its order (E5c).

    Where nobody knows whether it was, it stands without days, as an order does: it clears nobody.
    """
    resource = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": status,
        "medicationCodeableConcept": coded(ATC, "J01DD04"),
        "effectivePeriod": {"start": "2024-03-20T10:00:00+08:00", "end": "2024-03-22T10:00:00+08:00"},
        "dosage": {"route": coded(SCT, "47625008")},
        "reasonCode": [coded(ICD10, "J15.9")],
    }
    mapped = medication_administration.read(wired(resource), {}, context("international", resource))
    assert mapped.doses == []
    assert [
        (each.drug, *span, each.parenteral, each.indication)
        for each, span in zip(mapped.orders, spans(mapped), strict=True)
    ] == [("antibacterial", *each, True, ("J15.9",)) for each in days]
    assert asked(mapped) == query


@pytest.mark.parametrize("dosage", [None, {"text": "one bag"}, {"dose": {"unit": "mg"}}])
def test_a_study_dose_without_an_amount_is_asked_about(dosage: Json | None) -> None:
    resource = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "medicationCodeableConcept": coded(ATC, "L01FA01"),
        "effectiveDateTime": "2024-04-01",
        "dosage": dosage,
    }
    mapped = medication_administration.read(wired(resource), {}, context("international", resource))
    assert [dose.amount for dose in mapped.doses] == [None]
    assert asked(mapped) == [("rituximab", QueryKind.NO_AMOUNT)]


def test_an_amount_without_a_unit_is_asked_about() -> None:
    resource = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "medicationCodeableConcept": coded(ATC, "L01FA01"),
        "effectiveDateTime": "2024-04-01",
        "dosage": {"dose": {"value": 500}},
    }
    mapped = medication_administration.read(wired(resource), {}, context("international", resource))
    assert [(dose.amount, dose.unit) for dose in mapped.doses] == [(Fraction(500), "")]
    assert asked(mapped) == [("rituximab", QueryKind.NO_UNIT)]


@pytest.mark.parametrize("made", [requested, stated])
def test_an_order_that_was_entered_in_error_is_kept_apart(made: Callable[..., Json]) -> None:
    """§13: it never was; what it said is kept, for a person to look at."""
    (right,) = read(made(status="completed")).orders
    wrong = read(made(status="entered-in-error"))
    assert [replace(each, origins=right.origins) for each in wrong.struck] == [right]
    assert (wrong.orders, wrong.queries, wrong.unread) == ([], [], [])


def test_an_administration_that_was_entered_in_error_is_kept_apart() -> None:
    resource = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "entered-in-error",
        "medicationCodeableConcept": coded(ATC, "J01DD04"),
        "effectiveDateTime": "2024-03-20",
    }
    mapped = medication_administration.read(wired(resource), {}, context("international", resource))
    (struck,) = mapped.struck
    assert isinstance(struck, Order)
    assert (struck.drug, struck.first, mapped.orders) == ("antibacterial", date(2024, 3, 20), [])
