"""The synthetic hospital: valid FHIR, the same for the same seed, and every trap of the stories is in it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from fhir.resources.R4B import get_fhir_model_class

from fhir_adapter.exchange.resource import decode, encode
from tests.hospital.generator import (
    ITEMS,
    LAB_SYSTEM,
    LEVELS,
    MRN_SYSTEM,
    PARTICIPANT_SYSTEM,
    UNKNOWN_CODE,
    UNKNOWN_CODE_STORY,
    Hospital,
    Resource,
    hospital,
    load,
    stories,
    transactions,
    write_ndjson,
)
from tests.servers import running_sekmet

BOOK = stories()
TOLD = {story["id"]: story for story in [*BOOK["participant"], *BOOK["screened"]]}
MADE = hospital()
EVERYTHING = [resource for resources in MADE.sources.values() for resource in resources]

Trap = Callable[["Child"], bool]


class Child:
    """One child's resources in both systems, found as a reader would: by the study's id and the MRN."""

    def __init__(self, made: Hospital, id: str) -> None:
        his, rated = made.sources["hospital"], made.sources["ratings"]
        self.subject = next(
            each
            for each in of_type(his, "ResearchSubject")
            if {"system": PARTICIPANT_SYSTEM, "value": id} in each["identifier"]
        )
        patient = self.subject["individual"]["reference"]
        mrn = next(each for each in his if place(each) == patient)["identifier"]
        other = next(each for each in of_type(rated, "Patient") if each["identifier"] == mrn)
        self.patients = (patient, place(other))
        self.hospital = [each for each in his if each.get("subject") == {"reference": patient}]
        self.ratings = [each for each in rated if each.get("subject") == {"reference": place(other)}]

    def results(self, name: str, day: str = "") -> list[Resource]:
        """The hospital's results of an item, by code or by name, of the days that start with ``day``."""
        code, words = LAB_CODES[name]
        return [
            each
            for each in of_type(self.hospital, "Observation")
            if each["effectiveDateTime"].startswith(day)
            and (code_of(each) == (LAB_SYSTEM, code) or each["code"].get("text", "") in words)
        ]

    def rated(self, code: str, day: str = "") -> list[Resource]:
        """The rating system's Observations of an item or of one that starts so."""
        return [
            each
            for each in of_type(self.ratings, "Observation")
            if each["effectiveDateTime"].startswith(day) and code_of(each)[1].startswith(code)
        ]

    def forms(self, name: str) -> list[Resource]:
        return [
            each
            for each in of_type(self.ratings, "QuestionnaireResponse")
            if each["questionnaire"].endswith(f"/{name}")
        ]

    def doses(self, status: str = "completed", day: str = "") -> list[Resource]:
        return [
            each
            for each in of_type(self.hospital, "MedicationAdministration")
            if each["status"] == status
            and (each.get("effectivePeriod", {}).get("start") or each["effectiveDateTime"]).startswith(day)
        ]


LAB_CODES = {
    "igg": ("IGG01", ("免疫球蛋白G", "IgG", "免疫球蛋白G(IgG)")),
    "rf": ("RF01", ("类风湿因子", "RF", "类风湿因子(RF)")),
    "esr": ("ESR01", ("红细胞沉降率", "血沉", "ESR")),
    "physician": ("PGA01", ()),
}


def of_type(resources: list[Resource], kind: str) -> list[Resource]:
    return [each for each in resources if each["resourceType"] == kind]


