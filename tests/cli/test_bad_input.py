"""What can be wrong with files, servers and the workspace: one clear sentence, the right exit code,
nothing lost, no traceback, and no patient data in what is said."""

from __future__ import annotations

import ctypes
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.folders import DAY, command, lines, said
from tests.servers import free_port


def _append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def _no_json(study: Path) -> None:
    _append(study / "hospital" / "Observation.ndjson", "Mrs Example, born 1970\n")


def _cut_off(study: Path) -> None:
    path = study / "hospital" / "Observation.ndjson"
    whole = next(line for line in path.read_text("utf-8").splitlines() if "IGG01" in line)
    _append(path, whole[: len(whole) // 2])


def _another_type(study: Path) -> None:
    _append(study / "hospital" / "Observation.ndjson", '{"resourceType":"Banana","id":"1"}\n')


def _no_type(study: Path) -> None:
    _append(study / "hospital" / "Observation.ndjson", '{"id":"1"}\n')


def _no_utf8(study: Path) -> None:
    _append(
        study / "hospital" / "Observation.ndjson",
        b'{"resourceType":"Observation","id":"x","status":"\xff\xfe"}\n',
    )


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (_no_json, ("Observation.ndjson:", "not JSON")),
        (_cut_off, ("Observation.ndjson:", "cut off")),
        (_no_type, ("Observation.ndjson:", "no resourceType")),
        (_no_utf8, ("Observation.ndjson:", "not UTF-8")),
    ],
)
def test_a_bad_line_is_a_finding_and_the_others_go_on(
    study: Path, spoil: Callable[[Path], None], parts: tuple[str, ...]
) -> None:
    spoil(study)
    result = command("run", study, *DAY)
    told = said(result, 1, "finding: hospital: ", *parts)
    assert "Example" not in told
    # What the line held is not known: a criterion that the absence of a record satisfied is open.
    assert "3 rewritten, 0 retracted; 63 unchanged" in result.stdout
    assert result.stdout.count(" eligibility study\n") == 3


def test_a_resource_of_another_type_is_none_of_our_business(study: Path) -> None:
    _another_type(study)
    result = command("run", study, *DAY)
    assert "finding" not in said(result, 1)
    assert "66 unchanged" in result.stdout


def _empty_source(study: Path) -> None:
    for path in (study / "ratings").iterdir():
        path.unlink()


def _no_source(study: Path) -> None:
    shutil.rmtree(study / "ratings")


def _no_server(study: Path) -> None:
    _replace(study, 'folder = "hospital"', f'server = "http://127.0.0.1:{free_port()}/fhir"')


def _replace(study: Path, old: str, new: str) -> None:
    path = study / "study.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _directory_for_a_workspace(study: Path) -> None:
    for path in study.glob("study.sqlite*"):
        path.unlink()
    (study / "study.sqlite").mkdir()


def _no_folder_for_the_workspace(study: Path) -> None:
    _replace(study, '"study.sqlite"', '"nowhere/study.sqlite"')


def _no_database(study: Path) -> None:
    for path in study.glob("study.sqlite*"):
        path.unlink()
    (study / "study.sqlite").write_text("Dear diary, " * 1000)


def _newer_schema(study: Path) -> None:
    with sqlite3.connect(study / "study.sqlite") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()


def _file_for_a_target(study: Path) -> None:
    shutil.rmtree(study / "outcomes")
    (study / "outcomes").write_text("")
    with sqlite3.connect(study / "study.sqlite") as database:
        database.execute("DELETE FROM journal")
    database.close()


def _unknown_key(study: Path) -> None:
    _replace(study, 'timezone = "Asia/Shanghai"', 'timezone = "Asia/Shanghai"\ntime_zone = "x"')


def _unknown_mapping(study: Path) -> None:
    _replace(study, '"example-cn"', '"example-zz"')


def _unknown_protocol(study: Path) -> None:
    _replace(study, '"nct06410833"', '"nct00000000"')


def _unknown_zone(study: Path) -> None:
    _replace(study, '"Asia/Shanghai"', '"Asia/Nowhere"')


def _both_places(study: Path) -> None:
    _replace(study, 'folder = "hospital"', 'folder = "hospital"\nserver = "http://x.example/fhir"')


def _no_toml(study: Path) -> None:
    (study / "study.toml").write_text("[study\n")


def _no_token(study: Path) -> None:
    _replace(study, 'folder = "hospital"', 'server = "http://127.0.0.1:9/fhir"\ntoken_env = "NO_SUCH_TOKEN"')


