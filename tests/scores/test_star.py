"""STAR: what its bounds decide, and what stays open (dossier §3.1, §14.10, §14.17, §14.21)."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product

import pytest
from msgspec.structs import replace

from fhir_adapter.scores import esspri, hocevar, schirmer, star
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.types import Measurement, Outcome
from fhir_adapter.trial.values import Interval, Truth
from fhir_adapter.trial.windows import Evidence
from tests.scores.build import Value, baseline, measured, scored, star_rule, visit, week28
from tests.scores.inputs import quiet

ITEMS = ("systemic", "patient", "lachrymal", "salivary", "biological")


def ratings(levels: dict[str, int]) -> list[Measurement]:
    return [measured(f"essdai-{domain}", level) for domain, level in levels.items()]


def of(before: list[Measurement], after: list[Measurement]) -> Outcome:
    return scored(visit("baseline", *before), visit("week-28", *after))[("star", "week-28")]


def without(levels: dict[str, int], *domains: str) -> dict[str, int]:
    return {domain: level for domain, level in levels.items() if domain not in domains}


@pytest.mark.parametrize(
    ("before", "after", "met", "with_essdai", "why"),
    [
        (quiet(articular=1), quiet(), True, False, "ClinESSDAI −3, ESSDAI −2: the published item"),
        (quiet(biological=2), quiet(), False, False, "Clin 0, ESSDAI −2"),
        (quiet(haematological=1, biological=1), quiet(), False, True, "ClinESSDAI −2, ESSDAI −3"),
        (quiet(muscular=1), without(quiet(), "haematological"), None, None, "−7 to −1"),
        (quiet(muscular=2), without(quiet(), "haematological"), True, True, "§14.21: −8, −6 or more"),
        (quiet(), without(quiet(), "haematological"), False, False, "§14.21: at best no change"),
        (quiet(articular=2), without(quiet(), "biological"), True, None, "Clin −6, ESSDAI −4 to −2"),
    ],
)  # fmt: skip
def test_systemic_item(
    before: dict[str, int], after: dict[str, int], met: Truth, with_essdai: Truth, why: str
) -> None:
    found = of(ratings(before), ratings(after))
    assert found.component("systemic").answer is met, why
    essdai = scored(visit("baseline", *ratings(before)), visit("week-28", *ratings(after)))
    pair = essdai[("essdai", "baseline")], essdai[("essdai", "week-28")]
    assert star.systemic(*pair, star_rule().systemic_fall) is with_essdai, why


def test_the_responder_if_essdai_stood_for_clinessdai() -> None:
    """§3.1: show what ESSDAI would have given: here 3 + 1 + 1 points only by ClinESSDAI."""
    before = [*ratings(quiet(articular=1)), measured("igg", 20), measured("salivary-flow", "0.1")]
    after = [*ratings(quiet()), measured("igg", 10), measured("salivary-flow", "0.2")]
    alike = [measured(f"esspri-{scale}", 6) for scale in ("dryness", "fatigue", "pain")]
    tears = [measured("schirmer-right", 3), measured("schirmer-left", 3)]
    found = of([*before, *alike, *tears], [*after, *alike, *tears])
    assert found.number == 5
    answers = {
        name: found.component(name).answer
        for name in ("responder", "responder-more-than-five", "responder-with-essdai", "responder-nri")
    }
    assert answers == {
        "responder": True,
        "responder-more-than-five": False,
        "responder-with-essdai": False,
        "responder-nri": True,
    }


@pytest.mark.parametrize(
    ("igg", "met"),
    [((20, 18), True), ((20, "18.01"), False), ((20, "<18"), True), ((20, "<19"), None)],
)
def test_biological_item_by_igg(igg: tuple[Value, Value], met: Truth) -> None:
    """§3.1: 10 % here, 25 % in the response."""
    found = scored(baseline(igg=igg[0]), week28(igg=igg[1]))[("star", "week-28")]
    assert found.component("biological").answer is met


def test_points_enclose_every_completion() -> None:
    """§3.1: min and max points; what is decided by them is decided by every completion."""
    for known in product((True, False, None), repeat=5):
        points = star.points(dict(zip(ITEMS, known, strict=True)))
        decided = star.responder(points, 5, "at-least")
        for whole in product(*[(True, False) if met is None else (met,) for met in known]):
            sum_ = Fraction(sum(star.POINTS[item] for item, met in zip(ITEMS, whole, strict=True) if met))
            assert points.at_least(sum_) is not False
            assert points.at_most(sum_) is not False
            assert decided in (None, sum_ >= 5)


def test_points_are_nine_in_all() -> None:
    assert sum(star.POINTS.values()) == 9


@pytest.mark.parametrize(
    ("points", "at_least", "more_than"), [(4, False, False), (5, True, False), (6, True, True)]
)
def test_only_a_total_of_5_differs_by_reading(points: int, at_least: bool, more_than: bool) -> None:
    """§3.1."""
    total = Interval(Fraction(points), Fraction(points))
    assert star.responder(total, 5, "at-least") is at_least
    assert star.responder(total, 5, "more-than") is more_than


def test_nothing_at_the_follow_up_is_not_assessed() -> None:
    """§14.17: no data in the window, though results of other tests are there."""
    found = of([measured("igg", 20)], [measured("haemoglobin", 120)])
    assert (found.number, found.bounds, found.reason) == (None, None, "not-assessed")


def test_open_items_are_missing_input() -> None:
    """§14.17: data at both visits that leave every item open are not *no data*."""
    found = of([measured("igg", 20)], [measured("rheumatoid-factor", 80)])
    assert (found.number, found.reason) == (None, "missing-input")
    assert found.component("responder-nri").answer is False
    assert found.component("points-nri").number == 0


@pytest.mark.parametrize(("due", "window", "reason"), [(False, True, "not-due"), (False, False, "no-anchor")])
def test_not_due_is_neither_missing_nor_failed(due: bool, window: bool, reason: str) -> None:
    """§13 As of: no item is counted as failed, and no points as 0."""
    found = scored(baseline(igg=20), visit("week-28", due=due, window=window))[("star", "week-28")]
    assert (found.number, found.bounds, found.reason) == (None, None, reason)
    for part in found.components:
        assert (part.answer, part.number, part.reason) == (None, None, reason), part.name


def test_every_component_has_a_name_in_the_package() -> None:
    found = scored(baseline(igg=20), week28(igg=10))[("star", "week-28")]
    assert {part.name for part in found.components} <= set(COMPONENTS)


def test_each_item_says_what_it_rests_on() -> None:
    found = scored(baseline(igg=20), week28(igg=10))[("star", "week-28")]
    rests = found.component("biological").rests_on
    assert [each.item for each in rests if isinstance(each, Measurement)] == ["igg", "igg"]
    assert replace(found).origins == tuple(sorted(found.origins))


@pytest.mark.parametrize("seed", range(40))
def test_who_asks_for_the_value_only_gets_the_same_one(seed: int) -> None:
    """§14.17: what is missing at either visit widens the bounds of the parts, explained or not."""
    rng = random.Random(seed)

    def made(name: str) -> Evidence:
        levels = [*ratings(quiet(muscular=rng.choice((0, 2, 3)), biological=rng.choice((0, 1, 2))))]
        others = [
            *(measured(item, rng.choice((1, 4, 9))) for item in (*esspri.ITEMS, *schirmer.ITEMS)),
            measured("salivary-flow", rng.choice(("0.1", "0.2", "<0.1"))),
            measured("igg", rng.choice((10, 20, ">15"))),
            measured("cd19-count", rng.choice((0, 40))),
            *(measured(item, rng.choice((0, 1))) for item in hocevar.GRADES),
        ]
        missing = rng.sample(sorted(each.item for each in (*levels, *others)), rng.choice((0, 1, 2, 20)))
        kept = [each for each in (*levels, *others) if each.item not in missing]
        return visit(name, *kept, due=rng.random() > 0.1)

    before, after = made("baseline"), made("week-28")
    told = scored(before, after)
    asked = scored(replace(before, brief=True), replace(after, brief=True))
    assert told.keys() == asked.keys()
    for key, outcome in told.items():
        value = asked[key]
        assert (value.number, value.unit, value.result, value.reason) == (
            outcome.number, outcome.unit, outcome.result, outcome.reason,
        ), key  # fmt: skip
