"""``run`` and its steps, on folders."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.folders import DAY, command, lines, one_export, said, two_sources


def _json(*arguments: str | Path, code: int) -> Any:
    result = command(*arguments, "--json")
    assert result.exit_code == code, (result.stderr, result.exception)
    return json.loads(result.stdout)


def _answer(study: Path, outcome: str) -> str:
    """The code of an outcome's value as it was written."""
    for each in lines(study / "outcomes" / "Observation.ndjson"):
        numbers = [one["value"] for one in each["identifier"]]
        if "JSS-01" in numbers and each["code"]["coding"][0]["code"] == outcome:
            return str(each["valueCodeableConcept"]["coding"][0]["code"])
    raise AssertionError(outcome)


def test_the_tables_of_a_run(study: Path) -> None:
    result = command("run", study, *DAY)
    assert result.exit_code == 1, result.stderr
    for part in ("Pulled", "Unknown codes", "XJ9907", "E10 is not met", "Participants", "Response rate"):
        assert part in result.stdout
    assert "\x1b" not in result.stdout
    assert "0 new, 0 rewritten, 0 retracted; 66 unchanged" in result.stdout


def test_a_run_as_json(study: Path) -> None:
    found = _json("run", study, *DAY, code=1)
    assert found["as_of"] == "2026-03-01"
    assert [each["source"] for each in found["pulled"]] == ["hospital", "ratings"]
    assert found["unknown_codes"] == [
        {
            "source": "hospital", "type": "Observation", "system": "urn:example-cn:lab", "code": "XJ9907",
            "count": 1,
        }
    ]  # fmt: skip
    assert [each["response"] for each in found["participants"]] == ["responder"] * 3
    assert found["pushed"]["unchanged"] == 66
    assert found["rates"]["response"][0]["responders"] == 3


def test_unknown_drugs_come_first_and_say_that_doses_may_be_missing(tmp_path: Path) -> None:
    """With a mapping folder of another hospital every dose is unknown, and nobody seems to have had one."""
    path = two_sources(tmp_path)
    path.write_text(path.read_text("utf-8").replace('"example-cn"', '"international"'), "utf-8")
    printed = command("run", tmp_path, *DAY).stdout
    assert "Doses may be missing: unknown codes of drugs: " in printed
    types = [each["type"] for each in _json("score", tmp_path, *DAY, code=1)["unknown_codes"]]
    drugs = types.count("MedicationAdministration")
    assert 0 < drugs < len(types)
    assert set(types[:drugs]) == {"MedicationAdministration"}


def test_what_changes_at_the_source_is_rewritten_and_nothing_else(study: Path) -> None:
    assert _answer(study, "response") == "responder"
    path = study / "hospital" / "Observation.ndjson"
    text = path.read_text("utf-8")
    old = next(
        line
        for line in text.splitlines()
        if "pat-jss-01" in line and '"value":18.0' in line and "2024-10-15" in line
    )
    new = old.replace('"value":18.0', '"value":22.0').replace('"versionId":"1"', '"versionId":"2"')
    assert new != old
    path.write_text(text.replace(old, new), encoding="utf-8")
    found = _json("run", study, *DAY, code=1)
    # The ESSDAI holds the level that this IgG proposes.
    assert sorted(found["pushed"]["updated"]) == [
        "JSS-01 essdai week-28", "JSS-01 response week-28", "JSS-01 star week-28",
    ]  # fmt: skip
    assert found["pushed"]["unchanged"] == 63
    assert _answer(study, "response") == "non-responder"


def test_the_steps_one_by_one_are_the_run(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(study, other, ignore=shutil.ignore_patterns("study.sqlite*", "outcomes"))
    assert command("pull", other).exit_code == 0
    scored = _json("score", other, *DAY, code=1)
    assert scored["outcomes"] == {"changed": 66, "gone": 0}
    assert not (other / "outcomes").exists()
    bundle = _json("push", other, "--dry-run", code=0)
    assert bundle["type"] == "transaction"
    assert len(bundle["entry"]) == 2 * 66
    assert not (other / "outcomes").exists()
    pushed = _json("push", other, code=0)["pushed"]
    assert len(pushed["created"]) == 66
    of_steps = {each["id"]: each["code"] for each in lines(other / "outcomes" / "Observation.ndjson")}
    of_run = {each["id"]: each["code"] for each in lines(study / "outcomes" / "Observation.ndjson")}
    assert of_steps == of_run


def test_a_dry_run_prints_only_the_bundle_on_standard_output(study: Path) -> None:
    result = command("push", study, "--dry-run")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"resourceType": "Bundle", "type": "transaction"}
    assert "would be written" in result.stderr


def test_a_pull_does_not_move_the_day(study: Path) -> None:
    assert command("pull", study).exit_code == 0
    assert _json("report", study, code=0)["as_of"] == "2026-03-01"


def test_a_folder_without_a_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = one_export(tmp_path / "export")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    found = _json("run", "../export", *DAY, code=0)
    assert [each["subject"] for each in found["participants"]] == ["JSS-01", "JSS-02", "JSS-03"]
    assert len(found["pushed"]["created"]) == 66
    assert sorted(path.name for path in here.iterdir() if "sqlite-" not in path.name) == [
        "outcomes", "study.sqlite",
    ]  # fmt: skip
    assert not (folder / "study.toml").exists()
    assert _json("run", "../export", *DAY, code=0)["pushed"]["unchanged"] == 66
    explained = _json("explain", "JSS-01", "essdai-change", "../export", code=0)
    assert explained[0]["number"] == -9


