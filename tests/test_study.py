"""Study, protocol and mapping files: what they may say, and what is said when they say something else.

Each message names the file, the key and what is allowed there.
"""

from __future__ import annotations

import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest

from fhir_adapter import shipped
from fhir_adapter.conduct.rules import ConductRule
from fhir_adapter.errors import StudyFileError, UnknownName, WrongUse
from fhir_adapter.study import (
    Study,
    find,
    read_conduct,
    read_mapping,
    read_protocol,
    read_study,
    study_from_text,
)
from fhir_adapter.trial.items import OUTCOMES
from fhir_adapter.trial.protocol import Protocol

STUDY = """
[study]
identifier = "https://clinicaltrials.gov|NCT06410833"
protocol = "nct06410833"
timezone = "Asia/Shanghai"
workspace = "work.sqlite"

[participants]
source = "hospital"
identifier_system = "urn:example:trial-participant"
match = "mrn"

[[source]]
name = "hospital"
server = "https://hospital.example/fhir"
mapping = "example-cn"
token_env = "HOSPITAL_TOKEN"

[[source]]
name = "ratings"
folder = "exports/ratings"
mapping = "international"

[target]
server = "https://hospital.example/fhir"
"""
PROTOCOL = (shipped.PROTOCOLS / "nct06410833.toml").read_text(encoding="utf-8")


def changed(text: str, old: str, new: str) -> str:
    """The file with one line, or the first line that begins so, replaced."""
    assert old in text
    line = next(each for each in text.splitlines() if each.startswith(old))
    return text.replace(line, new, 1)


def study(text: str, home: Path) -> Study:
    return study_from_text(text.encode(), home / "study.toml")


def protocol(text: str, home: Path) -> Protocol:
    path = home / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return read_protocol(path)


def conduct(text: str, home: Path) -> ConductRule:
    path = home / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return read_conduct(path)


def whole(text: str, home: Path) -> None:
    """Read all of a protocol file, for what is wrong in it."""
    protocol(text, home)
    conduct(text, home)


# ------------------------------------------------------------------------------------- the study file


def test_a_study_file_as_it_is_meant(tmp_path: Path) -> None:
    read = study(STUDY, tmp_path)
    assert read.identifier == ("https://clinicaltrials.gov", "NCT06410833")
    assert read.protocol.id == "NCT06410833"
    assert read.timezone.key == "Asia/Shanghai"
    assert read.workspace == tmp_path / "work.sqlite"
    assert [(source.name, str(source.place), source.mapping.name) for source in read.sources] == [
        ("hospital", "https://hospital.example/fhir", "example-cn"),
        ("ratings", str(tmp_path / "exports/ratings"), "international"),
    ]
    assert (read.participants.source, read.participants.match) == ("hospital", "mrn")
    assert str(read.target) == "https://hospital.example/fhir"


def test_a_study_file_is_found_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    assert find(tmp_path) == find(tmp_path / "study.toml") == tmp_path / "study.toml"
    assert read_study(find(tmp_path)) == study(STUDY, tmp_path)


def test_a_folder_without_a_study_file(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"no study\.toml.*fhir-adapter init"):
        find(tmp_path)


def test_a_mapping_folder_beside_the_study_file_goes_before_one_that_ships(tmp_path: Path) -> None:
    (tmp_path / "example-cn").mkdir()
    assert study(STUDY, tmp_path).sources[0].mapping == tmp_path / "example-cn"


