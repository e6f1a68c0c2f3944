"""The results by plain arithmetic that the program is compared with: counted here by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from benchmarks.cohort import Expected, Visit, expected

BEFORE = Visit(
    levels=(1, 2, 0, 2, 0, 0, 1, 0, 0, 0, 1, 2),  # 3 + 8 + 4 + 5 + 2 + 2 = 24
    scales=(8, 7, 6),
    physician=60,
    esr=40,
    igg=1600,
    rf=40,
    tears=(4, 6),
    staining=(3, 3),
    flow=4,
    ultrasound=20,
)
SAME = BEFORE
BETTER = replace(
    BEFORE,
    levels=(0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0),  # 4 + 2 + 2 = 8
    scales=(6, 7, 5),
    physician=42,  # 30 % less
    esr=28,  # 30 % less
    igg=1200,  # 25 % less
    tears=(9, 11),  # 5 mm more
    flow=5,  # 25 % more
)


def test_each_limit_is_met_when_it_is_reached() -> None:
    assert expected(BEFORE, BETTER) == Expected(-16, Fraction(-1), "responder")


def test_no_change_is_no_response() -> None:
    assert expected(BEFORE, SAME) == Expected(0, Fraction(0), "non-responder")


@pytest.mark.parametrize(
    ("changed", "response"),
    [
        # just off three of the five limits: two are left
        ({"physician": 43, "igg": 1201, "tears": (9, 10)}, "non-responder"),
        # just off two: three are left
        ({"physician": 43, "tears": (9, 10)}, "responder"),
        # two missed, one open: two are sure, three are possible
        ({"physician": 43, "tears": (9, 10), "flow": None}, "undetermined"),
        # an ESR of 20 is within the limit of 20: met though it fell less than from 40 to 28 would
        ({"physician": 60, "tears": (4, 6), "esr": 20}, "responder"),
        # IgG open, the rheumatoid factor fell by 25 %: met
        ({"physician": 60, "tears": (4, 6), "igg": None, "rf": 30}, "responder"),
        ({"physician": 60, "tears": (4, 6), "igg": None, "rf": 31}, "undetermined"),
        # one eye is enough, the same at both visits
        ({"physician": 60, "esr": 40, "tears": (9, None)}, "responder"),
        ({"physician": 60, "esr": 40, "tears": (8, None)}, "non-responder"),
    ],
)
def test_the_response_counts_indicators(changed: dict[str, object], response: str) -> None:
    assert expected(BEFORE, replace(BETTER, **changed)).response == response  # type: ignore[arg-type]


def test_what_was_normal_or_zero_at_baseline() -> None:
    # ESR 20 → 15 fell by 25 %, which is too little, and was never raised; RF 19 of 20 was negative: IgG
    # alone decides; flow 0 → 1 is any rise; of the physician's 0 nothing can be said (dossier §14.11).
    before = replace(BEFORE, esr=20, rf=19, flow=0, physician=0)
    after = replace(before, esr=15, rf=5, flow=1, igg=1201)
    assert expected(before, after).response == "non-responder"
    # with tears, two are met and the physician's is open
    assert expected(before, replace(after, tears=(9, 11))).response == "undetermined"
    # with tears and IgG: tears, IgG and flow are three
    assert expected(before, replace(after, tears=(9, 11), igg=1200)).response == "responder"


def test_a_gap_leaves_no_change() -> None:
    gap = replace(BETTER, levels=(*BETTER.levels[:11], None), scales=(None, 7, 5))
    assert expected(BEFORE, gap) == Expected(None, None, "responder")
