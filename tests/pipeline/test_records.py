"""What becomes of a participant's history: which types were received at all, and what stands side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fhir_adapter.conduct.answers import Verdict
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.exchange.resource import encode
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.pipeline.records import consent_ended, questions, record
from fhir_adapter.pipeline.run import Report, rescored, run
from fhir_adapter.study import Study, read_study
from fhir_adapter.trial.history import Agreement, Person
from fhir_adapter.trial.items import OutcomeCode
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import QueryKind, Subject
from fhir_adapter.workspace import Workspace
from tests.fault_proxy import OUTCOME, Exchange, Scenario, faithful, faulty
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study
from tests.pipeline.promise import Json, call
from tests.servers import running_sekmet

STEPS = frozenset(("pull", "score"))
OPEN = Verdict.UNDETERMINED


# ------------------------------------------------------------------------------------------- a server


@dataclass
class Source:
    """A real server with two children's records, behind a proxy that behaves as ``meets`` says."""

    base: str
    study: Study
    meets: Scenario = faithful


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    with running_sekmet(tmp_path / "server") as base:
        made = generator.hospital(participants=2)
        generator.write_ndjson(made, tmp_path)
        generator.load(made.sources["hospital"], base)
        with faulty(base, lambda call: found.meets(call)) as proxy:
            path = write_study(tmp_path, hospital=proxy.base, ratings="ratings", target="outcomes")
            found = Source(base, read_study(path))
            yield found


def scored(study: Study, *, full: bool = False) -> Report:
    """What a run pulled, and what it comes to with all that it rests on."""
    report = run(study, STEPS, AS_OF, full=full)
    return replace(report, scored=rescored(study, AS_OF).scored)


def conduct(report: Report, id: str = "JSS-01") -> Conduct:
    assert report.scored is not None
    return report.scored.conduct[id]


def verdicts(report: Report, *codes: str, id: str = "JSS-01") -> list[Verdict]:
    found = {answer.criterion: answer.verdict for answer in conduct(report, id).answers}
    return [found[code] for code in codes]


def findings(report: Report) -> list[str]:
    return [finding.resource for each in report.pulled or () for finding in each.findings]


def refusing(*types: str, announced: bool = True) -> Scenario:
    def scenario(call: Exchange) -> None:
        if any(call.path.endswith(f"/{type}") for type in types):
            call.answer(404 if not announced else 403, OUTCOME)
        elif call.path.endswith("/metadata") and not announced:
            statement = call.page()
            for rest in statement["rest"]:
                rest["resource"] = [each for each in rest["resource"] if each["type"] not in types]
            call.answer(200, statement)
        else:
            call.forward()

    return scenario


def test_a_refused_type_leaves_its_criteria_open(source: Source) -> None:
    """§14.14: without the records, nobody knows that there is none."""
    assert verdicts(scored(source.study), "E6", "E7", "E5d") == [Verdict.SATISFIED] * 3
    source.meets = refusing("Condition", "Immunization")
    source.study.workspace.unlink()
    report = scored(source.study)
    assert verdicts(report, "E6", "E7", "E5d") == [OPEN] * 3
    assert sorted(findings(report)) == ["Condition", "Immunization"]
    source.meets = faithful
    assert verdicts(scored(source.study), "E6", "E7", "E5d") == [Verdict.SATISFIED] * 3


def test_a_type_that_a_server_does_not_know_is_no_finding_and_no_answer(source: Source) -> None:
    source.meets = refusing("Condition", announced=False)
    report = scored(source.study)
    assert verdicts(report, "E6", "E5d") == [OPEN, Verdict.SATISFIED]
    assert findings(report) == []


