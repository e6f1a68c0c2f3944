"""One HTTP request to one server: time limits, retries, redirects, and whom the credentials are shown to.

The loop in ``Transport._ask`` reads from top to bottom. What comes back is an answer of success; all others
are raised.
"""

from __future__ import annotations

import email.utils
import logging
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from fhir_adapter.errors import Conflict, Refused, ServerError, Unauthorized, UnknownResult
from fhir_adapter.exchange.bundle import said
from fhir_adapter.exchange.credentials import Credentials

# urllib3 logs each URL with its query, in which patients' ids stand.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

MAX_WAIT: Final = 20.0  # seconds before one more try; servers have asked for hours
MAX_WHOLE: Final = 180.0  # seconds after which no further try is begun
MAX_BODY: Final = 512 * 1024 * 1024  # bytes of one answer, unpacked
MAX_REDIRECTS: Final = 5
BODY_TIMEOUTS: Final = 4  # a whole body may take so many times the time limit of one read

RETRIED: Final = frozenset(
    {
        408,  # the request came too slowly
        429,  # too many requests: the server says when to come again
        500,  # so generic that a short fault and a lasting one look the same
        502,  # the gateway lost the server
        503,  # overloaded, or restarting
        504,  # the gateway lost patience
    }
)
# With this the server says that it did not take the request up; a write may be sent again. A 503 says as
# much, but gateways send it also for a request that a server behind them went on to carry out.
NOT_TAKEN_UP: Final = frozenset({429})
UNAVAILABLE: Final = 503
NOT_IMPLEMENTED: Final = 501  # no fault of the server: it never will
# What may be sent again without knowing what became of it: the second time changes nothing more.
IDEMPOTENT: Final = frozenset({"GET", "DELETE"})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEEP_METHOD: Final = frozenset({307, 308})

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end: ``url`` is where it came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _Broken(Exception):
    """No whole answer came. ``sent`` is False where it is certain that the request never left."""

    def __init__(self, what: str, *, sent: bool) -> None:
        super().__init__(what)
        self.what = what
        self.sent = sent


class _TooLarge(ServerError):
    """An answer that is not taken in."""


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of ``url``, comparable. Raises ``ValueError`` for a port that is no number."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """How many seconds the server asks us to wait, at most ``MAX_WAIT``; None where it does not say.

    Seconds, an HTTP date, and seconds or milliseconds since 1970 are all met with.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,20}(\.\d+)?", value):
        seconds = float(value)
        if seconds > 1e11:
            seconds = seconds / 1000 - now
        elif seconds > 1e9:
            seconds -= now
    else:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), MAX_WAIT)


class _Session(requests.Session):
    """A session that follows no redirect.

    ``allow_redirects=False`` is not enough: ``requests`` then still reads the body of a redirect, without any
    limit, and stumbles over a Location that is no address.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, whatever the answer says."""


