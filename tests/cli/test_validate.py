"""``validate``: what is said of each file, and the exit codes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fhir_adapter.cli.main import cli
from fhir_adapter.validation import NOT_CHECKED

GOOD = '{"resourceType": "Patient", "id": "p1", "gender": "female"}'
BAD = '{"resourceType": "Patient", "id": "p2", "gender": "lady"}'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["validate", *map(str, arguments)])


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_nothing_found(tmp_path: Path) -> None:
    result = run(put(tmp_path, "p.json", GOOD))
    assert (result.exit_code, result.stdout) == (0, "1 resource in 1 file: 0 findings.\n")


def test_it_says_what_it_does_not_check(tmp_path: Path) -> None:
    result = run(put(tmp_path, "p.json", GOOD))
    assert all(phrase in result.stderr for phrase in NOT_CHECKED)


def test_a_finding_names_file_line_resource_and_element(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{GOOD}\n\n{BAD}\n")
    result = run(path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{path}:3: Patient/p2: Patient.gender: must be one of R4's codes:"
        " male, female, other, unknown [code]",
        "2 resources in 1 file: 1 finding.",
    ]


def test_json_for_machines(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{GOOD}\n{BAD}\n")
    result = run("--json", path)
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["files"], answer["resources"], answer["not_checked"]) == (1, 2, list(NOT_CHECKED))
    assert answer["findings"] == [
        {
            "file": str(path),
            "line": 2,
            "resource": "Patient/p2",
            "severity": "error",
            "expression": "Patient.gender",
            "rule": "code",
            "message": "must be one of R4's codes: male, female, other, unknown",
        }
    ]


def test_the_entry_of_a_bundle_is_named(tmp_path: Path) -> None:
    entry = f'[{{"resource": {GOOD}}}, {{"resource": {BAD}}}]'
    result = run(
        put(tmp_path, "b.json", f'{{"resourceType": "Bundle", "type": "collection", "entry": {entry}}}')
    )
    assert ":1: Patient/p2: Bundle.entry[1].resource.gender: " in result.stdout


def test_a_folder_and_a_packed_file(tmp_path: Path) -> None:
    put(tmp_path, "a.json", GOOD)
    put(tmp_path, "b.ndjson.gz", gzip.compress(f"{GOOD}\n{BAD}\n".encode()))
    put(tmp_path, "package.json", "{}")
    put(tmp_path, ".index.json", "{}")
    put(tmp_path, "notes.txt", "…")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "b.ndjson.gz:2: Patient/p2" in result.stdout
    assert result.stdout.endswith("3 resources in 2 files: 1 finding.\n")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "banana", "a.json:1: is not JSON"),
        ("a.json", '{\n"a": 1,\n"b": }', "a.json:3: is not JSON"),
        ("a.json", '{"a": NaN}', "a number in it is NaN"),
        ("a.json", '{"a": %s}' % ("1" * 5000), "too long"),
        ("a.json", '{"a": "\\ud800"}', "half a character"),
        ("a.json", GOOD[:-1], "is cut off"),
        ("a.json", GOOD[:30], "is cut off"),
        ("a.ndjson", f"{GOOD}\n{GOOD[:-9]}\n{GOOD}\n", "a.ndjson:2: is cut off"),
        ("a.json", f"{GOOD}\n{GOOD}\n", "must be named *.ndjson"),
        ("a.json", b'{"resourceType": "Patient",\n"id": "\xff"}', "a.json:2: is not UTF-8"),
        ("a.json", GOOD.encode("utf-16"), "is UTF-16"),
        ("a.json", b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
        ("a.json", "", "a.json:1: is empty"),
        ("a.json", " \n", "is empty"),
        ("a.ndjson", "", "a.ndjson:1: is empty"),
        ("a.xml", "<Patient/>", "XML is not supported"),
        ("a.json", "\n<?xml?>", "XML is not supported"),
        ("a.json", "[]", "JSON, but not an object"),
        ("a.json", "3", "JSON, but not an object"),
        ("a.json", "[" * 100_000, "a.json:1: is"),
        ("a.json", "{}", "this is no FHIR resource"),
        ("a.json", '{"resourceType": "DeviceUsage", "id": "x"}', "DeviceUsage/x: resourceType: "),
        ("a.json", '{"resourceType": "DeviceUsage"}', "only R5"),
        ("a.json", '{"resourceType": "ProcedureRequest"}', "only STU3"),
    ],
)  # fmt: skip
def test_what_is_no_resource_of_r4_is_a_finding(tmp_path: Path, name: str, content: Any, said: str) -> None:
    result = run(put(tmp_path, name, content))
    assert result.exit_code == 1
    assert said in result.stdout
    assert "1 finding." in result.stdout
    assert "Traceback" not in result.output


def test_the_others_go_on(tmp_path: Path) -> None:
    result = run(put(tmp_path, "a.json", ""), put(tmp_path, "b.ndjson", f"{{\n{BAD}\n{GOOD}"))
    assert result.stdout.endswith("4 resources in 2 files: 3 findings.\n")


def test_findings_quote_nothing_of_what_cannot_be_read(tmp_path: Path) -> None:
    name = "Zhang San"
    texts = [
        f'{{"{name}": "{name}',
        f'{{"{name}" "{name}"}}',
        f'{{"id": "{name}", "resourceType": "{name}"}}',
    ]
    result = run(put(tmp_path, "a.ndjson", "\n".join(texts)))
    assert result.exit_code == 1
    assert name not in result.output


def test_wrong_use(tmp_path: Path) -> None:
    put(tmp_path, "a.xml", "<Patient/>")
    empty = run(tmp_path)
    missing = run(tmp_path / "missing.json")
    assert [run().exit_code, missing.exit_code, empty.exit_code] == [2, 2, 2]
    assert "there is no *.json or *.ndjson in it. XML is not supported." in empty.stderr
    assert "does not exist" in missing.stderr


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, other = put(tmp_path, "locked.json", GOOD), put(tmp_path, "other.json", BAD)
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    result = run(locked, other)
    assert result.exit_code == 3
    assert f"{locked}: cannot be read (Permission denied)." in result.stderr
    assert "Patient/p2" in result.stdout


def test_a_packed_file_that_is_cut_off(tmp_path: Path) -> None:
    result = run(put(tmp_path, "a.ndjson.gz", gzip.compress(GOOD.encode())[:-12]))
    assert result.exit_code == 3
    assert "damaged or cut off" in result.stderr