def test_the_history_is_pulled_by_what_changed(source: Source) -> None:
    first = scored(source.study)
    assert verdicts(first, "E7") == [Verdict.SATISFIED]
    answer = call(
        "PUT",
        f"{source.base}/Condition/new",
        {
            "resourceType": "Condition",
            "id": "new",
            "subject": {"reference": "Patient/pat-jss-01"},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C91.0"}]},
            "onsetDateTime": "2020-03-01",
        },
    )
    assert answer.ok
    second = scored(source.study)
    assert second.pulled is not None
    assert second.pulled[0].new == 1
    assert verdicts(second, "E7") == [Verdict.VIOLATED]
    assert call("DELETE", f"{source.base}/Condition/new").ok
    assert verdicts(scored(source.study, full=True), "E7") == [Verdict.SATISFIED]


# ------------------------------------------------------------------------------------------- a folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    generator.write_ndjson(generator.hospital(participants=2), tmp_path)
    write_study(tmp_path, hospital="hospital", ratings="ratings", target="outcomes")
    return tmp_path


def study_in(home: Path) -> Study:
    return read_study(home / "study.toml")


def appended(home: Path, resource: Json) -> None:
    with (home / "hospital" / "more.ndjson").open("ab") as out:
        out.write(encode(resource) + b"\n")


def pointing(home: Path, **more: Any) -> Json:
    return {"id": "more", "subject": {"reference": "Patient/pat-jss-01"}, **more}


def test_a_type_that_was_not_exported_leaves_its_criteria_open(home: Path) -> None:
    assert verdicts(scored(study_in(home)), "E6", "E5b") == [Verdict.SATISFIED] * 2
    (home / "hospital" / "Condition.ndjson").unlink()
    assert verdicts(scored(study_in(home)), "E6", "E5b") == [OPEN, Verdict.SATISFIED]


def test_an_empty_file_says_that_there_is_none(home: Path) -> None:
    """An export without anybody's vaccinations: its file has no line, and nobody has to guess."""
    (home / "hospital" / "Immunization.ndjson").unlink()
    assert verdicts(scored(study_in(home)), "E5d") == [OPEN]
    (home / "hospital" / "Immunization.ndjson").write_bytes(b"")
    assert verdicts(scored(study_in(home)), "E5d") == [Verdict.SATISFIED]


def test_a_damaged_line_may_be_what_seems_to_be_missing(home: Path) -> None:
    with (home / "hospital" / "Encounter.ndjson").open("ab") as out:
        out.write(b'{"resourceType": "Condition", "id"\n')
    assert verdicts(scored(study_in(home)), "E6", "E7", "E5b") == [OPEN] * 3


ATC, LOCAL = "http://www.whocc.no/atc", "urn:example-cn:diagnosis"


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({"resourceType": "Condition", "code": {"coding": [{"system": LOCAL, "code": "ZD8888"}]}}, "E7"),
        (
            {
                "resourceType": "MedicationRequest",
                "status": "completed",
                "intent": "order",
                "authoredOn": "2023-01-01",
                "medicationCodeableConcept": {"coding": [{"system": ATC, "code": "L04AC10"}]},
            },
            "E1",
        ),
    ],
)
def test_a_code_that_nobody_knows_may_be_what_is_asked_for(home: Path, resource: Json, code: str) -> None:
    """Secukinumab is a biologic, and a local code may be leukaemia: until it is mapped nothing clears."""
    assert verdicts(scored(study_in(home)), code) == [Verdict.SATISFIED]
    appended(home, pointing(home, **resource))
    report = scored(study_in(home))
    assert verdicts(report, code) == [OPEN]
    assert verdicts(report, code, id="JSS-02")[0] is not OPEN
    assert report.scored is not None
    assert any(each.type == resource["resourceType"] for each in report.scored.unknown_codes)


def test_the_newest_of_two_versions_counts(home: Path) -> None:
    older: Json = {
        "resourceType": "Condition",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D80.1"}]},
    }
    newer = older | {
        "meta": {"versionId": "2", "lastUpdated": "2026-01-02T00:00:00Z"},
        "verificationStatus": {"coding": [{"code": "entered-in-error"}]},
    }
    appended(home, pointing(home, **newer))
    appended(home, pointing(home, **older))
    assert verdicts(scored(study_in(home)), "E6") == [Verdict.SATISFIED]


