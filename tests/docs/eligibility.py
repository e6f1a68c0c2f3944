"""Writes the page on eligibility: from the protocol file, the rules' own words, and the cases by hand."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_adapter import shipped
from fhir_adapter.conduct import activity, classification, exclusion, gates, inclusion, treatment
from fhir_adapter.conduct.answers import REMARKS, Verdict
from fhir_adapter.conduct.names import CRITERIA, GATES
from fhir_adapter.conduct.statements import STATEMENTS
from tests.conduct.build import tables
from tests.docs.cases import table
from tests.docs.scores import PROTOCOL

_RULES: Mapping[str, Callable[..., Any]] = {
    "age": inclusion.age,
    "criteria": classification.classification,
    "treatment": treatment.treatment,
    "activity": activity.activity,
    "consent": inclusion.consent,
    "biologics": exclusion.biologics,
    "other_trial": exclusion.stated,
    "kidney": exclusion.kidney,
    "infection": exclusion.infection,
    "suppression": exclusion.suppression,
    "stay": exclusion.stay,
    "anti_infective": exclusion.anti_infective,
    "vaccine": exclusion.vaccine,
    "infection_risk": exclusion.stated,
    "immunodeficiency": exclusion.diagnosis,
    "malignancy": exclusion.diagnosis,
    "severe_disease": exclusion.stated,
    "steroid": exclusion.steroid,
    "immunoglobulins": gates.gate,
    "blood_cells": gates.gate,
}
"""Table of the protocol file → the rule that reads it."""

_WORKED: Mapping[str, tuple[str, ...]] = {
    "age": ("Eligibility.age",),
    "criteria": ("Criteria.AECG2002", "Criteria.Japan1999"),
    "kidney": ("eGFR.bedside_schwartz", "eGFR.ckid_u25"),
    "infection": ("Eligibility.hbv",),
    "immunoglobulins": ("Eligibility.igg_before_belimumab",),
}
"""Table of the protocol file → the instruments of the reference's cases that speak of it."""

_HEAD = """\
<!-- Written by `python -m tests.docs.generate`; a test fails when it is stale. -->

# Who may enter

Each criterion of entry is answered for each participant: *satisfied* speaks for enrolment, *violated*
against it, for inclusions and exclusions alike; *undetermined* is neither. Where a sentence of the record
can be read in several ways, each reading has its answer. Nothing absent is taken for a no.

```sh
fhir-adapter eligibility trial             # everybody at a glance
fhir-adapter eligibility JSS-01 trial      # one participant: what decides, and what is missing
fhir-adapter explain JSS-01 eligibility trial   # down to the versions of the source resources
```

`--json` prints a list with one object for each participant, also of one. Beside creatinine and height stands
the filtration rate by each formula, to four decimals.

`report` counts the answers, and says for whom another reading changes one. Each participant who counts has
an outcome `eligibility` with a component for each criterion, reading and part; the resources behind it
stand in `derivedFrom` and in the Provenance. Its value is the whole answer: satisfied if every criterion of
entry is, violated as soon as one is. The gates of a drug ({gates}) can only be judged once treatment has
begun. They do not count in it; the `calendar` says at which doses they were not met, or could not be
judged.

Criteria are judged on day 0, the first dose of the study on or after consent. Before it is given, the day
of the run stands in, and each answer says so.

## Answer an undetermined criterion

The answer names what is missing and who must supply it.

| who | what it takes |
|---|---|
| `laboratory` | a result of that item; if the hospital has it, map its code |
| `physician`, `form` | an answer to a question, with its day |
| `records` | a type of resource that was not received whole, or a birth date to the day |

- **A result.** The unknown codes of a run are where to look first. A weak positive, or a value that is
  censored about the limit, stays open until it is measured again.
- **An answer.** It is yes, no or unsure, sent as a coded Observation or in a form. The mapping folder leads
  its code or linkId to one of the codes below.
- **Records.** An event of which there is no record counts as none only if its type of resource was received
  for the participant. `doctor` says what a source refuses: a permission, or an export of that type, settles
  it.

Where a person's answer and the records contradict each other, the criterion is undetermined, and a data
query asks to correct one of them.

The latest answer on or before day 0 decides, and two different ones of one time are none. Where the people
who rate the participants have a system of their own, the folder `international` reads the project's own
codes:

{example}
Questions that only a person can answer, with their codes:

{statements}
[Map a hospital](map-a-hospital.md) says how codes, forms, diagnoses, orders and consents are mapped.

## Remarks

{remarks}
# The criteria, with their cases

Unless a case says otherwise: consent 2024-03-18; rituximab 2024-04-01 (day 0), 04-08 and 04-15; first
belimumab 2024-05-13; every type of resource was received. `lab` is a result with its day, item, value and
maybe the laboratory's range; `order` a drug from day to day; `says` an answer to a question. The cases were
worked out by hand from the [clinical dossier](clinical-dossier.md), whose § they name, and run with the
tests.
"""


