"""What the tests of pulling and pushing share: a small trial, a place to write to, and the promise.

Many trials share one server; each has its own study, participants and records, told apart by a tag.
"""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import outcome
from fhir_adapter.mapping.provenance import names_digest
from fhir_adapter.pipeline.push import NO_CHOICES, Choices, PushReport
from fhir_adapter.pipeline.run import Report, run
from fhir_adapter.study import Study, read_study
from fhir_adapter.workspace import Workspace
from tests.fault_proxy import Exchange, Scenario, faithful, faulty
from tests.hospital import generator
from tests.hospital.generator import STUDY
from tests.hospital.study import AS_OF, write_study

Json = dict[str, Any]
ALL_STEPS = frozenset(("pull", "score", "push"))
FHIR_JSON = {"Content-Type": "application/fhir+json"}
TIMEOUT = 60.0  # seconds; HAPI's first request of each kind is slow
WITHDRAWN = "entered-in-error"
OTHERS = "urn:example:trials"
"""The system under which the trials of the tests have their tags."""
CORRECTED = ("essdai", "response", "star")
"""The outcomes of week 28 that rest on what ``Trial.correct`` changes."""


# -- the place that outcomes are written to ----------------------------------------------------------------


@dataclass
class Place:
    """A real server at ``base``, and ``address``: a proxy before it that announces one rung only.

    ``meets`` is what happens to every request on its way.
    """

    base: str
    rung: int
    address: str = ""
    meets: Scenario = faithful


@contextmanager
def place(base: str, rung: int) -> Iterator[Place]:
    """The server at ``base``, as one that offers no more than ``rung``; on the third, no transactions."""
    found = Place(base, rung)
    statement: Json = {}

    def scenario(call: Exchange) -> None:
        if call.method == "GET" and call.path.endswith("/metadata"):
            if not statement:  # it takes HAPI a third of a second
                statement.update(_announcing(call.page(), rung))
            call.answer(200, statement)
        else:
            found.meets(call)

    with faulty(base, scenario) as proxy:
        found.address = proxy.base
        yield found


def _announcing(statement: Json, rung: int) -> Json:
    for rest in statement["rest"]:
        for resource in rest["resource"]:
            resource["updateCreate"], resource["conditionalCreate"] = rung == 1, rung < 3
        if rung == 3:
            rest["interaction"] = []
    return statement


# -- the trial ---------------------------------------------------------------------------------------------


