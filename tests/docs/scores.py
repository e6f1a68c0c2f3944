"""Writes the page on the scores: from the protocol file, the scorers' own words and tables, and the cases."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import ModuleType
from typing import Any

from fhir_adapter import shipped
from fhir_adapter.scores import (
    calendar,
    essdai,
    esspri,
    hocevar,
    rate,
    response,
    salivary_flow,
    schirmer,
    star,
)
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.items import ESSDAI_DOMAINS, FLAGS, HOCEVAR_COMPONENTS, REASONS
from tests.docs import conduct
from tests.docs.cases import table
from tests.docs.protocol import READINGS, protocol_schema
from tests.docs.words import words

PROTOCOL = "nct06410833"
_QUOTED = re.compile(r'^([a-z_]+) *=.*# (?:or )?"(.*?)"')

_HEAD = """\
<!-- Written by `python -m tests.docs.generate`; a test fails when it is stale. -->

# How each score is computed

Every number below that the protocol decides stands in one file,
`fhir_adapter/trial/protocols/{protocol}.toml`, beside the sentence of the registry record of {id} that it
reads. This page is made from that file, from the scorers in `fhir_adapter/scores/`, and from the worked cases
in `tests/scores/cases.json`. The tests run the same cases through the scorers alone, as FHIR resources
through the mappings of two hospitals, and through a real server.

