"""A proxy that makes faults in front of a real FHIR server: each scenario is a function of one exchange.

    with faulty(base, gone_between_pages) as proxy:
        Server(proxy.base, ...)

The scenario is called for each request with an ``Exchange``; it forwards it, answers itself, or breaks the
connection. The upstream's own address is replaced by the proxy's in all bodies and headers.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

FHIR_JSON = "application/fhir+json"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


@dataclass
class Seen:
    """A request that came in."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Proxy:
    """A running proxy: ``base`` stands for the upstream's base, ``seen`` lists what came in."""

    base: str
    seen: list[Seen] = field(default_factory=list)


@dataclass
class Exchange:
    """One request to the proxy, the ``number``-th from 1, and the ways to answer it."""

    handler: BaseHTTPRequestHandler
    upstream: str
    base: str
    number: int
    _body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The request's body, which is taken from the wire when it is first asked for."""
        if self._body is None:
            self._body = self.handler.rfile.read(self.length)
        return self._body

    @body.setter
    def body(self, changed: bytes) -> None:
        self._body = changed

    @property
    def length(self) -> int:
        """How long the body is to be."""
        return int(self.handler.headers.get("Content-Length", 0))

    @property
    def method(self) -> str:
        return self.handler.command

    @property
    def path(self) -> str:
        return urlsplit(self.handler.path).path

    @property
    def offset(self) -> int:
        """Where the page that is asked for begins: sekmet pages by ``_offset``."""
        return int(parse_qs(urlsplit(self.handler.path).query).get("_offset", ["0"])[0])

    @property
    def first_page(self) -> bool:
        return self.offset == 0

    def fetch(self, target: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """The upstream's own answer, with its address replaced by ours."""
        root = self.upstream.removesuffix("/fhir")
        headers = {
            name: value
            for name, value in self.handler.headers.items()
            if name.lower() not in ("host", "content-length", "accept-encoding", "connection")
        }
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                self.method,
                root + (target or self.handler.path),
                data=self.body.replace(self.base.encode(), self.upstream.encode()),
                headers=headers,
                timeout=20,
            )
        kept = {
            name: answer.headers[name].replace(self.upstream, self.base)
            for name in ("Content-Type", "ETag", "Location", "Content-Location")
            if name in answer.headers
        }
        return answer.status_code, kept, answer.content.replace(self.upstream.encode(), self.base.encode())

    def page(self, target: str | None = None) -> dict[str, Any]:
        """The upstream's answer as JSON."""
        found: dict[str, Any] = json.loads(self.fetch(target)[2])
        return found

    def forward(self) -> None:
        """Answer as the upstream does."""
        status, headers, body = self.fetch()
        self.answer(status, body, headers)

    def answer(
        self, status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Answer with ``body``."""
        self.body  # noqa: B018 - has to leave the wire before the answer goes onto it
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.handler.send_response(status)
        for name, value in {"Content-Type": FHIR_JSON, **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(raw)))
        self.handler.end_headers()
        self.handler.wfile.write(raw)

    def begin(self, **headers: str) -> None:
        """Begin an answer of 200 whose body is written by hand; the connection ends after it."""
        self.body  # noqa: B018
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", FHIR_JSON)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.close_connection = True

    def write(self, part: bytes) -> None:
        """Send ``part`` of a body at once."""
        self.handler.wfile.write(part)
        self.handler.wfile.flush()

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.close_connection = True
        self.handler.connection.close()


Scenario = Callable[[Exchange], None]


@contextmanager
def faulty(upstream: str, scenario: Scenario) -> Iterator[Proxy]:
    """A proxy before ``upstream`` (a base URL ending in /fhir) that plays ``scenario``; always stopped."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            with lock:
                proxy.seen.append(Seen(self.command, self.path, dict(self.headers.items())))
                number = len(proxy.seen)
            try:
                scenario(Exchange(self, upstream, proxy.base, number))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

        def finish(self) -> None:
            with suppress(OSError, ValueError):  # the connection was reset on purpose
                super().finish()

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that gave up is what is being tested

        def shutdown_request(self, request: Any) -> None:
            with suppress(OSError):
                super().shutdown_request(request)

    server = Listener(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}/fhir")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


# -- throttling, and servers that are down for a moment ----------------------------------------------------


def faithful(call: Exchange) -> None:
    """No fault at all."""
    call.forward()


def throttled(retry_after: Callable[[], str]) -> Scenario:
    """The first request is answered by 429 with this Retry-After."""

    def scenario(call: Exchange) -> None:
        if call.number == 1:
            call.answer(429, OUTCOME, {"Retry-After": retry_after()})
        else:
            call.forward()

    return scenario


def in_seconds() -> str:
    return "3"


def as_a_date() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)


