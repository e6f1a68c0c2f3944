"""Who may enter, from the hospital's records: the criteria of the fifteen stories, as worked out by hand.

``tests/hospital/expected.toml`` says what is violated and what is undetermined; all else is satisfied.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.conduct.answers import Answer
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.pipeline.run import rescored, run
from fhir_adapter.study import read_study
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study
from tests.servers import running_sekmet

EXPECTED: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[1] / "hospital" / "expected.toml").read_text(encoding="utf-8")
)
CHILDREN: dict[str, dict[str, Any]] = {child["id"]: child for child in EXPECTED["participant"]}
CRITERIA = {
    "I1", "I2", "I3a", "I3b", "I4", "E1", "E2", "E3", "E4", "E5a", "E5b", "E5c", "E5d", "E5e", "E6", "E7",
    "E8", "E9", "E10", "E11",
}  # fmt: skip


@pytest.fixture(scope="module", params=["folders", "server"])
def conducts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("entry")
    hospital = generator.hospital()
    generator.write_ndjson(hospital, home)
    if request.param == "folders":
        path = write_study(home, hospital="hospital", ratings="ratings", target="outcomes")
        yield _conducts(path)
        return
    with running_sekmet(home / "server") as base:
        generator.load(hospital.sources["hospital"], base)
        yield _conducts(write_study(home, hospital=base, ratings="ratings", target=base))


def _conducts(path: Path) -> dict[str, Conduct]:
    study = read_study(path)
    run(study, frozenset(("pull", "score")), AS_OF)
    scored = rescored(study, AS_OF).scored
    assert scored is not None
    return dict(scored.conduct)


def answers(conduct: Conduct) -> dict[str, Answer]:
    return {answer.criterion: answer for answer in conduct.answers}


@pytest.mark.parametrize("id", CHILDREN)
def test_every_criterion(conducts: dict[str, Conduct], id: str) -> None:
    expected = CHILDREN[id]["eligibility"]
    found = answers(conducts[id])
    assert set(found) == CRITERIA
    by_verdict = {
        verdict: {code for code, answer in found.items() if answer.verdict == verdict}
        for verdict in ("violated", "undetermined")
    }
    assert by_verdict == {verdict: set(expected[verdict]) for verdict in by_verdict}


@pytest.mark.parametrize("id", CHILDREN)
def test_readings_that_differ(conducts: dict[str, Conduct], id: str) -> None:
    words = {True: "satisfied", False: "violated", None: "undetermined"}
    differing = {
        f"{code} {reading}": words[holds]
        for code, answer in answers(conducts[id]).items()
        for reading, holds in answer.readings.items()
        if holds is not answer.holds
    }
    assert differing == CHILDREN[id]["eligibility"].get("differs", {})


@pytest.mark.parametrize(
    ("id", "code", "type"),
    [
        ("JSS-01", "I1", "Patient"),
        ("JSS-01", "I3a", "MedicationRequest"),
        ("JSS-02", "E1", "MedicationRequest"),
        ("JSS-03", "E5b", "Encounter"),
        ("JSS-04", "E5d", "Immunization"),
        ("JSS-06", "I4", "Consent"),
        ("JSS-09", "E6", "Condition"),
        ("JSS-10", "E5e", "QuestionnaireResponse"),
        ("JSS-13", "E3", "Observation"),
    ],
)
def test_an_answer_names_the_resources_that_decide(
    conducts: dict[str, Conduct], id: str, code: str, type: str
) -> None:
    assert type in {origin.type for origin in answers(conducts[id])[code].origins}


@pytest.mark.parametrize("code", ["E6", "E7", "E5d"])
def test_no_record_counts_as_none_where_the_type_was_received(
    conducts: dict[str, Conduct], code: str
) -> None:
    """§14.14."""
    assert answers(conducts["JSS-01"])[code].remarks == ("no-record",)
