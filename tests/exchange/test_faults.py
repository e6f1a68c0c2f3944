"""Each fault that clients are known to fail on, made by a proxy before a real server."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from fhir_adapter.errors import Incomplete, Refused, ServerError, Unauthorized
from fhir_adapter.exchange.credentials import Credentials
from fhir_adapter.exchange.resource import decode
from fhir_adapter.exchange.server import Entry, Server
from tests import fault_proxy as faults
from tests.fault_proxy import Proxy, Scenario, faulty

TEN = [f"o{number}" for number in range(10)]
CODE = ("code", "http://loinc.org|1")
SECRET = "xyzzy-token"  # noqa: S105 - nobody's


class Client:
    """A ``Server`` behind a proxy, and how long it wanted to sleep."""

    def __init__(self, proxy: Proxy, *, attempts: int = 5, timeout: float = 5, bearer: bool = False) -> None:
        self.proxy = proxy
        self.waits: list[float] = []
        credentials = Credentials("test", f"Bearer {SECRET}") if bearer else None
        self.server = Server(
            proxy.base,
            name="hospital",
            credentials=credentials,
            timeout=timeout,
            page_size=4,
            attempts=attempts,
            sleep=self.waits.append,
        )

    def ids(self, params: Sequence[tuple[str, str]] = (CODE,)) -> list[str]:
        return [r.id for r in self.server.search("Observation", params)]


@contextmanager
def client(upstream: str, scenario: Scenario, **options: object) -> Iterator[Client]:
    with faulty(upstream, scenario) as proxy:
        yield Client(proxy, **options)  # type: ignore[arg-type]


# -- throttling and short faults -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (faults.in_seconds, 3, 3),
        (faults.as_a_date, 7, 9),
        (faults.in_epoch_milliseconds, 7, 9),
        (faults.in_hours, 20, 20),
        (faults.as_nonsense, 0.5, 0.5),
    ],
)
def test_429_is_waited_for_as_long_as_asked_but_no_longer_than_20_seconds(
    hospital: str, retry_after: Callable[[], str], least: float, most: float
) -> None:
    with client(hospital, faults.throttled(retry_after)) as c:
        assert sorted(c.ids()) == TEN
        (wait,) = c.waits
        assert least <= wait <= most


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_short_fault_is_tried_again(hospital: str, status: int) -> None:
    with client(hospital, faults.fails_once(status)) as c:
        assert sorted(c.ids()) == TEN
        assert len(c.waits) == 1


@pytest.mark.parametrize(
    "scenario",
    [faults.resets_once, faults.short_body_once, faults.short_chunks_once],
    ids=lambda s: s.__name__,
)
def test_an_answer_that_breaks_off_is_tried_again(hospital: str, scenario: Scenario) -> None:
    with client(hospital, scenario) as c:
        assert sorted(c.ids()) == TEN
        assert len(c.waits) == 1


def test_a_lasting_fault_ends_after_all_tries_and_names_the_server(hospital: str) -> None:
    with client(hospital, faults.fails_always(503)) as c:
        with pytest.raises(ServerError) as caught:
            c.ids()
        assert c.waits == [0.5, 1, 2, 4]
        assert caught.value.status == 503
        assert str(caught.value) == (
            f"hospital ({c.proxy.base}) Observation?code: it answered 503 (5 tries). "
            "Check the address and that the server runs, or try again later."
        )


def test_no_further_try_is_begun_after_the_whole_time(hospital: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_adapter.exchange.transport.MAX_WHOLE", 3)
    with client(hospital, faults.fails_always(503), attempts=50) as c:
        with pytest.raises(ServerError, match="4 tries"):
            c.ids()
        assert c.waits == [0.5, 1, 2]


def test_a_body_without_end_is_not_taken_in(hospital: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_adapter.exchange.transport.MAX_BODY", 1000)
    with client(hospital, faults.packed) as c, pytest.raises(ServerError, match="smaller pages"):
        c.ids()


def test_a_server_that_is_not_there_is_named(hospital: str) -> None:
    with faulty(hospital, faults.faithful) as proxy:
        pass
    gone = Client(proxy, attempts=2)
    with pytest.raises(ServerError, match=r"cannot be reached \(2 tries\)") as caught:
        gone.ids()
    assert caught.value.status is None
    with pytest.raises(ServerError, match=r"cannot be reached \(2 tries\)") as caught:
        gone.server.transaction(devices())  # it never left, so it may be tried again
    assert "not known" not in str(caught.value)


def test_a_silent_server_does_not_hang(hospital: str) -> None:
    with (
        client(hospital, faults.silent, attempts=2, timeout=0.2) as c,
        pytest.raises(ServerError, match="did not answer in time"),
    ):
        c.ids()


def test_a_dripping_body_does_not_hang(hospital: str) -> None:
    with client(hospital, faults.drips, attempts=1, timeout=0.1) as c:
        began = time.monotonic()
        with pytest.raises(ServerError, match="did not end in time"):
            c.ids()
        assert time.monotonic() - began < 3


def test_a_packed_body_is_unpacked(hospital: str) -> None:
    with client(hospital, faults.packed) as c:
        assert sorted(c.ids()) == TEN


# -- pages ---------------------------------------------------------------------------------------


def test_without_faults_the_proxy_changes_nothing(hospital: str) -> None:
    with client(hospital, faults.faithful) as c:
        assert sorted(c.ids()) == TEN
        assert len(c.proxy.seen) == 3


def test_a_circle_of_pages_ends(hospital: str) -> None:
    with client(hospital, faults.circle) as c:
        with pytest.raises(Incomplete, match="circle"):
            c.ids()
        assert len(c.proxy.seen) <= 2


def test_the_same_page_for_ever_ends(hospital: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_adapter.exchange.search.MAX_FRUITLESS", 5)
    with client(hospital, faults.same_page_for_ever) as c, pytest.raises(Incomplete, match="nothing new"):
        c.ids()


def test_a_next_link_to_a_foreign_origin_is_refused_and_sees_no_token(hospital: str) -> None:
    with faulty(hospital, faults.faithful) as stranger:
        with client(hospital, faults.next_elsewhere(stranger.base), bearer=True) as c:
            with pytest.raises(Incomplete, match="another server"):
                c.ids()
            assert c.proxy.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
        assert stranger.seen == []


@pytest.mark.parametrize(
    "scenario",
    [faults.next_relative_to_host, faults.next_relative_to_base, faults.next_is_query_only],
    ids=lambda s: s.__name__,
)
def test_a_relative_next_link_is_followed(hospital: str, scenario: Scenario) -> None:
    with client(hospital, scenario) as c:
        assert sorted(c.ids()) == TEN


@pytest.mark.parametrize("scenario", [faults.faithful, faults.next_unescaped], ids=lambda s: s.__name__)
def test_a_code_system_in_a_next_link_is_unharmed(hospital: str, scenario: Scenario) -> None:
    with client(hospital, scenario) as c:
        assert sorted(c.ids()) == TEN
        for seen in c.proxy.seen:
            assert CODE in parse_qsl(urlsplit(seen.target).query)


def test_a_next_link_that_is_no_address_is_incomplete(hospital: str) -> None:
    with client(hospital, faults.next_is_nonsense) as c, pytest.raises(Incomplete, match="no address"):
        c.ids()


NO_BUNDLES = [faults.outcome_with_200, faults.html_with_200, faults.nothing_with_200, faults.cut_with_200]


@pytest.mark.parametrize("answer", NO_BUNDLES, ids=lambda s: s.__name__)
def test_a_first_page_that_is_no_bundle_is_an_error(hospital: str, answer: Scenario) -> None:
    with client(hospital, answer) as c, pytest.raises(ServerError, match="page 1 is no Bundle"):
        c.ids()


@pytest.mark.parametrize("answer", NO_BUNDLES, ids=lambda s: s.__name__)
def test_a_second_page_that_is_no_bundle_is_incomplete(hospital: str, answer: Scenario) -> None:
    with (
        client(hospital, faults.second_page(answer)) as c,
        pytest.raises(Incomplete, match="page 2 is no Bundle"),
    ):
        c.ids()


def test_a_second_page_that_is_refused_is_incomplete_not_refused(hospital: str) -> None:
    with (
        client(hospital, faults.second_page(faults.refuses(403, "no"))) as c,
        pytest.raises(Incomplete, match="page 2 is refused"),
    ):
        c.ids()


def test_fewer_entries_than_the_total_are_incomplete(hospital: str) -> None:
    with (
        client(hospital, faults.loses_an_entry) as c,
        pytest.raises(Incomplete, match="counts 10 and handed over 8"),
    ):
        c.ids()


def test_an_estimated_total_is_no_promise(hospital: str) -> None:
    with client(hospital, faults.loses_an_entry) as c:
        assert len(c.ids([CODE, ("_total", "estimate")])) == 8


def test_a_search_that_expires_once_is_begun_again(hospital: str) -> None:
    with client(hospital, faults.gone_between_pages(1)) as c:
        found = c.ids()
        assert sorted(found) == TEN


def test_a_search_that_expires_twice_is_incomplete(hospital: str) -> None:
    with client(hospital, faults.gone_between_pages(2)) as c:
        with pytest.raises(Incomplete, match="expired") as caught:
            c.ids()
        assert caught.value.status == 410
        assert len(c.proxy.seen) == 4


def test_included_and_outcome_entries_are_left_out(hospital: str) -> None:
    with client(hospital, faults.strangers_among_entries) as c:
        assert sorted(c.ids()) == TEN


def test_an_error_among_the_entries_is_incomplete(hospital: str) -> None:
    with client(hospital, faults.error_among_entries) as c, pytest.raises(Incomplete, match="wrong in part"):
        c.ids()


def test_an_entry_without_id_is_incomplete_and_the_others_come(hospital: str) -> None:
    with client(hospital, faults.entry_without_id) as c:
        found: list[str] = []
        with pytest.raises(Incomplete, match="no resource with an id"):
            found.extend(r.id for r in c.server.search("Observation", [CODE]))
        assert sorted(found) == TEN


def test_a_row_that_comes_twice_is_yielded_once(hospital: str) -> None:
    with client(hospital, faults.repeats_a_row) as c:
        assert sorted(c.ids()) == TEN


@pytest.mark.parametrize(
    ("put", "delete"),
    [(["new"], "0"), (["new", "9"], "0"), (["9"], "0"), ([], "0"), ([], "3")],
    ids=["insert and delete", "insert, update and delete", "update and delete", "delete", "delete another"],
)
def test_rows_that_move_while_they_are_paged_are_found_by_a_second_pass(
    hospital: str, put: list[str], delete: str
) -> None:
    """sekmet pages by offset: what is written between two pages makes it leave out rows of later ones."""
    code = uuid.uuid4().hex

    def basic(number: str | int, **rest: str) -> dict[str, Any]:
        return {
            "resourceType": "Basic",
            "id": f"{code}-{number}",
            "code": {"coding": [{"code": code}]},
            **rest,
        }

    def found_by(server: Server) -> list[str]:
        return [r.id for r in server.search("Basic", [("code", code)])]

    with Server(hospital, name="setup") as server:
        old = [basic(number) for number in range(10)]
        server.transaction([Entry("PUT", f"Basic/{b['id']}", b, f"urn:{b['id']}") for b in old])
        # a row that is as new as the first page tells nothing: sekmet counts milliseconds
        time.sleep(0.01)
        written = {f"Basic/{code}-{number}": basic(number, language="en") for number in put}
        with client(hospital, faults.rows_move("Basic", written, f"Basic/{code}-{delete}")) as c:
            found = found_by(c.server)
        assert len(found) == len(set(found))
        assert set(found_by(server)) <= set(found)
        assert len(c.proxy.seen) == 6  # two passes of three pages


def test_a_last_page_that_links_to_an_empty_one_is_fine(hospital: str) -> None:
    with client(hospital, faults.last_links_to(faults.empty_page)) as c:
        assert sorted(c.ids()) == TEN


@pytest.mark.parametrize("status", [404, 410])
def test_a_last_page_that_links_to_none_is_fine_where_the_total_is_reached(
    hospital: str, status: int
) -> None:
    with client(hospital, faults.last_links_to(faults.refuses(status, "gone"))) as c:
        assert sorted(c.ids()) == TEN


def test_decimals_of_a_page_keep_their_digits(hospital: str) -> None:
    with client(hospital, faults.keeps_decimals) as c:
        for received in c.server.search("Observation", [CODE]):
            assert b'"value": 1.50' in received.body
            value = decode(received.body)["valueQuantity"]["value"]
            assert value.as_tuple() == Decimal("1.50").as_tuple()


# -- redirects, rights, secrets --------------------------------------------------------------------


def test_a_redirect_to_a_foreign_origin_is_followed_without_the_token(hospital: str) -> None:
    with faulty(hospital, faults.faithful) as stranger:
        there = stranger.base.removesuffix("/fhir")
        away = faults.redirects_to(lambda call: there + call.handler.path)
        with client(hospital, away, bearer=True) as c:
            assert c.ids([("_id", "o1")]) == ["o1"]
            assert "Authorization" in c.proxy.seen[0].headers
        (seen,) = stranger.seen
        assert "Authorization" not in seen.headers
        assert SECRET not in str(seen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_keeps_the_token(hospital: str, status: int) -> None:
    with client(hospital, faults.redirects_to(faults.to_itself, status), bearer=True) as c:
        assert c.ids([("_id", "o1")]) == ["o1"]
        assert c.proxy.seen[1].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("target", "what"),
    [("file:///etc/passwd", "no web address"), ("//[", "no web address"), ("", "more than 5 times")],
)
def test_a_redirect_that_leads_nowhere_is_an_error(hospital: str, target: str, what: str) -> None:
    with client(hospital, faults.redirects_to(lambda _: target)) as c, pytest.raises(ServerError, match=what):
        c.ids()


def test_401_is_fatal_and_not_tried_again(hospital: str) -> None:
    with client(hospital, faults.refuses(401, "expired"), bearer=True) as c:
        with pytest.raises(Unauthorized, match="not accepted") as caught:
            c.ids()
        assert len(c.proxy.seen) == 1
        assert SECRET not in str(caught.value)


def test_a_refusal_is_told_by_its_codes_alone(hospital: str) -> None:
    """A server's words may name patients."""
    with client(hospital, faults.refuses(400, "No one like Zhang San, born 2010-05-05")) as c:
        with pytest.raises(Refused) as caught:
            c.ids([("subject", "Patient/secret-patient")])
        assert caught.value.what.endswith("(400). Reason: not-supported, MSG_PARAM_UNKNOWN.")
        assert "Zhang" not in str(caught.value)


