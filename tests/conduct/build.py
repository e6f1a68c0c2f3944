"""Reads the cases: the rules of the trial, and a participant's record from one line a fact."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from fhir_adapter import shipped
from fhir_adapter.conduct.record import Record
from fhir_adapter.conduct.rules import ConductRule, EgfrRule, EligibilityRule
from fhir_adapter.study import read_conduct
from fhir_adapter.trial.history import (
    Agreement,
    Diagnosis,
    FocusScore,
    Order,
    Person,
    Reason,
    Statement,
    Stay,
    Vaccination,
)
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Dose, DoseStatus, Measurement, Problem, Subject
from fhir_adapter.trial.values import Interval, Moment, Truth, on
from fhir_adapter.trial.windows import settled
from tests.scores.build import interval

CHILD = "JSS-01"
CONSENT = date(2024, 3, 18)
AS_OF = date(2024, 12, 31)
EVERY_TYPE = (
    "Observation", "MedicationAdministration", "MedicationRequest", "MedicationStatement", "Condition",
    "Encounter", "Immunization", "Consent", "QuestionnaireResponse",
)  # fmt: skip
DOSES = (
    "dose rituximab 2024-04-01", "dose rituximab 2024-04-08", "dose rituximab 2024-04-15",
    "dose belimumab 2024-05-13",
)  # fmt: skip


def tables(name: str) -> dict[str, Any]:
    """A file of cases."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def rules() -> ConductRule:
    """The rules of NCT06410833 as they ship."""
    return read_conduct(shipped.PROTOCOLS / "nct06410833.toml")


def eligibility_rule() -> EligibilityRule:
    rule = rules().eligibility
    assert rule is not None
    return rule


def egfr_rule() -> EgfrRule:
    rule = rules().egfr
    assert rule is not None
    return rule


def origin(line: str, type: str = "Observation") -> Origin:
    return Origin("hospital", type, line, "1", "")


def day(text: str) -> date:
    return date.fromisoformat(text)


def moment(text: str) -> Moment:
    """A day, a month or a year."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return on(date(*parts))
    if len(parts) == 1:
        return Moment(date(parts[0], 1, 1), date(parts[0], 12, 31))
    year, month = parts
    return Moment(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1))


def span(text: str) -> tuple[date | None, date | None]:
    """``FIRST..LAST``, either of which may be left out; ``FIRST..?`` is over, on a day not known."""
    first, _, last = text.removesuffix("?").partition("..")
    return (day(first) if first else None), (day(last) if last else None)


WORDS: Mapping[str, Truth] = {
    "positive": True, "negative": False, "indeterminate": None,
    "yes": True, "no": False, "unsure": None,
    "live": True, "dead": False, "unknown": None,
}  # fmt: skip


def lab(line: str) -> Measurement:
    _, at, item, value, *limits = line.split()
    normal = None
    if limits:
        low, _, high = limits[0].partition("..")
        normal = Interval(Fraction(low) if low else None, Fraction(high) if high else None)
    problem = {"refused": Problem.IMPLAUSIBLE, "absent": Problem.ABSENT}.get(value)
    number = None if problem or value in WORDS else interval(value)
    return Measurement(
        CHILD, item, moment(at), number, value, (origin(line),), found=WORDS.get(value), normal=normal,
        problem=problem,
    )  # fmt: skip


def record(
    lines: Iterable[str], *, consent: date | None = CONSENT, pulled: Iterable[str] = EVERY_TYPE
) -> Record:
    """A participant from lines; without a dose among them the usual ones were given."""
    facts = list(lines)
    if not any(line.startswith("dose") for line in facts):
        facts += DOSES
    found: dict[str, list[Any]] = {}
    person: dict[str, Any] = {}
    for line in facts:
        kind, *words = line.split()
        if kind == "born":
            at = moment(words[0])
            person |= {"born": (at.first, at.last), "line": line}
        elif kind in ("male", "female"):
            person["sex"] = kind
        elif kind == "error":
            found.setdefault(kind, []).append(_fact(words[0], words[1:], line))
        else:
            found.setdefault(kind, []).append(_fact(kind, words, line))
    who = (
        Person(CHILD, person.get("born"), person.get("sex"), (origin(person.get("line", ""), "Patient"),))
        if person
        else None
    )
    return Record(
        Subject(CHILD, "on-study", consent),
        who,
        settled(found.get("lab", ())),
        tuple(found.get("dose", ())),
        tuple(found.get("diagnosis", ())),
        tuple(found.get("order", ())),
        tuple(found.get("stay", ())),
        tuple(found.get("vaccine", ())),
        tuple(found.get("consent", ())),
        tuple(found.get("says", ())),
        tuple(found.get("focus", ())),
        frozenset(pulled),
        tuple(found.get("error", ())),
    )


def _fact(kind: str, words: list[str], line: str) -> Any:
    if kind == "lab":
        return lab(line)
    if kind == "dose":
        status = DoseStatus.NOT_DONE if "not-done" in words else DoseStatus.GIVEN
        source = origin(line, "MedicationAdministration")
        return Dose(CHILD, words[0], moment(words[1]), status, None, "", (source,), " ".join(words[3:]))
    if kind == "diagnosis":
        since = re.search(r"since (\S+)", line)
        until = re.search(r"until (\S+)", line)
        return Diagnosis(
            CHILD, (words[0],), moment(since[1]) if since else None, day(until[1]) if until else None,
            (origin(line, "Condition"),), "over" in words, "unconfirmed" not in words,
        )  # fmt: skip
    if kind == "order":
        route = True if "parenteral" in words else False if "oral" in words else None
        codes = tuple(words[words.index("for") + 1 :]) if "for" in words else ()
        by = (origin(line, "MedicationRequest"),)
        certain = "uncertain" not in words
        return Order(CHILD, words[0], *span(words[1]), route, codes, by, words[1].endswith("?"), certain)
    if kind == "stay":
        behind = words.index("also") if "also" in words else len(words)
        reasons = [Reason((code,), True) for code in words[2:behind]]
        reasons += [Reason((code,), False) for code in words[behind + 1 :]]
        by = (origin(line, "Encounter"),)
        return Stay(CHILD, *span(words[0]), True, tuple(reasons), by, words[0].endswith("?"))
    if kind == "vaccine":
        return Vaccination(CHILD, WORDS[words[1]], moment(words[0]), (origin(line, "Immunization"),))
    if kind == "consent":
        drugs = frozenset(words[0].split(","))
        return Agreement(CHILD, drugs, words[1] == "given", *span(words[2]), (origin(line, "Consent"),))
    if kind == "says":
        at, code, answer = words
        return Statement(CHILD, code, WORDS[answer], moment(at), (origin(line, "QuestionnaireResponse"),))
    assert kind == "focus", line
    return FocusScore(CHILD, interval(words[1]), moment(words[0]), (origin(line),))
