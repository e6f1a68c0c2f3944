"""The items of the trial's instruments and laboratory: code, name, unit, exact conversions, guards.

Every code of this project stands here once; the FHIR package in ``profiles/`` is generated from it.
Units and factors: dossier §9, UCUM spelling. A factor multiplies a value in that unit into the
canonical unit, as an exact fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

CANONICAL = "https://w3id.org/fhir-adapter"
"""Base of every canonical URL of the project; instruments stand under it, not under the trial."""


class Kind(StrEnum):
    """What sort of value an item has."""

    QUANTITY = "quantity"
    """A number with a unit, maybe censored."""
    LEVEL = "level"
    """A grade that a person gave, one of a few whole numbers; no unit."""
    SCALE = "scale"
    """A number on a scale that a person marked; a whole number in a form needs no unit."""
    FINDING = "finding"
    """Present or absent."""
    TITRE = "titre"
    """A dilution 1:n, kept as n."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One thing that is measured or rated.

    ``unit`` is the canonical UCUM unit, ``factors`` leads every accepted unit to it. ``low`` and
    ``high`` bound what can be believed in the canonical unit; outside, the value is refused rather
    than guessed at. ``levels`` are the allowed grades of a LEVEL. ``worded`` is a QUANTITY that laboratories
    also report as positive or negative.
    """

    code: str
    display: str
    kind: Kind
    unit: str = ""
    factors: Mapping[str, Fraction] = field(default_factory=dict)
    low: Fraction | None = None
    high: Fraction | None = None
    levels: tuple[int, ...] = ()
    worded: bool = False


_PER = Fraction
_MASS_PER_VOLUME = {"g/L": _PER(1), "mg/dL": _PER(1, 100), "mg/L": _PER(1, 1000), "g/dL": _PER(10)}
_MG_PER_L = {"mg/L": _PER(1), "mg/dL": _PER(10), "ug/mL": _PER(1), "g/L": _PER(1000)}
_CELLS = {
    "10*9/L": _PER(1),
    "10*3/uL": _PER(1),
    "/uL": _PER(1, 1000),
    "/mm3": _PER(1, 1000),
    "10*6/L": _PER(1, 1000),
    "10*4/uL": _PER(10),
}
_FEW_CELLS = {
    "/uL": _PER(1),
    "/mm3": _PER(1),
    "10*6/L": _PER(1),
    "10*9/L": _PER(1000),
    "10*3/uL": _PER(1000),
}
_PROTEIN_PER_DAY = {
    "g/(24.h)": _PER(1),
    "mg/(24.h)": _PER(1, 1000),
    "g/d": _PER(1),
    "mg/d": _PER(1, 1000),
}
_PROTEIN_PER_CREATININE = {"g/g": _PER(1), "mg/mg": _PER(1), "mg/g": _PER(1, 1000), "mg/mmol": _PER(1, 113)}
_MILLI_UNITS = {"m[IU]/mL": _PER(1), "[IU]/L": _PER(1)}
_RATIO = {"1": _PER(1), "{ratio}": _PER(1)}
_IU = {"[IU]/mL": _PER(1), "k[IU]/L": _PER(1), "[IU]/L": _PER(1, 1000), "U/mL": _PER(1)}


def _quantity(
    code: str,
    display: str,
    unit: str,
    factors: Mapping[str, Fraction] | None = None,
    low: int | Fraction | None = 0,
    high: int | Fraction | None = None,
    *,
    worded: bool = False,
) -> Item:
    bound = {key: None if value is None else Fraction(value) for key, value in (("low", low), ("high", high))}
    return Item(
        code,
        display,
        Kind.QUANTITY,
        unit,
        factors or {unit: Fraction(1)},
        bound["low"],
        bound["high"],
        worded=worded,
    )


def _finding(code: str, display: str) -> Item:
    return Item(code, display, Kind.FINDING)


ESSDAI_DOMAINS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "constitutional": ("constitutional", (0, 1, 2)),
    "lymphadenopathy": ("lymphadenopathy and lymphoma", (0, 1, 2, 3)),
    "glandular": ("glandular", (0, 1, 2)),
    "articular": ("articular", (0, 1, 2, 3)),
    "cutaneous": ("cutaneous", (0, 1, 2, 3)),
    "pulmonary": ("pulmonary", (0, 1, 2, 3)),
    "renal": ("renal", (0, 1, 2, 3)),
    "muscular": ("muscular", (0, 1, 2, 3)),
    "pns": ("peripheral nervous system", (0, 1, 2, 3)),
    "cns": ("central nervous system", (0, 2, 3)),
    "haematological": ("haematological", (0, 1, 2, 3)),
    "biological": ("biological", (0, 1, 2)),
}
"""Domain → its name and the levels it may take. Seror ARD 2010;69:1103-9, Table 3 (dossier §1.1)."""

ESSPRI_SCALES = ("dryness", "fatigue", "pain")
"""Seror ARD 2011;70:968-72 (dossier §2)."""

HOCEVAR_GLANDS = ("parotid-right", "parotid-left", "submandibular-right", "submandibular-left")
HOCEVAR_COMPONENTS: Mapping[str, tuple[str, int, int]] = {
    "echogenicity": ("echogenicity against the thyroid", 1, 1),
    "homogeneity": ("homogeneity", 3, 3),
    "hypoechogenic": ("hypoechogenic areas", 3, 3),
    "hyperechogenic": ("hyperechogenic reflections", 3, 1),
    "border": ("clearness of the border", 3, 3),
}
"""Component → its name, the highest grade in a parotid and in a submandibular gland.
Hočevar Rheumatology 2005;44:768-72 (dossier §4): reflections reach 3 in parotids, 1 in submandibulars."""

EYES = ("right", "left")


def _all_items() -> list[Item]:
    essdai = [
        Item(f"essdai-{domain}", f"ESSDAI, {name} domain: level of activity", Kind.LEVEL, levels=levels)
        for domain, (name, levels) in ESSDAI_DOMAINS.items()
    ]
    esspri = [
        Item(
            f"esspri-{scale}",
            f"ESSPRI, {scale}: 0 to 10",
            Kind.SCALE,
            "{score}",
            {"{score}": Fraction(1), "1": Fraction(1), "cm": Fraction(1), "mm": Fraction(1, 10)},
            Fraction(0),
            Fraction(10),
        )
        for scale in ESSPRI_SCALES
    ]
    hocevar = [
        Item(
            f"hocevar-{gland}-{component}",
            f"Hočevar, {gland.replace('-', ' ')} gland: {name}",
            Kind.LEVEL,
            levels=tuple(range((parotid if gland.startswith("parotid") else submandibular) + 1)),
        )
        for gland in HOCEVAR_GLANDS
        for component, (name, parotid, submandibular) in HOCEVAR_COMPONENTS.items()
    ]
    eyes = [
        _quantity(f"schirmer-{eye}", f"Schirmer I without anaesthesia, {eye} eye, 5 minutes", "mm", high=35)
        for eye in EYES
    ]
    staining = [
        Item(
            f"ocular-staining-{eye}", f"Ocular staining score, {eye} eye", Kind.LEVEL, levels=tuple(range(13))
        )
        for eye in EYES
    ]
    return [
        *essdai,
        *esspri,
        *hocevar,
        Item("hocevar-total", "Hočevar ultrasound score: total 0 to 48", Kind.LEVEL, levels=tuple(range(49))),
        *eyes,
        *staining,
        _quantity(
            "salivary-flow",
            "Unstimulated whole salivary flow",
            "mL/min",
            {
                "mL/min": Fraction(1),
                "mL/(15.min)": Fraction(1, 15),
                "mL/(10.min)": Fraction(1, 10),
                "mL/(5.min)": Fraction(1, 5),
                "g/min": Fraction(1),
                "g/(15.min)": Fraction(1, 15),
            },
            high=5,
        ),
        Item(
            "physician-global",
            "Physician's global assessment of activity, 0 to 100 mm, higher is worse",
            Kind.SCALE,
            "mm",
            {"mm": Fraction(1), "cm": Fraction(10)},
            Fraction(0),
            Fraction(100),
        ),
        _quantity("esr", "Erythrocyte sedimentation rate", "mm/h", high=200),
        _quantity("crp", "C-reactive protein", "mg/L", _MG_PER_L),
        # An IgG above 100 g/L is most likely mg/dL under a wrong unit: refused, never guessed at.
        _quantity("igg", "Immunoglobulin G", "g/L", _MASS_PER_VOLUME, high=100),
        _quantity("iga", "Immunoglobulin A", "g/L", _MASS_PER_VOLUME, high=100),
        _quantity("igm", "Immunoglobulin M", "g/L", _MASS_PER_VOLUME, high=100),
        _quantity("rheumatoid-factor", "Rheumatoid factor", "[IU]/mL", _IU, worded=True),
        _quantity("c3", "Complement C3", "g/L", _MASS_PER_VOLUME, high=10),
        _quantity("c4", "Complement C4", "g/L", _MASS_PER_VOLUME, high=10),
        _quantity("ch50", "Total complement CH50", "U/mL", {"U/mL": Fraction(1), "[CH50'U]/mL": Fraction(1)}),
        _finding("cryoglobulin", "Cryoglobulin"),
        _finding("monoclonal-protein", "Monoclonal protein"),
        _quantity("flc-kappa", "Free light chains kappa", "mg/L", _MG_PER_L),
        _quantity("flc-lambda", "Free light chains lambda", "mg/L", _MG_PER_L),
        _quantity("flc-ratio", "Free light chains kappa/lambda", "1", _RATIO),
        _quantity("b2-microglobulin", "β2-microglobulin", "mg/L", _MG_PER_L),
        _quantity("wbc", "Leucocytes", "10*9/L", _CELLS),
        _quantity("neutrophils", "Neutrophils", "10*9/L", _CELLS),
        _quantity("lymphocytes", "Lymphocytes", "10*9/L", _CELLS),
        _quantity(
            "haemoglobin",
            "Haemoglobin",
            "g/L",
            {"g/L": Fraction(1), "g/dL": Fraction(10), "mmol/L": Fraction(1611, 100)},
            low=30,
            high=200,
        ),
        _quantity("platelets", "Platelets", "10*9/L", _CELLS),
        _quantity("cd19-count", "CD19+ B cells", "/uL", _FEW_CELLS),
        _quantity("cd19-percent", "CD19+ B cells of lymphocytes", "%", high=100),
        _quantity(
            "creatinine",
            "Creatinine",
            "mg/dL",
            {"mg/dL": Fraction(1), "umol/L": Fraction(10, 884)},
            low=Fraction(50, 884),
            high=20,
        ),
        _quantity("urine-protein-24h", "Urine protein in 24 hours", "g/(24.h)", _PROTEIN_PER_DAY),
        _quantity("upcr", "Urine protein/creatinine ratio", "g/g", _PROTEIN_PER_CREATININE),
        _quantity("ck", "Creatine kinase", "U/L"),
        Item(
            "weakest-muscle", "Strength of the weakest muscle, MRC 0 to 5", Kind.LEVEL, levels=tuple(range(6))
        ),
        _quantity("dlco", "Diffusing capacity for carbon monoxide, % of predicted", "%", high=200),
        _quantity("fvc", "Forced vital capacity, % of predicted", "%", high=200),
        Item("nyha", "Breathlessness by NYHA, class 1 to 4", Kind.LEVEL, levels=(1, 2, 3, 4)),
        _quantity(
            "focus-score",
            "Biopsy of a salivary gland: focus score, foci per 4 mm²",
            "{foci}/(4.mm2)",
            dict.fromkeys(("{foci}/(4.mm2)", "/(4.mm2)", "{score}", "1"), Fraction(1)),
        ),
        Item("ana-titre", "Antinuclear antibodies, titre", Kind.TITRE),
        _finding("anti-ssa", "Anti-SSA/Ro"),
        _finding("anti-ssb", "Anti-SSB/La"),
        _finding("hbsag", "Hepatitis B surface antigen"),
        _quantity("hbsab", "Hepatitis B surface antibody", "m[IU]/mL", _MILLI_UNITS, worded=True),
        _finding("hbcab", "Hepatitis B core antibody"),
        _finding("hcv-ab", "Hepatitis C antibody"),
        _finding("hiv", "HIV antigen and antibody"),
        _finding("igra", "Interferon-gamma release assay"),
        # Metres under centimetres would make a child of 1.5 cm: refused, never guessed at.
        _quantity("height", "Body height", "cm", {"cm": Fraction(1), "m": Fraction(100)}, low=30, high=230),
        _quantity("weight", "Body weight", "kg", {"kg": Fraction(1), "g": Fraction(1, 1000)}, high=200),
        _quantity("temperature", "Body temperature", "Cel", low=30, high=45),
    ]


ITEMS: Mapping[str, Item] = {item.code: item for item in _all_items()}
"""Every item by its code."""

NOT_USED = "not-used"
"""Target of a hospital's code that is known and irrelevant to the trial."""

