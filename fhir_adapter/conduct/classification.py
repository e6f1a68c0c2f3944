"""I2: AECG 2002 or Japanese criteria, from the participant's tests, biopsies and answers.

The criteria themselves are in ``criteria``. Everything on or before day 0 counts; what was ever positive
stays so. Dossier §8, §8.1, §14.22.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from fhir_adapter.conduct.answers import (
    Answer,
    Judged,
    Missing,
    Part,
    Supplier,
    by_reading,
    listed,
    shown,
    unique,
)
from fhir_adapter.conduct.criteria import aecg, decided, japan, needed, ocular_1999, oral_1999
from fhir_adapter.conduct.record import (
    Days,
    Record,
    agreed,
    ask,
    ask_laboratory,
    diagnosed,
    ever,
    has_code,
    judged,
    not_pulled,
    said,
)
from fhir_adapter.conduct.rules import CriteriaRule
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.values import Truth, all_of, any_of


def classification(record: Record, rule: CriteriaRule, days: Days) -> Answer:
    """I2: AECG 2002 or Japanese criteria, from everything on or before day 0."""
    end = days.zero
    items, remarks = _items(record, rule, end)
    european = {name: items[name].answer for name in ("I", "II", "III", "IV", "V", "VI", "excluded")}
    japanese = {
        "histopathology": items["IV"].answer,
        "oral": items["oral"].answer,
        "ocular": items["ocular"].answer,
        "serology": items["VI"].answer,
    }
    by_aecg, by_japan = decided(european, aecg), decided(japanese, japan)
    category, entered = _category(record, rule, end)
    either = any_of((by_aecg, by_japan))
    answers = {
        # A category that nobody entered is a test that was not done: it is not used.
        "aecg-or-japanese": any_of((either, category)) if entered else either,
        "aecg-or-japan-1999": either,
        "aecg-only": by_aecg,
        "japan-1999-only": by_japan,
    }
    holds, readings = by_reading(rule.sets_reading, answers)
    missing: list[Missing] = []
    if holds is None:
        alias = {"histopathology": "IV", "serology": "VI"}
        names = [*needed(european, aecg), *(alias.get(name, name) for name in needed(japanese, japan))]
        missing = [each for name in names for each in items[name].open]
    if not entered and either is False:
        remarks = (*remarks, "no-2018-category")
    facts = [pair for each in items.values() for pair in each.judged]
    return Answer(
        rule.code,
        holds,
        readings,
        {"aecg-2002": by_aecg, "japan-1999": by_japan, "japan-2018": category},
        unique(piece for piece, _ in (*facts, *entered)),
        listed(missing),
        remarks,
    )


def _items(record: Record, rule: CriteriaRule, end: date) -> tuple[dict[str, Part], tuple[str, ...]]:
    def told(code: str) -> Part:
        answer, facts = said(record, code, end)
        return Part(answer, tuple(facts), () if answer is not None else (ask(code),))

    schirmer = _either(
        *(
            _tested(record, item, end, Supplier.PHYSICIAN, rule.schirmer_at_most)
            for item in ("schirmer-right", "schirmer-left")
        )
    )
    flow = _tested(record, "salivary-flow", end, Supplier.PHYSICIAN, rule.flow_at_most)
    serology = _either(*(_found(record, item, end) for item in ("anti-ssa", "anti-ssb")))
    sialography, scintigraphy, stimulated = (
        told(code) for code in ("sialography", "scintigraphy", "stimulated-flow-low")
    )
    rose_bengal, fluorescein = told("rose-bengal"), told("fluorescein")
    excluded, remarks = _excluded(record, rule, end)
    return {
        "I": told("eye-symptoms"),
        "II": told("mouth-symptoms"),
        "III": _either(schirmer, told("ocular-dye")),
        "IV": _biopsy(record, rule, end),
        "V": _either(flow, sialography, scintigraphy),
        "VI": serology,
        "excluded": excluded,
        "oral": _joined(
            oral_1999(sialography.answer, stimulated.answer, scintigraphy.answer),
            (sialography, stimulated, scintigraphy),
        ),
        "ocular": _joined(
            ocular_1999(schirmer.answer, rose_bengal.answer, fluorescein.answer),
            (schirmer, rose_bengal, fluorescein),
        ),
    }, remarks


def _either(*items: Part) -> Part:
    return _joined(any_of(each.answer for each in items), items)


def _joined(answer: Truth, items: Iterable[Part]) -> Part:
    known = list(items)
    wanting = tuple(each for item in known for each in item.open) if answer is None else ()
    return Part(answer, tuple(pair for item in known for pair in item.judged), wanting)


def _tested(record: Record, item: str, end: date, supplier: Supplier, at_most: Fraction) -> Part:
    answer, facts = ever(record, item, end, lambda each: judged(each, lambda value: value.at_most(at_most)))
    return Part(answer, tuple(facts), (Missing(supplier, ITEMS[item].display),) if answer is None else ())


def _found(record: Record, item: str, end: date) -> Part:
    answer, facts = ever(record, item, end)
    return Part(answer, tuple(facts), tuple(ask_laboratory(item)) if answer is None else ())


def _biopsy(record: Record, rule: CriteriaRule, end: date) -> Part:
    scores: list[Judged] = [
        (each, each.value.at_least(rule.focus_score_from))
        for each in record.focus_scores
        if each.at.last <= end
    ]
    answer = shown(scores) if scores else None
    open_ = () if scores else (Missing(Supplier.PHYSICIAN, "Biopsy of a salivary gland: focus score"),)
    return Part(answer, tuple(scores), open_)


def _excluded(record: Record, rule: CriteriaRule, end: date) -> tuple[Part, tuple[str, ...]]:
    """Whether AECG's exclusions are present, from diagnoses, hepatitis C antibodies and a person's answer."""
    told, facts = said(record, "aecg-exclusion", end)
    present: list[Judged] = [
        (each, diagnosed(each, end)) for each in record.diagnoses if has_code(each.codes, rule.exclusions)
    ]
    hepatitis, tests = ever(record, "hcv-ab", end)
    present += tests if hepatitis else []
    by_records = shown(present) or None
    answer, remarks = agreed(told, by_records)
    if answer is None and not remarks and record.has("Condition") and not present:
        return Part(False, (), ()), ("no-record",)
    open_: tuple[Missing, ...] = ()
    if answer is None:
        open_ = (ask("aecg-exclusion"),) if present else (not_pulled("Condition"),)
    return Part(answer, (*facts, *present), open_), remarks


def _category(record: Record, rule: CriteriaRule, end: date) -> tuple[Truth, list[Judged]]:
    """Whether a physician's category of 2018 meets the criteria, and what was entered."""
    entered: list[Judged] = []
    for code in ("japan-2018-definite", "japan-2018-probable", "japan-2018-possible"):
        answer, facts = said(record, code, end)
        counts = code in rule.categories
        entered += [(piece, answer if counts else all_of((answer, False))) for piece, _ in facts]
    return (shown(entered) if entered else None), entered
