"""QuestionnaireResponse → ratings: forms of two hospitals, nested or flat (dossier §1, §2, §4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
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


# ------------------------------------------------------------------------- a score that a form shows

DOMAINS = (
    "constitutional", "lymphadenopathy", "glandular", "articular", "cutaneous", "pulmonary", "renal",
    "muscular", "pns", "cns", "haematological", "biological",
)  # fmt: skip
GLANDS = ("parotid-right", "parotid-left", "submandibular-right", "submandibular-left")
GRADES = ("echogenicity", "homogeneity", "hypoechogenic", "hyperechogenic", "border")


def rated(**levels: int) -> list[Json]:
    """All domains: those that are named have their level, the others none."""
    return [item(domain, {"valueInteger": levels.get(domain, 0)}) for domain in DOMAINS]


def graded(grade: int, *, without: int = 0) -> list[Json]:
    """One grade for all of the twenty but the last so many."""
    links = [f"{gland}-{component}" for gland in GLANDS for component in GRADES]
    return [item(link, {"valueInteger": grade}) for link in links[: len(links) - without]]


def marked(*scales: int) -> list[Json]:
    links = ("dryness", "fatigue", "pain")
    return [item(link, {"valueInteger": scale}) for link, scale in zip(links, scales, strict=False)]


ACTIVE = rated(articular=2, biological=1)
"""§1.1: ESSDAI 2 × 2 + 1 × 1 = 5, ClinESSDAI 3 × 2 = 6."""


@pytest.mark.parametrize(
    ("name", "items", "link", "shown", "ours"),
    [
        ("essdai", ACTIVE, "essdai", 5, None),
        ("essdai", ACTIVE, "essdai", 6, "5"),
        ("essdai", ACTIVE, "clinessdai", 6, None),
        ("essdai", ACTIVE, "clinessdai", 5, "6"),
        # §1.5.5: biological is missing, 0 to 2 points; ClinESSDAI does without it.
        ("essdai", ACTIVE[:-1], "essdai", 6, None),
        ("essdai", ACTIVE[:-1], "essdai", 7, "4 to 6"),
        ("essdai", ACTIVE[:-1], "clinessdai", 7, "6"),
        # §2: (7 + 6 + 7) / 3 = 6.6667, as far as the form shows it.
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.6667"), None),
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.666666666666667"), None),
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.67"), None),
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.7"), None),
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.6666"), "6.6667"),
        ("esspri", marked(7, 6, 7), "esspri", Decimal("6.6"), "6.6667"),
        ("esspri", marked(7, 6, 7), "esspri", 7, "6.6667"),
        ("esspri", marked(7, 6, 8), "esspri", 7, None),
        # Pain is missing: 13 / 3 to 23 / 3.
        ("esspri", marked(7, 6), "esspri", 5, None),
        ("esspri", marked(7, 6), "esspri", 8, "4.3333 to 7.6667"),
        ("hocevar", graded(1), "hocevar", 20, None),
        ("hocevar", graded(1), "hocevar", 21, "20"),
        # The border of the last gland is missing, 0 to 3: the total that was noted fills the gap.
        ("hocevar", graded(1, without=1), "hocevar", 22, None),
        ("hocevar", graded(1, without=1), "hocevar", 23, "19 to 22"),
        ("hocevar", [*graded(1, without=1), item("total", {"valueInteger": 21})], "hocevar", 21, None),
        ("hocevar", [*graded(1, without=1), item("total", {"valueInteger": 21})], "hocevar", 22, "21"),
        ("hocevar", [item("total", {"valueInteger": 28})], "hocevar", 30, "28"),
        ("esspri", [], "esspri", 5, None),
    ],
)
def test_a_score_that_a_form_shows_is_held_against_its_answers(
    name: str, items: list[Json], link: str, shown: int | Decimal, ours: str | None
) -> None:
    """§13: where a total and its components disagree, a data query; the answers count."""
    kind = "valueDecimal" if isinstance(shown, Decimal) else "valueInteger"
    shows = item(link, {kind: shown})
    mapped = read(form(*items, shows, questionnaire=f"{OWN}/{name}"))
    assert mapped.measurements == read(form(*items, questionnaire=f"{OWN}/{name}")).measurements
    assert mapped.unknown_codes == []
    asked = [(each.item, each.kind, each.values) for each in mapped.queries]
    assert asked == ([] if ours is None else [(link, QueryKind.TOTAL_DISAGREES, (str(shown), ours))])
    assert all(each.at and each.at.first == date(2024, 4, 1) for each in mapped.queries)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([{"valueString": "low"}], "completed"),
        ([{"valueInteger": 6}, {"valueInteger": 7}], "completed"),
        ([{"valueBoolean": True}], "completed"),
        ([], "completed"),
        ([{"valueInteger": 6}], "in-progress"),
    ],
)
def test_a_score_that_cannot_be_read_or_is_not_final_asks_nothing(answers: list[Json], status: str) -> None:
    resource = form(*ACTIVE, item("essdai", *answers), questionnaire=f"{OWN}/essdai", status=status)
    assert not [each for each in read(resource).queries if each.kind is QueryKind.TOTAL_DISAGREES]
