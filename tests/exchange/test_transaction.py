"""What may be written together, and where it then stands: without a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.exchange.abilities import Abilities, abilities_in
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.search import MAX_LIST, batches, escaped
from fhir_adapter.exchange.transaction import Answer, Entry, check
from tests.exchange.resources import observation, post, put

ONE = post("1", once=True)


def test_what_can_be_written_together() -> None:
    check([put(), put(), post(), post(), post("2", once=True), post("3", once=True)])
    provenance = {"resourceType": "Provenance"}
    check([ONE, Entry("POST", "Provenance", provenance, "", if_none_exist=ONE.if_none_exist)])
    check([post("4"), post("4")])  # without criteria they are two


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ([put("a"), put("a")], "twice"),
        ([ONE, ONE], "twice"),
        ([ONE, replace(ONE, full_url="urn:other")], "twice"),
        ([replace(put(), if_none_exist="identifier=1")], "for POST only"),
        ([replace(ONE, if_match="1")], "for PUT only"),
        ([replace(ONE, if_none_exist="identifier")], "must be like"),
        ([replace(ONE, if_none_exist="identifier=1\r\nX-Other: 1")], "must be like"),
        ([replace(ONE, if_none_exist="")], "must be like"),
        ([replace(put(), if_match='1"\r\nX-Other: "')], "if_match"),
        ([replace(put(), if_match="")], "if_match"),
        ([replace(ONE, url="Patient")], "type of its resource"),
        ([replace(ONE, url="Observation?identifier=1")], "type of its resource"),
        ([replace(put(), method="PATCH")], "only PUT and POST"),
        ([replace(put("a"), url="Observation/b")], "another type or id"),
        ([replace(put("a"), url="Observation")], "not Type/id"),
    ],
)
def test_what_cannot(entries: list[Entry], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check(entries)


def test_a_folder_gives_no_ids(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only PUT"):
        Folder(tmp_path / "there", name="out").write([put(), post()])
    assert list(tmp_path.iterdir()) == []


def test_an_entry_knows_its_type() -> None:
    assert (put().type, post().type) == ("Observation", "Observation")
    with pytest.raises(ValueError, match="not Type/id"):
        assert post().place


@pytest.mark.parametrize(
    ("url", "id"),
    [
        ("https://h/fhir/Observation/a-1.b/_history/3", "a-1.b"),
        ("https://h/fhir/Observation/a_b", "a_b"),
        ("Observation/a", "a"),
        ("https://h/fhir/Observation", None),
        ("", None),
        (None, None),
    ],
)
def test_the_id_of_an_answer(url: str | None, id: str | None) -> None:
    assert Answer(200, None, url).id == id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("urn:s|a,b", r"urn:s|a\,b"),
        ("urn:s|a|b", r"urn:s|a\|b"),
        ("a\\b$c", r"a\\b\$c"),
        ("urn:s|", "urn:s|"),
        ("|1", "|1"),
        ("plain", "plain"),
    ],
)
def test_what_fhir_has_other_uses_for_is_escaped(value: str, expected: str) -> None:
    assert escaped(value) == expected


@given(st.lists(st.text(max_size=2 * MAX_LIST // 3), max_size=12))
def test_batches_leave_nothing_out(values: list[str]) -> None:
    cut = list(batches(values))
    assert [value for batch in cut for value in batch] == values
    assert all(cut)


def test_an_id_beyond_fhirs_rules_can_be_written_back() -> None:
    id = "given_by_a_server" * 10
    check([Entry("PUT", f"Observation/{id}", observation(id=id), "")])


def test_what_a_statement_announces() -> None:
    def resource(type: str, **rest: object) -> dict[str, object]:
        return {"type": type, "updateCreate": True, "conditionalCreate": True, **rest}

    whole = {
        "software": {"name": "Some", "version": "1.2"},
        "rest": [
            {"mode": "client", "interaction": [{"code": "batch"}]},
            {
                "mode": "server",
                "interaction": [{"code": "transaction"}],
                "resource": [
                    resource("Observation", interaction=[{"code": "read"}, {"code": "history-type"}]),
                    resource("Provenance", conditionalCreate=False),
                ],
            },
        ],
    }
    types = frozenset({"Observation", "Provenance"})
    assert abilities_in(whole) == Abilities(True, False, True, frozenset({"Observation"}), "Some 1.2", types)
    assert abilities_in({}) == Abilities(False, False, False, frozenset(), "", frozenset())


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rest", "resource", "type", "interaction", "code", "software", "name", "updateCreate"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["rest", "software"]), _odd))
def test_a_statement_of_any_shape_announces_something_or_nothing(statement: dict[str, object]) -> None:
    assert isinstance(abilities_in(statement), Abilities)
