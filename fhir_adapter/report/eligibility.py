"""Who may enter, and why: every criterion of a participant, and how often each is met in the whole trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import zip_longest

from fhir_adapter.conduct.answers import REMARKS, Verdict, verdict
from fhir_adapter.conduct.names import CRITERIA, GATES, kinds
from fhir_adapter.conduct.participant import Conduct
from fhir_adapter.conduct.rules import EligibilityRule
from fhir_adapter.report import facts
from fhir_adapter.report.facts import Fact
from fhir_adapter.report.table import Table
from fhir_adapter.trial.types import Subject
from fhir_adapter.trial.values import Truth, all_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would settle an answer, and who must supply it."""

    supplier: str
    what: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion of one participant: the answer under the default reading, and under each other one.

    ``parts`` are the answers of what it is made of; ``decides`` are the facts behind it, or what was looked
    at where nothing decides; ``computed`` are the numbers that are judged, without sources of their own.
    """

    criterion: str
    title: str
    sentence: str
    answer: str
    readings: Mapping[str, str]
    parts: Mapping[str, str]
    decides: tuple[Fact, ...]
    computed: tuple[Fact, ...]
    missing: tuple[Wanted, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Every criterion of one participant. The gates of a drug do not decide ``answer``: they come later."""

    subject: str
    status: str
    answer: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many participants satisfy a criterion, violate it, or leave it open.

    ``changes`` are those whose answer is another one under another reading of the sentence: reading →
    participant → answer.
    """

    criterion: str
    title: str
    satisfied: int
    violated: int
    undetermined: int
    changes: Mapping[str, Mapping[str, str]]


def eligibility(conduct: Conduct, who: Subject, rule: EligibilityRule) -> Eligibility:
    """Every criterion of one participant, in the order of the record."""
    names, sentences = kinds(rule), _sentences(rule)
    return Eligibility(
        who.id,
        who.status,
        _whole(conduct, rule).value,
        tuple(
            Criterion(
                each.criterion,
                CRITERIA[names[each.criterion]],
                sentences[each.criterion],
                each.verdict.value,
                _verdicts(each.readings),
                _verdicts(each.parts),
                tuple(facts.fact(piece) for piece in each.evidence),
                tuple(facts.computed(*number) for number in each.numbers.items()),
                tuple(Wanted(wanted.supplier.value, wanted.what) for wanted in each.missing),
                tuple(REMARKS[remark] for remark in each.remarks),
            )
            for each in conduct.answers
        ),
    )


def _whole(conduct: Conduct, rule: EligibilityRule) -> Verdict:
    names = kinds(rule)
    return verdict(all_of(each.holds for each in conduct.answers if names[each.criterion] not in GATES))


def _sentences(rule: EligibilityRule) -> dict[str, str]:
    found = (getattr(rule, each.name) for each in fields(rule) if each.name != "day_0")
    return {each.code: each.sentence for each in found if each is not None}


def _verdicts(answers: Mapping[str, Truth]) -> dict[str, str]:
    return {name: verdict(holds).value for name, holds in answers.items()}


class Tally:
    """Counts the answers of one participant after another, and keeps none of what they rest on."""

    def __init__(self, rule: EligibilityRule) -> None:
        self._names = kinds(rule)
        self._verdicts: dict[str, Counter[Verdict]] = {code: Counter() for code in self._names}
        self._changes: dict[str, dict[str, dict[str, str]]] = {code: {} for code in self._names}

    def add(self, conduct: Conduct) -> None:
        """Count the answers of a participant."""
        for each in conduct.answers:
            self._verdicts[each.criterion][each.verdict] += 1
            for reading, holds in each.readings.items():
                if holds is not each.holds:
                    changed = self._changes[each.criterion].setdefault(reading, {})
                    changed[conduct.subject] = verdict(holds).value

    def counts(self) -> list[Count]:
        """How often each criterion is satisfied, violated or open under the default reading."""
        return [
            Count(
                code,
                CRITERIA[name],
                self._verdicts[code][Verdict.SATISFIED],
                self._verdicts[code][Verdict.VIOLATED],
                self._verdicts[code][Verdict.UNDETERMINED],
                {reading: dict(sorted(changed.items())) for reading, changed in self._changes[code].items()},
            )
            for code, name in self._names.items()
        ]


# As tables


def table(found: Eligibility) -> Table:
    """A few rows a criterion: its answers, each fact that decides, and all that is missing."""
    return Table(
        f"{found.subject}, {found.status}: criteria of entry {found.answer}",
        ("criterion", "sentence of the record", "answer", "decided by", "resource", "missing"),
        tuple(row for each in found.criteria for row in _rows(each)),
        tuple(f"{', '.join(codes)}: {remark}." for remark, codes in _remarked(found).items()),
    )


def _remarked(found: Eligibility) -> dict[str, list[str]]:
    """Each remark with the criteria that it is on."""
    remarked: dict[str, list[str]] = {}
    for each in found.criteria:
        for remark in each.remarks:
            remarked.setdefault(remark, []).append(each.criterion)
    return remarked


def _rows(each: Criterion) -> Iterator[tuple[str, ...]]:
    others = (f"{name}: {said}" for name, said in (*each.readings.items(), *each.parts.items()))
    columns = (
        [each.criterion],
        [_shortened(each.sentence)],
        [each.answer, *others],
        [fact.said for fact in (*each.decides, *each.computed)] or ["–"],
        [", ".join(f"{one.source}: {one.resource}" for one in fact.sources) for fact in each.decides]
        or ["–"],
        [f"{wanted.what} ({wanted.supplier})" for wanted in each.missing] or ["–"],
    )
    yield from zip_longest(*columns, fillvalue="")


_LONGEST = 60


def _shortened(sentence: str) -> str:
    """A sentence as far as a table has room; JSON has it whole."""
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + "…"


def overview(everybody: Iterable[tuple[Conduct, Subject]], rule: EligibilityRule) -> Table:
    """One row a participant, one column a criterion: yes, no or open."""
    short = {Verdict.SATISFIED: "yes", Verdict.VIOLATED: "no", Verdict.UNDETERMINED: "?"}
    codes = list(kinds(rule))
    rows = []
    for conduct, who in everybody:
        by_code = {each.criterion: short[each.verdict] for each in conduct.answers}
        whole = _whole(conduct, rule).value
        rows.append((who.id, who.status, whole, *(by_code[code] for code in codes)))
    return Table(
        "Criteria of entry and gates",
        ("subject", "status", "entry", *codes),
        tuple(rows),
        (
            "yes: speaks for enrolment. no: against it. ?: open; name a participant to see what is missing.",
            "Gates of a drug are judged at its first dose; they do not decide who may enter.",
        ),
    )


def counts_table(found: list[Count]) -> Table:
    """One row a criterion."""
    return Table(
        "Criteria of entry and gates",
        ("criterion", "", "satisfied", "violated", "undetermined", "another reading changes"),
        tuple(
            (
                each.criterion,
                each.title,
                str(each.satisfied),
                str(each.violated),
                str(each.undetermined),
                "; ".join(
                    f"{reading}: {', '.join(f'{one} ({answer})' for one, answer in changed.items())}"
                    for reading, changed in each.changes.items()
                )
                or "nobody",
            )
            for each in found
        ),
        ("`fhir-adapter eligibility SUBJECT` says why, and what is missing.",),
    )
