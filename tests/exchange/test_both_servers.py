"""What writing exactly once stands on, tried on each real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fhir_adapter.errors import Conflict, Refused
from fhir_adapter.exchange.resource import decode
from fhir_adapter.exchange.server import Answer, Entry, Server
from tests.exchange.resources import fresh, observation, post, put, value_of

Write = Callable[[Server, Entry], Answer]


@pytest.fixture
def server(server_base: str) -> Server:
    return Server(server_base, name="hospital", page_size=20)


def alone(server: Server, entry: Entry) -> Answer:
    return server.send(entry)


def together(server: Server, entry: Entry) -> Answer:
    (answer,) = server.transaction([entry])
    return answer


both_ways = pytest.mark.parametrize("write", [alone, together], ids=lambda w: w.__name__)


# -- PUT -------------------------------------------------------------------------------------------


@both_ways
def test_a_put_to_an_id_of_ours_creates_it(server: Server, write: Write) -> None:
    entry = put()
    answer = write(server, entry)
    assert (answer.status, answer.version, answer.outcome) == (201, "1", "")
    assert answer.url == f"{server.base}/{entry.url}/_history/1"
    assert answer.id == entry.place[1]


@both_ways
def test_an_update_replaces_the_version_that_was_read(server: Server, write: Write) -> None:
    entry = put()
    first = write(server, entry)
    changed = replace(entry, if_match=first.version, resource={**entry.resource, "status": "amended"})
    second = write(server, changed)
    assert (second.status, second.version) == (200, "2")
    standing = server.read(*entry.place)
    assert standing is not None
    assert standing.version == "2"
    assert decode(standing.body)["status"] == "amended"


@both_ways
def test_a_stale_version_is_a_conflict_and_what_stands_there_stays(server: Server, write: Write) -> None:
    entry = put()
    write(server, entry)
    write(server, replace(entry, resource={**entry.resource, "status": "corrected"}))
    with pytest.raises(Conflict) as caught:
        write(server, replace(entry, if_match="1", resource={**entry.resource, "status": "amended"}))
    assert caught.value.status in (409, 412)
    standing = server.read(*entry.place)
    assert standing is not None
    assert decode(standing.body)["status"] == "corrected"


@both_ways
def test_an_identical_put_is_answered_with_the_version_that_then_stands_there(
    server: Server, write: Write
) -> None:
    """One server makes a new version of it and the other does not."""
    entry = put()
    write(server, entry)
    again = write(server, replace(entry, if_match="1"))
    standing = server.read(*entry.place)
    assert standing is not None
    assert (again.status, again.version) == (200, standing.version)
    assert standing.version in ("1", "2")


# -- POST ------------------------------------------------------------------------------------------


@both_ways
def test_a_post_is_answered_with_the_id_that_the_server_chose(server: Server, write: Write) -> None:
    entry = post()
    answer = write(server, entry)
    assert answer.status == 201
    (found,) = server.find("Observation", "identifier", [value_of(entry)])
    assert (answer.id, answer.version, answer.url) == (found.id, found.version, found.url)


@both_ways
@pytest.mark.parametrize("odd", ["", ",", "|", "\\", "$", " ", "&b=c#%41", "ä+"])
def test_a_conditional_create_twice_gives_one(server: Server, write: Write, odd: str) -> None:
    entry = post(f"a{odd}{fresh()}", once=True)
    first, second = write(server, entry), write(server, entry)
    assert (first.status, second.status) == (201, 200)
    assert first.id is not None
    assert (first.id, first.version) == (second.id, second.version)
    (found,) = server.find("Observation", "identifier", [value_of(entry)])
    assert found.id == first.id


@both_ways
def test_criteria_that_several_fit_are_a_conflict(server: Server, write: Write) -> None:
    entry = post()
    write(server, entry)
    write(server, entry)
    with pytest.raises(Conflict):
        write(server, replace(entry, if_none_exist=f"identifier={value_of(entry)}"))


@both_ways
def test_a_put_by_the_id_that_the_server_chose(server: Server, write: Write) -> None:
    entry = post(once=True)
    first = write(server, entry)
    resource = {**entry.resource, "id": first.id, "status": "amended"}
    update = Entry("PUT", f"Observation/{first.id}", resource, entry.full_url, first.version)
    second = write(server, update)
    assert (second.status, second.version, second.id) == (200, "2", first.id)


def test_put_and_post_together_are_answered_in_their_order(server: Server) -> None:
    there = post(once=True)
    known = server.send(there)
    entries = [put(), there, post(), put(), post(once=True)]
    answers = server.transaction(entries)
    assert [answer.status for answer in answers] == [201, 200, 201, 201, 201]
    assert answers[1].id == known.id
    assert [answers[0].id, answers[3].id] == [entries[0].place[1], entries[3].place[1]]
    for position in (2, 4):
        (found,) = server.find("Observation", "identifier", [value_of(entries[position])])
        assert answers[position].id == found.id


def test_a_transaction_that_fails_in_one_entry_writes_none(server: Server) -> None:
    one, two = put(), put()
    server.send(two)
    server.send(replace(two, resource={**two.resource, "status": "corrected"}))
    three = post(once=True)
    with pytest.raises(Conflict):
        server.transaction([one, replace(two, if_match="1"), three])
    assert server.read(*one.place) is None
    assert server.find("Observation", "identifier", [value_of(three)]) == []


@both_ways
def test_what_is_wrong_is_refused(server: Server, write: Write) -> None:
    entry = put(status=["wrong"])
    with pytest.raises(Refused) as caught:
        write(server, entry)
    assert caught.value.status in (400, 422)
    assert server.read(*entry.place) is None


# -- delete ----------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_and_deleting_it_again_is_fine(server: Server) -> None:
    entry = put()
    server.send(entry)
    server.delete(*entry.place)
    assert server.read(*entry.place) is None
    server.delete(*entry.place)
    server.delete("Observation", fresh())


def test_deleting_what_others_point_at_goes_through_or_is_a_conflict(server: Server) -> None:
    patient = fresh()
    resource = {"resourceType": "Patient", "id": patient}
    server.send(Entry("PUT", f"Patient/{patient}", resource, ""))
    entry = put(subject={"reference": f"Patient/{patient}"})
    server.send(entry)
    try:
        server.delete("Patient", patient)
    except Conflict:
        assert server.read("Patient", patient) is not None
        server.delete(*entry.place)
        server.delete("Patient", patient)
    assert server.read("Patient", patient) is None


def test_what_can_be_no_id_is_not_deleted(server: Server) -> None:
    with pytest.raises(ValueError, match="no resource can have such an id"):
        server.delete("Observation", "a/../b?c")


# -- what is found, and when -----------------------------------------------------------------------


def test_find_asks_in_batches_and_hands_over_each_once(server: Server) -> None:
    entries = [post() for _ in range(120)]
    for start in range(0, 120, 40):
        server.transaction(entries[start : start + 40])
    twice = observation()
    twice["identifier"] = [entry.resource["identifier"][0] for entry in (entries[0], entries[119])]
    double = server.send(Entry("POST", "Observation", twice, ""))
    before = server.requests
    values = [value_of(entry) for entry in entries]
    found = server.find("Observation", "identifier", [*values, f"{values[0]}-not-there", values[5]])
    assert len(found) == len({received.id for received in found}) == 121
    assert double.id in {received.id for received in found}
    assert server.requests > before + 1
    assert server.find("Observation", "identifier", []) == []


def test_the_clock_is_the_servers_own(server: Server) -> None:
    assert abs(server.clock() - datetime.now(UTC)) < timedelta(minutes=1)
    assert server.clock().tzinfo is UTC


def test_a_deletion_is_seen_and_one_that_was_taken_back_is_not(server: Server) -> None:
    long_gone, gone, back, there = [put() for _ in range(4)]
    server.transaction([long_gone, gone, back, there])
    server.delete(*long_gone.place)
    time.sleep(0.01)
    since = datetime.now(UTC)
    time.sleep(0.01)
    server.transaction([put() for _ in range(25)])  # more than a page
    server.delete(*gone.place)
    server.delete(*back.place)
    server.send(back)
    deleted = server.deleted_since("Observation", since)
    assert gone.place[1] in deleted
    assert not deleted & {entry.place[1] for entry in (long_gone, back, there)}


def test_a_history_is_not_followed_beyond_what_was_asked_for(server_base: str) -> None:
    """sekmet forgets ``_since`` in the link to the next page, and goes on to the first version of all."""
    server = Server(server_base, name="hospital", page_size=2)
    old, new = put(), put()
    server.transaction([old, new, *(put() for _ in range(6))])
    server.delete(*old.place)
    time.sleep(0.01)
    since = datetime.now(UTC)
    time.sleep(0.01)
    server.delete(*new.place)
    before = server.requests
    deleted = server.deleted_since("Observation", since)
    assert new.place[1] in deleted
    assert old.place[1] not in deleted
    assert server.requests - before < 20  # other tests may write there at the same time


def test_nothing_was_deleted_in_the_future(server: Server) -> None:
    assert server.deleted_since("Observation", datetime.now(UTC) + timedelta(days=1)) == set()
    with pytest.raises(ValueError, match="no time zone"):
        server.deleted_since("Observation", datetime.now(UTC).replace(tzinfo=None))


def test_the_history_of_what_is_no_type_is_refused(server: Server) -> None:
    with pytest.raises(Refused):
        server.deleted_since("Banana", datetime.now(UTC))


# -- what a server announces -----------------------------------------------------------------------


def test_abilities_are_asked_for_once(server: Server) -> None:
    announced = server.abilities()
    before = server.requests
    assert server.abilities() is announced
    assert server.requests == before
    assert announced.conditional_create
    assert announced.transactions
    assert {"Observation", "Provenance"} <= announced.history
    # HAPI creates by PUT, as the tests above show, and does not say so
    assert announced.client_ids is not announced.software.startswith("HAPI")
    assert any(digit.isdigit() for digit in announced.software)


def test_requests_are_counted(server: Server) -> None:
    entry = put()
    server.send(entry)
    server.transaction([put(), put()])
    server.read(*entry.place)
    assert (server.requests, server.retries) == (3, 0)
