"""Forms that score themselves: an SDC renderer shows and extracts what the adapter computes and reads."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from fhir_adapter.mapping import observation, questionnaire_response
from fhir_adapter.scores import essdai, esspri, hocevar
from fhir_adapter.trial.items import (
    ESSDAI_DOMAINS,
    ESSPRI_SCALES,
    HOCEVAR_COMPONENTS,
    HOCEVAR_GLANDS,
    OutcomeCode,
)
from fhir_adapter.trial.types import Measurement, Outcome
from fhir_adapter.trial.values import rounded
from tests.mapping.build import Json, context, wired
from tests.scores.build import protocol, visit

PACKAGE = Path(__file__).parents[2] / "profiles"
CANONICAL = "https://w3id.org/fhir-adapter"
LEVELS = f"{CANONICAL}/CodeSystem/levels"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire"
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"

DOMAINS = list(ESSDAI_DOMAINS)
GRADES = [(gland, component) for gland in HOCEVAR_GLANDS for component in HOCEVAR_COMPONENTS]

Answers = dict[str, int]
"""linkId → the level, mark, grade or total that was answered."""


def questionnaire(name: str) -> Json:
    made: Json = json.loads((PACKAGE / f"Questionnaire-{name}.json").read_text("utf-8"))
    return made


def items(parent: Json) -> Iterator[Json]:
    """Every item of a form, at any depth."""
    for item in parent.get("item", ()):
        yield item
        yield from items(item)


def extension(item: Json, url: str) -> Any:
    """The value of an item's extension, or None."""
    found = [each for each in item.get("extension", ()) if each["url"] == url]
    assert len(found) < 2
    return next((value for key, value in found[0].items() if key != "url"), None) if found else None


def filled_in(form: Json, answers: Answers) -> Json:
    """The response as a renderer keeps it: groups stay, unanswered questions and displays do not."""

    def kept(parent: Json) -> list[Json]:
        found = []
        for item in parent.get("item", ()):
            link = item["linkId"]
            if item["type"] == "group":
                found.append({"linkId": link, "item": kept(item)})
            elif link in answers:
                level = str(answers[link])
                choice = {"valueCoding": {"system": LEVELS, "code": level}}
                value = choice if item["type"] == "choice" else {"valueInteger": answers[link]}
                found.append({"linkId": link, "answer": [value]})
        return [each for each in found if each.get("item") or each.get("answer")]

    return {
        "resourceType": "QuestionnaireResponse",
        "id": "q1",
        "questionnaire": f"{form['url']}|{form['version']}",
        "status": "completed",
        "subject": {"reference": "Patient/7"},
        "authored": "2024-04-01T09:00:00+08:00",
        "item": kept(form),
    }


@cache
def compiled(name: str) -> dict[str, Any]:
    """linkId → the expression of each calculated item of a form."""
    found = {}
    for item in items(questionnaire(name)):
        expression = extension(item, f"{SDC}-calculatedExpression")
        if expression is not None:
            assert expression["language"] == "text/fhirpath"
            assert item["readOnly"] is True
            found[item["linkId"]] = fhirpathpy.compile(expression["expression"], models["r4"])
    return found


def shown(name: str, response: Json) -> dict[str, Decimal | None]:
    """What a renderer shows for each calculated item."""
    found: dict[str, Decimal | None] = {}
    for link, evaluate in compiled(name).items():
        values = evaluate(response, {"resource": response})
        assert len(values) < 2
        found[link] = Decimal(values[0]) if values else None
    return found


def response_to(name: str, answers: Answers) -> Json:
    return filled_in(questionnaire(name), answers)


def read(response: Json) -> list[Measurement]:
    mapped = questionnaire_response.read(wired(response), context("international", response))
    assert (mapped.queries, mapped.unknown_codes) == ([], [])
    return mapped.measurements


def computed(name: str, response: Json) -> dict[str, Decimal | None]:
    """What the adapter computes from the same form and writes: at most four decimals."""
    evidence, trial = visit("baseline", *read(response)), protocol()
    assert trial.essdai is not None
    assert trial.esspri is not None
    outcomes: list[Outcome] = {
        "essdai": lambda: [
            essdai.score(evidence, code, trial.essdai)
            for code in (OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI)
        ],
        "esspri": lambda: [esspri.score(evidence, trial.esspri)],
        "hocevar": lambda: [hocevar.score(evidence)],
    }[name]()
    return {outcome.code: None if outcome.number is None else rounded(outcome.number) for outcome in outcomes}