To change a threshold, copy the protocol file, change the number, and name your copy as `protocol` in the
study file. The [tutorial](tutorial.md#change-a-threshold) shows it.

Rules that hold for every score:

- Numbers are exact decimals and fractions. Nothing is rounded before it is compared.
- A score whose input is missing is missing. It has a reason and, where something is known, bounds.
- An answer is yes, no or open. It is yes or no although something is missing if no value of what is missing
  could change it.
- `<20` is any value from 0 up to 20. An answer that holds for all of them is given; else it is open.
- A value that was refused is not replaced by the next one in the window.
"""


def page() -> str:
    """The page."""
    with (shipped.PROTOCOLS / f"{PROTOCOL}.toml").open("rb") as file:
        protocol = tomllib.load(file, parse_float=Decimal)
    text = _HEAD.format(protocol=PROTOCOL, id=protocol["protocol"]["id"])
    text += _visits(protocol)
    outcomes = protocol["outcomes"]
    text += _section("ESSDAI and ClinESSDAI", essdai, "essdai", outcomes["essdai"], _weights(), "ESSDAI")
    text += _section("ESSPRI", esspri, "esspri", outcomes["esspri"], "", "ESSPRI")
    text += _section("Schirmer test", schirmer, "schirmer", outcomes["schirmer"], "", "Schirmer.threshold")
    text += _section("Salivary flow", salivary_flow, "salivary-flow", outcomes["salivary-flow"], "")
    text += _section("Hočevar score", hocevar, "hocevar", outcomes["hocevar"], _grades(), "Hocevar")
    text += _section(
        "STAR", star, "star", outcomes["star"], _points(), "STAR.systemic", "STAR.lachrymal.schirmer",
        "STAR.salivary.uwsf", "STAR.salivary.ultrasound", "STAR.biological", "STAR.total",
    )  # fmt: skip
    text += _section(
        "Response at week 28", response, "response", outcomes["response"], "", "Response.a_physician_global",
        "Response.b_esr", "Response.c_bcell_markers", "Response.d_schirmer", "Response.e_salivary",
        "Response.total",
    )  # fmt: skip
    text += _section("Response rate", rate, "rate", {}, "", "ResponseRate")
    text += _section("Calendar of the doses", calendar, "calendar", protocol["calendar"], "", "Calendar")
    text += conduct.dosing_section() + conduct.derived_section()
    text += "\n## A whole participant\n\n" + table("Patient")
    text += "\n## Reasons for a missing value\n\n" + _named(REASONS, "reason")
    return text + "\n## Flags\n\nRemarks on a value, for people.\n\n" + _named(FLAGS, "flag")


def _section(
    title: str, module: ModuleType, name: str, rule: Mapping[str, Any], tables: str, *instruments: str
) -> str:
    text = f"\n## {title}\n\n{words(module)}\n"
    if "sentence" in rule:
        text += f"\nThe record says:\n\n> {rule['sentence']}\n"
    if tables:
        text += f"\n{tables}"
    numbers = dict(_flat({key: rule[key] for key in rule if key not in ("sentence", "visits", "readings")}))
    if numbers:
        quoted = _quoted(name)
        text += f"\n| key | value | meaning |{' of the sentence |' if quoted else ''}\n|---|---|---|"
        text += "---|\n" if quoted else "\n"
        for key, value in numbers.items():
            sentence = f" “{quoted[key]}” |" if key in quoted else " |" if quoted else ""
            text += f"| `{key}` | {value} | {_meaning(name, key)} |{sentence}\n"
    if "readings" in rule:
        text += "\nReadings. The default decides; each alternative is computed and written beside it.\n"
        text += _reading_table(rule["readings"])
    if instruments:
        text += "\nWorked cases:\n\n" + table(*instruments)
    return text


def _meaning(name: str, key: str) -> str:
    """What a threshold means, from the schema of the protocol file."""
    table = protocol_schema()["properties"]
    for part in (name if name in table else f"outcomes.{name}").split("."):
        table = table[part]["properties"]
    *above, last = key.split(".")
    for part in above:
        table = table[part]["properties"]
    return str(table[last]["title"])


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of a table with those of the tables in it: ``course.gap``."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _quoted(name: str) -> dict[str, str]:
    """The sentences that stand as comments beside the numbers of one outcome in the protocol file."""
    lines = (shipped.PROTOCOLS / f"{PROTOCOL}.toml").read_text(encoding="utf-8").splitlines()
    section, found = "", {}
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]")
        elif section == f"outcomes.{name}" and (quoted := _QUOTED.match(line)):
            found[quoted[1]] = quoted[2]
    return found


def _reading_table(readings: Mapping[str, Any]) -> str:
    text = "\n| reading | of the sentence | default | alternatives |\n|---|---|---|---|\n"
    for name, reading in readings.items():
        default, *others = (
            f"`{option}`: {READINGS[f'{name}.{option}']}"
            for option in (reading["default"], *reading["alternatives"])
        )
        text += f"| `{name}` | “{reading['sentence']}” | {default} | {'<br>'.join(others)} |\n"
    return text


def _visits(protocol: Mapping[str, Any]) -> str:
    text = "\n## Visits\n\n"
    text += (
        "Days are counted from week 0. The value nearest to the target day counts; of two equally near, the"
    )
    text += (
        " earlier.\nAt baseline only what precedes the first infusion counts: by time where both are known,"
    )
    text += " else by day.\n"
    text += _reading_table({"anchor": protocol["anchor"]})
    text += "\n| visit | of the sentence | target | window | longer for |\n|---|---|---|---|---|\n"
    for name, rule in protocol["visits"].items():
        longer = ", ".join(
            f"{item} {rule['day'] - days}" for item, days in rule.get("before_by_item", {}).items()
        )
        first, last = rule["day"] - rule["before"], rule["day"] + rule["after"]
        text += (
            f"| {name} | “{rule['sentence']}” | day {rule['day']} | day {first} to {last} |"
            f" {f'from day: {longer}' if longer else '–'} |\n"
        )
    return text


def _weights() -> str:
    text = "| domain | levels | ESSDAI weight | ClinESSDAI weight |\n|---|---|---|---|\n"
    highest = [0, 0]
    for domain, weights in essdai.WEIGHTS.items():
        name, levels = ESSDAI_DOMAINS[domain]
        highest = [sum_ + weight * levels[-1] for sum_, weight in zip(highest, weights, strict=True)]
        cells = (name, " ".join(map(str, levels)), *(str(weight) if weight else "–" for weight in weights))
        text += "| " + " | ".join(cells) + " |\n"
    return text + f"| highest total | | {highest[0]} | {highest[1]} |\n"


def _grades() -> str:
    text = "| component | each parotid | each submandibular gland |\n|---|---|---|\n"
    for name, parotid, submandibular in HOCEVAR_COMPONENTS.values():
        text += f"| {name} | 0 to {parotid} | 0 to {submandibular} |\n"
    parotids = 2 * sum(parotid for _, parotid, _ in HOCEVAR_COMPONENTS.values())
    submandibulars = 2 * sum(submandibular for _, _, submandibular in HOCEVAR_COMPONENTS.values())
    return text + f"| highest total of both | {parotids} | {submandibulars} |\n"


def _points() -> str:
    text = "| item | points |\n|---|---|\n"
    text += "".join(f"| {COMPONENTS[item]} | {points} |\n" for item, points in star.POINTS.items())
    return text + f"| highest total | {sum(star.POINTS.values())} |\n"


def _named(words: Mapping[str, str], what: str) -> str:
    return f"| {what} | |\n|---|---|\n" + "".join(f"| `{code}` | {text} |\n" for code, text in words.items())