SITED: Mapping[str, Mapping[str, str]] = {
    "schirmer": {eye: f"schirmer-{eye}" for eye in EYES},
    "ocular-staining": {eye: f"ocular-staining-{eye}" for eye in EYES},
    **{
        f"hocevar-{component}": {gland: f"hocevar-{gland}-{component}" for gland in HOCEVAR_GLANDS}
        for component in HOCEVAR_COMPONENTS
    },
}
"""Items that a hospital may code without the side: group code → body site → item."""


class OutcomeCode(StrEnum):
    """The outcomes that the adapter computes and writes."""

    ESSDAI = "essdai"
    ESSDAI_CHANGE = "essdai-change"
    CLINESSDAI = "clinessdai"
    CLINESSDAI_CHANGE = "clinessdai-change"
    ESSPRI = "esspri"
    ESSPRI_CHANGE = "esspri-change"
    SCHIRMER = "schirmer"
    SCHIRMER_CHANGE = "schirmer-change"
    SALIVARY_FLOW = "salivary-flow"
    SALIVARY_FLOW_CHANGE = "salivary-flow-change"
    HOCEVAR = "hocevar"
    HOCEVAR_CHANGE = "hocevar-change"
    STAR = "star"
    RESPONSE = "response"
    CALENDAR = "calendar"
    ELIGIBILITY = "eligibility"


