"""What a pull from a folder of NDJSON leaves in the workspace: of each id what its source changed last."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.pipeline.pull import Pulled
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import Study, read_study
from fhir_adapter.workspace import Share, Workspace
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study

STUDY = """\
[study]
identifier = "https://clinicaltrials.gov|NCT06410833"
protocol = "nct06410833"
timezone = "Asia/Shanghai"
workspace = "study.sqlite"
[participants]
file = "participants.csv"
identifier_system = "urn:example:trial-participant"
match = "mrn"
[[source]]
name = "site"
folder = "site"
mapping = "example-cn"
[target]
folder = "outcomes"
"""
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:example:mrn", "value": "M1"}],
}
TIE = "Two contents stand under this id"


def study_in(home: Path) -> Study:
    """A study of one participant, the patient p1, who was pulled already, and of whom nothing is known."""
    (home / "site").mkdir()
    (home / "participants.csv").write_text("subject,mrn,status\nS-1,M1,on-study\n")
    (home / "study.toml").write_text(STUDY)
    (home / "site" / "Patient.ndjson").write_text(json.dumps(PATIENT))
    study = read_study(home / "study.toml")
    pull(study)
    return study


def result(id: str, value: object = 1, *, version: str = "", updated: str = "", patient: str = "p1") -> bytes:
    """The line of a laboratory result."""
    meta = {"versionId": version, "lastUpdated": updated}
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": id,
        "meta": {name: each for name, each in meta.items() if each},
        "status": "final",
        "code": {"coding": [{"system": "urn:example-cn:lab", "code": "ESR01"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2024-05-01T08:00:00+08:00",
        "valueQuantity": {"value": value, "unit": "mm/h"},
    }
    return json.dumps(resource).encode()


def export(study: Study, *files: Iterable[bytes]) -> None:
    """Put these files of Observations in the place of those that are there."""
    folder = study.path.parent / "site"
    for path in folder.glob("Observation.*"):
        path.unlink()
    for number, lines in enumerate(files):
        (folder / f"Observation.{number}.ndjson").write_bytes(b"\n".join(lines))


def pull(study: Study) -> Pulled:
    pulled = run(study, frozenset(("pull",)), AS_OF).pulled
    assert pulled is not None
    return pulled[0]


def standing(study: Study, type: str = "Observation", share: Share | None = None) -> dict[str, bytes]:
    with Workspace(study.workspace) as workspace:
        found = list(workspace.current("site", type, share) if share else workspace.current("site", type))
    assert len({each.origin.id for each in found}) == len(found)
    return {each.origin.id: each.body for each in found}


def rows(study: Study) -> list[tuple[str, bytes | None]]:
    """Every row of an Observation that the workspace holds, the first one first."""
    with closing(sqlite3.connect(study.workspace)) as opened:
        found = opened.execute("SELECT id, body FROM received WHERE type = 'Observation' ORDER BY seq")
        return [(id, body) for id, body in found]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_in(tmp_path)


OLD = result("a", 1, version="1", updated="2024-05-01T08:00:00Z")
NEW = result("a", 2, version="2", updated="2024-05-02T08:00:00Z")
NEWEST = result("a", 3, version="3", updated="2024-05-03T08:00:00Z")


@pytest.mark.parametrize("files", [[[OLD, NEW]], [[NEW, OLD]], [[OLD], [NEW]], [[NEW], [OLD]]])
def test_of_several_versions_the_newest_stands_and_alone_is_kept(
    study: Study, files: list[list[bytes]]
) -> None:
    export(study, *files)
    pulled = pull(study)
    assert (pulled.counts["Observation"], pulled.findings) == (1, [])
    assert rows(study) == [("a", NEW)]
    assert standing(study) == {"a": NEW}


def test_the_day_of_the_change_counts_before_the_number_and_in_any_zone(study: Study) -> None:
    early = result("a", 1, version="9", updated="2024-05-01T08:00:00+08:00")  # midnight UTC
    late = result("a", 2, version="2", updated="2024-05-01T00:30:00Z")
    export(study, [late, early])
    pull(study)
    assert standing(study) == {"a": late}


def test_without_a_day_the_number_counts_and_as_a_number(study: Study) -> None:
    export(study, [result("a", 1, version="10"), result("a", 2, version="9"), result("a", 3)])
    assert pull(study).findings == []
    assert standing(study) == {"a": result("a", 1, version="10")}


@pytest.mark.parametrize("again", [[OLD, NEW], [NEW, OLD], [NEW, OLD, NEW], [NEW, NEW]])
def test_what_stands_is_not_kept_again_though_older_versions_lie_beside_it(
    study: Study, again: list[bytes]
) -> None:
    export(study, [NEW])
    pull(study)
    export(study, again)
    pulled = pull(study)
    assert (pulled.new, pulled.gone, pulled.counts["Observation"]) == (0, 0, 1)
    assert rows(study) == [("a", NEW)]


@pytest.mark.parametrize("again", [[NEW, NEWEST, OLD], [NEWEST, NEW], [OLD, NEWEST]])
def test_a_correction_is_a_new_row(study: Study, again: list[bytes]) -> None:
    export(study, [NEW, result("b")])
    pull(study)
    export(study, [*again, result("b")])
    pulled = pull(study)
    assert (pulled.new, pulled.gone, pulled.counts["Observation"]) == (1, 0, 2)
    assert rows(study) == [("a", NEW), ("b", result("b")), ("a", NEWEST)]
    assert standing(study) == {"a": NEWEST, "b": result("b")}


def test_what_a_source_takes_back_to_an_earlier_version_is_a_new_row(study: Study) -> None:
    for lines in ([NEW], [NEWEST], [NEW]):
        export(study, lines)
        pull(study)
    assert rows(study) == [("a", NEW), ("a", NEWEST), ("a", NEW)]
    assert standing(study) == {"a": NEW}


def test_the_same_version_with_other_bytes_is_a_new_row(study: Study) -> None:
    for value in (1, 2):
        export(study, [result("a", value, version="1")])
        assert pull(study).new == 1
    assert standing(study) == {"a": result("a", 2, version="1")}


def test_what_is_gone_is_marked_and_may_come_back(study: Study) -> None:
    a, b = result("a"), result("b")
    export(study, [a, b])
    pull(study)
    export(study, [b])
    pulled = pull(study)
    assert (pulled.new, pulled.gone, pulled.counts["Observation"]) == (0, 1, 1)
    assert standing(study) == {"b": b}
    assert pull(study).gone == 0
    export(study, [a, b])
    pulled = pull(study)
    assert (pulled.new, pulled.gone, pulled.counts["Observation"]) == (1, 0, 2)
    assert rows(study) == [("a", a), ("b", b), ("a", None), ("a", a)]
    assert standing(study) == {"a": a, "b": b}


def test_beside_a_damaged_line_nothing_is_taken_for_gone(study: Study) -> None:
    export(study, [result("a"), result("b")])
    pull(study)
    export(study, [result("b", 7), result("a")[:-9]])
    pulled = pull(study)
    assert (pulled.new, pulled.gone, len(pulled.findings)) == (1, 0, 1)
    assert standing(study) == {"a": result("a"), "b": result("b", 7)}


def test_of_others_than_participants_nothing_is_kept(study: Study) -> None:
    export(study, [result("a"), result("x", patient="p2")])
    assert pull(study).counts["Observation"] == 1
    assert standing(study) == {"a": result("a")}


FIRST = result("a", 1, version="1", updated="2024-05-01T08:00:00Z")
OF_ANOTHER = result("a", 1, version="2", updated="2024-05-02T08:00:00Z", patient="p2")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "before", [(), (FIRST,), (result("a", 0, version="0"),)], ids=["new", "same", "older"]
)
def test_what_its_source_gave_to_somebody_else_does_not_stand(
    study: Study, before: Sequence[bytes], turned: bool
) -> None:
    """A result that was entered for the wrong child: its first version lies beside the correction."""
    export(study, before)
    pull(study)
    export(study, [FIRST, OF_ANOTHER][:: -1 if turned else 1])
    pulled = pull(study)
    assert (pulled.new, pulled.gone, pulled.counts["Observation"]) == (0, len(before), 0)
    assert standing(study) == {}
    known = rows(study)
    again = pull(study)
    assert (again.new, again.gone) == (0, 0)
    assert rows(study) == known


def test_also_beside_a_damaged_line(study: Study) -> None:
    export(study, [FIRST, result("b")])
    pull(study)
    export(study, [OF_ANOTHER, result("b")[:-9]])
    assert pull(study).gone == 1
    assert standing(study) == {"b": result("b")}


def test_what_somebody_else_had_before_is_kept(study: Study) -> None:
    newer = result("a", 1, version="3", updated="2024-05-03T08:00:00Z")
    export(study, [newer, OF_ANOTHER])
    assert pull(study).new == 1
    assert standing(study) == {"a": newer}


def test_whose_it_is_may_be_what_two_contents_differ_in(study: Study) -> None:
    export(study, [FIRST, result("a", 1, version="1", updated="2024-05-01T08:00:00Z", patient="p2")])
    pulled = pull(study)
    assert [finding.resource for finding in pulled.findings] == ["Observation/a"]
    assert standing(study) == {"a": FIRST}


def test_a_diagnosis_that_its_source_gave_to_somebody_else_does_not_stand(study: Study) -> None:
    def condition(version: str, patient: str) -> bytes:
        meta, subject = {"versionId": version}, {"reference": f"Patient/{patient}"}
        return json.dumps({"resourceType": "Condition", "id": "c", "meta": meta, "subject": subject}).encode()

    export(study, [condition("1", "p1"), condition("2", "p2")])
    assert pull(study).new == 0
    assert standing(study, "Condition") == {}


TWINS = [result("a", value, version="3", updated="2024-05-03T08:00:00Z") for value in (3, 4)]


@pytest.mark.parametrize("turned", [False, True])
def test_two_newest_contents_are_a_finding_and_the_order_does_not_decide(study: Study, turned: bool) -> None:
    export(study, [*TWINS, OLD][:: -1 if turned else 1])
    pulled = pull(study)
    (finding,) = pulled.findings
    assert (finding.source, finding.resource, finding.element) == ("site", "Observation/a", "meta")
    assert TIE in finding.what
    (body,) = standing(study).values()
    assert body == max(TWINS)
    export(study, [*TWINS, OLD][:: 1 if turned else -1])
    again = pull(study)
    assert (again.new, again.findings) == (0, [finding])
    assert standing(study) == {"a": body}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2, 1)])
def test_two_contents_that_a_newer_one_replaces_are_none(study: Study, order: Sequence[int]) -> None:
    newer = result("a", 5, version="4", updated="2024-05-04T08:00:00Z")
    lines = [*TWINS, newer]
    export(study, [lines[at] for at in order])
    assert pull(study).findings == []
    assert standing(study) == {"a": newer}


@pytest.mark.parametrize("turned", [False, True])
def test_history_and_patients_are_taken_in_alike(study: Study, turned: bool) -> None:
    def condition(code: str, version: str) -> dict[str, Any]:
        coded = {"text": code}
        meta = {"versionId": version}
        subject = {"reference": "Patient/p1"}
        return {
            "resourceType": "Condition", "id": "c", "meta": meta, "code": coded, "subject": subject,
        }  # fmt: skip

    newer = {**PATIENT, "meta": {"versionId": "2"}, "gender": "female"}
    resources = [condition("a", "1"), condition("b", "2"), condition("c", "2"), PATIENT, newer]
    lines = [json.dumps(each).encode() for each in resources]
    (study.path.parent / "site" / "Patient.ndjson").unlink()
    export(study, lines[:: -1 if turned else 1])
    pulled = pull(study)
    assert [finding.resource for finding in pulled.findings] == ["Condition/c"]
    assert (pulled.counts["Patient"], pulled.counts["Condition"]) == (1, 1)
    assert standing(study, "Patient") == {"p1": lines[4]}
    assert standing(study, "Condition").keys() == {"c"}
    assert pull(study).new == 0


def test_ids_are_of_their_type(study: Study) -> None:
    form = {"resourceType": "QuestionnaireResponse", "id": "a", "subject": {"reference": "Patient/p1"}}
    export(study, [result("a"), json.dumps(form).encode()])
    pull(study)
    export(study, [json.dumps(form).encode()])
    assert pull(study).gone == 1
    assert standing(study) == {}
    assert standing(study, "QuestionnaireResponse").keys() == {"a"}


def test_shares_are_the_whole_and_nothing_twice(study: Study) -> None:
    export(study, [result(f"r{number}") for number in range(100)])
    pull(study)
    export(study, [result(f"r{number}", number % 2) for number in range(90)])
    pull(study)
    whole = standing(study)
    assert len(whole) == 90
    for of in (1, 2, 3):
        shares = [standing(study, share=Share(number, of)) for number in range(of)]
        assert sum(len(share) for share in shares) == 90
        assert {id: body for share in shares for id, body in share.items()} == whole


# What one export holds: of some ids some versions, each perhaps twice.
versions = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4)), max_size=10)


@settings(max_examples=25, deadline=None)
@given(st.lists(versions, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_after_any_exports_in_any_order_the_last_one_stands(
    exports: list[list[tuple[str, int]]], chance: random.Random
) -> None:
    """By a plain reading of each export: its newest version of each id, and a row for each change."""
    with TemporaryDirectory() as home:
        study = study_in(Path(home))
        expected: dict[str, bytes] = {}
        kept: list[tuple[str, bytes | None]] = []
        for content in exports:
            newest = {id: max(number for each, number in content if each == id) for id, _ in content}
            found = {id: _version(id, number) for id, number in newest.items()}
            changed = [(id, body) for id, body in found.items() if expected.get(id) != body]
            gone = [(id, None) for id in expected if id not in found]
            lines = [_version(id, number) for id, number in content]
            chance.shuffle(lines)
            files = chance.randint(1, 3)
            export(study, *(lines[number::files] for number in range(files)))
            pulled = pull(study)
            assert (pulled.new, pulled.gone) == (len(changed), len(gone))
            assert pulled.counts["Observation"] == len(found)
            now = rows(study)
            assert now[: len(kept)] == kept
            assert sorted(now[len(kept) :], key=repr) == sorted([*changed, *gone], key=repr)
            expected, kept = found, now
            assert standing(study) == expected


def _version(id: str, number: int) -> bytes:
    return result(id, number, version=str(number), updated=f"2024-05-0{number}T08:00:00Z")


def test_the_order_of_lines_and_files_changes_no_outcome(tmp_path: Path) -> None:
    """Seven children of the stories: what is told of an export, and of its lines mixed."""
    made = generator.hospital(participants=7)
    found = []
    for seed in (None, 1, 2):
        home = tmp_path / str(seed)
        home.mkdir()
        generator.write_ndjson(made, home)
        if seed is not None:
            _mix(home / "hospital", random.Random(seed))
        path = write_study(home, hospital="hospital", ratings="ratings", target="outcomes")
        study = read_study(path)
        scored = run(study, frozenset(("pull", "score")), AS_OF, jobs=1).scored
        assert scored is not None
        with Workspace(study.workspace) as workspace:
            outcomes = sorted(workspace.outcomes(), key=lambda each: each.id)
        found.append((outcomes, scored.queries, scored.unknown_codes))
    assert len(found[0][0]) > 20 * 7
    assert found[0][1]
    assert found[0] == found[1] == found[2]


def _mix(folder: Path, chance: random.Random) -> None:
    """Shuffle the lines of all files of a folder over three."""
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]
    for path in folder.iterdir():
        path.unlink()
    chance.shuffle(lines)
    for number in range(3):
        (folder / f"{number}.ndjson").write_bytes(b"\n".join(lines[number::3]))


def test_what_is_asked_does_not_hang_on_the_order_of_the_lines(study: Study) -> None:
    """Two results that are not final are one question, in the words of the one of the first id."""
    preliminary = result("a").replace(b'"final"', b'"preliminary"')
    registered = result("b").replace(b'"final"', b'"registered"')
    asked = []
    for lines in ([preliminary, registered], [registered, preliminary]):
        export(study)
        run(study, frozenset(("pull",)), AS_OF)
        export(study, lines)
        report = run(study, frozenset(("pull", "score")), AS_OF)
        assert report.scored is not None
        asked.append([each.text for each in report.scored.queries.values() if each.kind == "not-final"])
    assert len(asked[0]) == 1
    assert "preliminary" in asked[0][0]
    assert asked[1] == asked[0]