def rated(*levels: int | None) -> Answers:
    return {domain: level for domain, level in zip(DOMAINS, levels, strict=True) if level is not None}


def marked(*marks: int | None) -> Answers:
    return {scale: mark for scale, mark in zip(ESSPRI_SCALES, marks, strict=True) if mark is not None}


def graded(grade: int | None = 1, /, **other: int | None) -> Answers:
    """All grades alike but those named (``_`` for ``-``); None is not graded. ``total`` is the noted one."""
    grades = {f"{gland}-{component}": grade for gland, component in GRADES}
    grades.update({link.replace("_", "-"): given for link, given in other.items()})
    return {link: given for link, given in grades.items() if given is not None}


def _worst(gland: str, component: str) -> int:
    _, parotid, submandibular = HOCEVAR_COMPONENTS[component]
    return parotid if gland.startswith("parotid") else submandibular


WORST: Answers = {f"{gland}-{component}": _worst(gland, component) for gland, component in GRADES}

BY_HAND: list[tuple[str, Answers, dict[str, str | None]]] = [
    # §1.1: weights × levels, in the order of the table.
    ("essdai", rated(*[0] * 12), {"essdai": "0", "clinessdai": "0"}),
    ("essdai", rated(2, 3, 2, 3, 3, 3, 3, 3, 3, 3, 3, 2), {"essdai": "123", "clinessdai": "135"}),
    ("essdai", rated(1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0), {"essdai": "9", "clinessdai": "12"}),
    ("essdai", rated(0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 0, 0), {"essdai": "26", "clinessdai": "29"}),
    ("essdai", rated(0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1), {"essdai": "15", "clinessdai": "14"}),
    # §1.5.5: a missing domain makes the total missing; ClinESSDAI has no biological domain.
    ("essdai", rated(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None), {"essdai": None, "clinessdai": "4"}),
    ("essdai", rated(1, 0, 0, 0, 0, 0, 0, 0, None, 0, 0, 2), {"essdai": None, "clinessdai": None}),
    ("essdai", {}, {"essdai": None, "clinessdai": None}),
    # §2: the mean, to four decimals as it is written; a missing scale makes it missing.
    ("esspri", marked(0, 0, 0), {"esspri": "0"}),
    ("esspri", marked(10, 10, 10), {"esspri": "10"}),
    ("esspri", marked(5, 4, 4), {"esspri": "4.3333"}),
    ("esspri", marked(7, 6, 7), {"esspri": "6.6667"}),
    ("esspri", marked(5, None, 4), {"esspri": None}),
    ("esspri", {}, {"esspri": None}),
    # §4: 2 × 13 + 2 × 11 = 48.
    ("hocevar", WORST, {"hocevar": "48"}),
    ("hocevar", graded(0), {"hocevar": "0"}),
    ("hocevar", graded(1), {"hocevar": "20"}),
    ("hocevar", graded(1, total=30), {"hocevar": "20"}),  # the grades count
    ("hocevar", graded(None, total=28), {"hocevar": "28"}),
    ("hocevar", graded(None), {"hocevar": None}),
    ("hocevar", graded(1, parotid_left_border=None), {"hocevar": None}),
    # One grade of 3 at most is open: the total is 19 to 22.
    ("hocevar", graded(1, parotid_left_border=None, total=18), {"hocevar": None}),
    ("hocevar", graded(1, parotid_left_border=None, total=19), {"hocevar": "19"}),
    ("hocevar", graded(1, parotid_left_border=None, total=22), {"hocevar": "22"}),
    ("hocevar", graded(1, parotid_left_border=None, total=23), {"hocevar": None}),
    # One grade of 1 at most is open: the total is 19 or 20.
    ("hocevar", graded(1, submandibular_left_hyperechogenic=None, total=20), {"hocevar": "20"}),
    ("hocevar", graded(1, submandibular_left_hyperechogenic=None, total=21), {"hocevar": None}),
    ("hocevar", graded(1, parotid_left_echogenicity=None, total=21), {"hocevar": None}),
    ("hocevar", graded(1, parotid_left_hyperechogenic=None, total=21), {"hocevar": "21"}),
]


@pytest.mark.parametrize(("name", "answers", "expected"), BY_HAND)
def test_a_form_shows_the_score(name: str, answers: Answers, expected: dict[str, str | None]) -> None:
    response = response_to(name, answers)
    wanted = {code: None if score is None else Decimal(score) for code, score in expected.items()}
    assert shown(name, response) == wanted
    assert computed(name, response) == wanted


