"""Another trial with the same instruments is another folder: no code knows of it.

An invented trial in adults: other drugs, weeks 0, 24 and 52, other windows and thresholds, and a sentence
that can be read in two ways. ``expected.toml`` was worked out by hand. What is compared here was written,
to a folder and to two real servers, and read back.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.cli.folders import command
from tests.hospital.generator import load

HERE = Path(__file__).parent
CANONICAL = "https://w3id.org/fhir-adapter"
PARTICIPANT = "urn:example-clinic:participant"
AS_OF = ("--as-of", "2026-06-01")
VISITS = ("week-0", "week-24", "week-52")

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Participant, outcome and visit."""

EXPECTED: Json = tomllib.loads((HERE / "expected.toml").read_text("utf-8"), parse_float=Decimal)
PEOPLE: dict[str, Json] = {each["id"]: each for each in EXPECTED["participant"]}


@dataclass(frozen=True)
class Trial:
    """The trial in a folder of its own, what its first run printed, and the outcomes as they were written."""

    home: Path
    printed: str
    written: dict[Key, Json]


def parsed(text: str | bytes) -> Json:
    found: Json = json.loads(text, parse_float=Decimal)
    return found


def on_server(base: str) -> Iterator[Json]:
    """Every Observation of a server, page by page."""
    url: str | None = f"{base}/Observation?_count=50"
    while url:
        page = parsed(requests.get(url, timeout=60).content)
        yield from (entry["resource"] for entry in page.get("entry", ()))
        following = next((each["url"] for each in page["link"] if each["relation"] == "next"), None)
        url = urljoin(f"{base}/", following) if following else None


def in_folder(folder: Path) -> Iterator[Json]:
    for line in (folder / "Observation.ndjson").read_text("utf-8").splitlines():
        yield parsed(line)


def key(outcome: Json) -> Key:
    (subject,) = [each["value"] for each in outcome["identifier"] if each["system"] == PARTICIPANT]
    (visit,) = [
        each["valueCode"]
        for each in outcome["extension"]
        if each["url"].endswith("/StructureDefinition/visit")
    ]
    return subject, outcome["code"]["coding"][0]["code"], visit


@pytest.fixture(scope="module", params=["folders", "sekmet", "hapi"])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    home = tmp_path_factory.mktemp("second") / "trial"
    shutil.copytree(HERE, home)
    if request.param == "folders":
        yield Trial(home, run(home), {key(each): each for each in in_folder(home / "outcomes")})
        return
    base = request.getfixturevalue(f"{request.param}_base")
    resources = [
        parsed(line)
        for file in sorted((home / "clinic").glob("*.ndjson"))
        for line in file.read_text("utf-8").splitlines()
    ]
    load(resources, base)
    study = home / "study.toml"
    text = study.read_text("utf-8")
    for folder in ("clinic", "outcomes"):
        assert f'folder = "{folder}"' in text
        text = text.replace(f'folder = "{folder}"', f'server = "{base}"')
    study.write_text(text, "utf-8")
    printed = run(home)
    ours = [each for each in on_server(base) if outcome_of_ours(each)]
    assert len({each["id"] for each in ours}) == len(ours)
    yield Trial(home, printed, {key(each): each for each in ours})


def outcome_of_ours(observation: Json) -> bool:
    """Whether it is of this trial: the server may be another test's, too."""
    systems = {each.get("system") for each in observation.get("identifier", ())}
    coded = observation["code"].get("coding", [{}])
    return PARTICIPANT in systems and coded[0].get("system") == f"{CANONICAL}/CodeSystem/outcomes"


def run(home: Path) -> str:
    result = command("run", home, *AS_OF)
    assert result.exit_code in (0, 1), (result.stderr, result.exception)
    return result.stdout


def why(element: Json) -> str:
    """The reason of the project's own why an outcome or a component has no value."""
    return str(element["dataAbsentReason"]["coding"][0]["code"])


def said(element: Json) -> object:
    """The value of an outcome or a component as ``expected.toml`` says it."""
    for name, value in element.items():
        match name:
            case "valueQuantity":
                return value["value"]
            case "valueBoolean":
                return value
            case "valueDateTime":
                return date.fromisoformat(value)
            case "valueCodeableConcept":
                return value["coding"][0]["code"]
    return why(element)


