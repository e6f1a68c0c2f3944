"""Values as hospitals send them (dossier §9, §14.6): exact, a unit is required, nothing is guessed."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.mapping.value import Read, normal_range
from fhir_adapter.mapping.value import read as read_value
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Problem
from fhir_adapter.trial.values import Interval, Truth
from tests.mapping.build import SCT, UCUM, Json, coded, hospital, quantity, wired
from tests.scores.build import interval

INTERNATIONAL, CHINA = "international", "example-cn"


def read(
    item: str, value: Json, folder: str = INTERNATIONAL, *, default_unit: str = "", limit: str | None = None
) -> Read:
    high = None if limit is None else Fraction(limit)
    return read_value(wired(value), ITEMS[item], hospital(folder), default_unit, high)


# ---------------------------------------------------------------------------- units, one by one, §9, §5


@pytest.mark.parametrize(
    ("item", "value", "unit", "canonical"),
    [
        ("igg", "18.5", "g/L", "18.5"),
        ("igg", "1850", "mg/dL", "18.5"),
        ("igg", "18500", "mg/L", "18.5"),
        ("iga", "210", "mg/dL", "2.1"),
        ("igm", "1.1", "g/l", "1.1"),
        ("rheumatoid-factor", "80", "[IU]/mL", "80"),
        ("rheumatoid-factor", "80", "IU/mL", "80"),
        ("rheumatoid-factor", "80", "kIU/L", "80"),
        ("rheumatoid-factor", "80", "U/mL", "80"),
        ("rheumatoid-factor", "80000", "IU/L", "80"),
        ("esr", "22", "mm/h", "22"),
        ("esr", "22", "mm/1h", "22"),
        ("esr", "22", "mm/hr", "22"),
        ("crp", "8", "mg/L", "8"),
        ("crp", "0.8", "mg/dL", "8"),
        ("c3", "0.9", "g/L", "0.9"),
        ("c3", "90", "mg/dL", "0.9"),
        ("c4", "18", "mg/dL", "0.18"),
        ("ch50", "45", "U/mL", "45"),
        ("flc-kappa", "12", "mg/L", "12"),
        ("flc-lambda", "1.2", "mg/dL", "12"),
        ("b2-microglobulin", "2.1", "mg/L", "2.1"),
        ("b2-microglobulin", "2.1", "ug/mL", "2.1"),
        ("b2-microglobulin", "2.1", "µg/mL", "2.1"),
        ("wbc", "4.5", "10*9/L", "4.5"),
        ("wbc", "4.5", "10^9/L", "4.5"),
        ("wbc", "4.5", "10*3/uL", "4.5"),
        ("neutrophils", "1500", "/uL", "1.5"),
        ("lymphocytes", "850", "/mm³", "0.85"),
        ("haemoglobin", "120", "g/L", "120"),
        ("haemoglobin", "12", "g/dL", "120"),
        ("haemoglobin", "8", "mmol/L", "128.88"),
        ("platelets", "95", "10*9/L", "95"),
        ("platelets", "95000", "/uL", "95"),
        ("cd19-count", "20", "/uL", "20"),
        ("cd19-count", "20", "10*6/L", "20"),
        ("cd19-count", "0.02", "10*9/L", "20"),
        ("cd19-percent", "0.5", "%", "0.5"),
        ("creatinine", "2", "mg/dL", "2"),
        ("creatinine", "176.8", "umol/L", "2"),
        ("creatinine", "176.8", "µmol/L", "2"),
        ("urine-protein-24h", "0.5", "g/(24.h)", "0.5"),
        ("urine-protein-24h", "500", "mg/24h", "0.5"),
        ("upcr", "0.5", "g/g", "0.5"),
        ("upcr", "56.5", "mg/mmol", "0.5"),
        ("ck", "300", "U/L", "300"),
        ("hbsab", "10", "mIU/mL", "10"),
        ("height", "1.40", "m", "140"),
        ("weight", "35", "kg", "35"),
        ("temperature", "37.5", "°C", "37.5"),
        ("schirmer-right", "8", "mm", "8"),
        ("schirmer-right", "8", "mm/5min", "8"),
        ("salivary-flow", "0.1", "mL/min", "0.1"),
        ("salivary-flow", "1.5", "mL/(15.min)", "0.1"),
        ("salivary-flow", "1.5", "mL/15min", "0.1"),
        ("salivary-flow", "1", "mL/10min", "0.1"),
        ("salivary-flow", "0.5", "mL/5min", "0.1"),
        ("salivary-flow", "0.1", "g/min", "0.1"),
        ("physician-global", "60", "mm", "60"),
        ("physician-global", "6", "cm", "60"),
        ("esspri-pain", "7", "{score}", "7"),
        ("esspri-pain", "70", "mm", "7"),
    ],
)
def test_units(item: str, value: str, unit: str, canonical: str) -> None:
    found = read(item, quantity(value, unit))
    assert (found.problem, found.value) == (None, interval(canonical))


@pytest.mark.parametrize(
    ("item", "value", "unit", "canonical"),
    [
        ("igg", "18.5", "克/升", "18.5"),
        ("igg", "18.5", "ｇ／Ｌ", "18.5"),
        ("igg", "18.5", " g/L ", "18.5"),
        ("rheumatoid-factor", "80", "IU/ml", "80"),
        ("esr", "22", "mm/小时", "22"),
        ("platelets", "9.5", "万/µL", "95"),
        ("platelets", "95", "×10^9/L", "95"),
        ("platelets", "95", "×10＾9/L", "95"),
        ("platelets", "95", "10⁹/L", "95"),
        ("wbc", "4500", "个/µL", "4.5"),
        ("wbc", "4500", "个/mm³", "4.5"),
        ("cd19-count", "20", "×10⁶/L", "20"),
        ("creatinine", "176.8", "μmol/l", "2"),
        ("urine-protein-24h", "500", "mg/24小时", "0.5"),
        ("salivary-flow", "1.5", "ml/15min", "0.1"),
        ("temperature", "37.5", "℃", "37.5"),
        ("height", "140", "厘米", "140"),
        ("esspri-pain", "7", "分", "7"),
    ],
)
def test_chinese_units(item: str, value: str, unit: str, canonical: str) -> None:
    found = read(item, quantity(value, unit), CHINA)
    assert (found.problem, found.value) == (None, interval(canonical))


def test_the_ucum_code_goes_before_the_printed_unit() -> None:
    found = read("igg", quantity(1850, "g/L", system=UCUM, code="mg/dL"))
    assert (found.value, found.unit) == (interval("18.5"), "mg/dL")


def test_the_printed_unit_goes_before_a_local_code() -> None:
    assert read("igg", quantity("18.5", "g/L", system="urn:local", code="U12")).value == interval("18.5")


@given(st.decimals(min_value=0, max_value=90, places=4, allow_nan=False))
def test_numbers_stay_exact(value: Decimal) -> None:
    """§0.3: no binary floats on the way."""
    assert read("igg", quantity(str(value), "g/L")).value == interval(value)


SUBMANDIBULAR = "hocevar-submandibular-left-hyperechogenic"


def ratio(numerator: int, denominator: int, **more: str) -> Json:
    return {"valueRatio": {"numerator": {"value": numerator}, "denominator": {"value": denominator, **more}}}


ABSENT = coded("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error")
GRADE: Json = {"valueCodeableConcept": coded("https://w3id.org/fhir-adapter/CodeSystem/levels", "3")}
GRADE_TEXT: Json = {
    "system": "https://w3id.org/fhir-adapter/CodeSystem/levels",
    "code": "3",
    "display": "High",
}


# -------------------------------------------------------------------- what is refused, and never guessed


@pytest.mark.parametrize(
    ("item", "value", "problem", "why"),
    [
        ("igg", quantity("18.5"), Problem.NO_UNIT, "§9, §14.6: a unit is required"),
        ("igg", {"valueString": "18.5"}, Problem.NO_UNIT, "§14.6"),
        ("igg", {"valueDecimal": Decimal("18.5")}, Problem.NO_UNIT, "§14.6"),
        ("physician-global", {"valueInteger": 60}, Problem.NO_UNIT, "a line of 60 what?"),
        ("esspri-pain", quantity(7), Problem.NO_UNIT, "§14.6"),
        ("igg", quantity("18.5", "IU/mL"), Problem.UNKNOWN_UNIT, "no mass per volume"),
        ("igg", quantity("18.5", "g"), Problem.UNKNOWN_UNIT, "no volume"),
        ("esr", quantity(22, "mm"), Problem.UNKNOWN_UNIT, "no time"),
        ("salivary-flow", quantity("1.5", "mL"), Problem.UNKNOWN_UNIT, "over which time?"),
        ("igg", quantity(1850, "g/L"), Problem.IMPLAUSIBLE, "§9: above 100 g/L: probably mg/dL"),
        ("igg", quantity("100.1", "g/L"), Problem.IMPLAUSIBLE, "§9"),
        ("creatinine", quantity("4.9", "umol/L"), Problem.IMPLAUSIBLE, "§9: below 5 µmol/L"),
        ("creatinine", quantity("20.1", "mg/dL"), Problem.IMPLAUSIBLE, "§9: above 20 mg/dL"),
        ("haemoglobin", quantity("12", "g/L"), Problem.IMPLAUSIBLE, "§9: Hb 30 to 200 g/L"),
        ("haemoglobin", quantity(201, "g/L"), Problem.IMPLAUSIBLE, "§9"),
        ("schirmer-left", quantity(36, "mm"), Problem.IMPLAUSIBLE, "§5: the strip ends at 35"),
        ("esspri-pain", {"valueInteger": 11}, Problem.IMPLAUSIBLE, "§2: 0 to 10"),
        ("esspri-pain", quantity(70, "{score}"), Problem.IMPLAUSIBLE, "§2: 0 to 10"),
        ("physician-global", quantity(101, "mm"), Problem.IMPLAUSIBLE, "0 to 100"),
        ("igg", quantity(-1, "g/L"), Problem.IMPLAUSIBLE, "nothing lies below 0"),
        ("igg", {"valueString": "12-15 g/L"}, Problem.UNKNOWN_UNIT, "a range is no value"),
        ("igg", {"valueString": "see report"}, Problem.UNREADABLE, "no number"),
        ("igg", {"valueString": ""}, Problem.UNREADABLE, "nothing"),
        ("igg", {"valueBoolean": True}, Problem.UNREADABLE, "no number"),
        ("igg", {"valueQuantity": {"unit": "g/L"}}, Problem.UNREADABLE, "no number"),
        ("igg", quantity(20, "g/L", comparator="~"), Problem.UNREADABLE, "no comparator of FHIR"),
        ("igg", {"valueDateTime": "2024-04-01"}, Problem.UNREADABLE, "a date"),
        ("igg", {**quantity(20, "g/L"), "valueString": "12 g/L"}, Problem.UNREADABLE, "R4: one value[x]"),
        ("igg", {**quantity(20, "g/L"), "dataAbsentReason": ABSENT}, Problem.UNREADABLE, "obs-6"),
        ("essdai-cns", {"valueInteger": 1}, Problem.INVALID_LEVEL, "§1.1: no low level"),
        ("essdai-renal", {"valueInteger": 4}, Problem.INVALID_LEVEL, "§1.1"),
        ("essdai-renal", {"valueDecimal": Decimal("1.5")}, Problem.INVALID_LEVEL, "§1.1"),
        ("essdai-renal", quantity(2, "mm"), Problem.INVALID_LEVEL, "a level has no unit"),
        ("essdai-renal", quantity(2, "1", comparator="<"), Problem.INVALID_LEVEL, "a level is exact"),
        (SUBMANDIBULAR, {"valueInteger": 2}, Problem.INVALID_LEVEL, "§4: 0 or 1"),
        ("hocevar-total", {"valueInteger": 49}, Problem.INVALID_LEVEL, "§4: 0 to 48"),
        ("salivary-flow", {"valueString": "<0 mL/min"}, Problem.UNREADABLE, "nothing lies below 0"),
        ("igg", quantity(0, "g/L", comparator="<"), Problem.UNREADABLE, "nothing lies below 0"),
        ("physician-global", GRADE, Problem.UNREADABLE, "§6.2 a: a grade is no mark of 0 to 100 mm"),
        ("esspri-pain", GRADE, Problem.UNREADABLE, "§2: a grade is no mark of 0 to 10"),
        ("esspri-pain", {"valueCoding": GRADE_TEXT}, Problem.UNREADABLE, "a word"),
        ("esspri-pain", {"valueCodeableConcept": {"text": "7"}}, Problem.NO_UNIT, "§14.6"),
        ("esr", {"valueString": "positive"}, Problem.UNREADABLE, "§9: no result of an ESR"),
        ("schirmer-right", {"valueString": "negative"}, Problem.UNREADABLE, "§9"),
        ("igg", {"valueCodeableConcept": coded(SCT, "10828004")}, Problem.UNREADABLE, "§9: positive"),
        ("ana-titre", ratio(1, 0, comparator="<"), Problem.UNREADABLE, "nothing lies below 0"),
        ("ana-titre", ratio(2, 320), Problem.UNREADABLE, "1:n"),
        ("ana-titre", quantity(320, "1"), Problem.UNREADABLE, "1:n"),
    ],
)  # fmt: skip
def test_refused(item: str, value: Json, problem: Problem, why: str) -> None:
    found = read(item, value)
    assert (found.value, found.problem) == (None, problem), why


@pytest.mark.parametrize(
    ("item", "value", "unit"),
    [
        ("igg", "100", "g/L"),
        ("creatinine", "5", "umol/L"),
        ("creatinine", "20", "mg/dL"),
        ("haemoglobin", "30", "g/L"),
        ("haemoglobin", "200", "g/L"),
        ("schirmer-right", "35", "mm"),
        ("schirmer-right", "0", "mm"),
    ],
)
def test_the_guards_themselves_are_believed(item: str, value: str, unit: str) -> None:
    assert read(item, quantity(value, unit)).problem is None


@pytest.mark.parametrize("value", [{}, {"dataAbsentReason": coded("urn:x", "not-performed")}])
def test_no_value_is_absent_and_not_refused(value: Json) -> None:
    assert read("igg", value).problem is Problem.ABSENT


def test_the_unit_that_the_settings_name_for_a_code() -> None:
    """§14.6: for one of its codes that is printed as text; nothing else is assumed."""
    found = read("esr", {"valueString": "22"}, CHINA, default_unit="mm/h")
    assert found.value == interval(22)
    own = read("igg", {"valueString": "1850 mg/dL"}, CHINA, default_unit="g/L")
    assert own.value == interval("18.5")


# ------------------------------------------------------------------- censored values and results as text


@pytest.mark.parametrize(
    ("comparator", "known"), [("<", "<20"), ("<=", "<=20"), (">", ">20"), (">=", ">=20")]
)
def test_comparators(comparator: str, known: str) -> None:
    """§0.4, §6.2: a censored value is an interval."""
    found = read("rheumatoid-factor", quantity(20, "IU/mL", comparator=comparator))
    assert found.value == interval(known)


def test_a_censored_value_converts_with_its_mark() -> None:
    assert read("rheumatoid-factor", quantity(20000, "IU/L", comparator="<")).value == interval("<20")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("<20 IU/mL", "<20"),
        ("＜２０．０ IU/mL", "<20"),
        ("< 20 IU/mL", "<20"),
        ("≤20 IU/ml", "<=20"),
        (">400IU/mL", ">400"),
        ("≥400 IU/mL", ">=400"),
        ("80.5 IU/mL", "80.5"),
        ("80.5 IU/mL ↑", "80.5"),
        ("80.5↑ IU/mL", "80.5"),
        ("*80.5 IU/mL", "80.5"),
        ("８０．５ＩＵ／ｍＬ", "80.5"),
        ("  80.5  IU/mL  ", "80.5"),
    ],
)
def test_results_as_text(text: str, known: str) -> None:
    found = read("rheumatoid-factor", {"valueString": text}, CHINA)
    assert (found.problem, found.value, found.sent) == (None, interval(known), text)


@pytest.mark.parametrize(
    "text", ["5.2 10*9/L", "5.2* 10*9/L", "5.2 10*9/L *", "*5.2 10*9/L ↓", " ＊5.2 10*9/L"]
)
def test_the_asterisk_of_a_unit_is_no_mark(text: str) -> None:
    assert read("wbc", {"valueString": text}).value == interval("5.2")


def test_a_number_with_its_unit_as_the_text_of_a_concept() -> None:
    assert read("physician-global", {"valueCodeableConcept": {"text": "6 cm"}}).value == interval(60)


def test_at_most_zero_is_zero() -> None:
    assert read("salivary-flow", {"valueString": "<=0 mL/min"}).value == interval(0)


@pytest.mark.parametrize(
    ("item", "text", "limit", "found", "known", "why"),
    [
        ("anti-ssa", "阳性", None, True, None, "§9"),
        ("anti-ssa", "阳性(+)", None, True, None, "§9"),
        ("anti-ssa", "（＋）", None, True, None, "full width"),
        ("anti-ssa", "阴性", None, False, None, "§9"),
        ("anti-ssa", "(-)", None, False, None, "§9"),
        ("anti-ssa", "弱阳性", None, None, None, "§9: undetermined"),
        ("anti-ssa", "(±)", None, None, None, "§9: undetermined"),
        ("anti-ssa", "可疑", None, None, None, "§9: undetermined"),
        ("rheumatoid-factor", "阴性", "20", False, Interval(Fraction(0), Fraction(20)), "within the range"),
        ("rheumatoid-factor", "阳性", "20", True, Interval(Fraction(20), None, low_open=True), "above it"),
        ("rheumatoid-factor", "阴性", None, False, None, "negative, with no limit printed"),
        ("hbsab", "阳性", None, True, None, "§9: positive, with no limit printed"),
    ],
)
def test_words(
    item: str, text: str, limit: str | None, found: Truth, known: Interval | None, why: str
) -> None:
    made = read(item, {"valueString": text}, CHINA, limit=limit)
    assert (made.problem, made.found, made.value) == (None, found, known), why


@pytest.mark.parametrize("text", ["(±)", "弱阳性", "-", "+", "未做"])
def test_words_that_decide_nothing_of_a_quantity(text: str) -> None:
    assert read("rheumatoid-factor", {"valueString": text}, CHINA).problem is Problem.UNREADABLE


@pytest.mark.parametrize(
    ("folder", "value", "found"),
    [
        (INTERNATIONAL, {"valueCodeableConcept": coded(SCT, "10828004")}, True),
        (INTERNATIONAL, {"valueCodeableConcept": coded(SCT, "260385009")}, False),
        (INTERNATIONAL, {"valueCodeableConcept": coded(SCT, "82334004")}, None),
        (INTERNATIONAL, {"valueCodeableConcept": coded("", text="Negative")}, False),
        (INTERNATIONAL, {"valueBoolean": True}, True),
        (CHINA, {"valueCodeableConcept": coded("urn:example-cn:result", "W")}, None),
        (CHINA, {"valueCodeableConcept": coded("urn:unknown", "9", text="阴性")}, False),
    ],
)
def test_coded_findings(folder: str, value: Json, found: Truth) -> None:
    made = read("hbsag", value, folder)
    assert (made.problem, made.found) == (None, found)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ({"valueInteger": 2}, 2),
        (quantity(2), 2),
        (quantity(2, "1"), 2),
        (quantity(2, "{level}"), 2),
        ({"valueString": "2"}, 2),
        ({"valueCodeableConcept": coded("https://w3id.org/fhir-adapter/CodeSystem/levels", "2")}, 2),
        ({"valueCoding": {"system": "https://w3id.org/fhir-adapter/CodeSystem/levels", "code": "2"}}, 2),
    ],
)
def test_levels(value: Json, level: int) -> None:
    assert read("essdai-cns", value).value == interval(level)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (ratio(1, 320), "320"),
        (ratio(1, 80, comparator="<"), "<80"),
        ({"valueString": "1:320"}, "320"),
        ({"valueString": "１：３２０"}, "320"),
        ({"valueString": "1 : 320"}, "320"),
    ],
)
def test_titres(value: Json, known: str) -> None:
    assert read("ana-titre", value).value == interval(known)


# --------------------------------------------------------------------------------- the laboratory's range


MEN = {"high": {"value": 16, "unit": "g/L"}, "appliesTo": [{"text": "M"}]}
WOMEN = {"high": {"value": 18, "unit": "g/L"}, "appliesTo": [{"text": "F"}]}
TREATMENT = {"type": coded("urn:x", "treatment"), "high": {"value": 5, "unit": "g/L"}}


@pytest.mark.parametrize(
    ("given", "unit", "range_", "why"),
    [
        ([{"high": {"value": 16, "unit": "g/L"}}], "g/L", (None, "16"), "as printed"),
        ([{"low": {"value": 7}, "high": {"value": 16, "unit": "g/L"}}], "g/L", ("7", "16"), "both"),
        ([{"high": {"value": 1600, "unit": "mg/dL"}}], "g/L", (None, "16"), "converts by its own unit"),
        ([{"high": {"value": 1600}}], "mg/dL", (None, "16"), "without a unit, that of the result"),
        ([{"high": {"value": 16, "unit": "g/L", "code": "U1"}}], "g/L", (None, "16"), "a local code"),
        ([{"high": {"value": 1600, "system": UCUM, "code": "mg/dL"}}], "g/L", (None, "16"), "UCUM"),
        ([{"high": {"value": 16}}], "", None, "no unit anywhere"),
        ([{"high": {"value": 16, "unit": "IU/mL"}}], "g/L", None, "does not convert"),
        ([{"text": "7-16"}], "g/L", None, "a range in words is none"),
        ([TREATMENT], "g/L", None, "not for normal persons"),
        (
            [
                TREATMENT,
                {"type": coded("urn:x", "normal"), "high": {"value": 16, "unit": "g/L"}},
            ],
            "g/L", (None, "16"), "the one for normal persons",
        ),
        ([MEN, WOMEN], "g/L", None, "whose range it is is not known"),
        ([WOMEN, MEN], "g/L", None, "in any order"),
        ([MEN, {"high": {"value": 1600, "unit": "mg/dL"}}], "g/L", (None, "16"), "equal ones are one"),
        ([], "g/L", None, "none"),
    ],
)  # fmt: skip
def test_reference_ranges(
    given: list[Json], unit: str, range_: tuple[str | None, str | None] | None, why: str
) -> None:
    found = normal_range(wired({"referenceRange": given}), ITEMS["igg"], hospital(INTERNATIONAL), unit)
    ends = found and (found.low, found.high)
    assert ends == (range_ and tuple(None if end is None else Fraction(end) for end in range_)), why
