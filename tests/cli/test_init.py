"""``init``: a study file that works as it stands, and is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_adapter.study import read_study
from tests.cli.folders import command, one_export, said


def test_the_file_is_a_study_with_every_key_commented(tmp_path: Path) -> None:
    result = command("init", tmp_path / "trial")
    assert result.exit_code == 0, result.stderr
    path = tmp_path / "trial" / "study.toml"
    study = read_study(path)
    assert study.identifier == ("https://clinicaltrials.gov", "NCT06410833")
    assert study.sources[0].place.folder == path.parent / "export"
    text = path.read_text("utf-8")
    for key in ("server", "token_env", "token_file", "file", "[[source]]"):
        assert f"# {key}" in text


def test_it_names_the_export_that_is_there_and_its_numbers(tmp_path: Path) -> None:
    folder = one_export(tmp_path / "export", 1)
    assert command("init", folder).exit_code == 0
    study = read_study(folder / "study.toml")
    assert study.sources[0].place.folder == folder
    assert study.participants.identifier_system == "urn:example:trial-participant"


def test_other_numbers_are_found_too(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(
        '{"resourceType":"ResearchSubject","id":"1","identifier":[{"system":"urn:b\\"q","value":"1"}]}\n'
    )
    assert command("init", tmp_path).exit_code == 0
    assert read_study(tmp_path / "study.toml").participants.identifier_system == 'urn:b"q'


def test_it_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("mine")
    said(command("init", tmp_path), 2, "There is one already", "left as it is")
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init").exit_code == 0
    assert (tmp_path / "study.toml").is_file()


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    said(command("init", tmp_path / "taken"), 3, "cannot be written")
