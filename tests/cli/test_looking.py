"""``report``, ``queries`` and ``explain``: they show what there is and change nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from tests.cli.folders import DAY, command, lines, said, two_sources


@pytest.fixture(scope="module")
def with_queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of eleven participants, some of whom raise queries."""
    home = tmp_path_factory.mktemp("queries")
    assert command("run", two_sources(home, 11), *DAY).exit_code == 1
    return home


def test_the_report(done_once: Path) -> None:
    result = command("report", done_once)
    assert result.exit_code == 0
    assert "NCT06410833, as of 2026-03-01" in result.stdout
    row = next(line for line in result.stdout.splitlines() if "JSS-02" in line)
    for part in ("11 → 3 (-8)", "5.7 → 4.7 (-1)", "0.08 → 0.1 (+0.02)", "28 → 24 (-4)", "responder"):
        assert part in row
    assert "JSS-01 (responder → non-responder)" in result.stdout
    assert "3 of 3      100.0 %  29.2 to 100.0 %" in result.stdout


def test_the_report_as_json_has_more_decimals(done_once: Path) -> None:
    found = json.loads(command("report", done_once, "--json").stdout)
    second = found["participants"][1]
    assert second["scores"]["esspri"]["baseline"]["number"] == 5.6667
    assert second["scores"]["salivary-flow"]["change"]["number"] == 0.02
    anchors = [each for each in found["readings"] if each["reading"] == "anchor-first-belimumab"]
    assert anchors[0]["no_data"] == ["JSS-01", "JSS-02", "JSS-03"]
    assert found["changes"][0]["n"] == 3


def test_queries_keep_their_ids_and_are_resolved(with_queries: Path) -> None:
    result = command("queries", with_queries)
    assert result.exit_code == 1
    assert "conflicting-values" in result.stdout
    found = json.loads(command("queries", with_queries, "--json").stdout)
    assert {(each["subject"], each["kind"]) for each in found} == {
        ("JSS-02", "dosing-deviation"), ("JSS-03", "dosing-deviation"), ("JSS-06", "consents-disagree"),
        ("JSS-08", "contradiction"), ("JSS-08", "not-confirmed"), ("JSS-10", "conflicting-values"),
        ("JSS-10", "not-final"), ("JSS-11", "invalid-level"), ("JSS-11", "no-date"),
    }  # fmt: skip
    assert all(each["resolved"] is None and each["first_seen"] and each["sources"] for each in found)


def test_a_resolved_query_is_listed_only_with_all(tmp_path: Path) -> None:
    two_sources(tmp_path, 10)
    assert command("run", tmp_path, *DAY).exit_code == 1
    before = json.loads(command("queries", tmp_path, "--json").stdout)
    path = tmp_path / "hospital" / "Observation.ndjson"
    for each in path.parent.glob("Observation*.ndjson"):
        text = each.read_text("utf-8")
        each.write_text(text.replace('"status":"preliminary"', '"status":"final"'), encoding="utf-8")
    assert command("run", tmp_path, *DAY).exit_code == 1
    still = json.loads(command("queries", tmp_path, "--json").stdout)
    assert {each["id"] for each in still} < {each["id"] for each in before}
    everything = json.loads(command("queries", tmp_path, "--all", "--json").stdout)
    assert [each["kind"] for each in everything if each["resolved"]] == ["not-final"]


def test_no_query_is_exit_0(tmp_path: Path) -> None:
    two_sources(tmp_path, 1)
    assert command("run", tmp_path, *DAY).exit_code == 0
    result = command("queries", tmp_path)
    assert (result.exit_code, result.stdout.strip()) == (0, "Data queries: none.")


def test_explain_at_a_glance(done_once: Path) -> None:
    result = command("explain", "JSS-03", "all", done_once)
    assert result.exit_code == 0
    for part in (
        "consent 2024-04-24", "window of week-28: 2024-11-04 to 2024-12-02", "Rituximab, 2024-05-13: 560 mg",
        "star week-28: 9", "hospital: Patient/pat-jss-03",
    ):  # fmt: skip
        assert part in result.stdout


def test_explain_goes_down_to_the_version_of_the_source(done_once: Path) -> None:
    result = command("explain", "JSS-02", "response", done_once)
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "1700 mg/dL" in line)
    assert line.strip().startswith(
        "Immunoglobulin G, week-28, 2024-10-29: 1700 mg/dL = 17 g/L ← hospital: urn:"
    )
    assert line.endswith("/_history/1")


def test_explain_goes_through_other_outcomes(done_once: Path) -> None:
    found = json.loads(command("explain", "JSS-01", "star", done_once, "--json").stdout)
    systemic = next(part for part in found[0]["parts"] if part["name"] == "systemic")
    assert [(each["outcome"], each["visit"], each["number"]) for each in systemic["rests_on"]] == [
        ("clinessdai", "baseline", 13), ("clinessdai", "week-28", 3),
    ]  # fmt: skip
    facts = systemic["rests_on"][0]["rests_on"]
    assert facts[0]["item"] == "essdai-constitutional"
    assert facts[0]["sources"][0]["resource"].startswith("QuestionnaireResponse/")


