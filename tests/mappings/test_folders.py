"""The mapping folders that ship with the adapter: valid, within the domain, and leading somewhere."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fhir.resources.R4B.conceptmap import ConceptMap

from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.trial.drugs import DRUGS, ORDERED
from fhir_adapter.trial.items import (
    CANONICAL,
    ESSDAI_DOMAINS,
    ESSPRI_SCALES,
    HOCEVAR_COMPONENTS,
    HOCEVAR_GLANDS,
    ITEMS,
    NOT_USED,
    SITED,
)

MAPPINGS = Path(__file__).parents[2] / "mappings"
FOLDERS = ("international", "example-cn")
FILES = sorted(MAPPINGS.glob("*/ConceptMap-*.json"))
SYSTEMS = f"{CANONICAL}/CodeSystem/"
TEXT = f"{SYSTEMS}text"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
LOINC = "http://loinc.org"

SITES = {site for by_site in SITED.values() for site in by_site}
ALLOWED = {
    "items": {*ITEMS, *SITED, *STATEMENTS, NOT_USED},
    "sites": SITES,
    "levels": set("012345"),
    "findings": {"positive", "negative", "indeterminate"},
    "drugs": {*DRUGS, NOT_USED},
    "routes": {"parenteral", "other-route"},
    "contacts": {"inpatient", "other-contact"},
    "vaccines": {"live", "not-live", NOT_USED},
    "consents": {"study-treatment", *ORDERED, NOT_USED},
    "outcomes": {"essdai", "clinessdai", "esspri", "hocevar"},
}
UNITS = {unit for item in ITEMS.values() for unit in item.factors}
NEEDED = {
    *(f"essdai-{domain}" for domain in ESSDAI_DOMAINS),
    *(f"esspri-{scale}" for scale in ESSPRI_SCALES),
    *(f"hocevar-{gland}-{component}" for gland in HOCEVAR_GLANDS for component in HOCEVAR_COMPONENTS),
    "schirmer-right",
    "schirmer-left",
    "salivary-flow",
    "physician-global",
    "esr",
    "igg",
    "rheumatoid-factor",
}
"""What the outcomes of this trial are scored from."""


@dataclass(frozen=True)
class Entry:
    """One target of one code, and the use that its group puts it to."""

    source: str
    use: str
    code: str
    target: str
    equivalence: str
    comment: str


def normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def entries(file: Path) -> Iterator[Entry]:
    """The entries of a file; ICD-10 is the target of diagnoses, and has no code for what is not used."""
    for group in json.loads(file.read_bytes())["group"]:
        use = "diagnoses" if group["target"] == ICD10 else group["target"].removeprefix(SYSTEMS)
        assert use == "diagnoses" or group["target"].startswith(SYSTEMS)
        for element in group["element"]:
            for target in element["target"]:
                yield Entry(
                    group["source"],
                    use,
                    element["code"],
                    target["code"] if use != "diagnoses" else target.get("code", NOT_USED),
                    target["equivalence"],
                    target.get("comment", ""),
                )


def folder_entries(folder: str) -> list[Entry]:
    return [
        entry for file in sorted((MAPPINGS / folder).glob("ConceptMap-*.json")) for entry in entries(file)
    ]


def settings(folder: str) -> dict[str, Any]:
    return tomllib.loads((MAPPINGS / folder / "settings.toml").read_text(encoding="utf-8"))


def named(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def test_every_folder_is_tested() -> None:
    assert {path.name for path in MAPPINGS.iterdir() if path.is_dir()} == set(FOLDERS)


@pytest.mark.parametrize("file", FILES, ids=named)
def test_concept_map_is_valid_r4(file: Path) -> None:
    resource = ConceptMap.model_validate_json(file.read_bytes())
    slug = file.stem.removeprefix("ConceptMap-")
    assert resource.id == f"{file.parent.name}-{slug}"
    assert resource.url == f"{CANONICAL}/ConceptMap/{resource.id}"
    assert resource.status == "active"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_every_target_exists_in_the_domain(file: Path) -> None:
    found = list(entries(file))
    assert [each for each in found if each.use != "diagnoses" and each.target not in ALLOWED[each.use]] == []
    codes = [each.target for each in found if each.use == "diagnoses" and each.target != NOT_USED]
    assert [code for code in codes if not re.fullmatch(r"[A-Z]\d\d(\.\d)?", code)] == []


@pytest.mark.parametrize("file", FILES, ids=named)
def test_equivalence_is_honest(file: Path) -> None:
    known = {"equal", "equivalent", "wider", "inexact", "unmatched"}
    for entry in entries(file):
        assert entry.equivalence in known
        assert (entry.equivalence == "unmatched") == (entry.target == NOT_USED), entry
        if entry.equivalence in {"inexact", "unmatched"}:
            assert entry.comment, entry
        if entry.equivalence == "equal":
            assert (entry.source, entry.code) == (f"{SYSTEMS}{entry.use}", entry.target)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_has_two_targets(folder: str) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for entry in folder_entries(folder):
        code = normal(entry.code).casefold() if entry.source == TEXT else entry.code
        key = (entry.use, entry.source, code)
        assert key not in seen, key
        seen[key] = entry.target


@pytest.mark.parametrize("folder", FOLDERS)
def test_text_labels_stand_as_they_are_matched(folder: str) -> None:
    labels = [entry.code for entry in folder_entries(folder) if entry.source == TEXT]
    assert [label for label in labels if normal(label) != label] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_unit_leads_somewhere(folder: str) -> None:
    units: dict[str, str] = settings(folder)["units"]
    assert {spelling: unit for spelling, unit in units.items() if unit not in UNITS} == {}
    assert [spelling for spelling in units if normal(spelling) != spelling] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_unit_is_turned_into_another(folder: str) -> None:
    """A UCUM code that an item knows keeps its meaning whatever the hospital writes."""
    units: dict[str, str] = settings(folder)["units"]
    assert {spelling for spelling, unit in units.items() if spelling in UNITS and spelling != unit} == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_words_are_distinct_after_normalisation(folder: str) -> None:
    words: dict[str, list[str]] = settings(folder)["words"]
    assert set(words) == ALLOWED["findings"]
    folded = [normal(word).casefold() for spellings in words.values() for word in spellings]
    assert len(folded) == len(set(folded))
    assert folded == [word for spellings in words.values() for word in spellings]


def test_weak_positives_decide_nothing() -> None:
    assert {"弱阳性", "可疑", "(±)"} <= set(settings("example-cn")["words"]["indeterminate"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_default_units_belong_to_mapped_codes(folder: str) -> None:
    targets = {f"{entry.source}|{entry.code}": entry.target for entry in folder_entries(folder)}
    for code, unit in settings(folder).get("default_units", {}).items():
        assert unit in ITEMS[targets[code]].factors


@pytest.mark.parametrize("folder", FOLDERS)
def test_settings_name_patients_and_only_known_tables(folder: str) -> None:
    found = settings(folder)
    tables = {"title", "timezone", "icd10", "identifiers", "units", "words", "default_units"}
    assert set(found) <= tables
    assert "urn:example:mrn" in found["identifiers"]["mrn"]
    if "timezone" in found:
        ZoneInfo(found["timezone"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_needed_item_can_be_reached(folder: str) -> None:
    reached: dict[str, set[str]] = {use: set() for use in (*ALLOWED, "diagnoses")}
    for entry in folder_entries(folder):
        reached[entry.use].add(entry.target)
    by_side = {
        item
        for group in SITED.keys() & reached["items"]
        for site, item in SITED[group].items()
        if site in reached["sites"]
    }
    assert NEEDED - reached["items"] - by_side == set()
    assert {"rituximab", "belimumab", "immunoglobulin"} <= reached["drugs"]
    assert set(STATEMENTS) <= reached["items"]
    assert {"1", "2", "3", "4"} <= reached["levels"]
    for use in ("findings", "routes", "contacts"):
        assert reached[use] == ALLOWED[use]
    assert {"live", "not-live"} <= reached["vaccines"]
    assert "study-treatment" in reached["consents"]


def test_own_codes_stand_for_themselves() -> None:
    own = {
        (entry.use, entry.code)
        for entry in folder_entries("international")
        if entry.source == f"{SYSTEMS}{entry.use}" and entry.equivalence == "equal"
    }
    assert own == {
        (use, code) for use, codes in ALLOWED.items() if use != "outcomes" for code in codes - {NOT_USED}
    }


def test_own_questionnaires_cover_their_instruments() -> None:
    asked = {
        (entry.source.removeprefix(f"{CANONICAL}/Questionnaire/"), entry.code, entry.target)
        for entry in folder_entries("international")
        if entry.source.startswith(f"{CANONICAL}/Questionnaire/")
    }
    calculated = {each for each in asked if each[2] in ALLOWED["outcomes"]}
    assert calculated == {
        ("essdai", "essdai", "essdai"),
        ("essdai", "clinessdai", "clinessdai"),
        ("esspri", "esspri", "esspri"),
        ("hocevar", "hocevar", "hocevar"),
    }
    assert asked - calculated == {
        (instrument, code.removeprefix(f"{instrument}-"), code)
        for instrument in ("essdai", "esspri", "hocevar")
        for code in ITEMS
        if code.startswith(f"{instrument}-")
    }


def check_digit(number: str) -> int:
    """LOINC's check digit: mod 10 (Luhn) over the number before the hyphen."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    return -sum(digit // 10 + digit % 10 for digit in doubled) % 10


def test_loinc_codes_are_well_formed_and_avoid_known_slips() -> None:
    loinc = {entry.code: entry.target for entry in folder_entries("international") if entry.source == LOINC}
    for code in loinc:
        number, digit = code.split("-")
        assert check_digit(number) == int(digit), code
    assert loinc["4498-2"] == "c4"
    assert (loinc["8116-6"], loinc["8117-4"]) == ("cd19-count", "cd19-percent")
    # CD20 is masked by rituximab; the others are C4 and CD19 as some public files have them, wrongly.
    assert {loinc["9558-8"], loinc["8119-0"]} == {NOT_USED}
    assert not {"4407-5", "4498-6", "8124-0", "8125-7"} & set(loinc)


def test_loinc_travels_with_its_notice() -> None:
    notice = (MAPPINGS / "international" / "NOTICE").read_text(encoding="utf-8")
    assert "This material contains content from LOINC" in notice
