"""The text of a resource: what is no JSON, what a decoder lets pass, and where an element stands."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest

from fhir_adapter.validation.issue import Issue
from fhir_adapter.validation.source import load


def at(text: str, *expressions: str) -> list[tuple[int, int]]:
    return load(text.encode()).positions([Issue("error", one, "r", "m") for one in expressions])


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        (b"", 1, 1, "is empty"),
        (b" \n ", 1, 1, "is empty"),
        (b"banana", 1, 1, "is not JSON"),
        (b'{\n"a": 1,\n"b": }', 3, 6, "is not JSON"),
        (b'{"a": 1}\n}', 2, 1, "goes on after the end"),
        (b'{"a": 1}\n{"a": 2}\n', 2, 1, "must be named *.ndjson"),
        (b'{"a": [1, 2', 1, 12, "is cut off"),
        (b'{"a":\n "b', 2, 4, "is cut off"),
        (b'\n{"a": NaN}', 2, 7, "a number in it is NaN"),
        (b'{"a": -Infinity}', 1, 7, "a number in it is NaN"),
        (b'{"a": %s}' % (b"1" * 5000), 1, 7, "too long"),
        (b'{"a": 1e99999}', 1, 7, "too long"),
        (b'{"a": 1, "b": "\\ud800"}', 1, 16, "half a character"),
        (b'{"id": "\xff"}', 1, 9, "is not UTF-8"),
        (b'{\n"id": "\xc3\xa9\xff"}', 2, 9, "is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), 1, 1, "is UTF-16"),
        (b"\x1f\x8b\x08", 1, 1, "is packed with gzip"),
        (b"\n <Patient/>", 2, 2, "XML is not supported"),
        (b"[]", 1, 1, "JSON, but not an object"),
        (b"[" * 100_000, 1, 1, "nested too deeply"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 1, 1, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(text: bytes, line: int, column: int, said: str) -> None:
    document = load(text)
    assert document.resource is None
    assert [issue.severity for issue in document.issues] == ["error"]
    assert said in document.issues[0].message
    assert document.positions(document.issues) == [(line, column)]


def test_numbers_keep_their_digits_and_pairs_of_halves_are_characters() -> None:
    document = load(b'{"a": 1.50, "b": 12345678901234567890, "c": "\\ud83d\\ude00", "d": 1e2}')
    assert document.resource == {
        "a": Decimal("1.50"),
        "b": 12345678901234567890,
        "c": "😀",
        "d": Decimal("1e2"),
    }
    assert str(document.resource["a"]) == "1.50"
    assert document.issues == []


def test_a_byte_order_mark_is_a_warning_and_takes_no_column() -> None:
    document = load(b'\xef\xbb\xbf{"id": "x"}')
    assert document.resource == {"id": "x"}
    assert [(issue.severity, issue.rule) for issue in document.issues] == [("warning", "byte-order-mark")]
    assert document.positions([Issue("error", "Patient.id", "r", "m")]) == [(1, 2)]


def test_a_name_that_stands_twice() -> None:
    text = """{"resourceType": "Patient",
 "name": [{"use": "usual"},
 {"use": "old",
  "use": "usual"}], "id": "a",
 "id": "b"}"""
    document = load(text.encode())
    assert document.resource == {
        "resourceType": "Patient",
        "name": [{"use": "usual"}, {"use": "usual"}],
        "id": "b",
    }
    found = [(issue.severity, issue.rule, issue.expression, issue.property) for issue in document.issues]
    assert sorted(found) == [
        ("error", "duplicate-name", "Patient", "id"),
        ("error", "duplicate-name", "Patient.name[1]", "use"),
    ]
    # The last one counts, and is where one looks.
    assert sorted(document.positions(document.issues)) == [(4, 3), (5, 2)]


def test_names_that_are_no_element_names_are_not_quoted() -> None:
    document = load(b'{"resourceType": "Patient", "Zhang San": 1, "Zhang San": 2}')
    assert len(document.issues) == 1
    assert "Zhang" not in str(document.issues)


TEXT = """{
  "resourceType": "Observation",
  "status": "final",
  "_status": {"extension": [{"url": "u"}]},
  "valueQuantity": {
    "value": 1.5
  },
  "component": [
    {"code": {"text": "a"}},
    {"code": {"text": "é"}, "valueString": "x"}
  ],
  "_issued": {"extension": [
    {"url": "v"}]},
  "note": [{"_text": {"id": "1"}}],
  "performer": [
    {"_display": null}
  ]
}"""


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("Observation", (1, 1)),
        ("Observation.status", (3, 3)),
        ("Observation.status.extension[0]", (4, 29)),
        ("Observation.status.extension[0].url", (4, 30)),
        ("Observation.value.ofType(Quantity)", (5, 3)),
        ("Observation.value.ofType(Quantity).value", (6, 5)),
        ("Observation.value.ofType(Quantity).unit", (5, 3)),  # what is missing: the element around it
        ("Observation.component", (8, 3)),
        ("Observation.component[1]", (10, 5)),
        ("Observation.component[1].code.text", (10, 15)),
        ("Observation.component[1].value.ofType(string)", (10, 29)),
        ("Observation.component[7].code", (8, 3)),
        ("Observation.issued", (12, 3)),
        ("Observation.issued.extension[0].url", (13, 6)),
        ("Observation.note[0].text", (14, 13)),
        ("", (1, 1)),
    ],
)
def test_where_an_element_stands(expression: str, place: tuple[int, int]) -> None:
    assert at(TEXT, expression) == [place]


def test_many_places_in_one_pass_keep_their_order() -> None:
    assert at(TEXT, "Observation.component[1]", "Observation.status", "Observation.component[0].code") == [
        (10, 5),
        (3, 3),
        (9, 6),
    ]


def test_the_property_of_an_issue_is_where_it_stands() -> None:
    issue = Issue("error", "Observation.component[0]", "unknown-element", "m", property="code")
    assert load(TEXT.encode()).positions([issue]) == [(9, 6)]


def test_a_large_bundle_on_one_line_takes_time_in_proportion() -> None:
    def seconds(entries: int) -> float:
        text = json.dumps(
            {"resourceType": "Bundle", "entry": [{"resource": {"id": "é", "x": "y" * 200}}] * entries},
            ensure_ascii=False,
        )
        wanted = [f"Bundle.entry[{i}].resource.id" for i in range(entries)]
        started = time.process_time()
        places = at(text, *wanted)
        taken = time.process_time() - started
        assert text[places[-1][1] - 1 :].startswith('"id"')
        return taken

    seconds(100)
    # Ten times the entries; a quadratic way would take a hundred times as long.
    assert seconds(20_000) < 30 * max(seconds(2_000), 0.01)
