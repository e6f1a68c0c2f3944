"""One resource as bytes, and the way between its bytes and plain Python objects.

Numbers never pass through ``float``: 1.50 is read as ``Decimal("1.50")`` and written as 1.50.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# FHIR allows 64 of [A-Za-z0-9-.]. Real servers give longer ids and underscores; what could break out of
# a URL, a file name or a line of a report (slashes, blanks, control characters) is no id anywhere.
ID = re.compile(r"[A-Za-z0-9\-._]{1,255}")

# All that decoding strange bytes can raise. A UnicodeDecodeError carries the whole text: never chain it.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_Shape = TypeVar("_Shape")

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Received(msgspec.Struct, frozen=True, gc=False):
    """One resource as it came.

    - ``type``, ``id``: its ``resourceType`` and ``id``.
    - ``version``: ``meta.versionId``, or ``"sha256:<hex of body>"`` where there is none.
    - ``last_updated``: ``meta.last_updated`` as written, or ``""``.
    - ``url``: ``<base>/Observation/1/_history/4`` on a server (without ``_history`` where the server gives no
      version); in a folder the ``fullUrl`` of its Bundle entry, else ``Observation/1``.
    - ``body``: the JSON text of this one resource, untouched (1.50 stays 1.50).
    """

    type: str
    id: str
    version: str
    last_updated: str
    url: str
    body: bytes


class Meta(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The two elements of ``meta`` that are looked at before a resource is decoded."""

    version_id: str = ""
    last_updated: str = ""


class Head(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The few elements that are looked at first; all others are skipped, which costs little."""

    resource_type: str = ""
    id: str = ""
    meta: Meta = Meta()

    @property
    def version_id(self) -> str:
        """``meta.versionId``, or ``""`` where there is none that could stand in a URL or an ETag."""
        return self.meta.version_id if ID.fullmatch(self.meta.version_id) else ""

    def version_of(self, body: bytes) -> str:
        """``meta.versionId``, or the hash of ``body`` where the source gives no version."""
        return self.version_id or f"sha256:{hashlib.sha256(body).hexdigest()}"


def peek(body: bytes | msgspec.Raw, shape: type[_Shape]) -> _Shape | None:
    """The elements of ``body`` that ``shape`` names, all others skipped; None where it has another shape."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE:
        return None


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``: numbers with a fraction or exponent are ``Decimal``, others ``int``.

    Raises ``ValueError``, which quotes nothing of the body, when it is not one JSON object in UTF-8.
    """
    try:
        found = _decoder.decode(body.removeprefix(BYTE_ORDER_MARK))
    except UNREADABLE as fault:
        raise ValueError(f"it is not JSON ({type(fault).__name__})") from None
    if not isinstance(found, dict):
        raise ValueError("it is JSON, but not an object")
    return found


def encode(resource: Mapping[str, Any]) -> bytes:
    """``resource`` as compact JSON in UTF-8; keys keep their order, decimals their digits.

    Raises ``ValueError`` for a number that JSON cannot hold (NaN, an infinity).
    """
    body = _encoder.encode(dict(resource))
    # msgspec writes Decimal("NaN") as it stands. The words may be part of a text too: the decoder judges.
    if b"NaN" in body or b"Infinity" in body:
        try:
            _decoder.decode(body)
        except msgspec.DecodeError:
            raise ValueError("a number is NaN or infinite, which JSON cannot hold") from None
    return body
