"""``eligibility``: the answers of the stories, with what decides them, on the screen and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter import shipped
from fhir_adapter.report.table import as_json
from tests.cli.folders import DAY, command, said, two_sources


def _of(study: Path, subject: str, *more: str) -> dict[str, Any]:
    (found,) = json.loads(command("eligibility", subject, study, "--json", *more).stdout)
    assert isinstance(found, dict)
    return found


def test_a_participant_as_a_table(done_once: Path) -> None:
    """§8 E1: rituximab on 2023-11-20, inside the six months before day 0; E10: IgG 3.9 g/L."""
    result = command("eligibility", "JSS-02", done_once)
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert rows[0] == "JSS-02, follow-up: criteria of entry violated"
    (biologics,) = [row for row in rows if row.strip().startswith("E1 ")]
    for part in ("Previously treated with rituximab within six mon", "violated", "2023-11-20", "MedicationR"):
        assert part in biologics
    (gate,) = [row for row in rows if row.strip().startswith("E10 ")]
    for part in ("violated", "390 mg/dL = 3.9 g/L", "hospital: Observation/"):
        assert part in gate
    assert "E5b, E5c, E6, E7: There is no such record" in result.stdout


def test_a_participant_as_json(done_once: Path) -> None:
    found = _of(done_once, "JSS-02")
    assert (found["subject"], found["answer"]) == ("JSS-02", "violated")
    by_code = {each["criterion"]: each for each in found["criteria"]}
    assert [code for code, each in by_code.items() if each["answer"] == "violated"] == ["E1", "E10"]
    age = by_code["I1"]
    assert (age["sentence"], age["readings"]) == ("Age 5-18 years old.", {"before-birthday": "satisfied"})
    assert by_code["E4"]["parts"] == dict.fromkeys(("hbv", "hcv", "hiv", "tb"), "satisfied")
    (fact,) = by_code["E1"]["decides"]
    assert (fact["title"], fact["day"]) == ("Rituximab", "2023-11-20")
    assert fact["sources"][0]["resource"].startswith("MedicationRequest/")
    assert by_code["E7"]["remarks"][0].startswith("There is no such record")


def test_what_is_missing_and_who_must_supply_it(tmp_path: Path) -> None:
    """The fourth story has no answer to E2 and no values before belimumab; the seventh no height."""
    home = two_sources(tmp_path, 7)
    command("run", home, *DAY)
    fourth = {each["criterion"]: each for each in _of(home, "JSS-04")["criteria"]}
    assert fourth["E2"]["missing"] == [
        {"supplier": "form", "what": "Took part in another trial within 6 months"}
    ]
    assert [each["supplier"] for each in fourth["E10"]["missing"]] == ["laboratory", "laboratory"]
    seventh = {each["criterion"]: each for each in _of(home, "JSS-07")["criteria"]}
    assert seventh["E3"]["missing"] == [{"supplier": "physician", "what": "Body height"}]
    assert seventh["E3"]["answer"] == "undetermined"


def test_an_open_criterion_is_answered_as_the_page_says(tmp_path: Path) -> None:
    """The fourth story's form says "not sure" on 2024-06-06; day 0 is 2024-06-10."""
    home = two_sources(tmp_path, 4)
    command("run", home, *DAY)
    page = (Path(__file__).parents[2] / "docs" / "eligibility.md").read_text("utf-8")
    answer = json.loads(page.partition("```json\n")[2].partition("```")[0])
    answer["subject"]["reference"] = "Patient/subj-jss-04"
    with (home.parent / "ratings" / "Observation.ndjson").open("a", encoding="utf-8") as file:
        file.write(json.dumps(answer) + "\n")
    assert "rewritten: JSS-04 eligibility study" in command("run", home, *DAY).stdout
    fourth = {each["criterion"]: each for each in _of(home, "JSS-04")["criteria"]}
    assert (fourth["E2"]["answer"], fourth["E2"]["missing"]) == ("satisfied", [])


def test_everybody_at_a_glance(done_once: Path) -> None:
    for arguments in (("eligibility", done_once), ("eligibility", "all", done_once)):
        rows = [row.split() for row in command(*arguments).stdout.splitlines()]
        (first,) = [row for row in rows if row[:1] == ["JSS-01"]]
        assert first == ["JSS-01", "follow-up", "satisfied", *["yes"] * 20]
        (third,) = [row for row in rows if row[:1] == ["JSS-03"]]
        assert third[2] == "violated"
        assert [rows[1][3:][number] for number, each in enumerate(third[3:]) if each == "no"] == [
            "E5b", "E5c", "E11",
        ]  # fmt: skip