def place(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def code_of(resource: Resource) -> tuple[str, str]:
    coding = resource["code"].get("coding", [{"system": "", "code": ""}])[0]
    return coding["system"], coding["code"]


def quantities(results: list[Resource]) -> list[Any]:
    return [each["valueQuantity"]["value"] for each in results]


def texts(results: list[Resource]) -> list[str | None]:
    return [each.get("valueString") for each in results]


def sent(results: list[Resource], status: str) -> list[Resource]:
    return [each for each in results if each["status"] == status]


def is_corrected(child: Child) -> bool:
    first, second = child.results("igg", "2024-11-18")
    return (
        (first["status"], second["status"]) == ("final", "corrected")
        and second["derivedFrom"] == [{"reference": place(first)}]
        and first["specimen"] == second["specimen"]
        and quantities([first, second]) == [Decimal("24.1"), Decimal("14.2")]
    )


def is_conflict(child: Child) -> bool:
    first, second = child.results("esr", "2025-05-19")
    return (
        first["effectiveDateTime"] == second["effectiveDateTime"]
        and quantities([first, second]) == [30, 45]
        and first["specimen"] != second["specimen"]
        and "derivedFrom" not in second
    )


def is_same_twice(child: Child) -> bool:
    first, second = child.results("rf", "2024-10-31")
    different = {"id", "identifier", "code", "valueQuantity", "referenceRange"}
    return (
        first["id"] != second["id"]
        and quantities([first]) == quantities([second])
        and all(first[key] == second[key] for key in first if key not in different)
    )


def is_invalid_level(child: Child) -> bool:
    last = max(child.forms("essdai"), key=lambda each: str(each["authored"]))
    answers = {item["linkId"]: item["answer"][0]["valueCoding"] for item in last["item"]}
    return bool(answers["cns"] == {"system": LEVELS, "code": "1"})


def is_withdrawn(child: Child) -> bool:
    later = child.results("esr", "2025-07-21") + child.rated("schirmer", "2025-07-21")
    return child.subject["period"]["end"] == "2025-04-07" and len(later) == 3


def has_both_visits(child: Child) -> bool:
    return len({each["effectiveDateTime"] for each in child.results("physician")}) == 2


def is_single_test(child: Child) -> bool:
    return bool(child.rated("salivary-flow")) and not child.rated("hocevar") and not child.forms("hocevar")


TRAPS: dict[str, Trap] = {
    "three-indicators": has_both_visits,
    "four-indicators": has_both_visits,
    "five-indicators": has_both_visits,
    "star-five": has_both_visits,
    "esspri-form": lambda child: len(child.forms("esspri")) == 2 and not child.rated("esspri"),
    "esspri-observations": lambda child: len(child.rated("esspri")) == 6 and not child.forms("esspri"),
    "second-source": lambda child: child.patients[0] != child.patients[1] and bool(child.ratings),
    "mg-per-dl": lambda child: all(
        each["valueQuantity"]["unit"].lower() == "mg/dl" for each in child.results("igg")
    ),
    "three-bags": lambda child: len(child.doses(day="2024-05-13")) == 3,
    "corrected": is_corrected,
    "partial-date-inside": lambda child: (
        len(child.rated("hocevar", "2024-04")) == 20
        and {each["effectiveDateTime"] for each in child.rated("hocevar", "2024-04")} == {"2024-04"}
    ),
    "rf-word": lambda child: texts(child.results("rf")) == ["阴性", "阴性"],
    "esr-normalised": lambda child: (
        quantities(child.results("esr")) == [22, 18]
        and all(each["referenceRange"][0]["high"]["value"] == 20 for each in child.results("esr"))
    ),
    "missing-visit": lambda child: (
        not any(
            "2024-12-30" <= each["effectiveDateTime"][:10] <= "2025-01-27"
            for each in child.results("esr") + child.results("physician") + child.rated("")
            if len(each["effectiveDateTime"]) > 7
        )
    ),
    "partial-date-outside": lambda child: (
        [each["effectiveDateTime"] for each in child.rated("schirmer", "2025-01")] == ["2025-01", "2025-01"]
    ),
    "late-visit": lambda child: len(child.results("esr", "2025-02-10")) == 1,
    "not-due": lambda child: (
        BOOK["as_of"] - date(2025, 10, 13) < timedelta(days=210) and bool(child.doses(day="2025-10-13"))
    ),
    "missing-rf": lambda child: not child.results("rf"),
    "zero-flow": lambda child: (
        [str(each) for each in quantities(child.rated("salivary-flow"))] == ["0.00", "0.05"]
    ),
    "single-test": is_single_test,
    "normal-esr": lambda child: quantities(child.results("esr")) == [18, 12],
    "rf-censored-followup": lambda child: texts(child.results("rf")) == [None, "<20 IU/mL"],
    "default-unit": lambda child: texts(child.results("esr")) == [None, "30"],
    "eyes-differ": lambda child: quantities(child.rated("schirmer")) == [2, 4, 8, 8],
    "rf-censored-baseline": lambda child: (
        len(texts(child.results("rf", "2024-10-10"))) == 1
        and child.results("rf", "2025")[0]["valueQuantity"]["comparator"] == "<"
    ),
    "full-width": lambda child: texts(child.results("rf", "2024-10-10")) == ["＜２０．０ IU/mL"],
    "conflict": is_conflict,
    "preliminary": lambda child: [each["status"] for each in child.results("igg", "2025")] == ["preliminary"],
    "entered-in-error": lambda child: (
        quantities(sent(child.results("physician"), "entered-in-error")) == [20]
        and quantities(sent(child.results("physician", "2025"), "final")) == [48]
    ),
    "same-result-twice": is_same_twice,
    "invalid-level": is_invalid_level,
    "withdrawn": is_withdrawn,
    "no-unit": lambda child: (
        [set(each["valueQuantity"]) for each in child.results("igg", "2025-08-25")] == [{"value"}]
        and len(child.results("igg", "2025-08-29")) == 1
    ),
    "next-day-inside": lambda child: len(child.results("esr", "2025-08-31T16:30:00Z")) == 1,
    "next-day-outside": lambda child: len(child.rated("salivary-flow", "2025-09-29T16:30:00Z")) == 1,
    "anchor-matters": lambda child: (
        [each["effectiveDateTime"][:10] for each in child.results("physician", "2025-1")]
        == ["2025-10-08", "2025-11-05"]
    ),
    "dose-not-done": lambda child: (
        [each["statusReason"][0]["text"] for each in child.doses("not-done")]
        == ["Upper respiratory infection with fever"]
    ),
    "screening": lambda child: (
        child.subject["status"] == "screening" and not child.doses() and bool(child.results("igg"))
    ),
}


@pytest.mark.parametrize(
    ("id", "trap"), [(id, trap) for id, story in TOLD.items() for trap in story["traps"]]
)
def test_the_trap_is_in_the_resources(id: str, trap: str) -> None:
    assert TRAPS[trap](Child(MADE, id))


def test_every_trap_belongs_to_a_story() -> None:
    assert set(TRAPS) == {trap for story in TOLD.values() for trap in story["traps"]}


@pytest.mark.parametrize("kind", sorted({each["resourceType"] for each in EVERYTHING}))
def test_the_resources_are_valid_fhir(kind: str) -> None:
    model = get_fhir_model_class(kind)
    for resource in of_type(EVERYTHING, kind):
        model.model_validate(json.loads(encode(resource)))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_ndjson(hospital(seed=7, participants=20), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "first") for path in tmp_path.glob("first/*/*"))
    assert files
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_another_seed_gives_other_noise_and_the_same_stories() -> None:
    other = hospital(seed=2)
    assert encode_all(other) != encode_all(MADE)
    assert other.story_of == MADE.story_of
    assert encode_all(Hospital({"ratings": other.sources["ratings"]}, {}, {})) == encode_all(
        Hospital({"ratings": MADE.sources["ratings"]}, {}, {})
    )
    for id, story in TOLD.items():
        assert all(TRAPS[trap](Child(other, id)) for trap in story["traps"])


