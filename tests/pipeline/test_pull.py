"""What a pull from a server brings into the workspace, and what it must not miss or take for gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_adapter.pipeline.pull import Pulled
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import Study
from fhir_adapter.workspace import Workspace
from tests.fault_proxy import OUTCOME, Exchange, Scenario, faithful
from tests.hospital import generator
from tests.hospital.study import AS_OF
from tests.pipeline.promise import Json, Place, Trial, call, place

PULL = frozenset(("pull",))


@pytest.fixture
def source(server_base: str) -> Iterator[Place]:
    """A real server, behind a proxy."""
    with place(server_base, 1) as found:
        yield found


@pytest.fixture
def trial(source: Place, tmp_path: Path) -> Trial:
    """Two children's trial whose records stand on the server; the ratings are left out."""
    trial = Trial(tmp_path / "trial", "outcomes", participants=2, served_by=source.address)
    generator.load(trial.sources["hospital"], source.base)
    text = trial.path.read_text(encoding="utf-8")
    before, _, rest = text.partition('[[source]]\nname = "ratings"')
    trial.path.write_text(before + rest[rest.index("[target]") :], encoding="utf-8")
    return trial


def pull(trial: Trial, *, full: bool = False, overlap: int = 10) -> Pulled:
    """Pull; ``overlap`` in minutes."""
    study: Study = trial.study
    study = replace(study, sources=tuple(replace(spec, overlap=overlap) for spec in study.sources))
    pulled = run(study, PULL, AS_OF, full=full).pulled
    assert pulled is not None
    return pulled[0]


def held(trial: Trial, type: str = "Observation") -> dict[str, str]:
    """The resources of a type that the workspace holds: id → version."""
    with Workspace(trial.workspace) as workspace:
        return {each.origin.id: each.origin.version for each in workspace.current("hospital", type)}


def url(source: Place, resource: Json) -> str:
    return f"{source.base}/{resource['resourceType']}/{resource['id']}"


def hidden(id: str) -> Scenario:
    """The resource ``id`` is on no page of a search."""

    def scenario(call: Exchange) -> None:
        # HAPI's further pages have no type in their path
        if call.method != "GET" or not call.path.endswith(("/Observation", "/fhir")):
            call.forward()
            return
        page = call.page()
        page["entry"] = [entry for entry in page.get("entry", ()) if entry["resource"]["id"] != id]
        page.pop("total", None)
        call.answer(200, page)

    return scenario


def everything(trial: Trial) -> set[str]:
    """The ids of the Observations that the hospital has of its participants."""
    return {each["id"] for each in trial.sources["hospital"] if each["resourceType"] == "Observation"}


def test_the_second_pull_asks_for_what_changed(source: Place, trial: Trial) -> None:
    first = pull(trial)
    assert held(trial).keys() == everything(trial)
    changed = trial.igg()
    answer = call("PUT", url(source, changed), {**changed, "language": "zh"})
    assert answer.ok
    second = pull(trial, overlap=0)
    assert (second.new, second.gone, second.findings) == (1, 0, [])
    assert first.new > second.new
    assert held(trial)[changed["id"]] == "2"


def test_what_becomes_visible_late_is_found_within_the_overlap(source: Place, trial: Trial) -> None:
    late = trial.igg()["id"]
    source.meets = hidden(late)
    pull(trial)
    assert late not in held(trial)
    source.meets = faithful
    pull(trial)
    assert late in held(trial)


def test_what_becomes_visible_later_still_is_found_by_a_full_pull(source: Place, trial: Trial) -> None:
    late = trial.igg()["id"]
    source.meets = hidden(late)
    time.sleep(1.1)  # the server's clock has whole seconds
    pull(trial)
    source.meets = faithful
    assert pull(trial, overlap=0).new == 0
    assert late not in held(trial)
    pull(trial, overlap=0, full=True)
    assert late in held(trial)


def test_what_was_deleted_is_found_by_the_history(source: Place, trial: Trial) -> None:
    pull(trial)
    deleted = trial.igg()
    assert call("DELETE", url(source, deleted)).ok
    again = pull(trial)
    assert (again.new, again.gone) == (0, 1)
    assert deleted["id"] not in held(trial)


def test_without_a_history_a_full_pull_finds_what_was_deleted(source: Place, trial: Trial) -> None:
    pull(trial)
    deleted = trial.igg()
    assert call("DELETE", url(source, deleted)).ok

    def without_history(call: Exchange) -> None:
        if "_history" in call.path:
            call.answer(404, OUTCOME)
        else:
            call.forward()

    source.meets = without_history
    assert pull(trial).gone == 0
    assert deleted["id"] in held(trial)  # absence alone says nothing
    assert pull(trial, full=True).gone == 1
    assert deleted["id"] not in held(trial)


