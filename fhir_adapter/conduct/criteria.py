"""Classification criteria of Sjögren's syndrome, three-valued.

AECG 2002 (Vitali ARD 2002;61:554-8, Table 2): I eye symptoms, II mouth symptoms, III ocular signs (Schirmer
≤ 5 mm in either eye, or a dye score ≥ 4), IV focus score ≥ 1, V salivary glands (flow ≤ 1.5 mL/15 min,
sialography or scintigraphy), VI anti-SSA or anti-SSB. Met by four of six with IV or VI, or three of III to
VI, unless excluded. Japan 1999 (Fujibayashi Mod Rheumatol 2004;14:425-34): two of histopathology, oral,
ocular, serology. Dossier §8.1, §14.22; details of the Japanese items are from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product

from fhir_adapter.trial.values import Truth, all_of, any_of

AECG = ("I", "II", "III", "IV", "V", "VI")
JAPAN = ("histopathology", "oral", "ocular", "serology")

Rule = Callable[[Mapping[str, bool]], bool]
"""A two-valued rule on items that are all known."""


def aecg_2002(items: Mapping[str, Truth], excluded: Truth) -> Truth:
    """AECG 2002 from its items I to VI; ``excluded`` says whether an exclusion is present."""
    return decided({**items, "excluded": excluded}, aecg)


def japan_1999(items: Mapping[str, Truth]) -> Truth:
    """Japan 1999 from its four items."""
    return decided(items, japan)


def aecg(items: Mapping[str, bool]) -> bool:
    """AECG 2002 where everything is known, ``excluded`` among it."""
    four = sum(items[name] for name in AECG) >= 4 and (items["IV"] or items["VI"])
    three = sum(items[name] for name in AECG[2:]) >= 3
    return (four or three) and not items["excluded"]


def japan(items: Mapping[str, bool]) -> bool:
    """Japan 1999 where everything is known."""
    return sum(items[name] for name in JAPAN) >= 2


def decided(items: Mapping[str, Truth], rule: Rule) -> Truth:
    """The rule's answer if it is the same whatever the open items turn out to be, else None."""
    return _decided(tuple(items.items()), rule)


def needed(items: Mapping[str, Truth], rule: Rule) -> list[str]:
    """The open items that can still change the rule's answer."""
    return list(_needed(tuple(items.items()), rule))


_Items = tuple[tuple[str, Truth], ...]
# There are only so many ways to answer, and many participants: each is worked out once.


@cache
def _decided(items: _Items, rule: Rule) -> Truth:
    answers = {rule(full) for full in _completions(items)}
    return answers.pop() if len(answers) == 1 else None


@cache
def _needed(items: _Items, rule: Rule) -> tuple[str, ...]:
    return tuple(
        name
        for name, answer in items
        if answer is None
        and any(rule(full) != rule({**full, name: not full[name]}) for full in _completions(items))
    )


def _completions(items: _Items) -> Iterator[dict[str, bool]]:
    choices = [(True, False) if answer is None else (answer,) for _, answer in items]
    for full in product(*choices):
        yield dict(zip((name for name, _ in items), full, strict=True))


def oral_1999(sialography: Truth, stimulated_flow_low: Truth, scintigraphy: Truth) -> Truth:
    """The oral item: sialography, or a low stimulated flow with an abnormal scintigraphy."""
    return any_of((sialography, all_of((stimulated_flow_low, scintigraphy))))


def ocular_1999(schirmer_low: Truth, rose_bengal: Truth, fluorescein: Truth) -> Truth:
    """The ocular item: a low Schirmer test with rose bengal, or with fluorescein."""
    return all_of((schirmer_low, any_of((rose_bengal, fluorescein))))
