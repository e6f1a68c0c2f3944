"""QuestionnaireResponse → ratings: forms of two hospitals, nested or flat (dossier §1, §2, §4)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from fhir_adapter.mapping import questionnaire_response
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.types import Problem, QueryKind, Rating
from tests.mapping.build import Json, context, wired

OWN = "https://w3id.org/fhir-adapter/Questionnaire"
LEVELS = "https://w3id.org/fhir-adapter/CodeSystem/levels"


def form(*items: Json, questionnaire: str = f"{OWN}/esspri", **more: object) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "questionnaire": questionnaire,
        "status": "completed",
        "authored": "2024-04-01",
        "item": list(items),
        **more,
    }


def item(link: str, *answers: Json, **more: object) -> Json:
    return {"linkId": link, **({"answer": list(answers)} if answers else {}), **more}


def read(resource: Json, folder: str = "international") -> Mapped:
    return questionnaire_response.read(wired(resource), context(folder, resource))


def levels(mapped: Mapped) -> dict[str, object]:
    return {each.item: each.value and each.value.exact for each in mapped.measurements}


CHINA = "urn:example-cn:form"
BORDER = "parotid-left-border"
TWO = {"valueCoding": {"system": LEVELS, "code": "2"}}
LEVEL_D = {"valueCoding": {"system": "urn:example-cn:level", "code": "D"}}
MM_65 = {"valueQuantity": {"value": 65, "unit": "mm"}}
SEVEN, SIX = {"valueInteger": 7}, {"valueInteger": 6}


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([item("dryness", SEVEN), item("pain", SIX)], "flat"),
        ([item("scales", item=[item("dryness", SEVEN), item("pain", SIX)])], "a group"),
        ([item("a", item=[item("b", item=[item("dryness", SEVEN)]), item("pain", SIX)])], "groups in groups"),
        ([item("dryness", {**SEVEN, "item": [item("pain", SIX)]})], "an item under an answer"),
        ([item("dryness", SEVEN), item("fatigue"), item("pain", SIX)], "unanswered items are no ratings"),
    ],
)
def test_answers_at_any_depth(items: list[Json], why: str) -> None:
    mapped = read(form(*items))
    assert levels(mapped) == {"esspri-dryness": 7, "esspri-pain": 6}, why
    assert all(isinstance(each, Rating) for each in mapped.measurements)
    assert (mapped.queries, mapped.unknown_codes) == ([], [])


@pytest.mark.parametrize(
    ("folder", "questionnaire", "link", "answer", "expected"),
    [
        ("international", f"{OWN}/essdai", "articular", TWO, {"essdai-articular": 2}),
        ("international", f"{OWN}/essdai|0.1.0", "articular", {"valueInteger": 2}, {"essdai-articular": 2}),
        ("international", f"{OWN}/hocevar", BORDER, {"valueInteger": 3}, {f"hocevar-{BORDER}": 3}),
        ("international", f"{OWN}/hocevar", "total", {"valueInteger": 28}, {"hocevar-total": 28}),
        ("example-cn", f"{CHINA}:essdai", "10", LEVEL_D, {"essdai-cns": 3}),
        ("example-cn", f"{CHINA}:esspri", "1", {"valueInteger": 8}, {"esspri-dryness": 8}),
        ("example-cn", f"{CHINA}:esspri", "2", MM_65, {"esspri-fatigue": Fraction(13, 2)}),
    ],
)  # fmt: skip
def test_forms_of_two_hospitals(
    folder: str, questionnaire: str, link: str, answer: Json, expected: dict[str, object]
) -> None:
    assert levels(read(form(item(link, answer), questionnaire=questionnaire), folder)) == expected


def test_an_unknown_link_is_an_unknown_code() -> None:
    mapped = read(form(item("dryness", SEVEN), item("mood", SIX)))
    assert levels(mapped) == {"esspri-dryness": 7}
    assert mapped.unknown_codes == [(f"{OWN}/esspri", "mood")]


def test_the_links_of_another_form_are_not_ours() -> None:
    mapped = read(form(item("dryness", SEVEN), questionnaire="urn:another"))
    assert (mapped.measurements, mapped.unknown_codes) == ([], [("urn:another", "dryness")])


@pytest.mark.parametrize(
    ("answer", "problem", "query"),
    [
        ([{"valueInteger": 11}], Problem.IMPLAUSIBLE, QueryKind.IMPLAUSIBLE),
        ([SEVEN, SIX], Problem.UNREADABLE, QueryKind.UNREADABLE),
        ([{"valueString": "much"}], Problem.UNREADABLE, QueryKind.UNREADABLE),
    ],
)
def test_answers_that_cannot_be_used(answer: list[Json], problem: Problem, query: QueryKind) -> None:
    mapped = read(form(item("dryness", *answer)))
    assert [(each.value, each.problem) for each in mapped.measurements] == [(None, problem)]
    assert [each.kind for each in mapped.queries] == [query]


def test_a_level_that_the_domain_does_not_have() -> None:
    """§1.1, §13."""
    answer = {"valueCoding": {"system": LEVELS, "code": "1"}}
    mapped = read(form(item("cns", answer), questionnaire=f"{OWN}/essdai"))
    assert [each.problem for each in mapped.measurements] == [Problem.INVALID_LEVEL]
    assert [(each.item, each.kind) for each in mapped.queries] == [("essdai-cns", QueryKind.INVALID_LEVEL)]


@pytest.mark.parametrize(
    ("status", "counts", "query", "corrects"),
    [
        ("completed", True, [], False),
        ("amended", True, [], True),
        ("in-progress", False, [QueryKind.NOT_FINAL], False),
        ("stopped", False, [QueryKind.NOT_FINAL], False),
        ("entered-in-error", False, [], False),
    ],
)
def test_statuses(status: str, counts: bool, query: list[QueryKind], corrects: bool) -> None:
    mapped = read(form(item("dryness", SEVEN), status=status))
    assert [each.corrects for each in mapped.measurements] == ([corrects] if counts else [])
    assert [each.kind for each in mapped.queries] == query


@pytest.mark.parametrize(
    ("folder", "authored", "day", "query"),
    [
        ("international", "2024-04-01T16:30:00Z", date(2024, 4, 2), []),
        ("international", "2024-04-01T16:30:00", None, [QueryKind.NO_TIME_ZONE]),
        ("example-cn", "2024-04-01T16:30:00", date(2024, 4, 1), []),
        ("international", "soon", None, [QueryKind.NO_DATE]),
        ("international", None, None, [QueryKind.NO_DATE]),
    ],
)
def test_when_it_was_filled_in(
    folder: str, authored: str | None, day: date | None, query: list[QueryKind]
) -> None:
    china = folder == "example-cn"
    questionnaire = "urn:example-cn:form:esspri" if china else f"{OWN}/esspri"
    mapped = read(
        form(item("1" if china else "dryness", SEVEN), questionnaire=questionnaire, authored=authored), folder
    )
    assert [each.at.first for each in mapped.measurements] == ([day] if day else [])
    assert [each.kind for each in mapped.queries] == query