def test_to_find_faults_a_refusal_is_told_without_the_values_of_parameters(
    hospital: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHIR_ADAPTER_DEBUG", "1")
    said = "needs a category for Patient/secret-patient " + "x" * 1000
    with client(hospital, faults.refuses(400, said)) as c:
        with pytest.raises(Refused, match="needs a category for …") as caught:
            c.ids([("subject", "Patient/secret-patient")])
        assert "secret-patient" not in str(caught.value)
        assert len(caught.value.what) < 230
        assert len(c.proxy.seen) == 1


def test_no_credentials_are_taken_from_netrc(
    hospital: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with client(hospital, faults.faithful) as c:
        c.ids([("_id", "o1")])
        assert "Authorization" not in c.proxy.seen[0].headers


def test_nothing_is_logged_that_holds_a_patient_or_a_token(
    hospital: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), client(hospital, faults.resets_once, bearer=True) as c:
        c.ids([("subject", "Patient/p"), CODE])
    assert "Patient" not in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (faults.html_with_200, "no FHIR server"),
        (faults.empty_page, "no FHIR server"),
        (
            lambda call: call.answer(200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}),
            "5.0.0",
        ),
        (lambda call: call.answer(200, {"resourceType": "Conformance", "fhirVersion": "1.0.2"}), "1.0.2"),
        (lambda call: call.answer(200, {"resourceType": "CapabilityStatement"}), "not R4"),
    ],
)
def test_a_server_that_is_not_r4_is_named(hospital: str, answer: Scenario, what: str) -> None:
    with client(hospital, answer) as c:
        with pytest.raises(ServerError, match=what) as caught:
            c.server.capability()
        assert c.proxy.base in str(caught.value)