def test_the_digest_changes_with_the_file(tmp_path: Path) -> None:
    assert study(STUDY, tmp_path).digest == study(STUDY, tmp_path).digest
    assert study(STUDY, tmp_path).digest != study(STUDY + "# remark\n", tmp_path).digest


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("workspace", 'workspace = "x"\nplace = "y"', "study", ["'place' is not known", "workspace"]),
        ("timezone", "", "study", ["'timezone' is missing"]),
        ("timezone", 'timezone = "Asia/Peking"', "study.timezone", ["no time zone", "Asia/Shanghai"]),
        ("timezone", 'timezone = "../zone"', "study.timezone", ["is no time zone", "Asia/Shanghai"]),
        ("timezone", "timezone = 8", "study.timezone", ["of the type string"]),
        ("identifier =", 'identifier = "NCT06410833"', "study.identifier", ["NCT06410833"]),
        ("protocol", 'protocol = "nct0"', "", ["no protocol 'nct0'", "nct06410833"]),
        ("source =", 'source = "lab"', "participants.source", ["no source 'lab'", "hospital, ratings"]),
        ("source =", "", "participants", ["'source' or 'file'"]),
        ("source =", 'source = "hospital"\nfile = "p.csv"', "participants", ["'source' or 'file'"]),
        ("match", 'mach = "mrn"', "participants", ["'match' is missing"]),
        ("mapping", 'mapping = "hospital-x"', "", ["no mapping folder 'hospital-x'", "example-cn"]),
        ("name", 'name = "ratings"', "source.name", ["Two sources have one name"]),
        ("name", 'name = "The Hospital"', "source.0.name", ["The Hospital"]),
        ("server", "", "source.0", ["'server' or 'folder'"]),
        ("server", 'server = "https://a.example"\nfolder = "b"', "source.0", ["'server' or 'folder'"]),
        ("server", 'server = "ftp://hospital.example"', "source.0.server", ["ftp://hospital.example"]),
        ("token_env", 'token = "secret"', "source.0", ["'token' is not known", "token_env, token_file"]),
        ("[target]", "[goal]", "", ["'target' is missing"]),
    ],
)  # fmt: skip
def test_study_files_that_cannot_be_meant(
    tmp_path: Path, old: str, new: str, key: str, says: list[str]
) -> None:
    with pytest.raises(WrongUse) as fault:
        study(changed(STUDY, old, new), tmp_path)
    for part in says:
        assert part in str(fault.value)
    if key:
        assert fault.value.where == f"{tmp_path / 'study.toml'}: {key}"


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as fault:
        study(changed(STUDY, "token_env", 'token = "s3cr3t"'), tmp_path)
    assert "s3cr3t" not in str(fault.value)


@pytest.mark.parametrize(
    ("text", "says"), [(b"[study", "This is not TOML"), (b"title = '\xff'", "not UTF-8"), (b"", "is missing")]
)
def test_what_is_no_study_file(tmp_path: Path, text: bytes, says: str) -> None:
    with pytest.raises(StudyFileError, match=says):
        study_from_text(text, tmp_path / "study.toml")


# ------------------------------------------------------------------------------------- the protocol file


def test_the_protocol_that_ships() -> None:
    """§13: each parameter beside the sentence of the record; the defaults of §3, §6, §7."""
    read = read_protocol(shipped.PROTOCOLS / "nct06410833.toml")
    assert (read.baseline, list(read.visits)) == ("baseline", ["baseline", "week-28"])
    assert read.anchor.default == "first-rituximab"
    assert read.anchor.alternatives == ("last-rituximab", "first-belimumab")
    assert read.star is not None
    assert read.response is not None
    assert (read.star.threshold, read.star.threshold_reading.default) == (5, "at-least")
    assert (read.response.threshold, read.response.threshold_reading.default) == (3, "at-least")
    assert (read.star.igg_fall_share, read.response.marker_fall_share) == (Fraction(1, 10), Fraction(1, 4))
    assert read.star.systemic_reading.default == "clinessdai"


def test_every_sentence_of_the_record_stands_beside_its_reading() -> None:
    read = read_protocol(shipped.PROTOCOLS / "nct06410833.toml")
    rules = (
        read.essdai,
        read.esspri,
        read.schirmer,
        read.salivary_flow,
        read.hocevar,
        read.star,
        read.response,
    )
    assert all(rule is not None and rule.sentence for rule in (*rules, read.calendar))
    assert len(OUTCOMES) == 16
    assert all(rule.sentence for rule in read.visits.values())


def test_shares_are_exact() -> None:
    """§0.3: 0.15 is three twentieths, not the nearest binary number."""
    read = read_protocol(shipped.PROTOCOLS / "nct06410833.toml")
    assert read.esspri is not None
    assert read.esspri.mcii_share == Fraction(3, 20)


