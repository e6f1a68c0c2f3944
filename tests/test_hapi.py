"""The second server behaves as our promises of exactly-once writing assume."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.hapi import require_java, running_hapi

TIMEOUT = 60.0  # seconds; the first request of each kind is slow
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The base URL of a validating server."""
    require_java("nothing was tried on HAPI FHIR, the second server.")
    with running_hapi(validating=True) as url:
        yield url


def put(base: str, place: str, body: str, **headers: str) -> requests.Response:
    return requests.put(f"{base}/{place}", data=body, headers=FHIR | headers, timeout=TIMEOUT)


def observation(name: str, value: str, patient: str) -> str:
    """The text of an Observation; the value as it is to be written."""
    resource = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": "ESSPRI"},
        "subject": {"reference": f"Patient/{patient}"},
        "valueQuantity": {"value": "VALUE"},
    }
    return json.dumps(resource).replace('"VALUE"', value)


@pytest.fixture(scope="module")
def stored(base: str) -> str:
    """The id of an Observation with the value 1.50, of the patient ``p1``."""
    assert put(base, "Patient/p1", '{"resourceType": "Patient", "id": "p1"}').status_code == 201
    assert put(base, "Observation/o1", observation("o1", "1.50", "p1")).status_code == 201
    return "o1"


def test_a_decimal_keeps_its_precision(base: str, stored: str) -> None:
    text = requests.get(f"{base}/Observation/{stored}", timeout=TIMEOUT).text
    assert '"value":1.50}' in text


def test_a_stale_if_match_is_a_conflict(base: str) -> None:
    put(base, "Patient/p2", '{"resourceType": "Patient", "id": "p2"}')
    put(base, "Observation/o2", observation("o2", "1", "p2"))
    current = put(base, "Observation/o2", observation("o2", "2", "p2"), **{"If-Match": 'W/"1"'})
    stale = put(base, "Observation/o2", observation("o2", "3", "p2"), **{"If-Match": 'W/"1"'})
    assert (current.status_code, stale.status_code) == (200, 409)


def test_what_is_referred_to_cannot_be_deleted(base: str, stored: str) -> None:
    assert requests.delete(f"{base}/Patient/p1", timeout=TIMEOUT).status_code == 409


def test_a_validating_server_refuses_a_wrong_code(base: str) -> None:
    wrong = observation("o3", "1", "p1").replace("final", "bogus")
    assert put(base, "Observation/o3", wrong).status_code == 422
