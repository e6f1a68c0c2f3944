"""What only a person can say, and results of examinations: from forms, Observations, reports, procedures."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from fhir_adapter.mapping import diagnostic_report, observation, procedure, questionnaire_response
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Interval
from tests.mapping.build import SCT, Json, coded, context, observed, wired

YES, NO = coded(SCT, "373066001"), coded(SCT, "373067005")
OWN = "https://w3id.org/fhir-adapter/CodeSystem/items"
LAB = "urn:example-cn:lab"


def answers(mapped: Mapped) -> list[tuple[str, bool | None, date]]:
    return [(each.code, each.answer, each.at.first) for each in mapped.statements]


DAY = date(2024, 4, 1)


@pytest.mark.parametrize(
    ("value", "answer", "query"),
    [
        ({"valueBoolean": True}, [True], []),
        ({"valueBoolean": False}, [False], []),
        ({"valueCodeableConcept": YES}, [True], []),
        ({"valueCodeableConcept": NO}, [False], []),
        ({"valueString": "Yes"}, [True], []),
        ({"valueString": "no"}, [False], []),
        ({"valueString": "unsure"}, [None], []),
        ({"valueString": "perhaps later"}, [None], [QueryKind.UNREADABLE]),
        ({"valueInteger": 1}, [None], [QueryKind.UNREADABLE]),
        ({"dataAbsentReason": coded("urn:x", "unknown")}, [], []),
    ],
)
def test_a_physician_answers_by_an_observation(
    value: Json, answer: list[bool | None], query: list[QueryKind]
) -> None:
    """§14.19: an answer that cannot be read is not replaced by an earlier one."""
    resource = observed("high-infection-risk", value)
    mapped = observation.read(wired(resource), context("international", resource))
    assert answers(mapped) == [("high-infection-risk", each, DAY) for each in answer]
    assert [each.kind for each in mapped.queries] == query
    assert mapped.measurements == []


def test_a_statement_that_is_not_final_does_not_count() -> None:
    resource = observed("severe-disease", {"valueBoolean": True}, status="preliminary")
    mapped = observation.read(wired(resource), context("international", resource))
    assert mapped.statements == []
    assert [each.kind for each in mapped.queries] == [QueryKind.NOT_FINAL]


def test_a_form_answers_several_questions() -> None:
    """The screening form of the example hospital, in its own words."""
    resource: Json = {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "status": "completed",
        "questionnaire": "urn:example-cn:form:screening",
        "authored": "2024-04-01T09:00:00+08:00",
        "item": [
            {"linkId": "1", "answer": [{"valueString": "是"}]},
            {"linkId": "2", "answer": [{"valueString": "否"}]},
            {"linkId": "3", "answer": [{"valueString": "不详"}]},
            {"linkId": "4", "answer": [{"valueBoolean": False}]},
        ],
    }
    mapped = questionnaire_response.read(wired(resource), context("example-cn", resource))
    assert answers(mapped) == [
        ("eye-symptoms", True, DAY),
        ("mouth-symptoms", False, DAY),
        ("other-trial", None, DAY),
        ("active-tuberculosis", False, DAY),
    ]
    assert (mapped.queries, mapped.unknown_codes, mapped.measurements) == ([], [], [])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (
            {
                "valueQuantity": {
                    "value": Decimal("1.5"),
                    "code": "{foci}/(4.mm2)",
                    "system": "http://unitsofmeasure.org",
                }
            },
            Interval(Fraction(3, 2), Fraction(3, 2)),
        ),
        (
            {"valueQuantity": {"value": 1, "comparator": "<", "unit": "1"}},
            Interval(Fraction(0), Fraction(1), high_open=True),
        ),
    ],
)
def test_a_focus_score_is_a_measurement(value: Json, found: Interval) -> None:
    resource = observed("focus-score", value)
    (measured,) = observation.read(wired(resource), context("international", resource)).measurements
    assert measured.value == found


@pytest.mark.parametrize(
    ("item", "value", "exact"),
    [
        ("nyha", {"valueCodeableConcept": coded(SCT, "420913000")}, 3),
        ("nyha", {"valueInteger": 4}, 4),
        ("weakest-muscle", {"valueInteger": 5}, 5),
        ("dlco", {"valueQuantity": {"value": 65, "unit": "%"}}, 65),
        ("fvc", {"valueQuantity": {"value": 79, "unit": "%"}}, 79),
    ],
)
def test_items_of_derived_levels(item: str, value: Json, exact: int) -> None:
    resource = observed(item, value)
    (measured,) = observation.read(wired(resource), context("international", resource)).measurements
    assert measured.value is not None
    assert measured.value.exact == exact


@pytest.mark.parametrize(
    ("value", "unit", "exact", "query"),
    [
        (Decimal("1.5"), "m", Fraction(150), []),
        (150, "cm", Fraction(150), []),
        (Decimal("1.5"), "cm", None, [QueryKind.IMPLAUSIBLE]),
        (150, "m", None, [QueryKind.IMPLAUSIBLE]),
        (150, None, None, [QueryKind.NO_UNIT]),
    ],
)
def test_a_height_in_metres_or_centimetres(
    value: Decimal | int, unit: str | None, exact: Fraction | None, query: list[QueryKind]
) -> None:
    """A height that nobody can have is refused: it would make a kidney fail."""
    resource = observed("height", {"valueQuantity": {"value": value} | ({"unit": unit} if unit else {})})
    mapped = observation.read(wired(resource), context("international", resource))
    assert [each.value.exact if each.value else None for each in mapped.measurements] == [exact]
    assert [each.kind for each in mapped.queries] == query


@pytest.mark.parametrize(
    ("value", "unit", "believed"),
    [
        (45, "umol/L", True),
        (Decimal("0.5"), "mg/dL", True),
        (Decimal("0.5"), "umol/L", False),
        (45, "mg/dL", False),
    ],
)
def test_a_creatinine_of_an_impossible_size(value: Decimal | int, unit: str, believed: bool) -> None:
    """§9: below 5 with µmol/L or above 20 with mg/dL the unit is wrong."""
    resource = observed("creatinine", {"valueQuantity": {"value": value, "unit": unit}})
    mapped = observation.read(wired(resource), context("international", resource))
    assert [each.usable for each in mapped.measurements] == [believed]
    assert [each.kind for each in mapped.queries] == ([] if believed else [QueryKind.IMPLAUSIBLE])


@pytest.mark.parametrize("value", [0, 5])
def test_nyha_has_four_classes(value: int) -> None:
    resource = observed("nyha", {"valueInteger": value})
    mapped = observation.read(wired(resource), context("international", resource))
    assert [each.kind for each in mapped.queries] == [QueryKind.INVALID_LEVEL]


def reported(**more: object) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "id": "d1",
        "status": "final",
        "code": coded(OWN, "sialography"),
        "effectiveDateTime": "2024-04-01",
        **more,
    }


POSITIVE = {"conclusionCode": [coded(SCT, "10828004")]}


@pytest.mark.parametrize(
    ("more", "answer", "query"),
    [
        (POSITIVE, [True], []),
        ({"conclusionCode": [coded(SCT, "260385009")]}, [False], []),
        ({"conclusion": "positive"}, [True], []),
        ({**POSITIVE, "status": "amended"}, [True], []),
        ({**POSITIVE, "status": "appended"}, [True], []),
        ({**POSITIVE, "status": "partial"}, [], [QueryKind.NOT_FINAL]),
        ({**POSITIVE, "status": "cancelled"}, [], []),
        ({**POSITIVE, "status": "entered-in-error"}, [], []),
        ({"conclusion": "Ducts of irregular calibre."}, [None], [QueryKind.UNREADABLE]),
        ({}, [], []),
    ],
)
def test_the_conclusion_of_a_report(more: Json, answer: list[bool | None], query: list[QueryKind]) -> None:
    """§8.1 V and the oral item of 1999. A report without a conclusion says nothing by itself."""
    resource = reported(**more)
    mapped = diagnostic_report.read(wired(resource), context("international", resource))
    assert answers(mapped) == [("sialography", each, DAY) for each in answer]
    assert [each.kind for each in mapped.queries] == query


def test_a_report_on_something_else_is_reported_only_if_it_concludes() -> None:
    other = coded("urn:radiology", "CT")
    silent, speaking = reported(code=other), reported(code=other, **POSITIVE)
    known = context("international", silent)
    assert diagnostic_report.read(wired(silent), known).unknown_codes == []
    assert diagnostic_report.read(wired(speaking), known).unknown_codes == [("urn:radiology", "CT")]


def test_a_report_of_a_quantity_leaves_it_to_its_observations() -> None:
    resource = reported(code=coded(OWN, "focus-score"), conclusion="1.5")
    mapped = diagnostic_report.read(wired(resource), context("international", resource))
    assert (mapped.measurements, mapped.queries) == ([], [])


def test_a_finding_of_a_report_is_a_measurement() -> None:
    resource = reported(code=coded(OWN, "monoclonal-protein"), **POSITIVE)
    (found,) = diagnostic_report.read(wired(resource), context("international", resource)).measurements
    assert (found.item, found.found) == ("monoclonal-protein", True)


@pytest.mark.parametrize(
    ("more", "answer", "query"),
    [
        ({"outcome": YES}, [True], []),
        ({"outcome": NO, "performedDateTime": None, "performedPeriod": {"start": "2024-04-01"}}, [False], []),
        ({"outcome": YES, "status": "entered-in-error"}, [], []),
        ({"outcome": YES, "status": "not-done"}, [], []),
        ({"outcome": YES, "status": "preparation"}, [], []),
        ({"outcome": YES, "status": "unknown"}, [], [QueryKind.NOT_FINAL]),
        ({}, [], []),
    ],
)
def test_the_outcome_of_a_procedure(more: Json, answer: list[bool], query: list[QueryKind]) -> None:
    resource: Json = {
        "resourceType": "Procedure",
        "id": "p1",
        "status": "completed",
        "code": coded(OWN, "scintigraphy"),
        "performedDateTime": "2024-04-01",
        **more,
    }
    mapped = procedure.read(wired(resource), context("international", resource))
    assert answers(mapped) == [("scintigraphy", each, DAY) for each in answer]
    assert [each.kind for each in mapped.queries] == query


@pytest.mark.parametrize(
    ("item", "ranges", "asked"),
    [
        ("igg", [{"text": "7.0-16.0"}], [QueryKind.RANGE_AS_TEXT]),
        ("igg", [{"text": "7.0-16.0", "low": {"value": 7, "unit": "g/L"}}], []),
        ("igg", [{"text": "see report"}], []),
        ("igg", [], []),
        ("wbc", [{"text": "4-10"}], []),
    ],
)
def test_a_range_as_text_is_not_read(item: str, ranges: list[Json], asked: list[QueryKind]) -> None:
    """Limits that decide something must come as numbers; what a text means, only people see."""
    unit = "g/L" if item == "igg" else "10*9/L"
    resource = observed(item, {"valueQuantity": {"value": 8, "unit": unit}}, referenceRange=ranges)
    mapped = observation.read(wired(resource), context("international", resource))
    assert [each.kind for each in mapped.queries] == asked
    (measured,) = mapped.measurements
    assert measured.usable