def test_a_protocol_without_criteria_asks_for_no_history(home: Path, source_types: set[str]) -> None:
    assert source_types >= {"Observation", "Condition"}
    protocol = (home / "study.toml").read_text(encoding="utf-8")
    shipped = Path(__file__).parents[2] / "fhir_adapter" / "trial" / "protocols" / "nct06410833.toml"
    text = shipped.read_text(encoding="utf-8")
    before, _, rest = text.partition("[eligibility]")
    (home / "protocol.toml").write_text(before + rest[rest.index("[egfr]") :], encoding="utf-8")
    (home / "study.toml").write_text(
        protocol.replace('protocol = "nct06410833"', 'protocol = "protocol.toml"'), encoding="utf-8"
    )
    report = scored(study_in(home))
    assert report.pulled is not None
    assert not {"Condition", "Consent", "Encounter"} & set(report.pulled[0].counts)


@pytest.fixture
def source_types(home: Path) -> set[str]:
    return {path.name.split(".")[0] for path in (home / "hospital").iterdir()}


# --------------------------------------------------------------------------------------- side by side

BORN, SPRING = (date(2012, 5, 14), date(2012, 5, 14)), (date(2012, 1, 1), date(2012, 12, 31))
OTHER = (date(2011, 5, 14), date(2011, 5, 14))
DAY = date(2024, 3, 20)


def origin(source: str, type: str = "Patient") -> Origin:
    return Origin(source, type, source, "1", "")


def person(source: str, born: tuple[date, date] | None, sex: str | None = "female") -> Person:
    return Person("JSS-01", born, sex, (origin(source),))


def of(home: Path, found: Mapped) -> tuple[Any, list[tuple[str, QueryKind]]]:
    known = record(study_in(home), Subject("JSS-01", "on-study"), found, {}, (), frozenset())
    return known, [(each.item, each.kind) for each in questions(known, found)]


@pytest.mark.parametrize(
    ("persons", "born", "sex", "asked"),
    [
        ([person("a", BORN)], BORN, "female", []),
        ([person("a", BORN), person("b", SPRING)], BORN, "female", []),
        ([person("a", BORN), person("b", None, None)], BORN, "female", []),
        ([person("a", BORN), person("b", OTHER)], None, "female", [("birth-date", QueryKind.CONFLICT)]),
        ([person("a", BORN), person("b", BORN, "male")], BORN, None, [("sex", QueryKind.CONFLICT)]),
        ([person("a", None, None)], None, None, []),
    ],
)
def test_one_person_of_several_sources(
    home: Path,
    persons: list[Person],
    born: tuple[date, date] | None,
    sex: str | None,
    asked: list[tuple[str, QueryKind]],
) -> None:
    known, questions_asked = of(home, Mapped(persons=persons))
    assert (known.person.born, known.person.sex, questions_asked) == (born, sex, asked)


def agreement(id: str, *drugs: str, given: bool = True, since: date | None = DAY) -> Agreement:
    return Agreement("JSS-01", frozenset(drugs), given, since, None, (origin(id, "Consent"),))


BOTH = {"rituximab", "belimumab"}


@pytest.mark.parametrize(
    ("stated", "found", "asked"),
    [
        ([agreement("a", "study-treatment")], [(BOTH, True)], []),
        (
            [agreement("a", "rituximab"), agreement("b", "belimumab")],
            [({"rituximab"}, True), ({"belimumab"}, True)],
            [],
        ),
        (
            [agreement("a", "study-treatment"), agreement("a", "belimumab", given=False)],
            [({"rituximab"}, True), ({"belimumab"}, False)],
            [],
        ),
        (
            [agreement("a", "study-treatment"), agreement("b", "belimumab", given=False)],
            [(BOTH, True), ({"belimumab"}, False)],
            [("belimumab", QueryKind.CONSENTS_DISAGREE)],
        ),
        (
            [agreement("a", "rituximab"), agreement("b", "rituximab", given=False, since=date(2024, 3, 21))],
            [({"rituximab"}, True), ({"rituximab"}, False)],
            [],
        ),
    ],
)
def test_consents(
    home: Path,
    stated: list[Agreement],
    found: list[tuple[set[str], bool]],
    asked: list[tuple[str, QueryKind]],
) -> None:
    """An exception of one consent is none of another; a later day is no contradiction."""
    known, questions_asked = of(home, Mapped(agreements=stated))
    assert [(set(each.drugs), each.given) for each in known.agreements] == found
    assert questions_asked == asked