def encode_all(made: Hospital) -> list[bytes]:
    return [encode(each) for resources in made.sources.values() for each in resources]


def test_numbers_keep_the_digits_of_the_story() -> None:
    body = b"\n".join(encode_all(MADE))
    assert b'"value":0.10,' in body
    assert b'"value":24.0,' in body


def test_times_carry_a_zone() -> None:
    for found in re.findall(rb'"(\d{4}-\d\d-\d\dT[^"]*)"', b"\n".join(encode_all(MADE))):
        assert re.search(rb"(Z|[+-]\d\d:\d\d)$", found)


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    for resources in MADE.sources.values():
        places = [place(each) for each in resources]
        assert len(set(places)) == len(places)
        referenced = re.findall(
            r'"reference":"([^"#]+)"', "".join(encode(each).decode() for each in resources)
        )
        assert set(referenced) <= set(places)


def test_the_drug_is_named_in_all_three_ways() -> None:
    doses = of_type(EVERYTHING, "MedicationAdministration")
    references = [each["medicationReference"]["reference"] for each in doses if "medicationReference" in each]
    assert {reference.startswith("#") for reference in references} == {True, False}
    assert any("medicationCodeableConcept" in each for each in doses)


def test_there_are_patients_outside_of_the_trial() -> None:
    patients = {place(each) for each in of_type(MADE.sources["hospital"], "Patient")}
    enrolled = {
        each["individual"]["reference"] for each in of_type(MADE.sources["hospital"], "ResearchSubject")
    }
    assert len(patients - enrolled) >= 4
    assert {each["identifier"][0]["system"] for each in of_type(EVERYTHING, "Patient")} == {MRN_SYSTEM}


