"""Writes the parts of the page on scores that tell of dosing and of derived levels, with their cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from fhir_adapter.conduct import depletion, dosing
from fhir_adapter.conduct.derived import (
    biological,
    constitutional,
    haematological,
    muscular,
    pulmonary,
    renal,
)
from fhir_adapter.conduct.derived import proposal as derived
from fhir_adapter.trial.components import DERIVED_DOMAINS, DEVIATIONS
from tests.conduct.build import tables
from tests.docs.cases import CASES, table
from tests.docs.words import words

_DOMAINS: Mapping[str, ModuleType] = {
    "biological": biological,
    "haematological": haematological,
    "renal": renal,
    "muscular": muscular,
    "pulmonary": pulmonary,
    "constitutional": constitutional,
}

_DERIVED = """\

## Levels that the laboratory proposes

Of six domains of the ESSDAI laboratory values can say something. What they say is a proposal: the lowest
and the highest level that is still possible. The rated level is scored, whatever is proposed. A rating
outside the bounds is a data query (`rating-disagrees`); a domain that nobody rated stays missing.

Each proposal is a component of the ESSDAI of the visit (`proposed-renal`), with the values it rests on.
Beside it stand, where they differ, the level from the worst value of the window, and the level with a low
IgG counted and with a drug as its cause.
"""


def dosing_section() -> str:
    """Deviations and depletion."""
    cases = tables("dosing.toml")
    text = f"\n## Deviations from the plan of the doses\n\n{words(dosing)}\n\n{words(depletion)}\n\n"
    text += "| deviation | meaning |\n|---|---|\n"
    text += "".join(f"| `{kind}` | {meaning} |\n" for kind, meaning in DEVIATIONS.items())
    text += "\nWorked cases of depletion:\n\n" + table("Depletion")
    text += (
        "\nCases of deviations. Days are counted from day 0. A deviation has the number of its dose and its"
    )
    text += " size:\ndays, doses, or the gate that was not met.\n\n"
    text += "| case | given | must give |\n|---|---|---|\n"
    for case in cases["case"]:
        found = "; ".join(case["deviations"]) or "no deviation"
        text += f"| {_named(case)} | {'; '.join(_given(case))} | {_plain(found)} |\n"
    return text


def _given(case: Mapping[str, Any]) -> Iterator[str]:
    for drug in ("rituximab", "belimumab"):
        days = ", ".join(map(str, case[drug]))
        yield f"{drug} on days {days}" if days else f"no {drug}"
    for line in case["cd19"]:
        day, test, value = line.split()
        yield f"CD19 {value}{' %' if test == 'percent' else '/µL'} on day {day}"
    yield from (f"not done: {line}" for line in case.get("not_done", ()))
    yield from case.get("labs", ())
    if not case.get("gates", True):
        yield "no results before belimumab"
    if "withdrawn" in case:
        yield f"withdrawn on day {case['withdrawn']}"
    if "as_of" in case:
        yield f"as of day {case['as_of']}"


def derived_section() -> str:
    """The six domains with their cases."""
    text = _DERIVED
    cases = tables("derived.toml")
    for domain in DERIVED_DOMAINS:
        text += f"\n### {domain.capitalize()}\n\n{words(_DOMAINS[domain])}\n\n"
        text += "| case | known | proposed |\n|---|---|---|\n"
        for case in cases[domain]:
            low, high = case["bounds"]
            level = str(low) if low == high else f"{low} to {high}"
            known = {**case["inputs"], **case.get("autoimmune", {})}
            said = "; ".join(f"{name.replace('_', ' ')} {_value(each)}" for name, each in known.items())
            text += f"| {_named(case)} | {said or 'nothing'} | {level} |\n"
        if any(case["instrument"] == f"ESSDAI.{domain}" for case in CASES):
            text += "\nWorked cases:\n\n" + table(f"ESSDAI.{domain}")
    text += "\n| remark | meaning |\n|---|---|\n"
    return text + "".join(f"| `{flag}` | {meaning} |\n" for flag, meaning in derived.FLAGS.items())


def _named(case: Mapping[str, Any]) -> str:
    section = f" ({case['section']})" if "section" in case else ""
    return _plain(f"{case['id'].replace('-', ' ')}{section}")


def _value(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    return text.replace("|", "/")
