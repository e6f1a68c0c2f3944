"""Faults on the way of a push: all stands there once in the end, or it is said and the next run does it."""

from __future__ import annotations

import json
import re

import pytest

from fhir_adapter.errors import AdapterError
from fhir_adapter.pipeline import push
from tests import fault_proxy
from tests.fault_proxy import OUTCOME, Exchange, Scenario, first_write
from tests.pipeline.promise import CORRECTED, Place, Trial, promise_holds

OUTCOMES = 22

# a rung of each kind: ids of ours, conditional creates, single requests without either
pytestmark = pytest.mark.parametrize(
    "target",
    [("sekmet", 1), ("sekmet", 3), ("hapi", 2)],
    ids=["sekmet-rung1", "sekmet-rung3", "hapi-rung2"],
    indirect=True,
)


def versions_are_words(call: Exchange) -> None:
    """Version 3 of the upstream is called ``v3-final``."""
    if "If-Match" in call.handler.headers:
        plain = re.sub(r"v(\d+)-final", r"\1", call.handler.headers["If-Match"])
        call.handler.headers.replace_header("If-Match", plain)
    call.body = re.sub(rb"v(\d+)-final", rb"\1", call.body)
    status, headers, body = call.fetch()
    body = re.sub(rb'("versionId":\s*"|"etag":\s*"W/\\")(\d+)', rb"\1v\2-final", body)
    body = re.sub(rb'("location":\s*"[^"]*/_history/)(\d+)', rb"\1v\2-final", body)
    headers = {name: re.sub(r'(/_history/|^W/")(\d+)', r"\1v\2-final", at) for name, at in headers.items()}
    call.answer(status, body, headers)


def answers(status: int, *, times: int = 1) -> Scenario:
    """The first writes are not carried out, and answered by ``status``."""
    left = [times]

    def scenario(call: Exchange) -> None:
        if call.method != "GET" and left[0]:
            left[0] -= 1
            call.answer(status, OUTCOME)
        else:
            call.forward()

    return scenario


def every_write(fault: Scenario) -> Scenario:
    """All that writes meets ``fault``."""
    return lambda call: (fault if call.method != "GET" else fault_proxy.faithful)(call)


def a_failed_entry(call: Exchange) -> None:
    """The transaction is carried out as a batch in which one entry fails."""
    bundle = json.loads(call.body)
    if bundle.get("resourceType") == "Bundle":
        bundle["entry"][2]["resource"] = {"resourceType": "Observation", "id": "another-id"}
        bundle["entry"][2]["request"] = {"method": "PUT", "url": "Observation/not-this-id"}
        call.body = json.dumps({**bundle, "type": "batch"}).encode()
    call.forward()


FAULTS: dict[str, Scenario] = {
    "reset before the body": fault_proxy.reset_before_the_body,
    "reset inside the body": fault_proxy.reset_inside_the_body,
    "reset after the body": fault_proxy.committed_and_reset,
    "answer cut": fault_proxy.committed_and_cut,
    "502, not carried out": lambda call: call.answer(502, OUTCOME),
    "502, carried out": fault_proxy.committed_and(502),
    "503, not carried out": lambda call: call.answer(503, OUTCOME),
    "503, carried out": fault_proxy.committed_and(503),
    "HTML, carried out": fault_proxy.committed_and_html,
    "HTML, not carried out": fault_proxy.html_with_200,
    "rolled back, with 200": fault_proxy.rolled_back_with_200("409 Conflict", "424 Failed Dependency"),
    "409, try again": lambda call: call.answer(409, OUTCOME),
    "412": lambda call: call.answer(412, OUTCOME),
    "carried out as a batch": fault_proxy.as_a_batch,
    "a failed entry": a_failed_entry,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_got_over_in_the_same_run(target: Place, trial: Trial, fault: str) -> None:
    target.meets = first_write(FAULTS[fault])
    pushed = trial.push()
    assert (pushed.written, pushed.clashes) == (OUTCOMES, [])
    promise_holds(target.base, trial.workspace)
    target.meets = fault_proxy.faithful
    assert trial.push(verify=True).written == 0


@pytest.mark.parametrize(
    "fault", ["reset after the body", "502, carried out", "503, carried out", "409, try again", "412"]
)
def test_a_fault_of_a_correction(target: Place, trial: Trial, fault: str) -> None:
    trial.push()
    target.meets = first_write(FAULTS[fault])
    trial.correct()
    pushed = trial.push()
    assert (pushed.written, pushed.clashes) == (len(CORRECTED), [])
    promise_holds(target.base, trial.workspace)
    target.meets = fault_proxy.faithful
    assert trial.push(verify=True).written == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(target: Place, trial: Trial, status: int) -> None:
    target.meets = answers(status)
    pushed = trial.push()
    assert (pushed.written, pushed.clashes) == (OUTCOMES, [])
    promise_holds(target.base, trial.workspace)


LASTING: dict[str, Scenario] = {
    "reset after the body": fault_proxy.committed_and_reset,
    "reset before the body": fault_proxy.reset_before_the_body,
    "500": lambda call: call.answer(500, OUTCOME),
    "503": lambda call: call.answer(503, OUTCOME),
    "409": lambda call: call.answer(409, OUTCOME),
    "read only": lambda call: call.answer(403, OUTCOME),
    "without rights": lambda call: call.answer(401, OUTCOME),
    "not valid": lambda call: call.answer(422, OUTCOME),
    "not implemented": lambda call: call.answer(501, OUTCOME),
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_said_and_the_next_run_does_it(
    target: Place, trial: Trial, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "TRIES", 3)
    target.meets = every_write(LASTING[fault])
    if fault == "reset after the body":  # it was carried out, and that was read back
        assert trial.push().written == OUTCOMES
    else:
        with pytest.raises(AdapterError) as said:
            trial.push()
        assert said.value.where
        assert said.value.remedy
    target.meets = fault_proxy.faithful
    trial.push()
    promise_holds(target.base, trial.workspace)
    assert trial.push(verify=True).written == 0


ODD: dict[str, Scenario] = {
    "only a status": fault_proxy.only_a_status,
    "without Location": fault_proxy.bare_answers,
    "versions that are no numbers": versions_are_words,
    "answers in another order": fault_proxy.shuffled,
}


@pytest.mark.parametrize("fault", ODD)
def test_an_odd_server_is_put_up_with(target: Place, trial: Trial, fault: str) -> None:
    odd = ODD[fault]

    def scenario(call: Exchange) -> None:
        bundles = fault in ("without Location", "answers in another order")
        if fault == "versions that are no numbers":
            odd(call)
        elif call.method == "GET" or (bundles and b'"Bundle"' not in call.body[:40]):
            call.forward()
        else:
            odd(call)

    target.meets = scenario
    assert trial.push().clashes == []
    promise_holds(target.base, trial.workspace)
    trial.correct()
    pushed = trial.push()
    assert (len(pushed.updated), pushed.clashes) == (len(CORRECTED), [])
    promise_holds(target.base, trial.workspace)
    assert trial.push(verify=True).differing == []