def test_a_reading_is_not_its_own_alternative(tmp_path: Path) -> None:
    text = PROTOCOL.replace('default = "mean"', 'default = "either-eye"')
    read = protocol(text, tmp_path)
    assert read.response is not None
    assert read.response.schirmer_reading.default == "either-eye"
    assert read.response.schirmer_reading.alternatives == ("both-eyes", "normal-stays-normal")


def test_an_outcome_that_the_trial_does_not_ask_for(tmp_path: Path) -> None:
    start, end = PROTOCOL.index("[outcomes.hocevar]"), PROTOCOL.index("[outcomes.star]")
    assert protocol(PROTOCOL[:start] + PROTOCOL[end:], tmp_path).hocevar is None


def test_the_calendar_ends_with_the_last_visit(tmp_path: Path) -> None:
    """§13: the day of week 28 stands once."""
    read = protocol(changed(PROTOCOL, "day = 196", "day = 168"), tmp_path)
    assert read.calendar is not None
    assert read.calendar.last_day == 168


BOTH = 'visits = ["baseline", "week-28"]'
STAR_VISITS = 'visits = ["week-28"]'


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("mcii = 3", "mcii = 3\nmci = 3", "outcomes.essdai", ["'mci' is not known", "mcii"]),
        ("mcii = 3", "", "outcomes.essdai", ["'mcii' is missing"]),
        ("mcii = 3", 'mcii = "3"', "outcomes.essdai.mcii", ["of the type number"]),
        ("mcii = 3", "mcii = 0", "outcomes.essdai.mcii", ["0 is not allowed", "more than 0"]),
        ("mcii_share", "mcii_share = 15", "outcomes.esspri.mcii_share", ["15 is not allowed", "at most 1"]),
        ("threshold = 5", "threshold = 10", "outcomes.star.threshold", ["10 is not allowed", "at most 9"]),
        ("threshold = 3", "threshold = 6", "outcomes.response.threshold", ["6 is not allowed", "at most 5"]),
        (
            'default = "at-least"', 'default = "above"', "outcomes.star.readings.threshold.default",
            ["'above' is not allowed", "'at-least', 'more-than'"],
        ),
        (
            'default = "clinessdai"', 'default = "sledai"', "outcomes.star.readings.systemic.default",
            ["'sledai' is not allowed", "'clinessdai', 'essdai'"],
        ),
        (
            'default = "mean"', 'default = "best-eye"', "outcomes.response.readings.schirmer.default",
            ["'best-eye' is not allowed", "'mean', 'either-eye', 'both-eyes', 'normal-stays-normal'"],
        ),
        (
            'default = "first-rituximab"', 'default = "consent"', "anchor.default",
            ["no 'consent'", "first-rituximab, last-rituximab, first-belimumab, last-belimumab"],
        ),
        (
            'alternatives = ["last-rituximab"', 'alternatives = ["first-abatacept"]', "anchor.alternatives",
            ["no 'first-abatacept'", "first-rituximab"],
        ),
        (
            "drugs = [", 'drugs = ["rituximab", "benlysta"]', "protocol.drugs",
            ["no 'benlysta'", "belimumab"],
        ),
        (
            "drugs = [", 'drugs = ["rituximab"]', "anchor.alternatives",
            ["no 'first-belimumab'", "first-rituximab, last-rituximab"],
        ),
        ('endpoint = "week-28"', 'endpoint = "week-82"', "protocol.endpoint", ["no 'week-82'", "week-28"]),
        ('[visits.week-28]', "[visits.baseline.x]", "visits", ["Only 1 stands here", "At least 2 must"]),
        # A baseline is no endpoint.
        ('endpoint = "week-28"', 'endpoint = "baseline"', "protocol.endpoint", ["no 'baseline'", "week-28"]),
        (
            'endpoint = "week-28"', "", "protocol",
            ["'endpoint' is missing", "Add it: the visit that answers the trial's question"],
        ),
        (
            "[outcomes.essdai]",
            '[visits.week-12]\nsentence = "Week 12"\nday = 84\nbefore = 7\nafter = 7\n\n[outcomes.essdai]',
            "visits.week-12", ["No outcome knows this visit", "take it out"],
        ),
        ("after = 14", "after = -15", "visits.week-28.after", ["-15 is not allowed"]),
        (
            'alternatives = ["essdai"]', 'alternatives = ["sledai"]',
            "outcomes.star.readings.systemic.alternatives.0", ["'sledai' is not allowed", "'essdai'"],
        ),
        (BOTH, 'visits = ["week-24"]', "outcomes.essdai.visits", ["no visit 'week-24'", "baseline, week-28"]),
        (BOTH, STAR_VISITS, "outcomes.essdai.visits", ["The baseline is missing", "'baseline'"]),
        (BOTH, 'visits = ["baseline"]', "outcomes.essdai.visits", ["STAR needs essdai at week-28"]),
        (STAR_VISITS, BOTH, "outcomes.star.visits", ["'baseline' is the baseline"]),
        (BOTH, "visits = []", "outcomes.essdai.visits", ["non-empty"]),
        ("before = 14", "before = -1", "visits.week-28.before", ["-1 is not allowed", "at least 0"]),
        ("day = 196", "", "visits.week-28", ["'day' is missing"]),
        ("after = 28", "", "calendar.upkeep", ["'after' is missing"]),
        ("least = 2", "least = 5", "calendar.course", ["ends before it begins", "least = 5", "most = 4"]),
        ('drug = "belimumab"', 'drug = "benlysta"', "calendar.upkeep.drug", ["no 'benlysta'", "belimumab"]),
        ("percent_below", "percent = 1", "depletion", ["'percent_below' is missing"]),
        ("recent_days", "recent_days = 1\nrecent = 1", "derived.biological", ["'recent' is not known"]),
        ("rituximab = {", "rituximab = { mg = 700 }", "usual_dose.amounts.rituximab", ["'mg' is not known"]),
        (
            "rituximab = {", "rituximab = {}", "usual_dose.amounts.rituximab",
            ["Exactly one of 'mg_per_m2' or 'mg_per_kg'"],
        ),
        ("day_0", 'day_0 = "infusion"', "eligibility.day_0", ["no 'infusion'", "rituximab"]),
        # A drug that is known, but none of the trial's own: no dose of it would ever be read.
        ("day_0", 'day_0 = "abatacept"', "eligibility.day_0", ["no 'abatacept'", "rituximab, belimumab"]),
        (
            "rituximab = {", "abatacept = { mg_per_kg = 10 }", "usual_dose.amounts",
            ["no 'abatacept'", "rituximab, belimumab"],
        ),
        (
            "study_drugs = [", 'study_drugs = ["abatacept"]', "eligibility.biologics.study_drugs",
            ["no 'abatacept'", "rituximab, belimumab"],
        ),
        ("[eligibility.kidney]", "[eligibility.kidneys]", "eligibility", ["'kidneys' is not known"]),
        ("youngest = 5", "youngest = 19", "eligibility.age", ["youngest = 19 lies above oldest = 18"]),
        ("oldest = 18", 'oldest = "adult"', "eligibility.age.oldest", ["of the type integer"]),
        ('code = "I2"', 'code = "I1"', "eligibility", ["Two criteria have the code 'I1'"]),
        ('code = "I2"', 'code = "§2"', "eligibility.criteria.code", ["'§2' is not allowed", "a short name"]),
        (
            'default = "completed-years"', 'default = "in-years"', "eligibility.age.readings.age.default",
            ["'in-years' is not allowed", "'completed-years', 'before-birthday'"],
        ),
        (
            'alternatives = ["bedside-schwartz"', 'alternatives = ["ckd-epi"]',
            "eligibility.kidney.readings.formula.alternatives.0", ["'ckd-epi' is not allowed", "'ckid-u25'"],
        ),
        (
            "categories", 'categories = ["japan-2020"]', "eligibility.criteria.categories",
            ["no 'japan-2020'", "japan-2018-definite"],
        ),
        (
            'statement = "other-trial"', 'statement = "other-study"', "eligibility.other_trial.statement",
            ["no 'other-study'", "other-trial"],
        ),
        ('codes = ["C00', 'codes = ["C97-C00"]', "eligibility.malignancy.codes", ["C97 lies above C00"]),
        (
            'codes = ["C00', 'codes = ["cancer"]', "eligibility.malignancy.codes.0",
            ["'cancer' is not allowed", "ICD-10", "C00-C97"],
        ),
        (
            'washout = "rituximab"', 'washout = "prednisone"', "eligibility.biologics.washout",
            ["no 'prednisone'", "rituximab"],
        ),
        ('drugs = ["rituximab", "belimumab"]  # consent', 'drugs = ["benlysta"]', "eligibility.consent.drugs",
            ["no 'benlysta'", "belimumab"],
        ),
        ("least = { igg", "least = { igx = 4 }", "eligibility.immunoglobulins.least", ["no 'igx'", "igg"]),
        ("levels = {", "levels = { joints = 2 }", "eligibility.activity.levels", ["no 'joints'"]),
        ("levels = {", "levels = { renal = 4 }", "eligibility.activity.levels.renal", ["4 is not allowed"]),
        ("days = 60", "days = -60", "eligibility.stay.days", ["-60 is not allowed", "at least 0"]),
        (
            'perhaps_infections = [', 'perhaps_infections = ["K52.9-K52.1"]',
            "eligibility.stay.perhaps_infections", ["K52.9 lies above K52.1"],
        ),
        (
            "perhaps_infections", "", "eligibility.stay",
            ["'perhaps_infections' is missing", "Add it: reasons that may be an infection or not"],
        ),
        ("igg_low_from = 16", "igg_low_from = 21", "derived.biological", ["igg_low_from = 21", "above"]),
        ("low_below = 1.5", "", "derived.haematological.neutrophils", ["'low_below' is missing"]),
        ("[egfr]", "[egrf]", "", ["'egrf' is not known", "egfr"]),
        ("threshold = 5", "threshold = 0", "outcomes.star.threshold", ["0 is not allowed", "at least 1"]),
        ("threshold = 3", "threshold = 0", "outcomes.response.threshold", ["0 is not allowed", "at least 1"]),
        ('id = "NCT06410833"', "", "protocol", ["'id' is missing"]),
        ("[outcomes.esspri]", "[outcomes.cress]", "outcomes", ["'cress' is not known", "esspri"]),
    ],
)  # fmt: skip
def test_protocol_files_that_cannot_be_meant(
    tmp_path: Path, old: str, new: str, key: str, says: list[str]
) -> None:
    with pytest.raises(StudyFileError) as fault:
        whole(changed(PROTOCOL, old, new), tmp_path)
    for part in says:
        assert part in str(fault.value)
    assert fault.value.where == str(tmp_path / "protocol.toml") + (f": {key}" if key else "")