def in_epoch_milliseconds() -> str:
    return str(int((time.time() + 9) * 1000))


def in_hours() -> str:
    return "7200"


def as_nonsense() -> str:
    return "soon"


def fails_once(status: int) -> Scenario:
    """The first request is answered by ``status``."""

    def scenario(call: Exchange) -> None:
        if call.number == 1:
            call.answer(status, b"<html>sorry</html>", {"Content-Type": "text/html"})
        else:
            call.forward()

    return scenario


def fails_always(status: int) -> Scenario:
    """Every request is answered by ``status`` and an OperationOutcome."""

    def scenario(call: Exchange) -> None:
        call.answer(status, OUTCOME)

    return scenario


def resets_once(call: Exchange) -> None:
    """The first connection is reset."""
    if call.number == 1:
        call.reset()
    else:
        call.forward()


def short_body_once(call: Exchange) -> None:
    """The first body ends before its Content-Length."""
    if call.number == 1:
        body = call.fetch()[2]
        call.begin(Content_Length=str(len(body)))
        call.write(body[: len(body) // 2])
    else:
        call.forward()


def short_chunks_once(call: Exchange) -> None:
    """The first body comes in chunks, and its end is missing."""
    if call.number == 1:
        body = call.fetch()[2]
        call.begin(Transfer_Encoding="chunked")
        call.write(b"%x\r\n%s\r\n" % (len(body), body))
    else:
        call.forward()


def drips(call: Exchange) -> None:
    """A body of one byte every 20 ms that would take minutes."""
    call.begin(Content_Length="100000")
    for _ in range(1000):
        call.write(b" ")
        time.sleep(0.02)


def silent(call: Exchange) -> None:
    """No answer at all."""
    time.sleep(1)


def packed(call: Exchange) -> None:
    """The body is gzipped."""
    call.answer(200, gzip.compress(call.fetch()[2]), {"Content-Encoding": "gzip"})


# -- pages -------------------------------------------------------------------------------------------------


def _with_next(call: Exchange, link: Callable[[str], str]) -> None:
    page = call.page()
    for found in page["link"]:
        if found["relation"] == "next":
            found["url"] = link(found["url"])
    call.answer(200, page)


def circle(call: Exchange) -> None:
    """Each page's next link is the first page."""
    first = call.base.removesuffix("/fhir") + call.handler.path.partition("&_offset")[0]
    _with_next(call, lambda _: first)


def same_page_for_ever(call: Exchange) -> None:
    """Each page is the first one, and links to an address that was never seen before."""
    page = call.page(call.handler.path.partition("&never=")[0])
    page.pop("total")
    page["link"] = [{"relation": "next", "url": f"{call.base}/Observation?_count=4&never={call.number}"}]
    call.answer(200, page)


def next_elsewhere(stranger: str) -> Scenario:
    """The next link points to the server at ``stranger``."""
    return lambda call: _with_next(call, lambda url: url.replace(call.base, stranger))


def next_relative_to_host(call: Exchange) -> None:
    """``/fhir/Observation?…``"""
    _with_next(call, lambda url: url.removeprefix(call.base.removesuffix("/fhir")))


def next_relative_to_base(call: Exchange) -> None:
    """``Observation?…``"""
    _with_next(call, lambda url: url.removeprefix(call.base + "/"))


def next_is_query_only(call: Exchange) -> None:
    """``?…``"""
    _with_next(call, lambda url: "?" + urlsplit(url).query)


def next_unescaped(call: Exchange) -> None:
    """A next link with ``code=http://loinc.org|1`` as it stands, not escaped."""
    _with_next(call, lambda url: url.replace("%3A", ":").replace("%2F", "/").replace("%7C", "|"))


def next_is_nonsense(call: Exchange) -> None:
    """A next link that is no address."""
    _with_next(call, lambda _: "http://[half/fhir?page=2")


def second_page(answer: Scenario) -> Scenario:
    """The first page is whole, all others are ``answer``."""

    def scenario(call: Exchange) -> None:
        (call.forward if call.first_page else lambda: answer(call))()

    return scenario


def outcome_with_200(call: Exchange) -> None:
    """An OperationOutcome with status 200."""
    call.answer(200, OUTCOME)


def html_with_200(call: Exchange) -> None:
    """A page for people, with status 200."""
    call.answer(200, b"<!doctype html><p>Please sign in</p>", {"Content-Type": "text/html"})


def nothing_with_200(call: Exchange) -> None:
    """An empty body."""
    call.answer(200, b"")


def cut_with_200(call: Exchange) -> None:
    """A body that is cut off, with the length that it then has."""
    body = call.fetch()[2]
    call.answer(200, body[: len(body) // 2])


def loses_an_entry(call: Exchange) -> None:
    """The second page has an entry less than it should."""
    page = call.page()
    if not call.first_page:
        page["entry"] = page["entry"][1:]
    call.answer(200, page)


def gone_between_pages(times: int) -> Scenario:
    """The second page is gone (410), ``times`` times."""
    left = [times]

    def scenario(call: Exchange) -> None:
        if not call.first_page and left[0]:
            left[0] -= 1
            call.answer(410, OUTCOME)
        else:
            call.forward()

    return scenario


def strangers_among_entries(call: Exchange) -> None:
    """Included resources and a warning stand among the matches."""
    page = call.page()
    page["entry"] += [
        {"resource": {"resourceType": "Patient", "id": "p"}, "search": {"mode": "include"}},
        {
            "resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]},
            "search": {"mode": "outcome"},
        },
    ]
    call.answer(200, page)


def error_among_entries(call: Exchange) -> None:
    """The search went wrong in part: an OperationOutcome with an error stands among the matches."""
    page = call.page()
    page["entry"].append({"resource": OUTCOME, "search": {"mode": "outcome"}})
    call.answer(200, page)


def entry_without_id(call: Exchange) -> None:
    """One entry's resource has no id."""
    page = call.page()
    page["entry"].append({"resource": {"resourceType": "Observation"}, "search": {"mode": "match"}})
    call.answer(200, page)


def repeats_a_row(call: Exchange) -> None:
    """A row of the first page comes again on the second, and the total grew: a row was inserted."""
    page = call.page()
    if not call.first_page:
        first = call.page(call.handler.path.replace(f"_offset={call.offset}", f"_offset={call.offset - 1}"))
        page["entry"].insert(0, first["entry"][0])
        page["total"] += 1
    call.answer(200, page)


def rows_move(path: str, put: dict[str, dict[str, Any]], delete: str) -> Scenario:
    """While the second page of ``path`` is asked for the first time, rows are written and one is deleted."""
    left = [1]

    def scenario(call: Exchange) -> None:
        if left and not call.first_page and call.path.endswith(path):
            left.clear()
            with requests.Session() as session:
                session.trust_env = False
                for place, resource in put.items():
                    session.put(f"{call.upstream}/{place}", json=resource, timeout=5).raise_for_status()
                session.delete(f"{call.upstream}/{delete}", timeout=5).raise_for_status()
        call.forward()

    return scenario


def last_links_to(answer: Scenario) -> Scenario:
    """The last page links to one more page, which is ``answer``."""

    def scenario(call: Exchange) -> None:
        if "beyond" in call.handler.path:
            answer(call)
            return
        page = call.page()
        if all(link["relation"] != "next" for link in page["link"]):
            page["link"].append({"relation": "next", "url": f"{call.base}/Observation?beyond"})
        call.answer(200, page)

    return scenario


def empty_page(call: Exchange) -> None:
    """A Bundle without entries."""
    call.answer(200, {"resourceType": "Bundle", "type": "searchset"})


def keeps_decimals(call: Exchange) -> None:
    """sekmet hands over 1.5; here it is 1.50, with blanks and a byte order mark as other servers send."""
    body = call.fetch()[2].replace(b'"value":1.5', b'"value": 1.50')
    call.answer(200, b"\xef\xbb\xbf" + body)


# -- redirects, rights -------------------------------------------------------------------------------------


def redirects_to(target: Callable[[Exchange], str], status: int = 307) -> Scenario:
    """Each request that is not ``redirected`` yet is sent to ``target``."""

    def scenario(call: Exchange) -> None:
        if "redirected" in call.handler.path:
            call.forward()
        else:
            call.answer(status, b"", {"Location": target(call)})

    return scenario


def to_itself(call: Exchange) -> str:
    """Another address of the same server."""
    return f"{call.handler.path}&redirected=1"


def refuses(status: int, said: str) -> Scenario:
    """Every request is refused by ``status`` with these words, beside its codes."""
    issue = {
        "severity": "error",
        "code": "not-supported",
        "details": {"coding": [{"code": "MSG_PARAM_UNKNOWN"}, {"code": "no code: Zhang San"}]},
        "diagnostics": said,
    }
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return lambda call: call.answer(status, outcome)


# -- transactions ------------------------------------------------------------------------------------------


def shuffled(call: Exchange) -> None:
    """The answers come in another order than the entries."""
    page = call.page()
    page["entry"].reverse()
    call.answer(200, page)


def one_answer_less(call: Exchange) -> None:
    """One entry has no answer."""
    page = call.page()
    page["entry"].pop()
    call.answer(200, page)


def bare_answers(call: Exchange) -> None:
    """The answers say a status and nothing else."""
    page = call.page()
    page["entry"] = [{"response": {"status": entry["response"]["status"]}} for entry in page["entry"]]
    call.answer(200, page)


# -- writes ------------------------------------------------------------------------------------------------


def first_write(fault: Scenario) -> Scenario:
    """The first request that writes meets ``fault``; all others, and what is read, go through."""
    left = [1]

    def scenario(call: Exchange) -> None:
        (fault if call.method != "GET" and left and left.pop() else faithful)(call)

    return scenario


def reset_before_the_body(call: Exchange) -> None:
    """The connection is reset when the headers have come."""
    call.reset()


def reset_inside_the_body(call: Exchange) -> None:
    """The connection is reset when half of the body has come."""
    call.handler.rfile.read(call.length // 2)
    call.reset()


def committed_and_reset(call: Exchange) -> None:
    """What was sent is carried out, and the connection reset instead of an answer."""
    call.fetch()
    call.reset()


def committed_and_cut(call: Exchange) -> None:
    """What was sent is carried out, and the answer ends in its middle."""
    call.fetch()
    call.begin(Content_Length="1000")
    call.write(b'{"resourceType":"Bundle",')


def committed_and(status: int) -> Scenario:
    """What was sent is carried out, and a gateway answers ``status``."""

    def scenario(call: Exchange) -> None:
        call.fetch()
        call.answer(status, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})

    return scenario


def committed_and_html(call: Exchange) -> None:
    """What was sent is carried out, and the answer is a page for people."""
    call.fetch()
    html_with_200(call)


def as_a_batch(call: Exchange) -> None:
    """The transaction is carried out as a batch: what can be written is."""
    bundle = json.loads(call.body)
    if bundle.get("resourceType") == "Bundle":
        call.body = json.dumps({**bundle, "type": "batch"}).encode()
    call.forward()


def rolled_back_with_200(*statuses: str) -> Scenario:
    """Nothing is carried out; the Bundle that comes with 200 says ``statuses`` of its entries."""
    responses = [{"status": status, "outcome": OUTCOME} for status in statuses]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": response} for response in responses],
    }
    return lambda call: call.answer(200, bundle)


def only_a_status(call: Exchange) -> None:
    """What was sent is carried out; the answer has no Location, no ETag and no body."""
    status, _, _ = call.fetch()
    call.answer(status, b"")


def location_elsewhere(call: Exchange) -> None:
    """The answer names another type than the one that was written."""
    status, _, _ = call.fetch()
    call.answer(status, b"", {"Location": f"{call.base}/Patient/1/_history/1"})


def without_location(call: Exchange) -> None:
    """The answers of a transaction say a status and a version, and not of what."""
    page = call.page()
    for entry in page["entry"]:
        del entry["response"]["location"]
        entry.pop("fullUrl", None)
        entry.pop("resource", None)
    call.answer(200, page)


def versions_are_words(call: Exchange) -> None:
    """Version 3 of the upstream is called ``v3-final``."""
    if "If-Match" in call.handler.headers:
        plain = re.sub(r"v(\d+)-final", r"\1", call.handler.headers["If-Match"])
        call.handler.headers.replace_header("If-Match", plain)
    call.body = re.sub(rb"v(\d+)-final", rb"\1", call.body)
    status, headers, body = call.fetch()
    body = re.sub(rb'(/_history/|"versionId":\s*"|"etag":\s*"(?:W/\\")?)(\d+)', rb"\1v\2-final", body)
    headers = {
        name: re.sub(r'(/_history/|^W/")(\d+)', r"\1v\2-final", value) for name, value in headers.items()
    }
    call.answer(status, body, headers)


# -- clocks and histories ----------------------------------------------------------------------------------


def without_date(call: Exchange) -> None:
    """No answer has a Date header."""
    _undated(call, call.fetch()[2])


def without_any_date(call: Exchange) -> None:
    """No answer has a Date header, nor does any Bundle say when it was made."""
    bundle = call.page()
    bundle.pop("meta", None)
    _undated(call, json.dumps(bundle).encode())


def _undated(call: Exchange, body: bytes) -> None:
    call.handler.send_response_only(200)
    call.handler.send_header("Content-Type", FHIR_JSON)
    call.handler.send_header("Content-Length", str(len(body)))
    call.handler.end_headers()
    call.handler.wfile.write(body)


def history_is_a_search(call: Exchange) -> None:
    """The server takes no notice of ``_history``, and searches."""
    call.answer(200, call.page(call.handler.path.replace("/_history", "")))