_EXAMPLE = """\
```json
{"resourceType": "Observation", "id": "answer-1", "status": "final",
 "code": {"coding": [{"system": "https://w3id.org/fhir-adapter/CodeSystem/items", "code": "other-trial"}]},
 "subject": {"reference": "Patient/7"}, "effectiveDateTime": "2024-06-08", "valueBoolean": false}
```
"""


def page() -> str:
    """The page."""
    with (shipped.PROTOCOLS / f"{PROTOCOL}.toml").open("rb") as file:
        protocol = tomllib.load(file, parse_float=Decimal)
    rules = protocol["eligibility"]
    gates_ = " and ".join(rules[name.replace("-", "_")]["code"] for name in GATES)
    text = _HEAD.format(gates=gates_, example=_EXAMPLE, statements=_statements(), remarks=_remarks())
    cases = tables("cases.toml")
    for name, rule in rules.items():
        if name != "day_0":
            text += _criterion(name, rule, cases[rule["code"]])
    return text


def _criterion(name: str, rule: Mapping[str, Any], cases: list[Mapping[str, Any]]) -> str:
    kind = name.replace("_", "-")
    words = (inspect.getdoc(_RULES[name]) or "").split("\n\n")[0].replace("\n", " ")
    _, _, said = words.partition(": ") if words.startswith(("I", "E")) else ("", "", words)
    text = f"\n## {rule['code']}: {CRITERIA[kind]}\n\n> {rule['sentence']}\n\n"
    text += f"{said[0].upper()}{said[1:]}\n"
    numbers = {key: each for key, each in rule.items() if key not in ("code", "sentence", "readings")}
    if numbers:
        text += f"\nIn the protocol file, `[eligibility.{name}]`: "
        text += "; ".join(f"`{key}` {_shown(each)}" for key, each in numbers.items()) + ".\n"
    for reading in rule.get("readings", {}).values():
        named = (reading["default"], *reading["alternatives"])
        default, *others = (
            f"`{each}` ({CRITERIA[f'{kind}.{each}'].removeprefix(CRITERIA[kind])[2:]})" for each in named
        )
        text += f"\n“{reading['sentence']}” is read as {default}. Beside it: {'; '.join(others)}.\n"
    text += _cases(cases)
    worked = _WORKED.get(name, ())
    return text + ("\nWorked cases:\n\n" + table(*worked) if worked else "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cases(cases: list[Mapping[str, Any]]) -> str:
    """Every case in the order of its answer; the shorthand of the record is that of the file of cases."""
    text = "\n| answer | of | because |\n|---|---|---|\n"
    order = [each.value for each in Verdict]
    for case in sorted(cases, key=lambda each: order.index(each["is"])):
        known = "; ".join((*case["record"], *_apart(case))) or "nothing known"
        readings = [f"{name} {answer}" for name, answer in case.get("readings", {}).items()]
        answer = case["is"] + (f" ({'; '.join(readings)})" if readings else "")
        said = f"{case['id'].replace('-', ' ')} ({case['section']})"
        text += "| " + " | ".join(cell.replace("|", "/") for cell in (answer, known, said)) + " |\n"
    return text


def _apart(case: Mapping[str, Any]) -> Iterator[str]:
    """What of a case is not as usual."""
    if case.get("consent") == "":
        yield "no day of consent"
    if "pulled" in case:
        yield f"received only: {', '.join(case['pulled']) or 'nothing'}"


def _statements() -> str:
    text = "| code | question | who |\n|---|---|---|\n"
    return text + "".join(
        f"| `{code}` | {question} | {who} |\n" for code, (question, who) in STATEMENTS.items()
    )


def _remarks() -> str:
    text = "| remark | meaning |\n|---|---|\n"
    return text + "".join(f"| `{code}` | {words} |\n" for code, words in REMARKS.items())