def test_a_read_that_brings_another_resource_is_an_error(hospital: str) -> None:
    with (
        client(hospital, lambda call: call.answer(200, {"resourceType": "Observation", "id": "o2"})) as c,
        pytest.raises(ServerError, match="another resource"),
    ):
        c.server.read("Observation", "o1")


def test_read_many_notices_a_server_that_ignores_the_ids(hospital: str) -> None:
    def ignores(call: faults.Exchange) -> None:
        call.answer(200, call.page("/fhir/Observation?_count=10"))

    with client(hospital, ignores) as c, pytest.raises(ServerError, match="not asked for"):
        c.server.read_many("Observation", ["o1"])


# -- transactions ----------------------------------------------------------------------------------


def devices(count: int = 1) -> list[Entry]:
    ids = [str(uuid.uuid4()) for _ in range(count)]
    return [
        Entry("PUT", f"Device/{id}", {"resourceType": "Device", "id": id}, f"urn:uuid:{id}") for id in ids
    ]


def test_a_transaction_that_was_not_taken_up_is_sent_again(hospital: str) -> None:
    with client(hospital, faults.fails_once(429)) as c:
        (answer,) = c.server.transaction(devices())
        assert answer.version == "1"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_transaction_that_may_have_been_carried_out_is_not_sent_again(hospital: str, status: int) -> None:
    with client(hospital, faults.fails_once(status)) as c:
        with pytest.raises(ServerError, match="not known whether"):
            c.server.transaction(devices())
        assert len(c.proxy.seen) == 1