@pytest.mark.parametrize(
    ("first", "after"),
    [
        ("[depletion]", "[usual_dose]"),
        ("[eligibility]", "[egfr]"),
        ("[eligibility.kidney]", "[eligibility.inf"),
    ],
)
def test_a_part_of_conduct_that_the_trial_does_not_have(tmp_path: Path, first: str, after: str) -> None:
    start, end = PROTOCOL.index(first), PROTOCOL.index(after)
    read = conduct(PROTOCOL[:start] + PROTOCOL[end:], tmp_path)
    left_out = {
        "[depletion]": read.depletion,
        "[eligibility]": read.eligibility,
        "[eligibility.kidney]": read.eligibility and read.eligibility.kidney,
    }
    assert left_out[first] is None
    assert read.derived is not None


def test_a_protocol_of_outcomes_alone(tmp_path: Path) -> None:
    read = conduct(PROTOCOL[: PROTOCOL.index("[calendar]")], tmp_path)
    assert read == ConductRule(None, None, None, None, None)


@pytest.mark.parametrize(
    "code", ["C7A", "C7A.00", "M1A.0510", "C00-C7B", "D86", "M35.0", "H60.0-H60.1", "J39.0-J40"]
)
def test_codes_of_icd_10_and_its_clinical_modification(tmp_path: Path, code: str) -> None:
    read = conduct(changed(PROTOCOL, 'codes = ["C00', f'codes = ["{code}"]'), tmp_path)
    assert read.eligibility is not None
    assert read.eligibility.malignancy is not None
    assert read.eligibility.malignancy.codes == (code,)