def part(outcome: Json, name: str) -> Json:
    (found,) = [each for each in outcome["component"] if each["code"]["coding"][0]["code"] == name]
    return dict(found)


@pytest.mark.parametrize("subject", PEOPLE)
@pytest.mark.parametrize("visit", VISITS)
def test_the_scores_are_those_worked_out_by_hand(trial: Trial, subject: str, visit: str) -> None:
    expected = {
        name: value for name, value in PEOPLE[subject].get(visit, {}).items() if name not in ("met", "bounds")
    }
    found = {name: said(trial.written[(subject, name, visit)]) for name in expected}
    assert found == expected


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_items_of_star_are_met_by_the_limits_of_this_trial(trial: Trial, subject: str) -> None:
    for visit in VISITS:
        star = trial.written.get((subject, "star", visit))
        for name, met in PEOPLE[subject].get(visit, {}).get("met", {}).items():
            assert star is not None
            assert said(part(star, name)) is met, (visit, name)


@pytest.mark.parametrize("subject", PEOPLE)
def test_bounds(trial: Trial, subject: str) -> None:
    for visit in VISITS:
        for name, (low, high) in PEOPLE[subject].get(visit, {}).get("bounds", {}).items():
            limits = part(trial.written[(subject, name, visit)], "bounds")["valueRange"]
            assert (limits["low"]["value"], limits["high"]["value"]) == (low, high)


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_other_anchor(trial: Trial, subject: str) -> None:
    name = "anchor-first-cyclophosphamide"
    for visit, values in PEOPLE[subject].get(name, {}).items():
        for code, value in values.items():
            assert said(part(trial.written[(subject, code, visit)], name)) == value, (visit, code)


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_calendar_is_of_the_drugs_of_this_trial(trial: Trial, subject: str) -> None:
    calendar = trial.written[(subject, "calendar", "study")]
    expected = dict(PEOPLE[subject].get("calendar", {}))
    if "day" in expected:
        assert said(calendar) == expected.pop("day")
    assert {name: said(part(calendar, name)) for name in expected} == expected
    names = {each["code"]["coding"][0]["code"] for each in calendar["component"]}
    assert not {name for name in names if "rituximab" in name or "belimumab" in name}


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_criteria_are_those_of_this_trial(trial: Trial, subject: str) -> None:
    expected = dict(PEOPLE[subject]["eligibility"])
    outcome = trial.written[(subject, "eligibility", "study")]
    assert said(outcome) == expected.pop("whole")
    assert {name: said(part(outcome, name)) for name in expected} == expected
    criteria = {each["code"]["coding"][0]["code"].partition(".")[0] for each in outcome["component"]}
    assert criteria - {"reason"} == {"age", "consent"}


def test_what_the_trial_does_not_plan_is_not_told(trial: Trial) -> None:
    """It has no rule of depletion."""
    for subject in PEOPLE:
        calendar = trial.written[(subject, "calendar", "study")]
        assert "depleted" not in {each["code"]["coding"][0]["code"] for each in calendar["component"]}
    told = command("report", trial.home).stdout
    assert "Treatment and its deviations" in told
    assert "deplet" not in told


def test_a_planned_dose_after_the_last_visit_is_none(trial: Trial) -> None:
    """A-01: the 14th is due on the day of the last visit."""
    calendar = trial.written[("A-01", "calendar", "study")]
    names = [each["code"]["coding"][0]["code"] for each in calendar["component"]]
    assert sum(name.startswith("upkeep-due-") for name in names) == 14


def test_only_what_the_protocol_asks_for_is_written(trial: Trial) -> None:
    wanted = {
        *((name, visit) for name in ("essdai", "clinessdai", "esspri") for visit in VISITS),
        *((f"{name}-change", visit) for name in ("essdai", "clinessdai", "esspri") for visit in VISITS[1:]),
        *(("star", visit) for visit in VISITS[1:]),
        ("calendar", "study"),
        ("eligibility", "study"),
    }
    assert set(trial.written) == {(subject, *each) for subject in PEOPLE for each in wanted}


