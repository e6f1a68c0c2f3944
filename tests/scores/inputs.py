"""What each worked case says was measured: item by item, at baseline and at week 28.

A case that states only intermediate facts (an item of STAR is met, indicator c is open) gets inputs that
lead to that fact by the dossier's own sums. A case about one indicator of the response is surrounded by
two others that are met and two that are not, so that the response itself hangs on the one. A case about one
blood cell is surrounded by three that are normal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from fhir_adapter.trial.items import ESSDAI_DOMAINS, ESSPRI_SCALES, EYES, HOCEVAR_COMPONENTS, HOCEVAR_GLANDS

Case = Mapping[str, Any]
Number = int | Decimal | str


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was measured: a number, ``<20`` or whether it is positive; its unit where that is not the
    usual one, and the upper and lower limits printed with it."""

    value: Number | bool
    unit: str = ""
    limit: Number | None = None
    lower: Number | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was measured at both visits and on other days, and the days on which doses were given.

    ``said`` are the answers of a physician at baseline, by statement.
    """

    baseline: dict[str, Given] = field(default_factory=dict)
    week28: dict[str, Given] = field(default_factory=dict)
    rituximab: tuple[date, ...] = ()
    belimumab: tuple[date, ...] = ()
    dated: tuple[tuple[date, str, Given], ...] = ()
    said: Mapping[str, bool] = field(default_factory=dict)
    born: date | None = None
    sex: str | None = None
    consent: date | None = None


def inputs_of(case: Case) -> Inputs:
    """The inputs of a case. Raises KeyError for an instrument that is not within scope."""
    return _READERS[case["instrument"]](case["inputs"])


def pair(item: str, values: Any, unit: str = "", limit: Number | None = None) -> Inputs:
    """One item at both visits; None is not measured."""
    before, after = values if values is not None else (None, None)
    made = Inputs()
    for visit, value in ((made.baseline, before), (made.week28, after)):
        if value is not None:
            visit[item] = Given(value, unit, limit)
    return made


def joined(*parts: Inputs) -> Inputs:
    made = Inputs()
    for part in parts:
        made.baseline.update(part.baseline)
        made.week28.update(part.week28)
    return made


def levels(given: Mapping[str, int | None] | None) -> dict[str, Given]:
    """The ESSDAI levels of one visit."""
    return {f"essdai-{domain}": Given(level) for domain, level in (given or {}).items() if level is not None}


def scales(given: Mapping[str, Number | None] | None) -> dict[str, Given]:
    """The ESSPRI scales of one visit."""
    return {f"esspri-{scale}": Given(mark) for scale, mark in (given or {}).items() if mark is not None}


def grades(given: Mapping[str, Mapping[str, int]]) -> dict[str, Given]:
    """The 20 Hočevar grades of one visit."""
    return {
        f"hocevar-{gland}-{component}": Given(given[gland.replace("-", "_")][component])
        for gland in HOCEVAR_GLANDS
        for component in HOCEVAR_COMPONENTS
    }


def both_eyes(before: Number | None, after: Number | None) -> Inputs:
    """A mean of both eyes, as the same value in each."""
    return joined(*(pair(f"schirmer-{eye}", (before, after)) for eye in EYES))


def quiet(**active: int) -> dict[str, int]:
    """An ESSDAI in which only the named domains are active."""
    return {domain: active.get(domain, 0) for domain in ESSDAI_DOMAINS}


# STAR item → the inputs of each fact. Arthralgia that goes away is ClinESSDAI −3 (dossier STC-01).
_STAR: Mapping[str, Mapping[bool | None, Inputs]] = {
    "systemic": {
        True: Inputs(levels(quiet(articular=1)), levels(quiet())),
        False: Inputs(levels(quiet(articular=1)), levels(quiet(articular=1))),
        None: Inputs(levels(quiet(articular=1))),
    },
    "pro": {
        True: Inputs(scales(dict.fromkeys(ESSPRI_SCALES, 6)), scales(dict.fromkeys(ESSPRI_SCALES, 5))),
        False: Inputs(scales(dict.fromkeys(ESSPRI_SCALES, 6)), scales(dict.fromkeys(ESSPRI_SCALES, 6))),
        None: Inputs(scales(dict.fromkeys(ESSPRI_SCALES, 6))),
    },
    "lachrymal": {True: both_eyes(3, 8), False: both_eyes(3, 3), None: both_eyes(3, None)},
    "salivary": {
        True: pair("salivary-flow", (Decimal("0.08"), Decimal("0.16"))),
        False: pair("salivary-flow", (Decimal("0.08"), Decimal("0.08"))),
        None: pair("salivary-flow", (Decimal("0.08"), None)),
    },
    "biological": {
        True: pair("igg", (20, 10)),
        False: pair("igg", (20, 20)),
        None: pair("igg", (20, None)),
    },
}

_AFTER_60: Mapping[bool | None, int | None] = {True: 30, False: 60, None: None}
# Indicator of the response → the inputs of each fact.
_RESPONSE: Mapping[str, Mapping[bool | None, Inputs]] = {
    "a": {answer: pair("physician-global", (60, after)) for answer, after in _AFTER_60.items()},
    "b": {answer: pair("esr", (60, after), limit=20) for answer, after in _AFTER_60.items()},
    "c": _STAR["biological"],
    "d": _STAR["lachrymal"],
    "e": _STAR["salivary"],
}  # fmt: skip


def _around(letter: str, own: Inputs) -> Inputs:
    """The indicator among two that are met and two that are not: it decides the response."""
    others = [name for name in "abcde" if name != letter]
    return joined(own, *(_RESPONSE[name][place < 2] for place, name in enumerate(others)))


def _esspri(given: Case) -> Inputs:
    return Inputs(scales(given["baseline"]), scales(given["followup"]))


def _markers(given: Case) -> Inputs:
    return joined(pair("igg", given["igg_g_L"]), pair("rheumatoid-factor", given["rf_IU_mL"]))


def _esr(given: Case) -> Inputs:
    values = (given["baseline_mm_h"], given["followup_mm_h"])
    return _around("b", pair("esr", values, limit=given["uln_mm_h"]))


def _saliva(given: Case) -> Inputs:
    ultrasound = pair("hocevar-total", given["hocevar"])
    if "uwsf_mL_15min" in given:
        return joined(pair("salivary-flow", given["uwsf_mL_15min"], "mL/(15.min)"), ultrasound)
    return joined(pair("salivary-flow", given["uwsf_mL_min"]), ultrasound)


def _tears(given: Case) -> Inputs:
    return joined(*(pair(f"schirmer-{eye}", given[f"{eye}_mm"]) for eye in EYES))


def _calendar(given: Case) -> Inputs:
    first = date.fromisoformat(given["first_rituximab"])
    weeks = range(given["rituximab_doses"])
    return Inputs(rituximab=tuple(first + timedelta(weeks=week) for week in weeks))


def _patient(given: Case) -> Inputs:
    def at(visit: Case) -> dict[str, Given]:
        return {
            **levels(visit["levels"]),
            **scales(dict(zip(ESSPRI_SCALES, visit["esspri"], strict=True))),
            **{f"schirmer-{eye}": Given(visit["schirmer"][eye]) for eye in EYES},
            "salivary-flow": Given(visit["uwsf"]),
            "hocevar-total": Given(visit["hocevar"]),
            "igg": Given(visit["igg"]),
            "rheumatoid-factor": Given(visit["rf"]),
            "physician-global": Given(visit["phga"]),
            "esr": Given(visit["esr"], limit=visit["esr_uln"]),
        }

    return Inputs(at(given["baseline"]), at(given["week28"]))


# ---------------------------------------------------------------------------------- derived levels, conduct

DAY0 = date(2024, 4, 1)
CHILDHOOD = date(2012, 6, 1)
_NORMAL_CELLS = {
    "neutrophils": Given(4), "haemoglobin": Given(130), "platelets": Given(250), "lymphocytes": Given(2),
}  # fmt: skip
_AUTOIMMUNE = (
    "neutropenia-autoimmune", "anaemia-autoimmune", "thrombocytopenia-autoimmune", "lymphopenia-autoimmune",
)  # fmt: skip


def _cells(given: Case) -> Inputs:
    units = {"10e9_L": "10*9/L", "g_L": "g/L", "per_uL": "/uL"}
    cells = dict(_NORMAL_CELLS)
    for name, value in given.items():
        item, _, unit = name.partition("_")
        if item in cells:
            cells[item] = Given(value, units[unit])
    cause = {"autoimmune": True, "drug_induced": False}
    said = dict.fromkeys(_AUTOIMMUNE, cause[given["attribution"]]) if given["attribution"] else {}
    return Inputs(cells, said=said)


def _biological(given: Case) -> Inputs:
    measured: dict[str, Given] = {}
    if given.get("igg_g_L") is not None:
        measured["igg"] = Given(given["igg_g_L"])
    if "igg_mg_dL" in given:
        measured["igg"] = Given(given["igg_mg_dL"], "mg/dL")
    if given["low_complement"] is not None:
        measured["c3"] = Given("0.5" if given["low_complement"] else "1.2", lower="0.9")
        measured["c4"] = Given("0.2", lower="0.1")
        measured["ch50"] = Given(50, lower=30)
    for item, name in (("monoclonal-protein", "clonal_component"), ("cryoglobulin", "cryoglobulin")):
        if given[name] is not None:
            measured[item] = Given(given[name])
    fell = ((DAY0 - timedelta(days=60), "igg", Given(10)),) if given.get("recent_fall") else ()
    return Inputs(measured, dated=fell)


# GFR by bedside Schwartz → a height and a creatinine that give it exactly: 0.413 · height / creatinine.
_GFR = {100: (100, "0.413"), 90: (180, "0.826"), 60: (120, "0.826"), 55: (165, "1.239")}


def _renal(given: Case) -> Inputs:
    height, creatinine = _GFR[given["gfr"]]
    said = {
        "glomerular-haematuria": given["haematuria_glomerular"],
        "tubular-acidosis": given["tubular_acidosis"],
        "glomerular-disease": given["glomerular_involvement"],
        "renal-active": given["active_not_damage"],
    }
    if given["histology"]:
        said[f"biopsy-{given['histology']}"] = True
    measured = {
        "urine-protein-24h": Given(given["proteinuria_g_day"]),
        "height": Given(height),
        "creatinine": Given(creatinine),
    }
    return Inputs(measured, said=said, born=CHILDHOOD, sex="female")


def _muscular(given: Case) -> Inputs:
    measured = {
        "ck": Given(100 * given["ck_times_uln"], limit=100),
        "weakest-muscle": Given(given["weakest_mrc"]),
    }
    return Inputs(measured, said={"myositis-proven": given["myositis_proven_emg_mri_biopsy"]})


def _pulmonary(given: Case) -> Inputs:
    measured = {
        "dlco": Given(given["dlco_pct"]), "fvc": Given(given["fvc_pct"]), "nyha": Given(given["nyha"]),
    }  # fmt: skip
    said = {"interstitial-lung-active": given["ild_on_hrct_active"], "bronchial-cough": False}
    return Inputs(measured, said=said)


def _creatinine(given: Case) -> Given:
    if "creatinine_umol_L" in given:
        return Given(given["creatinine_umol_L"], "umol/L")
    return Given(given["creatinine_mg_dL"])


def _schwartz(given: Case) -> Inputs:
    measured = {"height": Given(given["height_cm"]), "creatinine": _creatinine(given)}
    return Inputs(measured, born=CHILDHOOD, sex="female")


def _u25(given: Case) -> Inputs:
    # The first day on which so many years of 365.25 days are complete.
    born = DAY0 - timedelta(days=-(-given["age_years"] * 1461 // 4))
    measured = {"height": Given(given["height_m"], "m"), "creatinine": _creatinine(given)}
    return Inputs(measured, born=born, sex=given["sex"])


def _depletion(given: Case) -> Inputs:
    day = DAY0 + timedelta(days=5)
    cells = (("cd19-percent", given["cd19_pct"]), ("cd19-count", given["cd19_per_uL"]))
    return Inputs(dated=tuple((day, item, Given(value)) for item, value in cells))


def _gate(given: Case) -> Inputs:
    dated = tuple((date.fromisoformat(day), "igg", Given(value)) for day, value in given["igg_g_L"])
    return Inputs(dated=dated, belimumab=(date.fromisoformat(given["first_belimumab"]),))


def _age(given: Case) -> Inputs:
    consent = date.fromisoformat(given["consent"])
    born = date.fromisoformat(given["birth"])
    return Inputs(rituximab=(consent + timedelta(days=1),), born=born, consent=consent)


def _classified(given: Case) -> Inputs:
    """AECG's items and the Japanese ones, each by one test; what could also show it was done and does not."""
    measured = {
        "focus-score": Given(2 if given.get("IV", given.get("histopathology")) else 0),
        "salivary-flow": Given("0.05" if given.get("V") else "0.5"),
        "anti-ssa": Given(bool(given.get("VI", given.get("serology")))),
        "anti-ssb": Given(False),
        **{f"schirmer-{eye}": Given(3 if given.get("III", given.get("ocular")) else 10) for eye in EYES},
    }
    said = {
        "eye-symptoms": given.get("I", False),
        "mouth-symptoms": given.get("II", False),
        "ocular-dye": False,
        "rose-bengal": given.get("ocular", False),
        "fluorescein": False,
        "sialography": given.get("oral", False),
        "scintigraphy": False,
        "stimulated-flow-low": False,
        "aecg-exclusion": False,
    }
    return Inputs(measured, said=said)