def test_the_formulas_of_the_kidneys_need_their_ages(tmp_path: Path) -> None:
    start, end = PROTOCOL.index("[egfr]"), PROTOCOL.index("# §1.3: the limits")
    with pytest.raises(StudyFileError, match="'egfr' is missing"):
        conduct(PROTOCOL[:start] + PROTOCOL[end:], tmp_path)


def test_every_criterion_has_its_sentence() -> None:
    rule = read_conduct(shipped.PROTOCOLS / "nct06410833.toml").eligibility
    assert rule is not None
    criteria = [getattr(rule, each.name) for each in fields(rule) if each.name != "day_0"]
    assert all(each.sentence for each in criteria)
    assert [each.code for each in criteria] == [
        "I1", "I2", "I3a", "I3b", "I4", "E1", "E2", "E3", "E4", "E5a", "E5b", "E5c", "E5d", "E5e", "E6", "E7",
        "E8", "E9", "E10", "E11",
    ]  # fmt: skip


def test_star_needs_the_indices_that_it_is_made_of(tmp_path: Path) -> None:
    start, end = PROTOCOL.index("[outcomes.esspri]"), PROTOCOL.index("[outcomes.schirmer]")
    with pytest.raises(StudyFileError, match="STAR needs esspri at week-28"):
        protocol(PROTOCOL[:start] + PROTOCOL[end:], tmp_path)


