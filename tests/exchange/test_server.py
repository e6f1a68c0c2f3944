"""The simple paths, on a real server."""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.errors import Conflict, Refused, WrongUse
from fhir_adapter.exchange.bundle import bundle_in, place_of, received_in, said
from fhir_adapter.exchange.resource import decode
from fhir_adapter.exchange.search import resolve
from fhir_adapter.exchange.server import Entry, Server

TEN = [f"o{number}" for number in range(10)]


@pytest.fixture
def server(hospital: str) -> Server:
    return Server(hospital, name="hospital", page_size=4)


def device(if_match: str | None = None, id: str = "", **rest: Any) -> Entry:
    id = id or str(uuid.uuid4())
    resource = {"resourceType": "Device", "id": id, **rest}
    return Entry("PUT", f"Device/{id}", resource, f"urn:uuid:{uuid.uuid4()}", if_match)


def test_capability(server: Server) -> None:
    assert server.capability()["fhirVersion"] == "4.0.1"


def test_a_search_follows_its_pages(server: Server) -> None:
    found = list(server.search("Observation", [("code", "http://loinc.org|1")]))
    assert sorted(r.id for r in found) == TEN
    assert {r.type for r in found} == {"Observation"}


def test_a_resource_says_which_version_it_is_and_where_it_stands(server: Server, hospital: str) -> None:
    (found,) = server.search("Observation", [("_id", "o1")])
    assert found.version == "1"
    assert found.url == f"{hospital}/Observation/o1/_history/1"
    assert decode(found.body)["meta"]["lastUpdated"] == found.last_updated
    assert found == server.read("Observation", "o1")


def test_what_is_included_comes_only_when_asked_for(server: Server) -> None:
    patient = Entry("PUT", "Patient/p", {"resourceType": "Patient", "id": "p"}, "urn:p")
    server.transaction([patient])
    asked = [("_id", "o1,o2,o3,o4,o5,o6"), ("_include", "Observation:subject")]
    found = [(r.type, r.id) for r in server.search("Observation", asked)]
    assert sorted(found) == [("Observation", f"o{n}") for n in range(1, 7)] + [("Patient", "p")]
    assert server.read_many("Observation", ["o1"]).keys() == {"o1"}


def test_read_of_what_is_not_there_or_was_deleted_is_none(server: Server, hospital: str) -> None:
    entry = device()
    server.transaction([entry])
    assert server.read(*entry.place) is not None
    requests.delete(f"{hospital}/{entry.url}", timeout=5)
    assert server.read(*entry.place) is None
    assert server.read("Device", "never-was") is None
    assert server.read("Device", "../Observation/o1") is None


def test_read_many_reads_in_batches_and_leaves_out_what_is_not_there(server: Server) -> None:
    asked = [*TEN, *TEN, *(f"none-{n}" for n in range(120)), "no id at all"]
    assert sorted(server.read_many("Observation", asked)) == TEN
    assert server.read_many("Observation", []) == {}


def test_a_transaction_writes_and_says_the_versions(server: Server, hospital: str) -> None:
    one, two = device(), device(id="with.dots-" + uuid.uuid4().hex)
    answers = server.transaction([one, two])
    assert [(a.status, a.version, a.url, a.outcome) for a in answers] == [
        (201, "1", f"{hospital}/{e.url}/_history/1", "") for e in (one, two)
    ]
    (again,) = server.transaction([replace(one, if_match="1", resource={**one.resource, "status": "active"})])
    assert (again.status, again.version) == (200, "2")
    assert server.transaction([]) == []


def test_a_decimal_is_written_with_its_digits(server: Server) -> None:
    """sekmet makes a float of it; that it arrived as a number is all that can be seen here."""
    extension = [{"url": "http://example.org/x", "valueDecimal": Decimal("1.50")}]
    entry = device(extension=extension)
    server.transaction([entry])
    found = server.read(*entry.place)
    assert found is not None
    assert decode(found.body)["extension"][0]["valueDecimal"] == Decimal("1.5")