@dataclass
class Trial:
    """A study in ``home`` whose sources are folders, unless they are named; outcomes go to ``target``."""

    home: Path
    target: str
    participants: int = 1
    tag: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    sources: dict[str, list[Json]] = field(default_factory=dict)
    served_by: str | None = None

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.sources:
            made = generator.hospital(participants=self.participants).sources
            self.sources = {
                name: [renamed(each, self.tag) for each in resources if _wanted(each)]
                for name, resources in made.items()
            }
        self.write()

    @property
    def path(self) -> Path:
        """The study file."""
        return self.home / "study.toml"

    @cached_property
    def study(self) -> Study:
        return read_study(self.path)

    @property
    def workspace(self) -> Path:
        return self.home / "study.sqlite"

    def write(self) -> None:
        """Write the sources and the study file."""
        for name in self.sources:
            shutil.rmtree(self.home / name, ignore_errors=True)
        generator.write_ndjson(generator.Hospital(self.sources, {}, {}), self.home)
        place = self.served_by
        path = write_study(
            self.home, hospital=place or "hospital", ratings=place or "ratings", target=self.target
        )
        text = path.read_text(encoding="utf-8").replace("|".join(STUDY), f"{OTHERS}|{self.tag}")
        path.write_text(text, encoding="utf-8")

    def run(
        self,
        choices: Choices = NO_CHOICES,
        *,
        verify: bool = False,
        dry_run: bool = False,
        full: bool = False,
    ) -> Report:
        """A complete run."""
        return run(self.study, ALL_STEPS, AS_OF, choices=choices, verify=verify, dry_run=dry_run, full=full)

    def push(self, choices: Choices = NO_CHOICES, *, verify: bool = False) -> PushReport:
        """A complete run; what it pushed."""
        pushed = self.run(choices, verify=verify).pushed
        assert pushed is not None
        return pushed

    def twin(self, home: Path) -> Trial:
        """The same study with a workspace of its own, and sources that can be changed by themselves."""
        sources = {name: [decode(encode(each)) for each in held] for name, held in self.sources.items()}
        return Trial(home, self.target, self.participants, self.tag, sources)

    def find(self, type: str, test: Callable[[Json], bool] = lambda _: True) -> Json:
        """The first resource of a type that passes a test."""
        return next(
            each
            for resources in self.sources.values()
            for each in resources
            if each["resourceType"] == type and test(each)
        )

    def igg(self) -> Json:
        """The first child's IgG at week 28, 18.0 g/L: the response and STAR rest on it."""
        return self.find(
            "Observation", lambda each: str(each.get("valueQuantity", {}).get("value")) == "18.0"
        )

    def subject(self, number: int = 1) -> Json:
        """The ResearchSubject of a child."""
        return self.find(
            "ResearchSubject", lambda each: each["identifier"][0]["value"].endswith(f"-0{number}")
        )

    def correct(self, value: str = "22.0") -> Json:
        """The laboratory corrects the first child's IgG at week 28; returns the resource."""
        resource = self.igg_now()
        resource["valueQuantity"]["value"] = decode(f'{{"v": {value}}}'.encode())["v"]
        self.touch(resource)
        return resource

    def igg_now(self) -> Json:
        """The first child's IgG at week 28, whatever its value is now."""
        if not hasattr(self, "_igg"):
            self._igg = self.igg()["id"]
        return self.find("Observation", lambda each: each["id"] == self._igg)

    def touch(self, resource: Json) -> None:
        """A new version of a resource, in the folder."""
        before = resource.get("meta", {"versionId": "1"})
        version = int(before["versionId"]) + 1
        resource["meta"] = {"versionId": str(version), "lastUpdated": f"2026-03-01T00:00:{version:02d}Z"}
        self.write()

    def resting_on(self, resource: Json) -> set[str]:
        """The ids of the outcomes that rest on a resource."""
        with Workspace(self.workspace) as workspace:
            return {
                each.id
                for each in workspace.outcomes()
                if any((o.type, o.id) == (resource["resourceType"], resource["id"]) for o in each.origins)
            }

    def name(self, code: str = "response", visit: str = "week-28", number: int = 1) -> str:
        """What people call an outcome."""
        return f"{self.tag.upper()}-0{number} {code} {visit}"

    def id(self, name: str) -> str:
        """The computed id of an outcome."""
        with Workspace(self.workspace) as workspace:
            return next(each.id for each in workspace.outcomes() if each.name == name)


def renamed(resource: Json, tag: str) -> Json:
    """A resource of the generated hospital as one of the trial ``tag``."""
    text = encode(resource).decode()
    for old, new in (
        (STUDY[0], OTHERS),
        (STUDY[1], tag),
        ("study-jss", f"study-{tag}"),
        ("jss-", f"{tag}-"),
        ("JSS-", f"{tag.upper()}-"),
        ("MRN1", f"MRN-{tag}-1"),
        ("med-", f"med-{tag}-"),
    ):
        text = text.replace(old, new)
    return decode(text.encode())


def _wanted(resource: Json) -> bool:
    """Whether it is of a participant, or of all."""
    text = encode(resource).decode().lower()
    return "jss" in text or resource["resourceType"] == "Medication"


# -- the server as it is, by plain requests ----------------------------------------------------------------