class Transport:
    """Requests to the server at ``base``; the credentials are shown to its origin only.

    ``name`` and ``base`` are named in errors; ``requests`` counts what was sent, ``retries`` how many
    of these were tries after a first one. Use one for each thread.
    """

    def __init__(
        self,
        base: str,
        *,
        name: str,
        credentials: Credentials | None,
        timeout: float,
        attempts: int,
        sleep: Callable[[float], None],
    ) -> None:
        self.base = base
        self.name = name
        self._origin = origin(base)
        self._credentials = credentials
        self._timeout = timeout
        self._attempts = max(attempts, 1)
        self._sleep = sleep
        self._session = _Session()
        self.requests = 0
        self.retries = 0

    def get(self, url: str, what: str, values: Sequence[str] = ()) -> Reply:
        """GET ``url``; ``what`` names the request in errors, in which none of ``values`` is quoted.

        Raises ``Unauthorized`` on 401, ``Refused`` on another 4xx, ``ServerError`` when no answer comes after
        all tries.
        """
        reply = self._ask("GET", url, None, what, {})
        if reply.status >= 300:
            remedy = "Ask for other parameters, or ask the server's operator for the right to this."
            raise self._refusal(reply.status, said(reply.body, values), what, remedy)
        return reply

    def write(
        self, method: str, url: str, body: bytes | None, what: str, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """POST or PUT ``body`` once, or DELETE; again only where it is certain that nothing was carried out.

        Raises ``Unauthorized`` on 401, ``Conflict`` on 409 and 412, ``Refused`` on another 4xx and on 501,
        ``UnknownResult`` where it is not known whether it was carried out, and ``ServerError`` where it
        certainly was not: the server cannot be reached, or does not take it up (429). After a 503 it first
        waits as long as the server asks for.
        """
        try:
            reply = self._ask(method, url, body, what, headers or {})
        except _TooLarge as fault:
            raise self.unknown(fault.what, what, fault.status) from None
        if reply.status >= 400:
            raise self.rejected(reply.status, said(reply.body), what)
        if reply.status >= 300:
            raise self.unknown(f"it answered {reply.status}.", what, reply.status)
        return reply

    def rejected(self, status: int, saying: str, what: str) -> ServerError:
        """The error for a write that a server answered with ``status`` (4xx or 5xx)."""
        if status in (409, 412):
            return Conflict(
                f"what is to be written collides with what is there ({status}). {saying}".rstrip(),
                where=self.where(what),
                remedy="Read the resources again, then decide.",
                status=status,
            )
        if status >= 500 and status != NOT_IMPLEMENTED:
            return self.unknown(f"it answered {status}. {saying}".rstrip(), what, status)
        return self._refusal(status, saying, what, "Ask the server's operator.")

    def unknown(self, what: str, request: str, status: int | None = None) -> UnknownResult:
        """The error for a write of which it is not known whether it was carried out."""
        return UnknownResult(
            f"{what} It is not known whether it was carried out.",
            where=self.where(request),
            remedy="Read the resources back before you write them again.",
            status=status,
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def where(self, what: str) -> str:
        """The place for an error: the source's name, the server, the request."""
        return f"{self.name} ({self.base}) {what}".rstrip()

    def _refusal(self, status: int, saying: str, what: str, remedy: str) -> ServerError:
        kind = Refused if 400 <= status < 500 or status == NOT_IMPLEMENTED else ServerError
        return kind(
            f"it refuses ({status}). {saying}".rstrip(),
            where=self.where(what),
            remedy=remedy if kind is Refused else "Ask the server's operator.",
            status=status,
        )

    def _ask(self, method: str, url: str, body: bytes | None, what: str, headers: Mapping[str, str]) -> Reply:
        started = time.monotonic()
        sent = False
        for attempt in range(1, self._attempts + 1):
            wait = None
            status = None
            try:
                reply = self._follow(method, url, body, what, headers)
            except _Broken as fault:
                # a write may have been carried out although its answer was lost
                again = method in IDEMPOTENT or not fault.sent
                trouble, sent = fault.what, sent or fault.sent
            else:
                status = reply.status
                if status == 401:
                    raise Unauthorized(
                        "the credentials are not accepted (401)."
                        if self._credentials
                        else "the server asks for credentials (401), and none are given.",
                        where=self.where(what),
                        remedy="Check that they are right and have not expired.",
                        status=401,
                    )
                if status not in RETRIED:
                    return reply
                again = method in IDEMPOTENT or status in NOT_TAKEN_UP
                trouble, sent = f"it answered {status}", sent or status not in NOT_TAKEN_UP
                wait = retry_after(reply.headers, time.time())
            if wait is None:
                wait = min(0.5 * 2 ** (attempt - 1), MAX_WAIT)
            over = time.monotonic() + wait - started > MAX_WHOLE
            if status == UNAVAILABLE and not again:
                self._sleep(wait)  # whoever reads back comes no sooner than the server asks
            if not again or attempt == self._attempts or over:
                break
            self._sleep(wait)
            self.retries += 1
        trouble = f"{trouble}{f' ({attempt} tries)' if attempt > 1 else ''}."
        if method != "GET" and sent:
            raise self.unknown(trouble, what, status)
        raise ServerError(
            trouble,
            where=self.where(what),
            remedy="Check the address and that the server runs, or try again later.",
            status=status,
        )

    def _follow(
        self, method: str, url: str, body: bytes | None, what: str, headers: Mapping[str, str]
    ) -> Reply:
        """One try, redirects followed by hand. Raises ``ServerError`` for one that must not be followed."""
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._once(method, url, body, headers)
            if reply.status not in REDIRECTS:
                return reply
            url = self._redirected(method, url, reply, what)
        raise ServerError(
            f"it redirects more than {MAX_REDIRECTS} times.",
            where=self.where(what),
            remedy="Give the address that the server redirects to.",
            status=reply.status,
        )

    def _redirected(self, method: str, url: str, reply: Reply, what: str) -> str:
        if method != "GET" and reply.status not in KEEP_METHOD:
            # "See other" may mean "done, look there"
            raise self.unknown(f"it answers with a redirect ({reply.status}).", what, reply.status)
        try:
            target = urljoin(url, reply.headers["Location"])
            scheme, host, _ = origin(target)
            own = origin(target) == self._origin
        except (KeyError, ValueError):
            scheme, host, own = "", "", False
        if scheme not in _DEFAULT_PORTS or not host:
            reason = "it redirects to what is no web address."
        elif scheme == "http" and urlsplit(url).scheme == "https":
            reason = "it redirects from https to http, where anyone could read along."
        elif method != "GET" and not own:
            reason = f"it redirects what is to be written to {scheme}://{host}; nothing was written."
        else:
            return target
        raise ServerError(
            reason,
            where=self.where(what),
            remedy="Give the address that the server means, if you trust it.",
            status=reply.status,
        )

    def _once(self, method: str, url: str, body: bytes | None, extra: Mapping[str, str]) -> Reply:
        """One request and its whole answer. Raises ``_Broken`` when it does not come whole or in time."""
        headers = {"Accept": "application/fhir+json, application/json;q=0.9", "User-Agent": "fhir-adapter"}
        if body is None:
            # HAPI otherwise answers a search from its memory, up to a minute old
            headers["Cache-Control"] = "no-cache"
        else:
            headers["Content-Type"] = "application/fhir+json"
            headers["Prefer"] = "return=minimal"
        headers.update(extra)
        own = origin(url) == self._origin
        # Cookies are as good as credentials, and the jar does not look at the port: strangers get none.
        session = self._session if own else _Session()
        self.requests += 1
        try:
            with session.request(
                method,
                url,
                data=body,
                headers=headers,
                auth=self._authorize if own else _no_credentials,
                timeout=self._timeout,
                stream=True,
            ) as response:
                return Reply(response.status_code, response.headers, self._body(response), url)
        # `from None` throughout: what these faults say holds the URL, and so patients' ids
        except requests.exceptions.SSLError as fault:
            if method != "GET" and not _untrusted(fault):
                # it may have come after the handshake, and so after the request
                raise _Broken("it broke the secure connection off", sent=True) from None
            raise ServerError(
                "no secure connection comes about: its certificate does not hold, or it speaks no TLS.",
                where=self.where(""),
                remedy="Name a file with the authority that signed it in REQUESTS_CA_BUNDLE.",
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError):
            raise ServerError("its address cannot be used.", where=self.where("")) from None
        except requests.exceptions.ConnectTimeout:
            raise _Broken("it cannot be reached in time", sent=False) from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            raise _Broken("it did not answer in time", sent=True) from None
        except requests.exceptions.ConnectionError as fault:
            if _never_connected(fault):
                raise _Broken("it cannot be reached", sent=False) from None
            raise _Broken("it broke the connection off", sent=True) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise _Broken("it broke its answer off", sent=True) from None
        finally:
            if not own:
                session.close()

    def _body(self, response: requests.Response) -> bytes:
        """The whole body, unpacked, as long as it comes in time.

        ``requests`` has no time limit for a whole body: one byte before each limit would go on for ever. So
        it is taken as it comes, and the clock is looked at in between.
        """
        deadline = time.monotonic() + BODY_TIMEOUTS * self._timeout
        parts, length = [], 0
        while part := response.raw.read1(65536, decode_content=True):
            parts.append(part)
            length += len(part)
            if time.monotonic() > deadline:
                raise _Broken("its answer did not end in time", sent=True)
            if length > MAX_BODY:
                raise _TooLarge(
                    f"its answer is larger than {MAX_BODY >> 20} MB.",
                    where=self.where(""),
                    remedy="Ask for smaller pages.",
                )
        return b"".join(parts)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._credentials is not None:
            request.headers["Authorization"] = self._credentials.header()
        return request


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep ``requests`` from looking for credentials in ~/.netrc, which it does where no auth is given."""
    return request


def _untrusted(fault: requests.exceptions.SSLError) -> bool:
    """Whether its certificate does not hold: then nothing was sent."""
    reason = getattr(fault.args[0], "reason", None) if fault.args else None
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in getattr(reason, "args", ()))


def _never_connected(fault: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(fault.args[0], "reason", None) if fault.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