def test_a_new_participant_is_pulled_whole(source: Place, trial: Trial) -> None:
    newcomer = trial.subject(2)
    patient = str(newcomer["individual"]["reference"]).rpartition("/")[2]
    assert call("DELETE", url(source, newcomer)).ok
    pull(trial)
    theirs = {
        each["id"]
        for each in trial.sources["hospital"]
        if each["resourceType"] == "Observation" and each["subject"]["reference"].endswith(patient)
    }
    assert theirs
    assert not theirs & held(trial).keys()
    time.sleep(1.1)
    assert pull(trial, overlap=0).new == 0
    assert call("PUT", url(source, newcomer), newcomer).ok
    pull(trial, overlap=0)
    assert theirs <= held(trial).keys()
    # and whoever leaves the list is no longer looked at
    assert call("DELETE", url(source, newcomer)).ok
    assert pull(trial, overlap=0).findings == []


def test_rows_that_move_while_they_are_paged(source: Place, trial: Trial) -> None:
    """Between two pages one result is added, one corrected and one deleted."""
    observations = sorted(
        (each for each in trial.sources["hospital"] if each["resourceType"] == "Observation"),
        key=lambda each: str(each["id"]),
    )
    deleted, corrected = observations[0], observations[1]
    added = {**observations[2], "id": f"{trial.tag}-added"}
    left = [1]

    def small_pages(call: Exchange) -> None:
        whole = call.handler.path
        if call.method == "GET" and "Observation?patient" in whole:
            call.handler.path = whole.replace("_count=250", "_count=7")
        later = "_offset=7" in whole or "_getpagesoffset=7" in whole
        if left and later:
            left.clear()
            for method, resource in (("PUT", added), ("PUT", {**corrected, "language": "zh"})):
                assert request(method, url(source, resource), resource)
            assert request("DELETE", url(source, deleted))
        call.forward()

    source.meets = small_pages
    pull(trial)
    assert left == []
    source.meets = faithful
    pull(trial)  # what was changed while it was paged is found by the overlap at the latest
    now = {each["id"] for each in observations} | {added["id"]}
    assert held(trial).keys() == now - {deleted["id"]}
    assert held(trial)[corrected["id"]] == "2"


def request(method: str, url: str, resource: Json | None = None) -> bool:
    return call(method, url, resource).ok


@pytest.mark.parametrize("full", [False, True])
def test_a_type_that_is_refused_is_named_and_nothing_is_gone(source: Place, trial: Trial, full: bool) -> None:
    pull(trial)
    before = held(trial, "MedicationAdministration")
    assert before

    def refused(call: Exchange) -> None:
        if "/MedicationAdministration" in call.path:
            call.answer(403, OUTCOME)
        else:
            call.forward()

    source.meets = refused
    again = pull(trial, full=full)
    (finding,) = again.findings
    assert (finding.source, finding.resource) == ("hospital", "MedicationAdministration")
    assert again.gone == 0
    assert held(trial, "MedicationAdministration") == before


def test_of_a_withdrawn_participant_nothing_from_after_that_day(source: Place, trial: Trial) -> None:
    pull(trial)
    late = trial.igg()
    subject = trial.subject(1)
    period = {**subject["period"], "end": "2024-06-30"}
    withdrawn = {**subject, "status": "withdrawn", "period": period}
    assert call("PUT", url(source, subject), withdrawn).ok
    pull(trial)
    days = {
        each["id"]: str(each["effectiveDateTime"])[:10]
        for each in trial.sources["hospital"]
        if each["resourceType"] == "Observation" and each["subject"] == late["subject"]
    }
    assert late["id"] not in held(trial)
    assert {days[id] for id in held(trial) if id in days} == {
        day for day in days.values() if day <= "2024-06-30"
    }
    # the withdrawal was a mistake: what was left out is there again, though nobody touched it
    time.sleep(1.1)
    pull(trial, overlap=0)
    assert call("PUT", url(source, subject), subject).ok
    pull(trial, overlap=0)
    assert days.keys() <= held(trial).keys()


def test_what_moves_to_a_day_after_the_withdrawal_is_gone(source: Place, trial: Trial) -> None:
    subject = trial.subject(1)
    withdrawn = {**subject, "status": "withdrawn", "period": {**subject["period"], "end": "2024-06-30"}}
    assert call("PUT", url(source, subject), withdrawn).ok
    pull(trial)
    early = trial.find("Observation", lambda each: str(each.get("effectiveDateTime", "")) < "2024-06-30")
    assert early["id"] in held(trial)
    assert call("PUT", url(source, early), {**early, "effectiveDateTime": "2024-08-01T08:00:00+08:00"}).ok
    pull(trial)
    assert early["id"] not in held(trial)


def test_our_own_outcomes_are_no_sources(source: Place, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", source.address, served_by=source.address)
    generator.load([each for held in trial.sources.values() for each in held], source.base)
    trial.push()
    pulled = trial.run().pulled
    assert pulled is not None
    assert held(trial).keys() == {
        each["id"]
        for resources in trial.sources.values()
        for each in resources
        if each["resourceType"] == "Observation"
    }
    assert [each.new for each in pulled] == [0, 0]