def _another_identifier(study: Path) -> None:
    _replace(study, '"mrn"', '"passport"')


@pytest.mark.parametrize(
    ("spoil", "code", "parts"),
    [
        (_empty_source, 3, ("ratings", "no *.ndjson")),
        (_no_source, 3, ("ratings", "no such folder")),
        (_no_server, 3, ("hospital", "127.0.0.1")),
        (_directory_for_a_workspace, 3, ("study.sqlite", "unable to open", "may write there")),
        (_no_folder_for_the_workspace, 3, ("nowhere", "unable to open", "folder exists")),
        (_no_database, 3, ("study.sqlite", "not a database", "another file")),
        (_newer_schema, 3, ("study.sqlite", "schema 999", "newer fhir-adapter")),
        (_file_for_a_target, 3, ("outcomes",)),
        (_unknown_key, 2, ("study.toml: study", "'time_zone' is not known", "Allowed are: ", "timezone")),
        (_unknown_mapping, 2, ("no mapping folder 'example-zz'", "example-cn, international")),
        (_unknown_protocol, 2, ("no protocol 'nct00000000'", "nct06410833")),
        (_unknown_zone, 2, ("study.timezone", "no time zone")),
        (_both_places, 2, ("source.0", "Exactly one of")),
        (_no_toml, 2, ("study.toml", "not TOML")),
        (_no_token, 2, ("NO_SUCH_TOKEN", "not set")),
        (_another_identifier, 2, ("no identifier 'passport'", "mrn")),
    ],
)
def test_what_cannot_go_on_says_why_in_one_sentence(
    study: Path, spoil: Callable[[Path], None], code: int, parts: tuple[str, ...]
) -> None:
    before = (study / "outcomes" / "Observation.ndjson").read_bytes()
    spoil(study)
    told = said(command("run", study, *DAY), code, "fhir-adapter: ", *parts)
    assert told.count("\n") == 1, told
    if (study / "outcomes").is_dir():
        assert (study / "outcomes" / "Observation.ndjson").read_bytes() == before


@pytest.mark.parametrize("name", ["score", "push", "report", "queries"])
@pytest.mark.parametrize("spoil", [_no_database, _newer_schema])
def test_the_other_commands_say_it_too(study: Path, name: str, spoil: Callable[[Path], None]) -> None:
    spoil(study)
    said(command(name, study), 3, "study.sqlite")


def test_nothing_is_lost_by_a_source_that_is_away_for_a_while(study: Path) -> None:
    (study / "ratings").rename(study / "away")
    said(command("run", study, *DAY), 3)
    (study / "away").rename(study / "ratings")
    assert "66 unchanged" in command("run", study, *DAY).stdout


def test_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said(command("run"), 2, "no study.toml", "fhir-adapter init")
    assert list(tmp_path.iterdir()) == []


def test_an_export_without_participants_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    monkeypatch.chdir(tmp_path)
    said(command("run", "export", *DAY), 1, "Nobody takes part", "[participants]")


def test_a_study_that_is_not_there() -> None:
    said(command("run", "/nowhere/study.toml"), 2, "/nowhere/study.toml", "no such file")


def _without_privilege() -> None:
    """Root may write anywhere; without this capability it is held to a file's mode like anybody."""
    drop_from_bounding_set, dac_override = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="how root gives up its privilege is known for Linux only")
def test_a_workspace_that_may_only_be_read(study: Path) -> None:
    workspace = study / "study.sqlite"
    workspace.chmod(0o444)
    study.chmod(0o555)
    before = workspace.read_bytes()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fhir_adapter.cli", "run", str(study), *DAY],
            capture_output=True,
            text=True,
            preexec_fn=_without_privilege,
            check=False,
            timeout=60,
        )
    finally:
        study.chmod(0o755)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "study.sqlite: The workspace cannot be used" in done.stderr
    assert "right to write" in done.stderr or "may write" in done.stderr
    assert workspace.read_bytes() == before


def test_a_full_disk_loses_nothing(study: Path) -> None:
    for path in study.glob("study.sqlite*"):
        path.unlink()
    shutil.rmtree(study / "outcomes")

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = subprocess.run(
        [sys.executable, "-m", "fhir_adapter.cli", "run", str(study), *DAY],
        capture_output=True,
        text=True,
        preexec_fn=little_room,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "study.sqlite: The workspace cannot be used" in done.stderr
    assert "66 new" in command("run", study, *DAY).stdout
    assert len(lines(study / "outcomes" / "Observation.ndjson")) == 66