OUTCOMES: Mapping[OutcomeCode, tuple[str, str]] = {
    OutcomeCode.ESSDAI: ("ESSDAI, EULAR Sjögren's syndrome disease activity index", "{score}"),
    OutcomeCode.ESSDAI_CHANGE: ("ESSDAI, change from baseline", "{score}"),
    OutcomeCode.CLINESSDAI: (
        "ClinESSDAI, clinical disease activity without the biological domain",
        "{score}",
    ),
    OutcomeCode.CLINESSDAI_CHANGE: ("ClinESSDAI, change from baseline", "{score}"),
    OutcomeCode.ESSPRI: ("ESSPRI, EULAR Sjögren's syndrome patient reported index", "{score}"),
    OutcomeCode.ESSPRI_CHANGE: ("ESSPRI, change from baseline", "{score}"),
    OutcomeCode.SCHIRMER: ("Schirmer test, mean of both eyes", "mm"),
    OutcomeCode.SCHIRMER_CHANGE: ("Schirmer test, change from baseline", "mm"),
    OutcomeCode.SALIVARY_FLOW: ("Unstimulated whole salivary flow", "mL/min"),
    OutcomeCode.SALIVARY_FLOW_CHANGE: ("Unstimulated whole salivary flow, change from baseline", "mL/min"),
    OutcomeCode.HOCEVAR: ("Salivary gland ultrasound, Hočevar score", "{score}"),
    OutcomeCode.HOCEVAR_CHANGE: ("Salivary gland ultrasound, change from baseline", "{score}"),
    OutcomeCode.STAR: ("STAR, Sjögren's tool for assessing response", "{score}"),
    OutcomeCode.RESPONSE: ("Response, composite of five indicators", ""),
    OutcomeCode.CALENDAR: ("Study treatment: doses given and the days that follow from them", ""),
    OutcomeCode.ELIGIBILITY: ("Eligibility: every criterion of entry and every gate of a drug", ""),
}
"""Each outcome's name and unit; an empty unit means that the value is a code or a date."""