def answers_of(name: str, draw: random.Random) -> Answers:
    """Answers at random; half of the forms are whole, in the others each answer may be missing."""
    choices = {
        "essdai": {domain: levels for domain, (_, levels) in ESSDAI_DOMAINS.items()},
        "esspri": dict.fromkeys(ESSPRI_SCALES, tuple(range(11))),
        "hocevar": {link: tuple(range(most + 1)) for link, most in WORST.items()},
    }[name]
    left_out = draw.choice((0.0, 0.0, 0.03, 0.4))
    answers = {link: draw.choice(values) for link, values in choices.items() if draw.random() >= left_out}
    if name == "hocevar" and draw.random() < 0.5:
        # Around the sum of what was graded, so that possible and impossible totals both come up.
        answers["total"] = max(0, min(48, sum(answers.values()) + draw.randint(-2, 6)))
    return answers


@pytest.mark.parametrize("name", ["essdai", "esspri", "hocevar"])
def test_500_forms_at_random_show_what_the_adapter_computes(name: str) -> None:
    draw = random.Random(f"forms-{name}")
    whole = partial = 0
    for _ in range(500):
        response = response_to(name, answers_of(name, draw))
        expected = computed(name, response)
        assert shown(name, response) == expected
        whole += all(score is not None for score in expected.values())
        partial += any(score is None for score in expected.values())
    assert whole >= 50
    assert partial >= 50


@pytest.mark.parametrize(
    ("name", "scores"),
    [("essdai", ["essdai", "clinessdai"]), ("esspri", ["esspri"]), ("hocevar", ["hocevar"])],
)
def test_a_calculated_answer_is_no_rating(name: str, scores: list[str]) -> None:
    """The renderer keeps what it calculated; the adapter computes its own score from the ratings."""
    answers = {"essdai": rated(*[0] * 12), "esspri": marked(5, 4, 4), "hocevar": graded(1)}[name]
    response = response_to(name, answers)
    ratings = read(response)
    kept = {
        link: {"valueInteger": int(value)} if value == int(value) else {"valueDecimal": value}
        for link, value in shown(name, response).items()
        if value is not None
    }
    assert list(kept) == scores
    response["item"] += [{"linkId": link, "answer": [value]} for link, value in kept.items()]
    assert read(response) == ratings


def extracted(form: Json, response: Json) -> list[Json]:
    """The Observations of SDC's observation-based extraction: one for each answered item that asks for it."""
    found = []
    answered = {item["linkId"]: item["answer"] for item in items(response) if "answer" in item}
    for item in items(form):
        if extension(item, f"{SDC}-observationExtract") is not True or item["linkId"] not in answered:
            continue
        (answer,) = answered[item["linkId"]]
        unit = extension(item, UNIT)
        if unit is not None:
            number = next(iter(answer.values()))
            value = {"valueQuantity": {"value": number, "system": unit["system"], "code": unit["code"]}}
        elif "valueCoding" in answer:
            value = {"valueCodeableConcept": {"coding": [answer["valueCoding"]]}}
        else:
            value = answer
        found.append(
            {
                "resourceType": "Observation",
                "id": f"from-{item['linkId']}",
                "status": "final",
                "code": {"coding": item["code"]},
                "subject": response["subject"],
                "effectiveDateTime": response["authored"],
                "derivedFrom": [{"reference": f"QuestionnaireResponse/{response['id']}"}],
                **value,
            }
        )
    return found


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("essdai", rated(1, 0, 1, 2, 0, 0, 0, 0, 0, 2, 0, None)),
        ("esspri", marked(5, 4, 4)),
        ("hocevar", WORST),
    ],
)
def test_extracted_observations_map_as_the_form_does(name: str, answers: Answers) -> None:
    form = questionnaire(name)
    response = filled_in(form, answers)
    response["item"] += [
        {
            "linkId": link,
            "answer": [{"valueInteger": int(value)} if value == int(value) else {"valueDecimal": value}],
        }
        for link, value in shown(name, response).items()
        if value is not None
    ]
    made = extracted(form, response)
    assert len(made) >= len(answers) + 1  # the score too
    found = []
    for each in made:
        mapped = observation.read(wired(each), context("international", each))
        assert (mapped.queries, mapped.unknown_codes) == ([], [])
        found += mapped.measurements
    assert {(each.item, each.at, each.value) for each in found} == {
        (each.item, each.at, each.value) for each in read(response)
    }
    assert len(found) == len(answers)