@pytest.mark.parametrize("name", ["report", "queries", "run"])
def test_after_a_run_of_a_folder_it_must_be_named_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = one_export(tmp_path / "export", 1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert command("run", folder, *DAY).exit_code == 0
    said(command(name), 2, "There is no study.toml", "run without one", "Repeat that folder")
    assert command(name, folder).exit_code == 0


def test_a_folder_has_a_promise_of_its_own(study: Path) -> None:
    printed = command("push", study).stdout
    assert "Only one program at a time may write into this folder." in printed
    assert "rung" not in printed
    promise = "each outcome once, with one writer at a time"
    assert promise in _json("push", study, code=0)["pushed"]["promise"]
    assert promise in command("doctor", study).stdout


def test_doctor_names_each_source_once(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    result = command("doctor")
    assert result.exit_code == 0
    assert re.match(r"hospital: well: \d+ resources, 0 that cannot be read\n", result.stdout)


REGISTERED = "https://clinicaltrials.gov|NCT06410833"


@pytest.mark.parametrize(
    ("identifier", "code", "told"),
    [
        (REGISTERED, 0, None),
        ("http://www.ClinicalTrials.gov/|NCT06410833", 0, None),
        ("urn:pumch|K3926", 0, "well: it is called urn:pumch|K3926, and its protocol is of"),
        ("https://clinicaltrials.gov|NCT06410838", 1, "NOT WELL: it is called"),
        ("http://clinicaltrials.gov/|nct06410833", 1, "NOT WELL: it is called"),
    ],
)
def test_doctor_holds_the_study_against_its_protocol(
    study: Path, identifier: str, code: int, told: str | None
) -> None:
    """Under the protocol's own registry it must be the protocol's trial; a hospital may have its own name."""
    path = study / "study.toml"
    path.write_text(path.read_text("utf-8").replace(REGISTERED, identifier), "utf-8")
    result = command("doctor", study)
    assert result.exit_code == code
    said = [line for line in result.stdout.splitlines() if line.startswith("study: ")]
    assert len(said) == (told is not None)
    for line in said:
        assert told is not None
        assert told in line
        assert identifier in line
        assert REGISTERED in line
        assert ("Correct the identifier" in line) is (code == 1)


def test_doctor_where_a_folder_is_not_there(study: Path) -> None:
    (study / "ratings").rename(study / "elsewhere")
    result = command("doctor", study)
    assert result.exit_code == 3
    assert "ratings: NOT WELL: " in result.stdout


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ('token_env = "NOPE"', ("hospital: token_env: ", "variable NOPE is not set")),
        ('token_file = "nope"', ("hospital: token_file: ", "nope: the file", "cannot be read")),
    ],
)
def test_credentials_that_are_not_there(
    study: Path, monkeypatch: pytest.MonkeyPatch, key: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.delenv("NOPE", raising=False)
    file = study / "study.toml"
    server = f'server = "http://127.0.0.1:9/fhir"\n{key}'
    file.write_text(file.read_text("utf-8").replace('folder = "hospital"', server), "utf-8")
    said(command("run", study), 3 if "file" in key else 2, *parts)


@pytest.mark.parametrize(
    ("written", "why"), [(None, "No such file or directory."), (b"\xff\xfe", "it is not UTF-8.")]
)
def test_a_list_of_participants_that_cannot_be_read(study: Path, written: bytes | None, why: str) -> None:
    file = study / "study.toml"
    file.write_text(file.read_text("utf-8").replace('source = "hospital"', 'file = "list.csv"'), "utf-8")
    if written:
        (study / "list.csv").write_bytes(written)
    told = said(command("run", study), 3, "list.csv: The list of participants cannot be read: ", why)
    assert "Errno" not in told


def test_a_folder_never_shares_the_workspace_of_another_study(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = one_export(tmp_path / "export", 1)
    monkeypatch.chdir(study)
    said(command("run", folder), 2, "of another study")


def test_a_day_that_is_none(study: Path) -> None:
    result = command("run", study, "--as-of", "31.03.2026")
    assert result.exit_code == 2
    assert "write it as 2026-03-31" in result.stderr


def test_an_earlier_day_makes_visits_not_due(study: Path) -> None:
    found = _json("report", study, "--as-of", "2024-06-01", code=0)
    assert {each["response"] for each in found["participants"]} == {"not-due"}
    assert found["rates"]["response"][0]["n"] == 0


def test_the_journal_knows_the_outcomes_from_wherever_the_command_is_started(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that was moved, and named by another path, still knows what it wrote itself."""
    (study / "ratings" / "Observation.ndjson").write_text("", encoding="utf-8")
    monkeypatch.chdir(study.parent)
    found = _json("run", "study", *DAY, "--allow-retract", code=1)
    assert found["pushed"]["conflicts"] == []
    assert found["pushed"]["updated"]


def test_a_loss_of_many_values_is_not_written_unasked(study: Path) -> None:
    (study / "ratings" / "Observation.ndjson").write_text("", encoding="utf-8")
    before = (study / "outcomes" / "Observation.ndjson").read_bytes()
    said(command("run", study, *DAY), 3, "would lose their value", "--allow-retract")
    assert (study / "outcomes" / "Observation.ndjson").read_bytes() == before


def test_a_workspace_is_of_one_study(study: Path) -> None:
    file = study / "study.toml"
    other = file.read_text("utf-8").replace(REGISTERED, "urn:pumch|K3926")
    file.write_text(other, "utf-8")
    said(command("run", study), 2, "belongs to the study", "NCT06410833", "Name another file")


def test_a_run_that_failed_does_not_move_the_day_of_the_report(study: Path) -> None:
    before = _json("report", study, code=0)
    (study / "ratings").rename(study / "away")
    said(command("run", study), 3, "ratings")
    (study / "away").rename(study / "ratings")
    assert _json("report", study, code=0)["as_of"] == before["as_of"]