_READERS: Mapping[str, Callable[[Case], Inputs]] = {
    "ESSDAI.haematological": _cells,
    "ESSDAI.biological": _biological,
    "ESSDAI.renal": _renal,
    "ESSDAI.muscular": _muscular,
    "ESSDAI.pulmonary": _pulmonary,
    "eGFR.bedside_schwartz": _schwartz,
    "eGFR.ckid_u25": _u25,
    "Depletion": _depletion,
    "Eligibility.hbv": lambda given: Inputs({item: Given(found) for item, found in given.items()}),
    "Eligibility.igg_before_belimumab": _gate,
    "Eligibility.age": _age,
    "Criteria.AECG2002": _classified,
    "Criteria.Japan1999": _classified,
    "ESSDAI": lambda given: Inputs(levels(given["levels"])),
    "ESSPRI": _esspri,
    "STAR.systemic": lambda given: Inputs(levels(given["baseline_levels"]), levels(given["followup_levels"])),
    "STAR.lachrymal.schirmer": lambda given: both_eyes(given["baseline_mean_mm"], given["followup_mean_mm"]),
    "STAR.salivary.uwsf": lambda given: pair(
        "salivary-flow", (given["baseline_mL_min"], given["followup_mL_min"])
    ),
    "STAR.salivary.ultrasound": lambda given: pair(
        "hocevar-total", (given["baseline_hocevar"], given["followup_hocevar"])
    ),
    "STAR.biological": _markers,
    "STAR.total": lambda given: joined(*(_STAR[name][met] for name, met in given["items"].items())),
    "Hocevar": lambda given: Inputs(grades(given)),
    "Response.a_physician_global": lambda given: _around(
        "a", pair("physician-global", (given["baseline"], given["followup"]))
    ),
    "Response.b_esr": _esr,
    "Response.c_bcell_markers": lambda given: _around("c", _markers(given)),
    "Response.d_schirmer": lambda given: _around("d", _tears(given)),
    "Response.e_salivary": lambda given: _around("e", _saliva(given)),
    "Response.total": lambda given: joined(*(_RESPONSE[name][met] for name, met in given.items())),
    "Schirmer.threshold": lambda given: both_eyes(given["mm_per_5min"], given["mm_per_5min"]),
    "Calendar": _calendar,
    "Patient": _patient,
}