def call(method: str, url: str, document: Json | None = None, **headers: str) -> requests.Response:
    """One request past the proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            url,
            data=None if document is None else encode(document),
            headers={**FHIR_JSON, "Cache-Control": "no-cache", **headers},
            timeout=TIMEOUT,
        )


def search(base: str, type: str, **params: str) -> list[Json]:
    """Every match of a search on the server, page after page."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Cache-Control"] = "no-cache"
        answer = session.get(f"{base}/{type}", params={"_count": "200", **params}, timeout=TIMEOUT)
        found: list[Json] = []
        while True:
            answer.raise_for_status()
            page = decode(answer.content)
            found += (entry["resource"] for entry in page.get("entry", ()))
            following = [link["url"] for link in page.get("link", ()) if link["relation"] == "next"]
            if not following:
                return found
            answer = session.get(following[0], timeout=TIMEOUT)


def outcome_id(document: Json) -> str:
    """The computed id of the outcome that an Observation states."""
    return next(str(i["value"]) for i in document["identifier"] if i["system"] == outcome.OUTCOME_ID)


def outcomes_on(base: str, tag: str, participants: int = 3) -> list[Json]:
    """Every Observation of the trial's participants that stands on the server, however it got there."""
    values = ",".join(
        f"{generator.PARTICIPANT_SYSTEM}|{tag.upper()}-0{n}" for n in range(1, participants + 1)
    )
    return search(base, "Observation", identifier=values)


def on_server(base: str, trial: Trial, name: str) -> Json:
    """The one living Observation of an outcome."""
    wanted = trial.id(name)
    (found,) = (
        each
        for each in outcomes_on(base, trial.tag)
        if outcome_id(each) == wanted and each["status"] != WITHDRAWN
    )
    return found


def versions(base: str, tag: str) -> dict[str, str]:
    """The versions of the trial's Observations by outcome."""
    return {outcome_id(each): each["meta"]["versionId"] for each in outcomes_on(base, tag)}


def proofs_of(base: str, document: Json) -> list[Json]:
    """The Provenances of an Observation."""
    return search(base, "Provenance", target=f"Observation/{document['id']}")


def edit(base: str, document: Json, **changes: object) -> None:
    """Somebody changes an Observation on the server."""
    answer = call("PUT", f"{base}/Observation/{document['id']}", {**document, **changes})
    assert answer.ok, answer.text


def promise_holds(base: str, workspace: Path, *, apart_from: frozenset[str] = frozenset()) -> None:
    """Fail unless each outcome of the workspace stands on the server once, as the workspace has it, with
    one Provenance of that content; and nothing else of the trial's participants is alive.

    ``apart_from`` names outcomes that are in conflict.
    """
    with Workspace(workspace) as opened:
        wanted = {each.id: each for each in opened.outcomes()}
    assert wanted
    tag = next(iter(wanted.values())).subject.partition("-")[0]
    alive = [each for each in outcomes_on(base, tag) if each["status"] != WITHDRAWN]
    counted = Counter(outcome_id(each) for each in alive)
    assert {id: n for id, n in counted.items() if n > 1} == {}, "outcomes that stand there more than once"
    assert set(counted) - set(wanted) == set(), "outcomes that do not hold"
    missing = [each.name for id, each in wanted.items() if id not in counted]
    assert set(missing) <= apart_from, "outcomes that do not stand there"
    alive = [each for each in alive if wanted[outcome_id(each)].name not in apart_from]
    differing = [
        wanted[outcome_id(each)].name
        for each in alive
        if outcome.digest(each) != wanted[outcome_id(each)].digest
    ]
    assert differing == [], "outcomes that stand there with another content"
    found: Counter[str] = Counter()
    for start in range(0, len(alive), 20):
        references = {f"Observation/{each['id']}": each for each in alive[start : start + 20]}
        for proof in search(base, "Provenance", target=",".join(references)):
            for target in proof["target"]:
                proven = references.get(target["reference"])
                if proven is not None and names_digest(proof, outcome.digest(proven)):
                    found[wanted[outcome_id(proven)].name] += 1
    names = [wanted[outcome_id(each)].name for each in alive]
    assert {name: found[name] for name in names if found[name] != 1} == {}, "Provenances of these contents"