@pytest.mark.parametrize("scenario", [faults.shuffled, faults.bare_answers], ids=lambda s: s.__name__)
def test_answers_are_matched_to_their_entries(hospital: str, scenario: Scenario) -> None:
    with client(hospital, scenario) as c:
        entries = devices(3)
        answers = c.server.transaction(entries)
        for entry, answer in zip(entries, answers, strict=True):
            assert answer.status == 201
            assert answer.url is not None
            assert answer.url.startswith(f"{c.proxy.base}/{entry.url}")


@pytest.mark.parametrize(
    "scenario",
    [faults.one_answer_less, faults.html_with_200, faults.outcome_with_200],
    ids=lambda s: s.__name__,
)
def test_an_answer_that_does_not_fit_is_said_to_be_unknown(hospital: str, scenario: Scenario) -> None:
    with client(hospital, scenario) as c, pytest.raises(ServerError, match="not known whether"):
        c.server.transaction(devices(2))


def test_what_is_to_be_written_is_not_redirected_elsewhere(hospital: str) -> None:
    with faulty(hospital, faults.faithful) as stranger:
        with (
            client(hospital, faults.redirects_to(lambda _: stranger.base), bearer=True) as c,
            pytest.raises(ServerError, match="nothing was written"),
        ):
            c.server.transaction(devices())
        assert stranger.seen == []


@pytest.mark.parametrize(
    ("debug", "told"), [("", "Reason: not-supported, MSG_PARAM_UNKNOWN."), ("1", "family '…' is too long")]
)
def test_what_a_server_says_against_a_transaction_quotes_no_data(
    hospital: str, debug: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHIR_ADAPTER_DEBUG", debug)
    with (
        client(hospital, faults.refuses(422, "family 'Secretname' is too long")) as c,
        pytest.raises(Refused, match=told),
    ):
        c.server.transaction(devices())