def test_the_workspace_says_when_a_type_was_received(home: Path) -> None:
    scored(study_in(home))
    with Workspace(home / "study.sqlite") as workspace:
        cursor = workspace.cursor("hospital", "Condition")
        assert workspace.cursor("ratings", "Condition") is None
    assert cursor is not None
    assert cursor.patients == {"pat-jss-01", "pat-jss-02", "pat-jss-s1"}
    assert cursor.since <= datetime.now(UTC)


SUMMER, LATER = date(2024, 6, 30), date(2024, 7, 5)
ALL = "study-treatment"


def until(each: Agreement, day: date) -> Agreement:
    return structs.replace(each, until=day)


@pytest.mark.parametrize(
    ("stated", "ended"),
    [
        ([], None),
        ([agreement("a", ALL)], None),
        ([until(agreement("a", ALL), SUMMER)], SUMMER),
        (
            [
                until(agreement("a", ALL), SUMMER),
                agreement("b", ALL, since=SUMMER),
            ],
            None,
        ),
        (
            [
                until(agreement("a", ALL), SUMMER),
                agreement("b", ALL, since=LATER),
            ],
            None,
        ),
        (
            [agreement("a", ALL), agreement("b", ALL, given=False, since=LATER)],
            LATER,
        ),
        ([agreement("a", ALL), agreement("b", "belimumab", given=False, since=LATER)], None),
        ([until(agreement("a", "rituximab"), SUMMER), until(agreement("b", "belimumab"), LATER)], LATER),
        ([until(agreement("a", ALL), SUMMER), agreement("b", ALL)], None),
        ([until(agreement("a", ALL), SUMMER), until(agreement("b", ALL), LATER)], LATER),
        ([agreement("a", ALL, given=False)], None),
        ([agreement("a", ALL, since=None)], None),
    ],
)
def test_the_day_on_which_consent_ended(home: Path, stated: list[Agreement], ended: date | None) -> None:
    """§13: ended for every drug, and not given anew. Who never agreed never withdrew."""
    assert consent_ended(study_in(home), stated) == ended
    assert consent_ended(study_in(home), stated[::-1]) == ended


def test_data_from_after_the_end_of_consent_are_not_used(home: Path) -> None:
    """§13, of a child whom the list does not call withdrawn: that is asked about."""
    before = scored(study_in(home))
    assert before.scored is not None
    assert before.scored.outcomes(OutcomeCode.ESSDAI, "week-28")["JSS-01"].number == 3
    lines = (home / "hospital" / "Consent.ndjson").read_text(encoding="utf-8").splitlines()
    consent = next(line for line in map(json.loads, lines) if line["id"] == "his-jss-01-c1")
    consent |= {"status": "inactive", "provision": {"period": {"end": "2024-06-30"}}}
    consent["meta"] = {"versionId": "2", "lastUpdated": "2026-03-02T00:00:00Z"}
    appended(home, consent)
    after = scored(study_in(home))
    assert after.scored is not None
    assert after.scored.outcomes(OutcomeCode.ESSDAI, "week-28")["JSS-01"].number is None
    assert after.scored.outcomes(OutcomeCode.ESSDAI, "baseline")["JSS-01"].number == 12
    asked = {(each.subject, each.item, each.kind) for each in after.scored.queries.values()}
    assert ("JSS-01", "consent", QueryKind.UNCLEAR_STATUS) in asked
    assert ("JSS-02", "consent", QueryKind.UNCLEAR_STATUS) not in asked
