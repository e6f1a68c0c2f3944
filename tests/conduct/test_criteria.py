"""AECG 2002 and Japan 1999: three-valued, and exact about what is still needed."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.conduct.criteria import (
    AECG,
    JAPAN,
    aecg,
    aecg_2002,
    decided,
    japan,
    japan_1999,
    needed,
    ocular_1999,
    oral_1999,
)
from fhir_adapter.conduct.record import within
from fhir_adapter.trial.drugs import DRUGS, Group, of_group
from fhir_adapter.trial.values import Truth

Y, N, U = True, False, None


@pytest.mark.parametrize(
    ("items", "excluded", "met"),
    [
        ((Y, Y, N, N, Y, Y), N, Y),  # four of six with VI
        ((Y, Y, Y, N, Y, N), N, N),  # four of six without IV or VI, two of III to VI
        ((N, N, Y, Y, Y, N), N, Y),  # three of III to VI
        ((N, N, Y, N, N, Y), N, N),  # two of III to VI
        ((Y, Y, U, N, Y, Y), N, Y),  # whatever III says
        ((Y, U, N, N, Y, Y), N, U),  # II decides
        ((N, N, N, U, U, U), N, U),
        ((N, N, N, N, U, U), N, N),  # at most two
        ((N, N, Y, Y, Y, N), Y, N),  # excluded
        ((N, N, Y, Y, Y, N), U, U),  # an exclusion may be there
        ((N, N, N, N, N, N), U, N),  # not met, excluded or not
    ],
)
def test_aecg(items: tuple[Truth, ...], excluded: Truth, met: Truth) -> None:
    assert aecg_2002(dict(zip(AECG, items, strict=True)), excluded) is met


@pytest.mark.parametrize(
    ("items", "met"),
    [((Y, N, N, Y), Y), ((N, N, N, Y), N), ((U, N, N, Y), U), ((U, N, N, N), N), ((U, U, Y, Y), Y)],
)
def test_japan(items: tuple[Truth, ...], met: Truth) -> None:
    assert japan_1999(dict(zip(JAPAN, items, strict=True))) is met


def test_items_of_japan() -> None:
    """§8.1: sialography, or a low stimulated flow with scintigraphy; Schirmer with one of two dyes."""
    assert oral_1999(Y, N, N) is Y
    assert oral_1999(N, Y, N) is N
    assert oral_1999(N, Y, Y) is Y
    assert oral_1999(U, Y, N) is U
    assert ocular_1999(N, Y, Y) is N
    assert ocular_1999(Y, N, Y) is Y
    assert ocular_1999(Y, N, U) is U


@given(st.tuples(*[st.sampled_from([Y, N, U])] * 7))
def test_an_answer_is_that_of_every_completion(values: tuple[Truth, ...]) -> None:
    items = dict(zip((*AECG, "excluded"), values, strict=True))
    found = aecg_2002({name: items[name] for name in AECG}, items["excluded"])
    open_items = [name for name, answer in items.items() if answer is None]
    completions = [
        aecg(
            {**{name: bool(each) for name, each in items.items()}, **dict(zip(open_items, full, strict=True))}
        )
        for full in product([True, False], repeat=len(open_items))
    ]
    assert found is (completions[0] if len(set(completions)) == 1 else None)
    assert bool(needed(items, aecg)) is (found is None)


def test_what_cannot_change_the_answer_is_not_asked_for() -> None:
    items = {"I": N, "II": U, "III": Y, "IV": Y, "V": U, "VI": N, "excluded": N}
    assert decided(items, aecg) is None
    assert needed(items, aecg) == ["V"]
    assert needed(dict(zip(JAPAN, (Y, U, N, N), strict=True)), japan) == ["oral"]


def test_ranges_of_diagnoses() -> None:
    assert within("C97.1", ("C00-C97",))
    assert not within("D00.0", ("C00-C97",))
    assert within("C00", ("C00-C97",))
    assert within("M35.01", ("M35.0",))
    assert not within("M35.1", ("M35.0",))
    assert not within("M35", ("M35.0",))


def test_each_drug_is_in_one_group() -> None:
    assert sum(len(of_group(group)) for group in Group) == len(DRUGS)
    assert {"rituximab", "belimumab", "telitacicept"} <= of_group(Group.BIOLOGIC)
    assert "hydroxychloroquine" not in of_group(Group.IMMUNOSUPPRESSANT, Group.ANTI_INFECTIVE)
