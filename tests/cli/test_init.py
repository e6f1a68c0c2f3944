"""``init``: a study file that works as it stands, and is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_adapter import shipped
from fhir_adapter.study import read_mapping, read_protocol, read_study
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


def test_copies_to_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = command("init", "trial", "--protocol", "trial/protocol.toml", "--mapping", "ours")
    assert told.exit_code == 0, told.stderr
    for wrote in ("trial/protocol.toml, a copy", "ours, a copy", "trial/study.toml"):
        assert f"Wrote {wrote}" in told.stdout
    study = read_study(tmp_path / "trial" / "study.toml")
    assert study.protocol.digest == read_protocol(shipped.PROTOCOLS / "nct06410833.toml").digest
    assert study.sources[0].mapping.resolve() == tmp_path / "ours"
    assert read_mapping(tmp_path / "ours").digest == read_mapping(shipped.MAPPINGS / "international").digest
    text = (tmp_path / "trial" / "study.toml").read_text("utf-8")
    assert 'protocol = "protocol.toml"' in text
    assert 'mapping = "../ours"' in text


def test_what_is_there_is_named_and_left_alone(tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    shipped_rules = (shipped.PROTOCOLS / "nct06410833.toml").read_text("utf-8")
    rules.write_text(shipped_rules + "# mine\n", encoding="utf-8")
    result = command("init", tmp_path / "trial", "--protocol", rules)
    assert "a copy" not in result.stdout
    assert rules.read_text("utf-8").endswith("# mine\n")
    assert read_study(tmp_path / "trial" / "study.toml").protocol.digest == read_protocol(rules).digest


def test_a_mapping_of_the_name_of_one_that_ships_is_a_copy_of_it(tmp_path: Path) -> None:
    assert command("init", tmp_path, "--mapping", tmp_path / "example-cn").exit_code == 0
    ours, theirs = (read_mapping(each / "example-cn") for each in (tmp_path, shipped.MAPPINGS))
    assert ours.digest == theirs.digest


def test_a_protocol_file_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    shipped_rules = (shipped.PROTOCOLS / "nct06410833.toml").read_text("utf-8")
    rules.write_text(shipped_rules.replace("oldest = 18", "oldest = 4"), "utf-8")
    result = command("init", tmp_path / "trial", "--protocol", rules)
    said(result, 2, "eligibility.age", "ends before it begins", "Exchange the two")
    assert not (tmp_path / "trial").exists()


def test_a_copy_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    said(command("init", tmp_path, "--mapping", tmp_path / "taken" / "ours"), 3, "taken", "cannot be written")
    assert not (tmp_path / "study.toml").exists()


def test_a_file_that_starts_from_the_template_says_how_to_get_copies(tmp_path: Path) -> None:
    assert command("init", tmp_path).exit_code == 0
    text = (tmp_path / "study.toml").read_text("utf-8")
    assert "init --protocol FILE" in text
    assert "init --mapping FOLDER" in text
