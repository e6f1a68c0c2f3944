"""Each fault on the way of a write, made by a proxy before each real server: what it is called afterwards.

``Conflict`` and ``Refused`` promise that nothing was written; ``UnknownResult`` that nothing is promised.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
import requests
import urllib3

from fhir_adapter.errors import Conflict, Incomplete, Refused, ServerError, UnknownResult
from fhir_adapter.exchange.server import Answer, Entry, Server
from tests import fault_proxy as faults
from tests.exchange.resources import fresh, observation, post, put, value_of
from tests.exchange.test_both_servers import Write, alone, both_ways, together
from tests.fault_proxy import Exchange, Scenario, faulty

LARGE = "x" * 8_000_000


def name(scenario: Scenario) -> str:
    return scenario.__qualname__.partition(".")[0]


@contextmanager
def behind(upstream: str, scenario: Scenario, attempts: int = 3) -> Iterator[Server]:
    """A ``Server`` behind a proxy; it never sleeps."""
    with faulty(upstream, scenario) as proxy:
        yield Server(proxy.base, name="hospital", timeout=20, attempts=attempts, sleep=lambda _: None)


def standing(server: Server, entry: Entry) -> int:
    """How many of the resource stand there."""
    if entry.method == "PUT":
        return int(server.read(*entry.place) is not None)
    return len(server.find("Observation", "identifier", [value_of(entry)]))


any_entry = pytest.mark.parametrize("make", [put, post], ids=lambda m: m.__name__)


# -- whether anything was written is not known -----------------------------------------------------


@both_ways
@any_entry
@pytest.mark.parametrize(
    ("fault", "written"),
    [
        (faults.reset_before_the_body, 0),
        (faults.reset_inside_the_body, 0),
        (faults.committed_and_reset, 1),
        (faults.committed_and_cut, 1),
        (faults.committed_and(500), 1),
        (faults.committed_and(502), 1),
        (faults.committed_and(503), 1),
        (faults.fails_always(503), 0),
        (faults.committed_and(504), 1),
        (faults.committed_and_html, 1),
        (faults.html_with_200, 0),
        (faults.outcome_with_200, 0),
    ],
    ids=lambda value: name(value) if callable(value) else None,
)
def test_what_is_not_known_is_said_and_not_sent_again(
    server_base: str, write: Write, make: Callable[[], Entry], fault: Scenario, written: int
) -> None:
    with behind(server_base, faults.first_write(fault)) as server:
        entry = make()
        with pytest.raises(UnknownResult, match=r"not known whether.* Read the resources back"):
            write(server, entry)
        assert (server.requests, server.retries) == (1, 0)
        assert standing(server, entry) == written


@both_ways
@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_does_not_keep_the_method_is_not_followed(
    server_base: str, write: Write, status: int
) -> None:
    away = faults.redirects_to(lambda call: call.handler.path, status)
    with behind(server_base, faults.first_write(away)) as server:
        with pytest.raises(UnknownResult, match="redirect"):
            write(server, put())
        assert server.requests == 1


@both_ways
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_server_that_keeps_the_method_is_followed(
    server_base: str, write: Write, status: int
) -> None:
    away = faults.redirects_to(lambda call: call.handler.path, status)
    with behind(server_base, faults.first_write(away)) as server:
        assert write(server, put()).version == "1"
        assert server.requests == 2


def test_a_reset_inside_a_body_that_fills_the_wire(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.reset_inside_the_body)) as server:
        entry = put(note=[{"text": LARGE}])
        with pytest.raises(UnknownResult):
            server.send(entry)
        assert standing(server, entry) == 0


def test_after_a_503_the_server_is_given_the_time_that_it_asks_for(server_base: str) -> None:
    def busy(call: Exchange) -> None:
        call.answer(503, b"", {"Retry-After": "7"})

    waits: list[float] = []
    with faulty(server_base, busy) as proxy:
        server = Server(proxy.base, name="hospital", timeout=20, sleep=waits.append)
        with pytest.raises(UnknownResult):
            server.send(put())
    assert waits == [7]


def test_after_a_lost_answer_the_conditional_ways_do_no_harm(server_base: str) -> None:
    """What a caller does who does not read back first: nothing comes twice."""
    with behind(server_base, faults.first_write(faults.committed_and_reset)) as server:
        entry = post(once=True)
        with pytest.raises(UnknownResult):
            server.transaction([entry])
        assert server.send(entry).status == 200
        assert standing(server, entry) == 1
    with behind(server_base, faults.first_write(faults.committed_and_reset)) as server:
        entry = put()
        Server(server_base, name="setup").send(entry)
        changed = replace(entry, if_match="1", resource={**entry.resource, "status": "amended"})
        with pytest.raises(UnknownResult):
            server.send(changed)
        with pytest.raises(Conflict):
            server.send(changed)


def test_an_answer_too_large_to_take_in_leaves_it_unknown(
    server_base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_adapter.exchange.transport.MAX_BODY", 10)
    with (
        behind(server_base, faults.committed_and_html) as server,
        pytest.raises(UnknownResult, match="larger than"),
    ):
        server.send(put())


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), UnknownResult),
        (ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed"), ServerError),
    ],
)
def test_a_secure_connection_that_breaks_leaves_it_unknown_and_one_that_is_not_trusted_does_not(
    monkeypatch: pytest.MonkeyPatch, cause: ssl.SSLError, kind: type[ServerError]
) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        reason = urllib3.exceptions.SSLError(cause)
        pool = urllib3.HTTPSConnectionPool("h")
        raise requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(pool, "/fhir", reason))

    monkeypatch.setattr(requests.Session, "request", broken)
    with pytest.raises(ServerError) as caught:
        Server("https://h/fhir", name="hospital").send(put())
    assert type(caught.value) is kind


# -- nothing was written, and it is sent again -----------------------------------------------------


@both_ways
@any_entry
def test_what_was_not_taken_up_is_sent_again(
    server_base: str, write: Write, make: Callable[[], Entry]
) -> None:
    with behind(server_base, faults.fails_once(429)) as server:
        entry = make()
        assert write(server, entry).version == "1"
        assert (server.requests, server.retries) == (2, 1)
        assert standing(server, entry) == 1


@both_ways
def test_what_is_never_taken_up_was_not_written(server_base: str, write: Write) -> None:
    with behind(server_base, faults.fails_always(429)) as server:
        with pytest.raises(ServerError, match=r"\(3 tries\)") as caught:
            write(server, put())
        assert not isinstance(caught.value, UnknownResult)
        assert (server.requests, server.retries) == (3, 2)


# -- nothing was written, and it is not sent again -------------------------------------------------


@both_ways
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (403, Refused),
        (404, Refused),
        (405, Refused),
        (409, Conflict),
        (412, Conflict),
        (422, Refused),
        (501, Refused),
    ],
)
def test_what_is_refused_was_not_written(
    server_base: str, write: Write, status: int, kind: type[ServerError]
) -> None:
    with behind(server_base, faults.first_write(faults.fails_always(status))) as server:
        entry = put()
        with pytest.raises(kind) as caught:
            write(server, entry)
        assert caught.value.status == status
        assert server.requests == 1
        assert standing(server, entry) == 0


# -- transactions that were none -------------------------------------------------------------------


def test_a_transaction_carried_out_as_a_batch_in_which_one_failed_is_not_known(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.as_a_batch)) as server:
        stale, good = put(), put()
        setup = Server(server_base, name="setup")
        setup.send(stale)
        setup.send(replace(stale, resource={**stale.resource, "status": "corrected"}))
        with pytest.raises(UnknownResult, match="1 of its 2 answers say that they failed"):
            server.transaction([replace(stale, if_match="1"), good])
        assert standing(server, good) == 1


def test_a_transaction_carried_out_as_a_batch_in_which_all_failed_is_a_conflict(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.as_a_batch)) as server:
        entries = [put(), put()]
        setup = Server(server_base, name="setup")
        setup.transaction(entries)
        setup.transaction([replace(e, resource={**e.resource, "status": "corrected"}) for e in entries])
        with pytest.raises(Conflict):
            server.transaction([replace(entry, if_match="1") for entry in entries])


def test_a_transaction_carried_out_as_a_batch_without_fault_is_done(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.as_a_batch)) as server:
        answers = server.transaction([put(), post(once=True)])
        assert [answer.status for answer in answers] == [201, 201]


@pytest.mark.parametrize(
    ("statuses", "kind", "status"),
    [
        (("424 Failed Dependency", "412 Precondition Failed"), Conflict, 412),
        (("409", "409"), Conflict, 409),
        (("424", "422 Unprocessable Entity"), Refused, 422),
        (("400", "412"), Conflict, 412),
        (("424", "500 Internal Server Error"), UnknownResult, 500),
        (("201 Created", "412"), UnknownResult, 412),
        (("412",), UnknownResult, 412),  # and the other?
        (("done", "done"), UnknownResult, 200),
        (("304 Not Modified", "200"), UnknownResult, 200),
    ],
)
def test_a_rolled_back_transaction_that_is_told_with_200(
    server_base: str, statuses: tuple[str, ...], kind: type[ServerError], status: int
) -> None:
    with behind(server_base, faults.first_write(faults.rolled_back_with_200(*statuses))) as server:
        with pytest.raises(kind) as caught:
            server.transaction([put(), put()])
        assert type(caught.value) is kind
        assert caught.value.status == status


def test_a_transaction_that_the_server_rolled_back(server_base: str) -> None:
    with behind(server_base, faults.faithful) as server:
        good = put()
        with pytest.raises(Refused):
            server.transaction([good, put(status=["wrong"])])
        assert standing(server, good) == 0


# -- answers that say little -----------------------------------------------------------------------


def test_a_put_that_is_answered_by_a_status_alone(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.only_a_status)) as server:
        entry = put()
        assert server.send(entry) == Answer(201, None, f"{server.base}/{entry.url}")


def test_a_post_that_is_answered_by_a_status_alone_can_be_found(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.only_a_status)) as server:
        entry = post(once=True)
        answer = server.send(entry)
        assert (answer, answer.id) == (Answer(201, None, None), None)
        assert standing(server, entry) == 1


def test_a_server_that_answers_with_the_resource_instead_of_headers(server_base: str) -> None:
    def represented(call: Exchange) -> None:
        call.fetch()
        id = "given" if call.method == "POST" else call.path.rpartition("/")[2]
        call.answer(201, observation(id=id, meta={"versionId": "7-a"}))

    with behind(server_base, faults.first_write(represented)) as server:
        answer = server.send(post())
        assert (answer.id, answer.version) == ("given", "7-a")
    with behind(server_base, faults.first_write(represented)) as server:
        assert server.send(put()).version == "7-a"


@pytest.mark.parametrize("make", [put, post])
def test_an_answer_about_another_type_fits_no_write(server_base: str, make: Callable[[], Entry]) -> None:
    with (
        behind(server_base, faults.first_write(faults.location_elsewhere)) as server,
        pytest.raises(UnknownResult, match="says that it wrote Patient/1"),
    ):
        server.send(make())


def test_a_put_in_a_transaction_is_known_by_its_position_where_no_answer_says_more(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.without_location)) as server:
        entries = [put(), put()]
        answers = server.transaction(entries)
        assert [answer.id for answer in answers] == [entry.place[1] for entry in entries]
        assert {answer.version for answer in answers} == {"1"}


def test_a_post_in_a_transaction_whose_id_is_not_told_is_not_known(server_base: str) -> None:
    with (
        behind(server_base, faults.first_write(faults.without_location)) as server,
        pytest.raises(UnknownResult, match="does not say what became of Observation"),
    ):
        server.transaction([put(), post()])


@pytest.mark.parametrize("scenario", [faults.shuffled, faults.one_answer_less], ids=name)
def test_a_post_is_not_taken_for_the_put_beside_it(server_base: str, scenario: Scenario) -> None:
    with behind(server_base, faults.first_write(scenario)) as server, pytest.raises(UnknownResult):
        server.transaction([put(), post()])


@both_ways
def test_versions_that_are_no_numbers(server_base: str, write: Write) -> None:
    with behind(server_base, faults.versions_are_words) as server:
        entry = put()
        first = write(server, entry)
        assert first.version == "v1-final"
        assert first.url == f"{server.base}/{entry.url}/_history/v1-final"
        found = server.read(*entry.place)
        assert found is not None
        assert (found.version, found.url) == (first.version, first.url)
        changed = replace(entry, if_match=first.version, resource={**entry.resource, "status": "amended"})
        assert write(server, changed).version == "v2-final"
        with pytest.raises(Conflict):
            write(server, changed)


# -- delete ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [faults.committed_and_reset, faults.committed_and(502), faults.reset_before_the_body],
    ids=name,
)
def test_a_delete_is_sent_again_until_its_answer_comes(server_base: str, fault: Scenario) -> None:
    with behind(server_base, faults.first_write(fault)) as server:
        entry = put()
        Server(server_base, name="setup").send(entry)
        server.delete(*entry.place)
        assert server.retries == 1
        assert standing(server, entry) == 0


@pytest.mark.parametrize("status", [202, 204, 404, 410])
def test_a_delete_of_what_is_gone_is_fine(server_base: str, status: int) -> None:
    with behind(server_base, lambda call: call.answer(status, b"")) as server:
        server.delete("Observation", fresh())


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Refused), (405, Refused), (409, Conflict), (500, UnknownResult)]
)
def test_a_delete_that_is_refused(server_base: str, status: int, kind: type[ServerError]) -> None:
    with behind(server_base, faults.fails_always(status)) as server, pytest.raises(kind):
        server.delete("Observation", fresh())


def test_a_delete_that_may_have_been_carried_out_stays_unknown_when_later_tries_were_not_taken_up(
    server_base: str,
) -> None:
    def lost_then_busy(call: Exchange) -> None:
        (faults.committed_and_reset if call.number == 1 else faults.fails_always(429))(call)

    with behind(server_base, lost_then_busy) as server, pytest.raises(UnknownResult):
        server.delete("Observation", fresh())


# -- clocks and histories --------------------------------------------------------------------------


def test_without_a_date_the_clock_is_that_of_a_search(server_base: str) -> None:
    with behind(server_base, faults.without_date) as server:
        assert abs(server.clock() - datetime.now(UTC)) < timedelta(minutes=1)
        assert server.requests == 2


def test_a_server_without_a_clock_is_named_and_ours_not_taken_for_it(server_base: str) -> None:
    with (
        behind(server_base, faults.without_any_date) as server,
        pytest.raises(ServerError, match="does not say what time it is"),
    ):
        server.clock()


def test_a_server_that_searches_where_a_history_is_asked_for_offers_none(server_base: str) -> None:
    with (
        behind(server_base, faults.history_is_a_search) as server,
        pytest.raises(Refused, match="not with a history"),
    ):
        server.deleted_since("Observation", datetime.now(UTC) - timedelta(days=1))


def test_a_history_with_an_entry_of_nothing_is_incomplete(server_base: str) -> None:
    def of_nothing(call: Exchange) -> None:
        call.answer(200, {**call.page(), "entry": [{"request": {"method": "DELETE", "url": "Observation"}}]})

    with behind(server_base, of_nothing) as server, pytest.raises(Incomplete, match="which resource"):
        server.deleted_since("Observation", datetime.now(UTC) - timedelta(days=1))


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_server_without_a_history_refuses_it(server_base: str, status: int) -> None:
    with behind(server_base, faults.fails_always(status)) as server, pytest.raises(Refused):
        server.deleted_since("Observation", datetime.now(UTC))


def test_the_first_write_of_a_proxy_is_the_only_one_that_is_harmed(server_base: str) -> None:
    with behind(server_base, faults.first_write(faults.fails_always(403))) as server:
        with pytest.raises(Refused):
            alone(server, put())
        entry = put()
        together(server, entry)
        assert standing(server, entry) == 1