def test_explain_at_one_visit(done_once: Path) -> None:
    both = json.loads(command("explain", "JSS-01", "essdai", done_once, "--json").stdout)
    one = json.loads(command("explain", "JSS-01", "essdai@baseline", done_once, "--json").stdout)
    assert [each["visit"] for each in both] == ["baseline", "week-28"]
    assert one == both[:1]


def test_explain_shows_the_correction_that_won(done_once: Path) -> None:
    text = command("explain", "JSS-03", "response", done_once).stdout
    assert "14.2 g/L" in text
    assert "24.1 g/L" not in text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("JSS-99",), ("no participant 'JSS-99'", "fhir-adapter report")),
        (("JSS-01", "essdia"), ("no outcome 'essdia'", "Outcomes are: essdai")),
        (("JSS-01", "essdai@week-52"), ("no outcome", "visits: baseline, week-28")),
        (("JSS-S1", "star"), ("'screening' does not count",)),
    ],
)
def test_names_that_do_not_exist(done_once: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    given = arguments if len(arguments) == 2 else (*arguments, "all")
    said(command("explain", *given, done_once), 2, *parts)


def test_somebody_who_does_not_count_has_an_overview(done_once: Path) -> None:
    result = command("explain", "JSS-S1", "all", done_once)
    assert result.exit_code == 0
    assert "no outcomes" in result.stdout


def test_the_study_may_stand_in_the_place_of_the_outcome(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    shown = command("explain", "JSS-01", study.name)
    assert (shown.exit_code, shown.stdout) == (0, command("explain", "JSS-01", "all", study).stdout)
    (study / "star").mkdir()
    monkeypatch.chdir(study)
    assert command("explain", "JSS-01", "star").stdout.startswith("JSS-01, STAR")


def test_grades_are_summed_but_for_their_own_score(done_once: Path) -> None:
    response = command("explain", "JSS-02", "response", done_once).stdout
    assert "Hočevar, baseline, 2024-04-10: 20 grades, sum 28; listed with" in response
    assert "Hočevar, week-28, 2024-10-29: 20 grades, sum 24; listed with" in response
    own = "explain JSS-02 hocevar"
    assert response.count(own) == 2
    assert "echogenicity" not in response
    assert command(*own.split(), done_once).stdout.count("echogenicity against the thyroid") == 8


def test_queries_name_resources_and_json_their_addresses(with_queries: Path) -> None:
    printed = command("queries", with_queries).stdout
    assert "Observation/his-jss-10-o55 Observation/his-jss-10-o56 " in printed
    assert "urn:" not in printed
    (asked, *_) = json.loads(command("queries", with_queries, "--json").stdout)
    for short, address in zip(asked["resources"], asked["sources"], strict=True):
        assert address.endswith(f":{short}/_history/1")


@pytest.mark.parametrize("name", ["report", "queries", "push", "explain"])
@pytest.mark.parametrize("gone", [True, False], ids=["the first pull failed", "only pulled"])
def test_nothing_to_look_at_before_anything_was_scored(tmp_path: Path, name: str, gone: bool) -> None:
    two_sources(tmp_path, 1)
    if gone:
        (tmp_path / "ratings").rename(tmp_path / "elsewhere")
    assert command("run" if gone else "pull", tmp_path).exit_code == (3 if gone else 0)
    given = ("JSS-01",) if name == "explain" else ()
    said(command(name, *given, tmp_path), 3, "Nothing has been scored yet", "fhir-adapter run")


@pytest.mark.parametrize("name", ["report", "queries", "score", "push"])
def test_nothing_to_look_at_before_the_first_run(tmp_path: Path, name: str) -> None:
    two_sources(tmp_path, 1)
    said(command(name, tmp_path), 3, "Nothing has been pulled yet", "fhir-adapter run")
    assert not (tmp_path / "study.sqlite").exists()


def test_the_record_of_every_run(study: Path) -> None:
    command("run", study, *DAY)
    table = said(command("runs", study), 0)
    assert table == ""
    found = json.loads(command("runs", study, "--json").stdout)
    assert [each["summary"]["pushed"]["created"] for each in found] == [66, 0]
    assert [each["summary"]["pushed"]["unchanged"] for each in found] == [0, 66]
    for each in found:
        assert each["finished"] > each["started"]
        assert {"user", "software", "study", "protocol", "mappings", "as_of"} <= set(each["about"])


def test_a_push_leaves_an_audit_event_where_the_study_asks_for_it(study: Path) -> None:
    file = study / "study.toml"
    target = '[target]\nfolder = "again"\naudit = true'
    file.write_text(file.read_text("utf-8").replace('[target]\nfolder = "outcomes"', target), "utf-8")
    assert command("run", study, *DAY).exit_code == 1
    (event,) = lines(study / "again" / "AuditEvent.ndjson")
    AuditEvent.model_validate(event)
    assert event["outcomeDesc"] == "66 outcomes written, 0 in conflict"
    command("run", study, *DAY)
    assert len(lines(study / "again" / "AuditEvent.ndjson")) == 1