RESULTS: Mapping[str, str] = {
    "responder": "Responder",
    "non-responder": "Non-responder",
    "undetermined": "Undetermined",
    "not-due": "Not due yet",
    "satisfied": "Satisfied",
    "violated": "Violated",
}
"""Values of a response, and of a criterion."""

CATEGORIES: Mapping[str, str] = {
    "low": "Low activity",
    "moderate": "Moderate activity",
    "high": "High activity",
}
"""Activity categories of ESSDAI and ClinESSDAI (dossier §1.2)."""

REASONS: Mapping[str, str] = {
    "not-due": "The window of the visit is still open on the day of the run",
    "no-anchor": "The dose that the visit is counted from was not given",
    "missing-input": "A value that the score needs is missing at the visit",
    "not-assessed": "Nothing that the score needs was recorded at the visit",
    "invalid-input": "A value that the score needs was refused",
    "conflicting-input": "Two values of one item stand at the same time and neither corrects the other",
    "undetermined": "What is known leaves the answer open",
    "not-evaluable": "The baseline leaves no room for the change that is asked for",
}
"""Why there is no value."""

FLAGS: Mapping[str, str] = {
    "single-test": "Only one of the two tests was ever done; it decides alone",
    "one-eye": "One eye only: the same eye at both visits",
    "schirmer-ceiling": "The baseline is so near the end of the strip that the rise asked for cannot be read",
    "baseline-normal": "ESR was within its range at baseline; its fall counts by the letter",
    "no-range": "ESR has no printed range, so its return to normal cannot be judged",
    "rf-negative-at-baseline": "Rheumatoid factor was negative or censored at baseline and is not evaluable",
    "igg-below-limit": "IgG ended low: a fall into hypogammaglobulinaemia rather than an improvement",
    "igg-after-immunoglobulin": "Immunoglobulin was given shortly before, IgG is not evaluable",
    "collection-differs": "Saliva was collected over different times at the two visits",
    "zero-baseline": "The flow was 0 at baseline; any rise counts",
    "total-as-recorded": "The total was recorded without all of its parts",
    "total-disagrees": "The recorded total is not the sum of its parts; the parts are used",
    "dose-stopped": "An infusion was stopped early; it counts as given",
    "dose-in-progress": "An infusion is recorded as in progress; it counts as given",
    "no-consent-date": "No day of consent is known; the first dose of all is taken for Day 0",
    "unusual-dose": "A dose lies far from what is usual for height and weight",
}
"""Remarks on a value, for people."""
