"""What a changed record does to a participant's conduct: from the folder to what is written and asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.folders import DAY, command, lines


def replaced(study: Path, name: str, part: str, old: str, new: str) -> None:
    """In the one line of a file of the hospital that has ``part``, ``old`` becomes ``new``."""
    path = study / "hospital" / name
    text = path.read_text("utf-8")
    (line,) = [each for each in text.splitlines() if part in each and old in each]
    changed = line.replace(old, new).replace('"versionId":"1"', '"versionId":"2"')
    path.write_text(text.replace(line, changed), encoding="utf-8")


def run(study: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """The queries about JSS-01 after a run: item and kind → values."""
    assert command("run", study, *DAY).exit_code == 1
    asked = json.loads(command("queries", study, "--json").stdout)
    return {
        (each["item"], each["kind"]): tuple(each["values"]) for each in asked if each["subject"] == "JSS-01"
    }


def written(study: Path, outcome: str, visit: str) -> dict[str, Any]:
    """An outcome of JSS-01 as it stands in the target's folder."""
    (found,) = [
        each
        for each in lines(study / "outcomes" / "Observation.ndjson")
        if each["code"]["coding"][0]["code"] == outcome
        and each["extension"][1]["valueCode"] == visit
        and "JSS-01" in [one["value"] for one in each["identifier"]]
    ]
    return found


def component(outcome: dict[str, Any], code: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in outcome["component"] if each["code"]["coding"][0]["code"] == code
    )
    return found


def test_a_rating_that_the_values_do_not_allow_is_scored_and_asked_about(study: Path) -> None:
    """§1.3: IgG above 20 is moderate; rated is low. §14.1: the rated level wins."""
    before = written(study, "essdai", "week-28")["valueQuantity"]["value"]
    replaced(study, "Observation.ndjson", "2024-10-15", '"value":18.0', '"value":25.0')
    asked = run(study)
    assert asked[("essdai-biological", "rating-disagrees")] == ("proposed 2", "rated 1")
    essdai = written(study, "essdai", "week-28")
    assert essdai["valueQuantity"]["value"] == before == 3
    assert component(essdai, "proposed-biological")["valueQuantity"]["value"] == 2
    assert any("Observation" in each["identifier"]["value"] for each in essdai["derivedFrom"])


def test_a_late_dose_is_named_with_its_size(study: Path) -> None:
    """§7: belimumab 4 is planned for 2024-07-29, 84 days after the first; 2024-08-08 is 10 days later."""
    replaced(study, "MedicationAdministration.ndjson", "pat-jss-01", "2024-07-29", "2024-08-08")
    said = "belimumab 4 on 2024-08-08: 10 days late (planned 2024-07-29)"
    assert run(study)[("belimumab", "dosing-deviation")] == (said,)
    late = component(written(study, "calendar", "study"), "deviation-late")
    assert (late["valueQuantity"]["value"], late["code"]["text"]) == (1, said)
    assert said in command("explain", "JSS-01", "calendar", study).stdout


def test_a_diagnosis_closes_the_door(study: Path) -> None:
    """§8 E7: the condition of JSS-01 was Sjögren's syndrome, M35.0; now it is a malignancy."""
    assert written(study, "eligibility", "study")["valueCodeableConcept"]["coding"][0]["code"] == "satisfied"
    condition = next(
        each
        for each in lines(study / "hospital" / "Condition.ndjson")
        if each["subject"]["reference"] == "Patient/pat-jss-01"
    )
    assert "M35.0" in json.dumps(condition)
    replaced(study, "Condition.ndjson", f'"id":"{condition["id"]}"', "M35.000x001", "C85.900")
    run(study)
    eligibility = written(study, "eligibility", "study")
    assert eligibility["valueCodeableConcept"]["coding"][0]["code"] == "violated"
    malignancy = component(eligibility, "malignancy")
    assert malignancy["code"]["text"] == "E7"
    assert malignancy["valueCodeableConcept"]["coding"][0]["code"] == "violated"
    (proof,) = [
        each
        for each in lines(study / "outcomes" / "Provenance.ndjson")
        if each["target"][0]["reference"] == f"Observation/{eligibility['id']}"
        and each["activity"]["coding"][0]["code"] == "UPDATE"
    ]
    assert any(
        f"Condition/{condition['id']}/_history/2" in each["what"]["identifier"]["value"]
        for each in proof["entity"]
    )


def test_a_malignancy_entered_in_error_changes_nothing_and_is_asked_about(study: Path) -> None:
    """§13: it is as if it never was; that it would close the door, a person must know."""
    before = written(study, "eligibility", "study")
    condition = {
        "resourceType": "Condition",
        "id": "slip",
        "meta": {"versionId": "1"},
        "verificationStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                    "code": "entered-in-error",
                }
            ]
        },
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C85.9"}]},
        "subject": {"reference": "Patient/pat-jss-01"},
        "onsetDateTime": "2020-02-03",
    }
    with (study / "hospital" / "Condition.ndjson").open("a", encoding="utf-8") as file:
        file.write(json.dumps(condition) + "\n")
    assert run(study)[("E7", "entered-in-error")] == ("satisfied", "violated if it counted")
    assert written(study, "eligibility", "study") == before
    (asked,) = [
        each
        for each in json.loads(command("queries", study, "--json").stdout)
        if each["kind"] == "entered-in-error"
    ]
    assert "Condition/slip" in json.dumps(asked)


def test_a_score_that_a_form_shows_wrongly_is_asked_about_and_not_used(study: Path) -> None:
    """§13: the ESSDAI of JSS-01 at week 28 is 3, and the form shows 30."""
    before = written(study, "essdai", "week-28")
    path = study / "ratings" / "QuestionnaireResponse.ndjson"
    forms = lines(path)
    (last,) = [
        each
        for each in forms
        if each["subject"]["reference"] == "Patient/subj-jss-01"
        and each["questionnaire"].endswith("/essdai")
        and each["authored"].startswith("2024-10")
    ]
    last["item"].append({"linkId": "essdai", "answer": [{"valueInteger": 30}]})
    last["meta"] = {**last.get("meta", {}), "versionId": "2"}
    path.write_text("".join(json.dumps(each) + "\n" for each in forms), encoding="utf-8")
    assert run(study)[("essdai", "total-disagrees")] == ("3", "30")
    (asked,) = [
        each
        for each in json.loads(command("queries", study, "--json").stdout)
        if each["kind"] == "total-disagrees"
    ]
    assert asked["visit"] == "week-28"
    after = written(study, "essdai", "week-28")
    assert after["valueQuantity"] == before["valueQuantity"]
