"""Who takes part, and whose data are whose: nothing is given to somebody by the order of a list."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.errors import StudyFileError
from fhir_adapter.pipeline.run import Report, rescored, run
from fhir_adapter.scores.rate import response_rates
from fhir_adapter.study import read_study
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.workspace import Workspace
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study

STEPS = frozenset(("pull", "score"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    generator.write_ndjson(generator.hospital(participants=2), tmp_path)
    write_study(tmp_path, hospital="hospital", ratings="ratings", target="outcomes")
    return tmp_path


def scored(home: Path, as_of: date = AS_OF) -> Report:
    return run(read_study(home / "study.toml"), STEPS, as_of)


def documents(home: Path) -> dict[str, Any]:
    """What was computed, without the addresses of the sources."""
    left_out = ("derivedFrom",)
    with Workspace(read_study(home / "study.toml").workspace) as workspace:
        return {
            each.id: {key: value for key, value in each.document.items() if key not in left_out}
            for each in workspace.outcomes()
        }


def kinds(report: Report) -> dict[str, set[QueryKind]]:
    assert report.scored is not None
    found: dict[str, set[QueryKind]] = {}
    for query in report.scored.queries.values():
        found.setdefault(query.subject, set()).add(query.kind)
    return found


def change(path: Path, edit: Any) -> None:
    resources = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(each) + "\n" for each in edit(resources)), "utf-8")


def test_one_patient_of_two_participants_is_nobodys(home: Path) -> None:
    def edit(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        resources[1]["individual"] = resources[0]["individual"]
        return resources

    change(home / "hospital" / "ResearchSubject.ndjson", edit)
    report = scored(home)
    assert {id for id, found in kinds(report).items() if QueryKind.SHARED_PATIENT in found} == {
        "JSS-01",
        "JSS-02",
    }
    again = rescored(read_study(home / "study.toml")).scored
    assert again is not None
    assert again.doses
    assert not any(again.doses.values())


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_that_stands_twice_and_differs_counts_nowhere(home: Path, order: int) -> None:
    def edit(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        again = {**resources[0], "id": "again", "status": "screening"}
        return [*resources, again][::order]

    change(home / "hospital" / "ResearchSubject.ndjson", edit)
    report = scored(home)
    assert kinds(report)["JSS-01"] == {QueryKind.DUPLICATE_PARTICIPANT}
    assert report.scored is not None
    assert "JSS-01" not in report.scored.assessments
    assert "JSS-02" in report.scored.assessments


def test_a_number_that_stands_twice_alike_is_one(home: Path) -> None:
    change(
        home / "hospital" / "ResearchSubject.ndjson",
        lambda resources: [*resources, {**resources[0], "id": "again"}],
    )
    assert "JSS-01" not in kinds(scored(home))


def with_list(home: Path, *lines: str) -> None:
    (home / "participants.csv").write_text(
        "\n".join(("subject,mrn,status,consent,withdrawn", *lines)), "utf-8"
    )
    file = home / "study.toml"
    text = file.read_text("utf-8").replace('source = "hospital"\nid', 'file = "participants.csv"\nid')
    file.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (("A,1,on-study,,", "A,2,screening,,"), "line 2 stands here again"),
        (("A,1",), "none of ResearchSubject's"),
        (("A,1,active,,",), "none of ResearchSubject's"),
        (("A,,on-study,,",), "no subject or no mrn"),
        (("A,1,on-study,soon,",), "consent is not a day"),
        (('A,"' + "x" * 200_000 + '",on-study,,',), "not CSV"),
    ],
    ids=["twice", "short", "status", "no number", "no day", "huge"],
)
def test_faults_of_the_list_name_their_line(home: Path, lines: tuple[str, ...], part: str) -> None:
    with_list(home, *lines)
    with pytest.raises(StudyFileError, match=part) as fault:
        scored(home)
    assert "participants.csv:" in fault.value.where


def test_a_damaged_line_is_no_deletion(home: Path) -> None:
    before = scored(home)
    path = home / "hospital" / "Observation.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((lines[0][: len(lines[0]) // 2] + b"\n", *lines[1:])))
    after = scored(home)
    assert after.pulled is not None
    assert [each.gone for each in after.pulled] == [0, 0]
    assert after.pulled[0].findings
    assert after.changed == (0, 0)
    assert before.changed[0] > 0


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"versionId": "9"}, {"versionId": "10"}),
        ({"lastUpdated": "2025-01-01T09:00:00+08:00"}, {"lastUpdated": "2025-01-01T02:00:00Z"}),
        ({"versionId": "10", "lastUpdated": "2025-01-01T00:00:00Z"},
         {"versionId": "9", "lastUpdated": "2025-01-02T00:00:00Z"}),
    ],
    ids=["number", "instant", "instant before number"],
)  # fmt: skip
def test_the_newest_version_stands_in_any_order(
    home: Path, older: dict[str, str], newer: dict[str, str], order: int
) -> None:
    def edit(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first, *rest = resources
        pair = [{**first, "meta": older, "status": "cancelled"}, {**first, "meta": newer}]
        return [*pair, *rest][::order]

    scored(home)
    expected = documents(home)
    change(home / "hospital" / "Observation.ndjson", edit)
    scored(home)
    # Another version is another address of the source; what counts is that the cancelled one does not stand.
    assert documents(home) == expected
    again = scored(home)
    assert again.pulled is not None
    assert [each.new for each in again.pulled] == [0, 0]


def test_two_contents_that_nothing_orders_are_a_finding(home: Path) -> None:
    def edit(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first = {key: value for key, value in resources[0].items() if key != "meta"}
        return [first, {**first, "status": "cancelled"}, *resources[1:]]

    change(home / "hospital" / "Observation.ndjson", edit)
    report = scored(home)
    assert report.pulled is not None
    assert [finding.element for finding in report.pulled[0].findings] == ["meta"]
    assert [each.new for each in (scored(home).pulled or ())] == [0, 0]


def only_drug(home: Path, drug: str) -> None:
    """Leave the doses of one drug, whatever its codes are."""
    scored(home)
    found = rescored(read_study(home / "study.toml")).scored
    assert found is not None
    kept = {
        origin.id
        for doses in found.doses.values()
        for dose in doses
        if dose.drug == drug
        for origin in dose.origins
    }
    change(
        home / "hospital" / "MedicationAdministration.ndjson",
        lambda resources: [each for each in resources if each["id"] in kept],
    )


def status(home: Path, value: str) -> None:
    change(
        home / "hospital" / "ResearchSubject.ndjson",
        lambda resources: [{**each, "status": value} for each in resources],
    )


@pytest.mark.parametrize(
    ("state", "result", "counted"), [("off-study", "undetermined", 2), ("on-study", None, 0)]
)
def test_treated_without_rituximab(home: Path, state: str, result: str | None, counted: int) -> None:
    """§13, §14.8: whoever had a dose and ended counts, as a failure; who is on study does not yet."""
    only_drug(home, "belimumab")
    status(home, state)
    report = scored(home)
    assert report.scored is not None
    responses = report.scored.outcomes(OutcomeCode.RESPONSE, "week-28")
    assert {each.result for id, each in responses.items() if report.scored.dosed(id)} == {result}
    main = response_rates(each for id, each in responses.items() if report.scored.dosed(id))[0]
    assert (main.responders, main.n) == (0, counted)


def test_a_dose_from_before_consent_treats_nobody(home: Path) -> None:
    only_drug(home, "rituximab")
    change(
        home / "hospital" / "ResearchSubject.ndjson",
        lambda resources: [{**each, "period": {"start": "2025-12-31"}} for each in resources],
    )
    report = scored(home)
    assert report.scored is not None
    assert not any(report.scored.dosed(id) for id in report.scored.assessments)
