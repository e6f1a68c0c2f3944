"""The worked cases of ``tests/scores/cases.json`` as tables that a clinician can read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.docs.console import ROOT

Case = Mapping[str, Any]

CASES: list[Case] = json.loads((ROOT / "tests/scores/cases.json").read_text("utf-8"), parse_float=Decimal)[
    "examples"
]

NAMES: Mapping[str, str] = {
    "acr_eular_positive": "positive for ACR/EULAR",
    "aecg_positive": "positive for AECG",
    "category": "activity",
    "clinessdai": "ClinESSDAI",
    "clopper_pearson_95": "Clopper–Pearson 95 %",
    "esr": "ESR",
    "esspri": "ESSPRI",
    "essdai": "ESSDAI",
    "followup": "week 28",
    "hocevar": "Hočevar",
    "igg": "IgG",
    "lower": "at least",
    "japan1999_schirmer_low": "low for the Japanese criteria of 1999",
    "mcii": "MCII",
    "mm_per_5min": "mm in 5 min:",
    "n": "participants",
    "pass": "acceptable state",
    "phga": "physician's global",
    "points_max": "points possible",
    "points_min": "points certain",
    "possible_max": "met or open",
    "pro": "patient",
    "record_abnormal": "abnormal for the record",
    "responder_ge3": "responder (3 or more)",
    "responder_ge3_nri": "responder (3 or more; undetermined counts as no)",
    "responder_ge5": "responder (5 or more)",
    "responder_ge5_nri": "responder (5 or more; open items count as not met)",
    "responder_gt3": "responder (more than 3)",
    "responder_gt5": "responder (more than 5)",
    "rf": "RF",
    "schirmer": "Schirmer",
    "sensitivity_both": "if both must fall",
    "sensitivity_both_eyes": "if each eye must improve",
    "sensitivity_either_eye": "if one eye is enough",
    "star": "STAR",
    "star_abnormal": "abnormal for STAR",
    "uln": "upper limit",
    "upper": "at most",
    "uwsf": "flow",
    "week28": "week 28",
}
"""Names of the cases that are not plain words; a whole name first, else its words one by one."""
UNITS: Mapping[str, str] = {
    "_mL_min": "mL/min", "_mL_15min": "mL/15 min", "_mm_h": "mm/h", "_g_L": "g/L",
    "_IU_mL": "IU/mL", "_mm": "mm", "_cm": "cm", "_m": "m", "_mg_dL": "mg/dL", "_umol_L": "µmol/L",
    "_pct": "%", "_per_uL": "/µL", "_years": "years", "_10e9_L": "×10⁹/L", "_g_day": "g/day",
}  # fmt: skip
ANSWERS: Mapping[str, Callable[[Any], str]] = {
    "error": lambda value: str(value).replace("_", " "),
    "domain": str,
    "field": lambda value: str(value).replace("_", " ").replace(".", ": "),
    "flag": lambda value: f"{value}".replace("_", " "),
    "note": lambda value: str(value).replace("_", " "),
}


def table(*instruments: str) -> str:
    """The cases of these instruments: what is given, what must come out, and why."""
    rows = [case for case in CASES if case["instrument"] in instruments]
    text = "| case | given | must give | why |\n|---|---|---|---|\n"
    for case in rows:
        why = str(case["rule"]).replace("->", "→").replace("_", " ")
        if case["source"] != "constructed":
            why += f" ({case['source']})"
        cells = (case["id"], said(case["inputs"]), said(case["expected"]), why)
        text += "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |\n"
    return text


def said(values: Mapping[str, Any]) -> str:
    """Names with their values, in words."""
    return "; ".join(_said(name, value) for name, value in values.items())


def _said(name: str, value: Any) -> str:
    if name in ("levels", "baseline_levels", "followup_levels"):
        visit = {"baseline_levels": "baseline: ", "followup_levels": "week 28: "}.get(name, "")
        return visit + levels(value)
    if name in ANSWERS:
        return ANSWERS[name](value)
    if name.startswith("responder") and value is None:
        value = "undetermined"
    if name in ("rituximab", "belimumab"):
        return f"{name} on {', '.join(value)}"
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    if unit:
        name = name[: -len(next(end for end in UNITS if name.endswith(end)))]
    words = _name(name)
    if isinstance(value, Mapping):
        return _group(words, value)
    return f"{words} {_value(value)}{f' {unit}' if unit and value is not None else ''}".strip()


def _name(name: str) -> str:
    return NAMES.get(name) or " ".join(NAMES.get(word, word) for word in name.split("_"))


def _group(words: str, value: Mapping[str, Any]) -> str:
    if "echogenicity" in value:
        return f"{words} {' + '.join(map(_value, value.values()))}"
    if {"dryness"} <= set(value):
        return f"{words}: " + ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    return f"{words}: " + ", ".join(_said(name, each) for name, each in value.items())


def levels(value: Mapping[str, int | None]) -> str:
    """The levels that are not none; a domain that was not rated says so."""
    rated = [f"{name} {level}" for name, level in value.items() if level]
    missing = [f"{name} not rated" for name, level in value.items() if level is None]
    rest = "all others 0" if rated or missing else "all 0"
    if len(rated) == len(value) and len(set(value.values())) == 1:
        return f"all {next(iter(value.values()))}"
    return ", ".join((*rated, *missing, *((rest,) if len(rated) + len(missing) < len(value) else ())))


def _value(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return re.sub(r"_", " ", value)
    if isinstance(value, Sequence):
        return (" → " if len(value) == 2 else ", ").join(map(_value, value))
    return str(value)
