from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.exchange.resource import decode, encode


def test_decimals_keep_their_digits() -> None:
    assert (
        encode(decode(b'{"value":1.50,"low":0.0,"zero":-0.00}')) == b'{"value":1.50,"low":0.0,"zero":-0.00}'
    )


def test_whole_numbers_stay_whole() -> None:
    assert decode(b'{"n": 12345678901234567890123}') == {"n": 12345678901234567890123}
    assert type(decode(b'{"n": 7}')["n"]) is int


def test_a_small_decimal_keeps_value_and_precision() -> None:
    value = decode(b'{"v":0.00000010}')["v"]
    assert value.as_tuple() == Decimal("0.00000010").as_tuple()
    assert decode(encode({"v": value}))["v"].as_tuple() == value.as_tuple()


def test_text_is_utf8_and_keys_keep_their_order() -> None:
    assert encode({"b": "Sjögren", "a": "干"}) == '{"b":"Sjögren","a":"干"}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"NaN",
        b'{"v":NaN}',
        b"{} {}",
        b'{"v":"\xff"}',
        b'{"v":"\\ud800"}',
        b"<html>",
    ],
)
def test_what_is_no_json_object_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is ") as caught:
        decode(body)
    assert caught.value.__cause__ is None


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        decode(b'{"a":' * 100_000)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_number_that_json_cannot_hold_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"value": Decimal(number)})


def test_the_words_nan_and_infinity_may_stand_in_a_text() -> None:
    assert decode(encode({"text": "NaN, Infinity"})) == {"text": "NaN, Infinity"}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


decimals = st.decimals(allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | decimals | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _exact(value: Any) -> Any:
    """Like ``value``, but with decimals as their digits: 1.5 and 1.50 are equal, and not the same."""
    if isinstance(value, Decimal):
        # an integer is written without a point, and comes back as one: the same digits
        return (
            ("number", str(value))
            if value.as_tuple().exponent != 0
            else ("number", str(value).removeprefix("-0") or "0")
        )
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return ("number", str(value))
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return {key: _exact(item) for key, item in value.items()}


@settings(max_examples=50)
@given(st.dictionaries(st.text(), trees))
def test_what_is_encoded_is_decoded_the_same_to_the_digit(resource: dict[str, Any]) -> None:
    body = encode(resource)
    json.loads(body)
    assert _exact(decode(body)) == _exact(resource)
    assert encode(decode(body)) == body or b"-0" in body


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,20}", fullmatch=True).filter(
        lambda text: "E" not in str(Decimal(text))
    )
)
def test_a_decimal_is_written_as_it_was_read(text: str) -> None:
    assert encode(decode(f'{{"v":{text}}}'.encode())) == f'{{"v":{text}}}'.encode()
