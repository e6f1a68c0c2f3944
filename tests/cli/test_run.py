"""``run`` and its steps, on folders."""

from __future__ import annotations

import json
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
    for part in ("Pulled", "Unknown codes", "XJ9907", "Data queries: none.", "Participants", "Response rate"):
        assert part in result.stdout
    assert "\x1b" not in result.stdout
    assert "0 new, 0 rewritten, 0 retracted; 63 unchanged" in result.stdout


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
    assert found["pushed"]["unchanged"] == 63
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
    assert sorted(found["pushed"]["updated"]) == ["JSS-01 response week-28", "JSS-01 star week-28"]
    assert found["pushed"]["unchanged"] == 61
    assert _answer(study, "response") == "non-responder"


def test_the_steps_one_by_one_are_the_run(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(study, other, ignore=shutil.ignore_patterns("study.sqlite*", "outcomes"))
    assert command("pull", other).exit_code == 0
    scored = _json("score", other, *DAY, code=1)
    assert scored["outcomes"] == {"changed": 63, "gone": 0}
    assert not (other / "outcomes").exists()
    bundle = _json("push", other, "--dry-run", code=0)
    assert bundle["type"] == "transaction"
    assert len(bundle["entry"]) == 2 * 63
    assert not (other / "outcomes").exists()
    pushed = _json("push", other, code=0)["pushed"]
    assert len(pushed["created"]) == 63
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
    assert len(found["pushed"]["created"]) == 63
    assert sorted(path.name for path in here.iterdir() if "sqlite-" not in path.name) == [
        "outcomes", "study.sqlite",
    ]  # fmt: skip
    assert not (folder / "study.toml").exists()
    assert _json("run", "../export", *DAY, code=0)["pushed"]["unchanged"] == 63
    explained = _json("explain", "JSS-01", "essdai-change", "../export", code=0)
    assert explained[0]["number"] == -9


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
    file.write_text(
        file.read_text("utf-8").replace('NCT06410833"\nprotocol', 'NCT99999999"\nprotocol'), "utf-8"
    )
    said(command("run", study), 2, "belongs to the study", "NCT06410833", "Name another file")


def test_a_run_that_failed_does_not_move_the_day_of_the_report(study: Path) -> None:
    before = _json("report", study, code=0)
    (study / "ratings").rename(study / "away")
    said(command("run", study), 3, "ratings")
    (study / "away").rename(study / "ratings")
    assert _json("report", study, code=0)["as_of"] == before["as_of"]