def test_the_stated_unknown_code_is_there_under_every_seed() -> None:
    expected = tomllib.loads(Path(__file__).with_name("expected.toml").read_text(encoding="utf-8"))
    assert [(each["code"], each["participant"]) for each in expected["unknown_code"]] == [
        (UNKNOWN_CODE, UNKNOWN_CODE_STORY)
    ]
    for made in (MADE, hospital(seed=2)):
        child = Child(made, UNKNOWN_CODE_STORY)
        codes = [code_of(each) for each in of_type(child.hospital, "Observation")]
        assert codes.count((LAB_SYSTEM, UNKNOWN_CODE)) == 1


def test_a_copy_lives_its_story_some_weeks_off() -> None:
    made = hospital(participants=45)
    copies = [id for id in made.story_of if id not in TOLD]
    assert len(copies) == 30
    assert {made.story_of[id] for id in copies} == {story["id"] for story in BOOK["participant"]}
    for id in copies:
        story, moved = TOLD[made.story_of[id]], timedelta(days=made.shift[id])
        assert moved.days % 7 == 0
        child = Child(made, id)
        first = min(each["effectivePeriod"]["start"][:10] for each in child.doses())
        assert date.fromisoformat(first) == story["rituximab"][0] + moved
        assert quantities_by_day(child, moved) == quantities_by_day(Child(MADE, story["id"]), timedelta())
        window_open = date.fromisoformat(first) + timedelta(days=210) >= BOOK["as_of"]
        assert window_open == ("not-due" in story["traps"])


def quantities_by_day(child: Child, moved: timedelta) -> list[tuple[date, str, str]]:
    """All Observations of the rating system, each with its day in the story."""
    return [
        (date.fromisoformat(at[:10]) - moved, code_of(each)[1], str(value_of(each)))
        for each in of_type(child.ratings, "Observation")
        if len(at := each["effectiveDateTime"]) > len("2024-04") and code_of(each)[0] == ITEMS
    ]


def value_of(resource: Resource) -> Any:
    return next(resource[key] for key in resource if key.startswith("value"))


def test_the_export_can_be_read_back(tmp_path: Path) -> None:
    write_ndjson(MADE, tmp_path, lines=300)
    for source, resources in MADE.sources.items():
        lines = [line for file in (tmp_path / source).iterdir() for line in file.read_bytes().splitlines()]
        read = {place(each): each for each in map(decode, lines)}
        assert len(read) == len(lines) == len(resources)
        assert all(each["meta"]["lastUpdated"] for each in read.values())
    assert (tmp_path / "ratings" / "Observation.1.ndjson").exists()


def test_transactions_are_small_and_put_first_what_is_referenced() -> None:
    seen: set[str] = set()
    for bundle in transactions(MADE.sources["hospital"], "http://server.example/fhir"):
        assert len(bundle["entry"]) <= 100
        seen |= {entry["request"]["url"] for entry in bundle["entry"]}
        assert set(re.findall(r'"reference":"([^"#]+)"', encode(bundle).decode())) <= seen
    assert len(seen) == len(MADE.sources["hospital"])


def test_a_real_server_takes_them(tmp_path: Path) -> None:
    with running_sekmet(tmp_path) as base:
        load(MADE.sources["hospital"], base)
        for kind in ("Observation", "MedicationAdministration", "ResearchSubject"):
            found = requests.get(f"{base}/{kind}", params={"_summary": "count"}, timeout=30).json()
            assert found["total"] == len(of_type(MADE.sources["hospital"], kind))
