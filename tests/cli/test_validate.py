"""``validate``: what is said of each file, in each form, and the exit codes."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft4Validator

from fhir_adapter.cli.main import cli
from fhir_adapter.pipeline import validate as step
from fhir_adapter.report.findings import FORMATS
from fhir_adapter.shipped import PROFILES
from fhir_adapter.validation import NOT_CHECKED, Issue, validate

GOOD = '{"resourceType": "Patient", "id": "p1", "gender": "female"}'
BAD = '{"resourceType": "Patient", "id": "p2", "gender": "lady"}'
"""``gender`` begins at column 41; the code is none of R4's."""


def run(*arguments: object, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["validate", *map(str, arguments)], input=input)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_nothing_found(tmp_path: Path) -> None:
    result = run(put(tmp_path, "p.json", GOOD))
    assert (result.exit_code, result.stdout) == (0, "1 resource in 1 file: nothing found.\n")


def test_the_projects_own_package_is_without_fault() -> None:
    result = run(PROFILES)
    assert result.exit_code == 0, result.output


def test_it_says_what_it_does_not_check(tmp_path: Path) -> None:
    result = run(put(tmp_path, "p.json", GOOD))
    assert all(phrase in result.stderr for phrase in NOT_CHECKED)


def test_a_finding_names_file_line_column_resource_element_and_rule(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{GOOD}\n\n{BAD}\n")
    result = run(path)
    assert result.exit_code == 1
    finding, last = result.stdout.splitlines()
    assert finding.startswith(f"{path}:3:41: Patient/p2: Patient.gender: ")
    assert finding.endswith(" [binding]")
    assert last == "2 resources in 1 file: 1 error."


def test_a_slip_of_a_code_is_guessed(tmp_path: Path) -> None:
    result = run(put(tmp_path, "p.json", GOOD.replace("female", "femal")))
    assert 'Did you mean "female"?' in result.stdout


def test_the_entry_of_a_bundle_is_named_where_it_stands(tmp_path: Path) -> None:
    text = (
        '{"resourceType": "Bundle", "type": "collection", "entry": [\n'
        f'{{"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": {GOOD}}},\n'
        '{"fullUrl": "urn:uuid:8a5c9e5b-9d64-4d6e-8f0f-1b1f8f6f2f60",\n'
        f'"resource": {BAD}}}]}}'
    )
    result = run(put(tmp_path, "b.json", text))
    # "resource": is 12 characters, and gender is the 41st of what follows.
    assert ":4:53: Patient/p2: Bundle.entry[1].resource.gender: " in result.stdout


def test_a_folder_and_a_packed_file(tmp_path: Path) -> None:
    put(tmp_path, "a.json", GOOD)
    put(tmp_path, "b.ndjson.gz", gzip.compress(f"{GOOD}\n{BAD}\n".encode()))
    put(tmp_path, "c.json.gz", gzip.compress(BAD.encode()))
    put(tmp_path, "package.json", "{}")
    put(tmp_path, ".index.json", "{}")
    put(tmp_path, "notes.txt", "…")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "b.ndjson.gz:2:41: Patient/p2" in result.stdout
    assert "c.json.gz:1:41: Patient/p2" in result.stdout
    assert result.stdout.endswith("4 resources in 3 files: 2 errors.\n")


def test_a_packed_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    result = run(put(tmp_path, "a.json", gzip.compress(BAD.encode())))
    assert "a.json:1:41: Patient/p2" in result.stdout


@pytest.mark.parametrize(
    ("text", "place", "count"),
    [
        (BAD, "<stdin>:1:41: Patient/p2", "1 resource in"),
        (f"{GOOD}\n{BAD}\n", "<stdin>:2:41: Patient/p2", "2 resources in"),
        (json.dumps(json.loads(BAD), indent=1), "<stdin>:4:2: Patient/p2", "1 resource in"),
    ],
)
def test_standard_input(text: str, place: str, count: str) -> None:
    result = run("-", input=text)
    assert result.exit_code == 1
    assert result.stdout.startswith(place)
    assert count in result.stdout


# --- What can be asked for ---

WARNED = (
    '{"resourceType": "Patient", "id": "p3", "maritalStatus": {"coding": [{"system": "%s", "code": "X"}]}}'
)
"""A code outside an extensible value set, in a code system that has no such code."""
WARNED %= "urn:example:marital-status"


def test_severity(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{BAD}\n{WARNED}\n")
    everything, some, errors = (run("--severity", one, path) for one in ("information", "warning", "error"))
    assert errors.stdout.endswith("2 resources in 1 file: 1 error.\n")
    assert "1 error, 1 warning" in some.stdout
    assert ": Patient/p3: Patient.maritalStatus" in some.stdout
    assert "[warning, " in some.stdout
    assert len(everything.stdout.splitlines()) >= len(some.stdout.splitlines())
    alone = put(tmp_path, "w.json", WARNED)
    assert (run(alone).exit_code, run("--severity", "error", alone).exit_code) == (1, 0)


def profile(url: str = "http://example.org/fhir/StructureDefinition/named", **more: Any) -> dict[str, Any]:
    """A profile of Patient that asks for a name."""
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "Named",
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
        **more,
    }


def package(folder: Path, *resources: dict[str, Any]) -> Path:
    folder.mkdir()
    for number, resource in enumerate(resources):
        put(folder, f"{number}.json", json.dumps(resource))
    return folder


def packed(path: Path, *resources: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for number, resource in enumerate(resources):
            text = json.dumps(resource).encode()
            member = tarfile.TarInfo(f"package/{number}.json")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return path


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_profile_of_a_package(tmp_path: Path, jobs: int) -> None:
    file, url = put(tmp_path, "p.json", GOOD), profile()["url"]
    for given in (package(tmp_path / "folder", profile()), packed(tmp_path / "named.tgz", profile())):
        result = run("--package", given, "--profile", url, "--jobs", jobs, file)
        assert result.exit_code == 1
        assert f"{file}:1:1: Patient/p1: Patient: " in result.stdout
        assert "name" in result.stdout
        assert "[cardinality]" in result.stdout


def test_a_profile_that_the_resource_names(tmp_path: Path) -> None:
    text = GOOD.replace('"id"', f'"meta": {{"profile": ["{profile()["url"]}"]}}, "id"')
    file = put(tmp_path, "p.json", text)
    result = run("--package", package(tmp_path / "folder", profile()), file)
    assert (result.exit_code, "[cardinality]" in result.stdout) == (1, True)
    assert profile()["url"] in run(file).stdout


def test_two_packages_and_this_projects_own(tmp_path: Path) -> None:
    other = profile("http://example.org/fhir/StructureDefinition/other", baseDefinition=profile()["url"])
    first, second = package(tmp_path / "a", profile()), package(tmp_path / "b", other)
    file = put(tmp_path, "p.json", GOOD)
    result = run("--package", first, "--package", second, "--profile", other["url"], file)
    assert "[cardinality]" in result.stdout
    ours = sorted(PROFILES.glob("StructureDefinition-*.json"))[0]
    url = json.loads(ours.read_text())["url"]
    assert "is for" in run("--profile", url, file).stdout


def test_a_profile_that_is_missing_is_named(tmp_path: Path) -> None:
    result = run("--profile", "http://example.org/none", put(tmp_path, "p.json", GOOD))
    assert result.exit_code == 2
    assert "the profile http://example.org/none is in none of the packages." in result.stderr
    assert "--package" in result.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.tgz", b"no archive"), ("b.tgz", gzip.compress(b"no archive", mtime=0)), ("c.tgz", b"")],
)
def test_a_broken_package_is_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    result = run("--package", put(tmp_path, name, content), put(tmp_path, "p.json", GOOD))
    assert result.exit_code == 3
    assert f"{tmp_path / name}: no FHIR package can be read" in result.stderr
    assert "it is no archive, or damaged" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_a_package_with_a_broken_file_or_none(tmp_path: Path) -> None:
    file = put(tmp_path, "p.json", GOOD)
    broken = package(tmp_path / "broken", profile())
    put(broken, "x.json", "{")
    (tmp_path / "empty").mkdir()
    for folder, said in ((broken, "x.json: is not JSON"), (tmp_path / "empty", "no FHIR resource")):
        result = run("--package", folder, file)
        assert (result.exit_code, said in result.stderr) == (3, True)


def test_profiles_in_a_circle_are_said(tmp_path: Path) -> None:
    one, other = "http://example.org/one", "http://example.org/other"
    circle = package(tmp_path / "c", profile(one, baseDefinition=other), profile(other, baseDefinition=one))
    result = run("--package", circle, "--profile", one, put(tmp_path, "p.json", GOOD))
    assert result.exit_code == 1
    assert one in result.stdout
    assert "Traceback" not in result.output


def test_an_invariant_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    rule = {"key": "x-1", "severity": "error", "human": "A rule", "expression": "name.whare(true)"}
    element = {"id": "Patient", "path": "Patient", "constraint": [rule]}
    wrong = package(tmp_path / "c", profile(differential={"element": [element]}))
    result = run("--package", wrong, "--profile", profile()["url"], put(tmp_path, "p.json", GOOD))
    assert result.exit_code == 1
    assert "there is no function whare()" in result.stdout
    assert "[x-1]" in result.stdout


EXAMPLES = Path(__file__).parents[1] / "mapping" / "examples"


def test_of_this_projects_profiles_the_good_examples_are_good_and_the_bad_ones_bad() -> None:
    files = sorted(EXAMPLES.glob("*.json"))
    answer = json.loads(run("--format", "json", "--severity", "error", *files).stdout)
    wrong = {finding["file"] for finding in answer["findings"]}
    assert wrong == {str(file) for file in files if "-bad-" in file.name}
    assert 20 < len(wrong) < len(files) - 10


# --- Forms ---


def test_json(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{GOOD}\n{BAD}\n")
    result = run("--format", "json", path)
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["files"], answer["resources"], answer["not_checked"]) == (1, 2, list(NOT_CHECKED))
    assert len(answer["findings"]) == 1
    (message,) = [one.pop("message") for one in answer["findings"]]
    assert "administrative-gender" in message
    assert answer["findings"] == [
        {
            "file": str(path),
            "line": 2,
            "column": 41,
            "resource": "Patient/p2",
            "severity": "error",
            "expression": "Patient.gender",
            "property": "",
            "rule": "binding",
        }
    ]


def test_an_operation_outcome_is_a_correct_resource(tmp_path: Path) -> None:
    path = put(tmp_path, "p.ndjson", f"{BAD}\n{WARNED}\n")
    outcome = json.loads(run("--format", "operationoutcome", path).stdout)
    assert validate(outcome) == []
    assert [issue["severity"] for issue in outcome["issue"]] == ["error", "warning"]
    first = outcome["issue"][0]
    assert (first["code"], first["expression"]) == ("code-invalid", ["Patient.gender"])
    assert first["location"] == ["Line[1] Col[41]"]
    assert first["diagnostics"] == f"{path}:1:41 Patient/p2 [binding]"


def test_an_operation_outcome_of_nothing_has_an_issue_that_says_so(tmp_path: Path) -> None:
    outcome = json.loads(run("--format", "operationoutcome", put(tmp_path, "p.json", GOOD)).stdout)
    assert validate(outcome) == []
    assert [issue["code"] for issue in outcome["issue"]] == ["informational"]


def test_sarif(tmp_path: Path) -> None:
    path = put(tmp_path, "p.json", BAD)
    log = json.loads(run("--format", "sarif", path).stdout)
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    (result,) = one["results"]
    assert (result["ruleId"], result["level"]) == ("binding", "error")
    assert one["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "binding"
    place = result["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == str(path)
    assert place["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 41}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "Patient.gender"}]


@pytest.mark.parametrize("content", [f"{GOOD}\n", f"{BAD}\n", f"{BAD}\n{GOOD}\n{WARNED}\n{BAD}\n"])
def test_sarif_follows_its_schema(tmp_path: Path, content: str) -> None:
    """The schema is OASIS's own (sarif-schema-2.1.0.json, © OASIS Open)."""
    schema = json.loads(gzip.decompress(Path(__file__).with_name("sarif-schema-2.1.0.json.gz").read_bytes()))
    path = put(tmp_path, "results of März 100%.ndjson", content)
    log = json.loads(run("--format", "sarif", path).stdout)
    assert [fault.message for fault in Draft4Validator(schema).iter_errors(log)] == []
    (one,) = log["runs"]
    assert len(one["results"]) == content.count(BAD) + content.count(WARNED)
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in one["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        # RFC 3986: a reference has neither blanks nor other than ASCII signs.
        assert uri == f"{tmp_path}/results%20of%20M%C3%A4rz%20100%25.ndjson"


def test_a_log_that_is_wrong_does_not_follow_the_schema() -> None:
    schema = json.loads(gzip.decompress(Path(__file__).with_name("sarif-schema-2.1.0.json.gz").read_bytes()))
    wrong = {"version": "2.1.0", "runs": [{"results": [{"level": "fatal"}]}]}
    assert len(list(Draft4Validator(schema).iter_errors(wrong))) >= 2


@pytest.mark.parametrize("form", ["text", "json", "operationoutcome", "sarif"])
def test_findings_are_written_as_they_come(form: str) -> None:
    """Nothing of them is kept: a large file takes no more memory than a small one."""
    said: list[str] = []
    writer = FORMATS[form](said.append)
    issue = Issue("error", "Patient.gender", "binding", "the first")
    parts = [
        step.Looked("a.ndjson", 1, 10, [step.Found("a.ndjson", 1, 1, "Patient/1", issue)]),
        step.Looked("a.ndjson", 1, 10, [step.Found("a.ndjson", 2, 1, "Patient/2", issue)]),
    ]
    for part in parts:
        writer.add(part)
    assert "Patient/1" in "\n".join(said)
    writer.end()
    text = "\n".join(said)
    assert text.count("the first") == 2
    if form != "text":
        json.loads(text)


def test_junit_keeps_the_findings_of_one_file() -> None:
    said: list[str] = []
    writer = FORMATS["junit"](said.append)
    issue = Issue("error", "Patient.gender", "binding", "wrong")
    for name in ("a.json", "b.json"):
        writer.add(step.Looked(name, 1, 10, [step.Found(name, 1, 1, "", issue)]))
    assert "a.json" in "".join(said)
    assert "b.json" not in "".join(said)
    writer.end()
    root = ElementTree.fromstring("\n".join(said))  # noqa: S314
    assert [suite.attrib["name"] for suite in root] == ["a.json", "b.json"]


@pytest.mark.parametrize("form", ["json", "operationoutcome", "sarif", "junit"])
def test_every_form_is_whole_where_nothing_was_seen(form: str) -> None:
    said: list[str] = []
    FORMATS[form](said.append).end()
    text = "\n".join(said)
    assert json.loads(text) if form != "junit" else list(ElementTree.fromstring(text)) == []  # noqa: S314


def test_junit(tmp_path: Path) -> None:
    bad, good = put(tmp_path, "a&b.json", BAD), put(tmp_path, "good.json", GOOD)
    root = ElementTree.fromstring(run("--format", "junit", bad, good).stdout)  # noqa: S314
    suites = root.findall("testsuite")
    assert [suite.attrib for suite in suites] == [
        {"name": str(bad), "tests": "1", "failures": "1"},
        {"name": str(good), "tests": "1", "failures": "0"},
    ]
    (failure,) = suites[0].findall("testcase/failure")
    assert failure.attrib["type"] == "binding"
    assert f"{bad}:1:41" in (failure.text or "")


def test_a_rule_is_explained() -> None:
    own, invariant = run("--explain", "binding"), run("--explain", "obs-6")
    assert own.exit_code == invariant.exit_code == 0
    assert "http://hl7.org/fhir/R4/" in own.stdout
    assert "dataAbsentReason.empty() or value.empty()" in invariant.stdout
    assert "Observation" in invariant.stdout
    unknown = run("--explain", "nothing-1")
    assert (unknown.exit_code, "there is no rule 'nothing-1'" in unknown.stderr) == (2, True)
    assert "--package" in unknown.stderr


def test_a_rule_of_a_package_is_explained(tmp_path: Path) -> None:
    constraint = {
        "key": "lab-7",
        "severity": "error",
        "human": "A result has a value.",
        "expression": "value.exists()",
    }
    profile = {
        "resourceType": "StructureDefinition",
        "url": "https://example.org/lab",
        "name": "Lab",
        "status": "draft",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "derivation": "constraint",
        "differential": {
            "element": [{"id": "Observation", "path": "Observation", "constraint": [constraint]}]
        },
    }
    put(tmp_path, "StructureDefinition-lab.json", json.dumps(profile))
    for arguments in (
        ("--explain", "lab-7", "--package", tmp_path),
        ("--package", tmp_path, "--explain", "lab-7"),
    ):
        told = run(*arguments)
        assert (told.exit_code, told.stdout) == (
            0,
            "lab-7 (error), of Observation\n  A result has a value.\n  value.exists()\n",
        )
    assert run("--explain", "lab-7").exit_code == 2


def test_without_files_there_is_nothing_to_validate() -> None:
    result = run("--severity", "error")
    assert result.exit_code == 2
    assert "FILES" in result.stderr


# --- Many processes, many files ---


def test_several_processes_say_the_same_in_the_same_order(tmp_path: Path) -> None:
    lines = [BAD.replace("p2", f"p{number}") for number in range(12_000)]
    big = put(tmp_path, "big.ndjson", "\n".join(lines))
    assert big.stat().st_size > 600_000
    files = [put(tmp_path, f"{number}.json", BAD) for number in range(20)]
    alone, together = (run("--jobs", jobs, big, *files) for jobs in (1, 3))
    assert alone.stdout == together.stdout
    assert alone.stdout.endswith("12,020 resources in 21 files: 12,020 errors.\n")
    assert f"{big}:12000:" in alone.stdout


def test_lines_are_counted_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_BLOCK", 50)
    result = run(put(tmp_path, "a.ndjson", f"{GOOD}\n\n{BAD}\n\n\n{BAD}"))
    assert [line.split(":")[1] for line in result.stdout.splitlines()[:-1]] == ["3", "6"]


def test_a_text_that_is_too_large_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "LARGEST", 1024 * 1024)
    monkeypatch.setattr(step, "_BLOCK", 1000)
    long = GOOD[:-1] + ', "x": "' + "y" * 1024 * 1024 + '"}'
    lines = put(tmp_path, "a.ndjson", f"{GOOD}\n{long}\n{BAD}\n")
    result = run(
        lines, put(tmp_path, "b.json", long), put(tmp_path, "c.json.gz", gzip.compress(long.encode()))
    )
    said = result.stdout.splitlines()
    assert result.exit_code == 1
    for line, place in zip(
        said, ("a.ndjson:2:1:", "a.ndjson:3:41:", "b.json:1:1:", "c.json.gz:1:1:"), strict=False
    ):
        assert place in line
    assert sum("is larger than the 1 MB" in line for line in said) == 3


# --- What is no resource of R4 ---


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "banana", "a.json:1:1: is not JSON"),
        ("a.json", '{\n"a": 1,\n"b": }', "a.json:3:6: is not JSON"),
        ("a.json", '{"a": NaN}', "a number in it is NaN"),
        ("a.json", '{"a": %s}' % ("1" * 5000), "too long"),
        ("a.json", '{"a": "\\ud800"}', "half a character"),
        ("a.json", GOOD[:-1], "is cut off"),
        ("a.json", GOOD[:30], "is cut off"),
        ("a.ndjson", f"{GOOD}\n{GOOD[:-9]}\n{GOOD}\n", "a.ndjson:2:50: is cut off"),
        ("a.json", f"{GOOD}\n{GOOD}\n", "a.json:2:1: goes on after the end"),
        ("a.json", b'{"resourceType": "Patient",\n"id": "\xff"}', "a.json:2:8: is not UTF-8"),
        ("a.json", GOOD.encode("utf-16"), "is UTF-16"),
        ("a.json", b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
        ("a.json", "", "a.json:1:1: is empty"),
        ("a.json", " \n", "is empty"),
        ("a.ndjson", "", "a.ndjson:1:1: is empty"),
        ("a.ndjson", "\n\n", "a.ndjson:1:1: is empty"),
        ("a.xml", "<Patient/>", "XML is not supported"),
        ("a.json", "\n<?xml?>", "XML is not supported"),
        ("a.json", "[]", "JSON, but not an object"),
        ("a.json", "3", "JSON, but not an object"),
        ("a.json", "[" * 100_000, "a.json:1:1: is nested too deeply"),
        ("a.json", '{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
        ("a.json", "{}", "it is no FHIR resource"),
        ("a.json", '{"resourceType": "DeviceUsage", "id": "x"}', "DeviceUsage/x: "),
        ("a.json", '{"resourceType": "DeviceUsage"}', "only R5"),
        ("a.json", '{"resourceType": "ProcedureRequest"}', "only STU3"),
        ("a.json", '{"resourceType": "Patient", "id": "a", "id": "a"}', "stands twice"),
    ],
)  # fmt: skip
def test_what_is_no_resource_of_r4_is_a_finding(tmp_path: Path, name: str, content: Any, said: str) -> None:
    result = run(put(tmp_path, name, content))
    assert result.exit_code == 1
    assert said in result.stdout
    assert result.stdout.endswith((": 1 error.\n", ": 1 warning.\n"))
    assert "Traceback" not in result.output


def test_the_others_go_on(tmp_path: Path) -> None:
    result = run(put(tmp_path, "a.json", ""), put(tmp_path, "b.ndjson", f"{{\n{BAD}\n{GOOD}"))
    assert result.stdout.endswith("4 resources in 2 files: 3 errors.\n")


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
    file = put(tmp_path, "p.json", GOOD)
    assert [run("--jobs", "0", file).exit_code, run("--format", "x", file).exit_code] == [2, 2]
    assert run("--package", tmp_path / "none", file).exit_code == 2


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, other = put(tmp_path, "locked.json", GOOD), put(tmp_path, "other.json", BAD)
    read = Path.open

    def refuse(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    result = run(locked, other)
    assert result.exit_code == 3
    assert f"{locked}: cannot be read (Permission denied)." in result.stderr
    assert "Patient/p2" in result.stdout


def test_a_packed_file_that_is_cut_off(tmp_path: Path) -> None:
    for name in ("a.ndjson.gz", "a.json.gz"):
        result = run(put(tmp_path, name, gzip.compress(GOOD.encode())[:-12]))
        assert result.exit_code == 3
        assert "damaged or cut off" in result.stderr


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json"))
    try:
        path.write_text(BAD)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    ended = subprocess.run(
        [sys.executable, "-m", "fhir_adapter.cli", "validate", path], capture_output=True, check=False
    )
    assert ended.returncode == 1
    assert b":1:41: Patient/p2" in ended.stdout


def test_on_a_terminal_findings_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    path = put(tmp_path, "p.json", BAD)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "fhir_adapter.cli", "validate", str(path)]
    started = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    # Linux says with an error that the other end is closed.
    with suppress(OSError):
        while read := os.read(ours, 4096):
            shown += read
    os.close(ours)
    assert started.wait(60) == 1
    assert b"validating" in shown
    # Back to the line's beginning, and what stood there taken away.
    assert f"\r\x1b[2K{path}:1:41: ".encode() in shown
