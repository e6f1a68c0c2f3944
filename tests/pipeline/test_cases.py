"""The worked cases of the clinical reference, the third path: a real server.

Each case is a child on the server; one run pulls, scores and pushes them all, and what is compared are the
Observations that then stand on the server, read back from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.exchange.resource import decode
from fhir_adapter.exchange.server import Server
from fhir_adapter.mapping import outcome as mapping
from fhir_adapter.pipeline.run import run
from fhir_adapter.scores.rate import response_rates
from fhir_adapter.study import study_from_text
from fhir_adapter.trial.protocol import Protocol
from fhir_adapter.trial.types import Outcome
from tests.hospital import generator
from tests.scores.expectations import disagreements, facts
from tests.scores.inputs import inputs_of
from tests.scores.resources import resources_of, written
from tests.scores.test_cases import BY_ID, NOT_ONE_CHILD, ONE_CHILD, RATES, protocol_of
from tests.servers import running_sekmet

AS_OF = date(2026, 1, 1)
STUDY = """
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
name = "hospital"
server = "{base}"
mapping = "international"
[target]
server = "{base}"
"""
Children = dict[str, dict[tuple[str, str], Outcome]]


def children(anchor: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every child's id and resources under an anchor: one a case, and as many as a rate is of."""
    for case in ONE_CHILD:
        if protocol_of(case).anchor.default == anchor:
            yield case["id"].lower(), resources_of(case, "international")
    for case in RATES if anchor == "first-rituximab" else ():
        responder, other = NOT_ONE_CHILD[case["id"]]
        for number in range(case["inputs"]["n"]):
            lived = responder if number < case["inputs"]["responders"] else other
            id = f"{case['id'].lower()}-{number}"
            yield id, written(inputs_of(BY_ID[lived]), "international", id)


def scored(base: str, home: Path, protocol: Protocol) -> Children:
    """Run the study under a protocol; the outcomes by child, as they stand on the server."""
    home.mkdir()
    ids = [id for id, _ in children(protocol.anchor.default)]
    consents = {case["id"].lower(): inputs_of(case).consent for case in ONE_CHILD}
    lines = [f"{id},{id},on-study,{consents.get(id) or date(2024, 3, 1)}" for id in ids]
    (home / "participants.csv").write_text(
        "\n".join(["subject,mrn,status,consent", *lines]), encoding="utf-8"
    )
    study = study_from_text(STUDY.format(base=base).encode(), home / "study.toml")
    report = run(replace(study, protocol=protocol), frozenset(("pull", "score", "push")), AS_OF, verify=True)
    assert report.pushed is not None
    assert report.pushed.differing == []
    found: Children = {id: {} for id in ids}
    with Server(base, name="check") as server:
        for received in server.search("Observation", [("category", "survey")]):
            document = decode(received.body)
            if mapping.is_outcome(document):
                outcome = mapping.read(document)
                found[outcome.subject][(outcome.code, outcome.visit)] = outcome
    return found


@pytest.fixture(scope="module")
def by_anchor(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Children]:
    """The children under each anchor that a case counts from; each on a server of its own."""
    home = tmp_path_factory.mktemp("cases")
    found = {}
    for protocol in {(wanted := protocol_of(case)).anchor.default: wanted for case in ONE_CHILD}.values():
        anchor = protocol.anchor.default
        with running_sekmet(home / f"server-{anchor}") as base:
            generator.load((resource for _, made in children(anchor) for resource in made), base)
            found[anchor] = scored(base, home / anchor, protocol)
    return found


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in ONE_CHILD])
def test_through_a_real_server(by_anchor: dict[str, Children], case: dict[str, Any]) -> None:
    found = by_anchor[protocol_of(case).anchor.default][case["id"].lower()]
    assert facts(case, found)
    assert not disagreements(case, found)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RATES])
def test_rate_through_a_real_server(by_anchor: dict[str, Children], case: dict[str, Any]) -> None:
    own = [
        outcomes[("response", "week-28")]
        for id, outcomes in by_anchor["first-rituximab"].items()
        if id.startswith(f"{case['id'].lower()}-")
    ]
    main = response_rates(own)[0]
    assert (main.responders, main.n) == (case["inputs"]["responders"], case["inputs"]["n"])
    low, high = map(float, case["expected"]["clopper_pearson_95"])
    assert main.clopper_pearson == pytest.approx((low, high), abs=5e-5)
