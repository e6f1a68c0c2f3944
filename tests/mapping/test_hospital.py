"""A mapping folder as look-ups: which target a concept leads to, and what a ConceptMap must not say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fhir_adapter.errors import StudyFileError
from fhir_adapter.mapping.hospital import TEXT, AmbiguousCode, UnknownCode, folded, hospital, spelling
from fhir_adapter.shipped import PROFILES
from tests.mapping.build import LAB, LOINC, Json, coded
from tests.mapping.build import hospital as shipped

SYSTEMS = "https://w3id.org/fhir-adapter/CodeSystem"
SETTINGS: Json = {"title": "A hospital", "identifiers": {}}


def concept_map(*elements: tuple[str, list[str]], source: str = "urn:lab", target: str = "items") -> Json:
    return {
        "resourceType": "ConceptMap",
        "id": "lab",
        "group": [
            {
                "source": source,
                "target": f"{SYSTEMS}/{target}",
                "element": [
                    {"code": code, "target": [{"code": name} for name in targets]}
                    for code, targets in elements
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ([concept_map(("A", ["igx"]))], "'A' leads to 'igx', which does not exist"),
        ([concept_map(("A", ["igg", "iga"]))], "'A' needs one target"),
        ([concept_map(("A", []))], "'A' needs one target"),
        ([concept_map(("A", ["igg"])), concept_map(("A", ["iga"]))], "'A' has two targets"),
        ([concept_map(("IgG", ["igg"]), ("ＩＧＧ", ["iga"]), source=TEXT)], "'ＩＧＧ' has two targets"),
        ([concept_map(("A", ["igg"]), target="things")], "CodeSystem/things' is none of ours"),
        ([concept_map(("A", ["6"]), target="levels")], "'A' leads to '6', which does not exist"),
        (
            [concept_map(("A", ["not-used"]), target="levels")],
            "'A' leads to 'not-used', which does not exist",
        ),
    ],
)
def test_concept_maps_that_cannot_be_meant(maps: list[Json], message: str) -> None:
    with pytest.raises(StudyFileError) as fault:
        hospital(maps, SETTINGS, "mappings/ours")
    assert message in str(fault.value)
    assert "mappings/ours: ConceptMap lab" in str(fault.value)


ICD10 = "http://hl7.org/fhir/sid/icd-10"


def diagnoses(*targets: Json, system: str = ICD10) -> Json:
    element = {"code": "A", "target": list(targets)}
    group = {"source": "urn:dx", "target": system, "element": [element]}
    return {"resourceType": "ConceptMap", "id": "dx", "group": [group]}


@pytest.mark.parametrize(
    ("concept_map", "message"),
    [
        (diagnoses({"code": "malignant"}), "'A' leads to 'malignant', which does not exist"),
        (diagnoses({"code": "C851"}), "'A' leads to 'C851', which does not exist"),
        (diagnoses({}), "'A' leads to '', which does not exist"),
        (diagnoses({"code": "C85.1"}, {"code": "C85.9"}), "'A' needs one target"),
        (diagnoses({"code": "C85.1"}, system=f"{SYSTEMS}/diagnoses"), "is none of ours"),
    ],
)
def test_diagnoses_lead_to_icd10(concept_map: Json, message: str) -> None:
    with pytest.raises(StudyFileError, match=re.escape(message)):
        hospital([concept_map], SETTINGS, "")


def test_a_diagnosis_that_is_not_used_has_a_target_without_a_code() -> None:
    unmatched = diagnoses({"equivalence": "unmatched", "comment": "Nothing asks for it."})
    assert hospital([unmatched], SETTINGS, "").diagnoses(coded("urn:dx", "A")) == ()
    assert hospital([diagnoses({"code": "C85.1"})], SETTINGS, "").diagnoses(coded("urn:dx", "A")) == (
        "C85.1",
    )


@pytest.mark.parametrize(
    ("maps", "remedy"),
    [
        ([concept_map(("A", ["ig-g"]))], ["Did you mean 'igg'?", str(PROFILES / "CodeSystem-items.json")]),
        (
            [concept_map(("A", ["Rituximab"]), target="drugs")],
            ["Did you mean 'rituximab'?", str(PROFILES / "CodeSystem-drugs.json")],
        ),
        ([concept_map(("A", ["zzzzz"]), target="consents")], [str(PROFILES / "CodeSystem-consents.json")]),
        (
            [concept_map(("A", ["essdai-change"]), target="outcomes")],
            ["Allowed are: clinessdai, essdai, esspri, hocevar."],
        ),
        ([concept_map(("A", ["6"]), target="levels")], ["Allowed are: 0, 1, 2, 3, 4, 5."]),
        ([concept_map(("A", ["schirme"]))], ["Did you mean 'schirmer'?"]),
        ([diagnoses({"code": "C851"})], ["ICD-10", "M35.0"]),
    ],
)
def test_the_remedy_names_what_there_is(maps: list[Json], remedy: list[str]) -> None:
    with pytest.raises(StudyFileError) as fault:
        hospital(maps, SETTINGS, "")
    for part in remedy:
        assert part in fault.value.remedy
    assert ("Did you mean" in fault.value.remedy) is ("Did you mean" in remedy[0])


def test_every_table_of_codes_has_its_file() -> None:
    """What the remedy names is there, in a checkout and in a wheel."""
    tables = [name for name in hospital([], SETTINGS, "").codes if name != "diagnoses"]
    assert [name for name in tables if not (PROFILES / f"CodeSystem-{name}.json").is_file()] == []


def test_the_allowed_targets_are_named() -> None:
    with pytest.raises(StudyFileError, match="one of: items, sites, levels, findings, drugs"):
        hospital([concept_map(("A", ["igg"]), target="things")], SETTINGS, "")


def test_one_code_said_twice_alike_is_no_fault() -> None:
    known = hospital([concept_map(("A", ["igg"])), concept_map(("A", ["igg"]))], SETTINGS, "")
    assert known.target("items", coded("urn:lab", "A")) == "igg"


@pytest.mark.parametrize(
    ("concept", "target", "why"),
    [
        (coded(LAB, "IGG01"), "igg", "a local code"),
        ({"system": LAB, "code": "IGG01"}, "igg", "a Coding"),
        (coded("", text="免疫球蛋白G"), "igg", "text alone"),
        (coded("", text=" ＩgＧ "), "igg", "full width, capitals and blanks do not matter"),
        (coded(LAB, "XX", text="免疫球蛋白G"), "igg", "text where no code is known"),
        (coded(LAB, "IGG01", text="免疫球蛋白A"), "igg", "a known code goes before its text"),
        (coded(LAB, "CD20A", text="B#"), "not-used", "§7, §9: CD20 does not stand for CD19"),
        (coded(LAB, "XX", "IGG01"), "igg", "one known code is enough"),
        (coded(LAB, "ALT01", "IGG01"), "igg", "an item goes before what is not used"),
        (coded(LAB, "ALT01"), "not-used", "known and not used"),
    ],
)
def test_the_target_of_a_concept(concept: Json, target: str, why: str) -> None:
    assert shipped("example-cn").target("items", concept) == target, why


@pytest.mark.parametrize(
    ("concept", "reported"),
    [
        (coded(LAB, "XX"), (LAB, "XX")),
        (coded("urn:other", "IGG01"), ("urn:other", "IGG01")),
        (coded(LAB, "igg01"), (LAB, "igg01")),
        (coded(LAB, "XX", text="某项"), (LAB, "XX")),
        (coded("", text="某项"), (TEXT, "某项")),
        ({}, (TEXT, "")),
    ],
)
def test_unknown_codes_are_reported_as_sent(concept: Json, reported: tuple[str, str]) -> None:
    with pytest.raises(UnknownCode) as fault:
        shipped("example-cn").target("items", concept)
    assert fault.value.code == reported


def test_codes_that_disagree() -> None:
    with pytest.raises(AmbiguousCode):
        shipped("example-cn").target("items", coded(LAB, "IGG01", "IGA01"))


@pytest.mark.parametrize("code", ["4407-5", "4498-6", "8124-0", "8125-7"])
def test_codes_that_are_easily_mistaken_are_not_known(code: str) -> None:
    """§9 Beware: 4407-5 and 4498-6 are not C4, 8124-0 and 8125-7 are not CD19."""
    with pytest.raises(UnknownCode):
        shipped("international").target("items", coded(LOINC, code))


@pytest.mark.parametrize(
    ("code", "item"),
    [("4498-2", "c4"), ("8116-6", "cd19-count"), ("8117-4", "cd19-percent"), ("9558-8", "not-used")],
)
def test_their_right_codes(code: str, item: str) -> None:
    assert shipped("international").target("items", coded(LOINC, code)) == item


@pytest.mark.parametrize(
    ("text", "compared"),
    [("ＩｇＧ", "igg"), ("  IgG ", "igg"), ("（＋）", "(+)"), ("阴性", "阴性")],
)
def test_text_as_it_is_compared(text: str, compared: str) -> None:
    assert folded(text) == compared


@pytest.mark.parametrize(
    ("unit", "spelled"),
    [("ｇ／Ｌ", "g/L"), (" g / L ", "g/L"), ("10⁹/L", "109/L"), ("µg/mL", "μg/mL"), ("℃", "°C")],
)
def test_units_as_they_are_looked_up(unit: str, spelled: str) -> None:
    assert spelling(unit) == spelled


def test_identifiers_by_the_name_that_two_hospitals_share() -> None:
    patient: dict[str, Any] = {
        "identifier": [
            {"system": "urn:example:mrn", "value": "1"},
            {"system": "urn:example-cn:mrn", "value": "2"},
            {"system": "urn:else", "value": "3"},
            {"system": "urn:example:mrn"},
        ]
    }
    assert shipped("example-cn").identifier_values(patient, "mrn") == {"1", "2"}
    assert shipped("example-cn").identifier_values(patient, "unknown") == frozenset()