# ------------------------------------------------------------------------------------- a mapping folder

SETTINGS = 'title = "A hospital"\ntimezone = "Asia/Shanghai"\n[identifiers]\nmrn = ["urn:x"]\n'


def folder(
    home: Path, settings: str = SETTINGS, concept_map: str | None = '{"resourceType": "ConceptMap"}'
) -> Path:
    (home / "settings.toml").write_text(settings, encoding="utf-8")
    if concept_map is not None:
        (home / "ConceptMap-lab.json").write_text(concept_map, encoding="utf-8")
    return home


def test_a_mapping_folder_as_it_is_meant(tmp_path: Path) -> None:
    read = read_mapping(folder(tmp_path))
    assert read.settings["title"] == "A hospital"
    assert len(read.concept_maps) == 1


@pytest.mark.parametrize("name", ["international", "example-cn"])
def test_the_folders_that_ship_are_read(name: str) -> None:
    assert read_mapping(shipped.MAPPINGS / name).concept_maps


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        (SETTINGS + "[unit]\n", "", ["'unit' is not known", "units"]),
        (SETTINGS + '[words]\nmaybe = ["x"]\n', "words", ["'maybe' is not known", "positive, negative"]),
        (SETTINGS.replace("Asia/Shanghai", "Peking"), "timezone", ["'Peking' is no time zone"]),
        ('title = "x"', "", ["'identifiers' is missing"]),
        (SETTINGS.replace('["urn:x"]', '"urn:x"'), "identifiers.mrn", ["of the type array"]),
        (SETTINGS + '[default_units]\nESR01 = "mm/h"\n', "default_units", ["ESR01"]),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant(tmp_path: Path, settings: str, key: str, says: list[str]) -> None:
    with pytest.raises(StudyFileError) as fault:
        read_mapping(folder(tmp_path, settings))
    for part in says:
        assert part in str(fault.value)
    assert fault.value.where == str(tmp_path / "settings.toml") + (f": {key}" if key else "")


@pytest.mark.parametrize(
    ("concept_map", "says"),
    [
        (None, r"no ConceptMap-\*\.json"),
        ("{", r"ConceptMap-lab\.json.*not JSON"),
        (json.dumps({"resourceType": "ValueSet"}), r"ConceptMap-lab\.json.*not a ConceptMap"),
        ("[]", r"ConceptMap-lab\.json.*not a ConceptMap"),
    ],
)
def test_concept_maps_that_cannot_be_read(tmp_path: Path, concept_map: str | None, says: str) -> None:
    with pytest.raises(StudyFileError, match=says):
        read_mapping(folder(tmp_path, concept_map=concept_map))


def test_a_folder_without_settings(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"settings\.toml.*cannot be read"):
        read_mapping(tmp_path)


def test_a_name_that_does_not_exist_is_told_apart_from_a_wrong_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        study(changed(STUDY, "mapping", 'mapping = "nowhere"'), tmp_path)