def test_json_is_one_object_a_participant_of_one_as_of_all(done_once: Path) -> None:
    text = command("eligibility", done_once, "--json").stdout
    whole = json.loads(text)
    assert [each["subject"] for each in whole][:3] == ["JSS-01", "JSS-02", "JSS-03"]
    assert whole[1] == _of(done_once, "JSS-02")
    assert text == as_json(whole) + "\n"


def test_the_filtration_rate_is_shown_with_what_it_comes_from(done_once: Path) -> None:
    """§8.2: 150 cm and 45 umol/L: 0.413 × 150 / (45 / 88.4) = 121.6973. At 4335 / 365.25 years a girl's k
    is 36.1 × 1.008^(4335 / 365.25 − 12) = 36.0622, and 36.0622 × 1.5 / (45 / 88.4) = 106.2633.
    """
    by_code = {each["criterion"]: each for each in _of(done_once, "JSS-01")["criteria"]}
    assert {each["item"]: each["value"] for each in by_code["E3"]["computed"]} == {
        "egfr-bedside-schwartz": "121.6973 mL/min/1.73 m²",
        "egfr-ckid-u25": "106.2633 mL/min/1.73 m²",
    }
    assert all(not each["computed"] for code, each in by_code.items() if code != "E3")
    printed = command("eligibility", "JSS-01", done_once).stdout
    for part in (
        "Body height, 2024-03-27: 150 cm",
        "Creatinine, 2024-03-27: 45 umol/L = 0.509 mg/dL",
        "eGFR by bedside Schwartz: 121.6973 mL/min/1.73 m²",
        "eGFR by CKiD U25: 106.2633 mL/min/1.73 m²",
    ):
        assert part in printed


def test_before_the_first_dose_the_day_is_that_of_the_run(done_once: Path) -> None:
    """JSS-01 had the first dose on 2024-04-01."""
    found = _of(done_once, "JSS-01", "--as-of", "2024-03-25")
    remarks = {each["criterion"]: each["remarks"] for each in found["criteria"]}
    assert any("No study dose has been given yet" in each for each in remarks["E7"])
    assert {each["criterion"]: each["answer"] for each in found["criteria"]}["E10"] == "undetermined"


def test_explain_goes_down_to_the_resource(done_once: Path) -> None:
    text = command("explain", "JSS-02", "eligibility", done_once).stdout
    (line,) = [row for row in text.splitlines() if "2023-11-20" in row]
    assert line.strip().startswith("Rituximab, 2023-11-20: into vein or muscle, for M35.0 ← hospital: urn:")
    assert "E1 No earlier biologics: Violated" in text


def test_the_report_counts_them(done_once: Path) -> None:
    found = json.loads(command("report", done_once, "--json").stdout)
    counted = {
        each["criterion"]: (each["satisfied"], each["violated"], each["undetermined"])
        for each in found["criteria"]
    }
    assert (counted["I1"], counted["E1"], counted["E5b"]) == ((3, 0, 0), (2, 1, 0), (2, 1, 0))
    treated = {each["subject"]: each for each in found["dosing"]}
    first = treated["JSS-02"]["deviations"][0]
    assert (first["kind"], first["criterion"]) == ("gate-not-met", "E10")
    assert "belimumab 1 on 2024-05-27: E10 is not met" in command("report", done_once).stdout


@pytest.mark.parametrize(
    ("subject", "parts"),
    [("JSS-99", ("no participant 'JSS-99'", "fhir-adapter eligibility")), ("trail", ("no participant",))],
)
def test_names_that_do_not_exist(done_once: Path, subject: str, parts: tuple[str, ...]) -> None:
    said(command("eligibility", subject, done_once), 2, *parts)


def test_a_trial_without_criteria(tmp_path: Path) -> None:
    path = two_sources(tmp_path, 1)
    rules = tmp_path / "rules.toml"
    text = (shipped.PROTOCOLS / "nct06410833.toml").read_text("utf-8")
    start, end = text.index("# Who may enter."), text.index("[egfr]")
    rules.write_text(text[:start] + text[end:], encoding="utf-8")
    path.write_text(path.read_text("utf-8").replace('"nct06410833"', '"rules.toml"'), encoding="utf-8")
    assert command("run", tmp_path, *DAY).exit_code == 0
    said(command("eligibility", tmp_path), 2, "no criteria of entry", "[eligibility]")
    outcomes = (tmp_path / "outcomes" / "Observation.ndjson").read_text("utf-8")
    assert '"eligibility"' not in outcomes
    assert "Criteria of entry" not in command("report", tmp_path).stdout