def test_each_outcome_names_the_study(trial: Trial) -> None:
    for outcome in trial.written.values():
        (study,) = [
            each["valueReference"]["identifier"]
            for each in outcome["extension"]
            if each["url"].endswith("/workflow-researchStudy")
        ]
        assert study == {"system": "https://trials.example.org", "value": "EX-0207"}


def report(trial: Trial) -> Json:
    result = command("report", trial.home, "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return parsed(result.stdout)


def test_the_report_is_of_the_endpoint(trial: Trial) -> None:
    expected = EXPECTED["report"]
    found = report(trial)
    star = {each["name"]: [each["responders"], each["n"]] for each in found["rates"]["star"]}
    assert star == {name: rate for name, rate in expected.items() if name.startswith("STAR")}
    assert found["rates"]["response"] == []
    for code, (n, due, mean) in expected["changes"].items():
        (change,) = [each for each in found["changes"] if each["code"] == code]
        assert (change["n"], change["due"]) == (n, due), code
        top, bottom = map(Decimal, mean.split("/"))
        assert change["mean"] == (top / bottom).quantize(Decimal("0.0001")), code
    assert "Participants, week-0 and week-24" in trial.printed


def test_whose_classification_the_other_reading_changes(trial: Trial) -> None:
    expected = EXPECTED["report"]["reading"]
    (reading,) = [each for each in report(trial)["readings"] if each["reading"] == expected["name"]]
    assert [each["subject"] for each in reading["changed"]] == expected["changed"]
    assert reading["same"] == expected["same"]


def test_a_second_run_writes_nothing(trial: Trial) -> None:
    assert f"0 new, 0 rewritten, 0 retracted; {len(trial.written)} unchanged" in run(trial.home)


def test_every_outcome_is_explained(trial: Trial) -> None:
    for subject, code, visit in trial.written:
        if subject in ("A-02", "A-05"):
            result = command("explain", subject, f"{code}@{visit}", trial.home)
            assert result.exit_code == 0, (code, visit, result.stderr, result.exception)


def test_init_starts_it(tmp_path: Path) -> None:
    """The way of a new user: an export in a folder, its mapping and its protocol."""
    home = tmp_path / "trial"
    shutil.copytree(HERE / "clinic", home)
    shutil.copytree(HERE / "mapping", home / "mapping")
    shutil.copy(HERE / "protocol.toml", home)
    result = command("init", home, "--protocol", home / "protocol.toml", "--mapping", home / "mapping")
    assert result.exit_code == 0, (result.stderr, result.exception)
    study = tomllib.loads((home / "study.toml").read_text("utf-8"))
    assert study["study"]["identifier"] == "https://trials.example.org|EX-0207"
    assert study["participants"]["identifier_system"] == PARTICIPANT
    run(home)
    written = {key(each): each for each in in_folder(home / "outcomes")}
    assert said(written[("A-01", "star", "week-24")]) == 8


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'default = "first-abatacept"', 'default = "first-abatecept"',
            "anchor.default: There is no 'first-abatecept'. Allowed are: first-cyclophosphamide,"
            " last-cyclophosphamide, first-abatacept, last-abatacept.",
        ),
        ("[visits.week-52]", "[visits.week-53]", "There is no visit 'week-52'."),
        ("oldest = 65", "oldest = 17", "eligibility.age: This ends before it begins"),
        ('day_0 = "cyclophosphamide"', 'day_0 = "rituximab"', "eligibility.day_0: There is no 'rituximab'."),
    ],
)  # fmt: skip
def test_init_names_the_fault_of_a_protocol_file(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (HERE / "protocol.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "protocol.toml").write_text(text.replace(old, new), "utf-8")
    result = command("init", tmp_path / "trial", "--protocol", tmp_path / "protocol.toml")
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "trial" / "study.toml").exists()


def test_nothing_in_the_program_knows_of_it() -> None:
    for file in (HERE.parents[1] / "fhir_adapter").rglob("*.py"):
        text = file.read_text("utf-8")
        assert "EX-0207" not in text
        assert "week-24" not in text
        assert "week-52" not in text