def test_a_stale_version_is_a_conflict_and_nothing_is_written(server: Server) -> None:
    one, two = device(), device()
    server.transaction([one])
    server.transaction([one])
    with pytest.raises(Conflict) as caught:
        server.transaction([two, replace(one, if_match="1")])
    assert caught.value.status == 412
    assert "Read the resources again" in str(caught.value)
    assert server.read(*two.place) is None


def test_a_transaction_that_the_server_refuses_is_refused_as_a_whole(server: Server) -> None:
    one, two = device(), device(status=["wrong"])
    with pytest.raises(Refused):
        server.transaction([one, two])
    assert server.read(*one.place) is None


@pytest.mark.parametrize(
    "wrong",
    [
        replace(device(), method="POST"),
        replace(device(), url="Device/other"),
        replace(device(), url="Device?identifier=1"),
    ],
)
def test_what_is_no_put_of_its_own_resource_is_a_mistake(server: Server, wrong: Entry) -> None:
    with pytest.raises(ValueError):
        server.transaction([wrong])


def test_one_refused_type_is_named_with_its_parameters_and_a_remedy(server: Server, hospital: str) -> None:
    with pytest.raises(Refused) as caught:
        list(server.search("Banana", [("patient", "secret-patient"), ("_lastUpdated", "ge2026")]))
    assert caught.value.where == f"hospital ({hospital}) Banana?patient&_lastUpdated"
    assert caught.value.status == 404
    assert caught.value.remedy
    assert "secret-patient" not in str(caught.value)


@pytest.mark.parametrize(
    "base",
    ["", "fhir.example.org/r4", "ftp://h/fhir", "https:///fhir", "https://h/fhir?x=1", "https://h:port/fhir"],
)
def test_what_is_no_base_address_is_refused(base: str) -> None:
    with pytest.raises(WrongUse, match="no base address"):
        Server(base, name="hospital")


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(WrongUse) as caught:
        Server("https://me:hush@h/fhir", name="hospital")
    assert "hush" not in str(caught.value)


@given(st.data())
def test_whatever_the_bytes_of_a_page_are_they_are_a_bundle_or_not(data: st.DataObject) -> None:
    resource = '{"resourceType":"Observation","id":"ö","meta":{"versionId":"1"}}'
    page = bytearray(
        f'{{"resourceType":"Bundle","link":[{{"relation":"next","url":"u"}}],"total":1,"entry":[{{"fullUrl":'
        f'"u","resource":{resource},"search":{{"mode":"match"}},"response":{{"status":"200"}}}}]}}'.encode()
    )
    for _ in range(data.draw(st.integers(0, 4))):
        page[data.draw(st.integers(0, len(page) - 1))] = data.draw(st.integers(0, 255))
    found = bundle_in(bytes(page))
    for entry in found.entry if found else []:
        place_of(entry)
        said(entry.resource)
        received = received_in(bytes(entry.resource), "http://h")
        assert received is None or decode(received.body)["id"] == received.id


@pytest.mark.parametrize(
    ("link", "page", "expected"),
    [
        ("https://h/fhir?p=2", "https://h/fhir/Observation", "https://h/fhir?p=2"),
        ("/fhir/Observation?p=2", "https://h/fhir/Observation", "https://h/fhir/Observation?p=2"),
        ("Observation?p=2", "https://h/fhir/Observation?p=1", "https://h/fhir/Observation?p=2"),
        ("Observation?p=2", "https://h/fhir?p=1", "https://h/fhir/Observation?p=2"),
        ("?p=2", "https://h/fhir?p=1", "https://h/fhir?p=2"),
        ("?p=2", "https://h/fhir/Observation?p=1", "https://h/fhir/Observation?p=2"),
        ("?code=http://loinc.org|1", "https://h/fhir/O", "https://h/fhir/O?code=http://loinc.org|1"),
        (
            "Observation?code=http://loinc.org|1",
            "https://h/fhir",
            "https://h/fhir/Observation?code=http://loinc.org|1",
        ),
        ("//evil/fhir?p=2", "https://h/fhir", "https://evil/fhir?p=2"),
    ],
)
def test_links_are_resolved(link: str, page: str, expected: str) -> None:
    assert resolve(link, page, "https://h/fhir") == expected
