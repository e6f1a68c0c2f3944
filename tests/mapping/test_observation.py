"""Observation → measurements: statuses, sides, components, corrections, questions (dossier §13, §14)."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.mapping import observation
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.types import Measurement, Problem, QueryKind, Rating
from fhir_adapter.trial.values import Interval
from fhir_adapter.trial.windows import settled
from tests.mapping.build import LAB, LOINC, SCT, Json, coded, context, observed, quantity, wired
from tests.scores.build import interval

INTERNATIONAL, CHINA = "international", "example-cn"
IGG = coded(LOINC, "2465-3")
GRAMS = quantity("18.5", "g/L")


def read(resource: Json, folder: str = INTERNATIONAL) -> Mapped:
    return observation.read(wired(resource), context(folder, resource))


def one(resource: Json, folder: str = INTERNATIONAL) -> Measurement:
    (found,) = read(resource, folder).measurements
    return found


def asked(mapped: Mapped) -> list[tuple[str, QueryKind]]:
    return [(query.item, query.kind) for query in mapped.queries]


def test_a_measurement_carries_where_it_came_from() -> None:
    found = one(observed(IGG, quantity(1850, "mg/dL")))
    assert (found.subject, found.item, found.value, found.unit) == (
        "JSS-01",
        "igg",
        interval("18.5"),
        "mg/dL",
    )
    assert found.sent == "1850 mg/dL"
    assert [(each.type, each.id, each.version) for each in found.origins] == [("Observation", "o1", "1")]
    assert found.at.first == date(2024, 4, 1)


@pytest.mark.parametrize(
    ("status", "counts", "query", "corrects"),
    [
        ("final", True, None, False),
        ("amended", True, None, True),
        ("corrected", True, None, True),
        ("preliminary", False, QueryKind.NOT_FINAL, False),
        ("registered", False, QueryKind.NOT_FINAL, False),
        ("unknown", False, QueryKind.NOT_FINAL, False),
        ("cancelled", False, None, False),
        ("entered-in-error", False, None, False),
    ],
)
def test_statuses(status: str, counts: bool, query: QueryKind | None, corrects: bool) -> None:
    """§13: preliminary, registered and unknown are reported; cancelled and entered-in-error never were."""
    mapped = read(observed(IGG, GRAMS, status=status))
    assert [each.corrects for each in mapped.measurements] == ([corrects] if counts else [])
    assert asked(mapped) == ([("igg", query)] if query else [])


def test_a_result_without_a_status_does_not_count() -> None:
    resource = observed(IGG, GRAMS)
    del resource["status"]
    assert asked(read(resource)) == [("igg", QueryKind.NOT_FINAL)]


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (quantity("18.5"), QueryKind.NO_UNIT, Problem.NO_UNIT),
        (quantity("18.5", "IU/mL"), QueryKind.UNKNOWN_UNIT, Problem.UNKNOWN_UNIT),
        (quantity(1850, "g/L"), QueryKind.IMPLAUSIBLE, Problem.IMPLAUSIBLE),
        ({"valueString": "?"}, QueryKind.UNREADABLE, Problem.UNREADABLE),
    ],
)
def test_a_refused_value_is_kept_and_asked_about(value: Json, kind: QueryKind, problem: Problem) -> None:
    """§14.19: it stands, without a value, so that it is not replaced by the next one."""
    mapped = read(observed(IGG, value))
    assert [(each.value, each.problem) for each in mapped.measurements] == [(None, problem)]
    assert asked(mapped) == [("igg", kind)]
    assert mapped.queries[0].at == mapped.measurements[0].at
    assert mapped.queries[0].values == (mapped.measurements[0].sent,)


def test_a_reason_for_no_value_is_no_question() -> None:
    mapped = read(observed(IGG, {"dataAbsentReason": coded("urn:x", "not-performed")}))
    assert [each.problem for each in mapped.measurements] == [Problem.ABSENT]
    assert mapped.queries == []


def test_an_invalid_level_is_asked_about() -> None:
    """§13, §14.20."""
    mapped = read(observed("essdai-cns", {"valueInteger": 1}))
    assert isinstance(mapped.measurements[0], Rating)
    assert asked(mapped) == [("essdai-cns", QueryKind.INVALID_LEVEL)]


@pytest.mark.parametrize(
    ("folder", "code", "unknown"),
    [
        (INTERNATIONAL, coded(LOINC, "99999-9"), [(LOINC, "99999-9")]),
        (CHINA, coded(LAB, "XJ9907"), [(LAB, "XJ9907")]),
        (CHINA, coded(LAB, "ALT01"), []),
    ],
)
def test_only_unknown_codes_are_findings(folder: str, code: Json, unknown: list[tuple[str, str]]) -> None:
    """§13: mapped, known and not used, unknown."""
    mapped = read(observed(code, GRAMS), folder)
    assert (mapped.measurements, mapped.queries, mapped.unknown_codes) == ([], [], unknown)


def test_codes_that_disagree_are_asked_about() -> None:
    assert asked(read(observed(coded(LAB, "IGG01", "IGA01"), GRAMS), CHINA)) == [
        ("", QueryKind.AMBIGUOUS_CODE)
    ]


# ------------------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("folder", "when", "day", "query"),
    [
        (INTERNATIONAL, "2024-04-01T16:30:00Z", date(2024, 4, 2), None),
        (CHINA, "2024-04-01T23:30:00", date(2024, 4, 1), None),
        (INTERNATIONAL, "2024-04-01T23:30:00", None, QueryKind.NO_TIME_ZONE),
        (INTERNATIONAL, "soon", None, QueryKind.NO_DATE),
        (INTERNATIONAL, None, None, QueryKind.NO_DATE),
    ],
)
def test_times(folder: str, when: str | None, day: date | None, query: QueryKind | None) -> None:
    code = coded(LAB, "IGG01") if folder == CHINA else IGG
    mapped = read(observed(code, GRAMS, effectiveDateTime=when), folder)
    assert [each.at.first for each in mapped.measurements] == ([day] if day else [])
    assert asked(mapped) == ([("igg", query)] if query else [])


# ------------------------------------------------------------------------------------------ sides


@pytest.mark.parametrize(
    ("folder", "code", "site", "item"),
    [
        (INTERNATIONAL, "schirmer", coded(SCT, "18944008"), "schirmer-right"),
        (INTERNATIONAL, "schirmer", coded(SCT, "8966001"), "schirmer-left"),
        (CHINA, coded(LAB, "SCH01"), coded("urn:example-cn:site", "OD"), "schirmer-right"),
        (CHINA, coded(LAB, "SCH01"), coded("", text="左眼"), "schirmer-left"),
        (CHINA, coded(LAB, "SCHR1"), None, "schirmer-right"),
        (CHINA, coded(LAB, "SCH01"), None, None),
        (CHINA, coded(LAB, "SCH01"), coded("", text="双眼"), None),
        (CHINA, coded(LAB, "SCH01"), coded("urn:example-cn:site", "PR"), None),
    ],
)
def test_the_body_site_says_the_side(
    folder: str, code: Json | str, site: Json | None, item: str | None
) -> None:
    """§13: eyes are SNOMED CT 18944008 (right) and 8966001 (left); without a side nothing is guessed."""
    more = {"bodySite": site} if site else {}
    mapped = read(observed(code, quantity(8, "mm"), **more), folder)
    assert [each.item for each in mapped.measurements] == ([item] if item else [])
    assert asked(mapped) == ([] if item else [("schirmer", QueryKind.NO_BODY_SITE)])


def test_the_gland_of_a_grade() -> None:
    site = coded("urn:example-cn:site", "SL")
    found = one(observed(coded(LAB, "HOC04"), {"valueInteger": 1}, bodySite=site), CHINA)
    assert found.item == "hocevar-submandibular-left-hyperechogenic"


# ------------------------------------------------------------------------------------------ components


def test_each_component_is_a_result() -> None:
    panel = observed(
        coded(LOINC, "99999-9"),
        {},
        component=[
            {"code": IGG, **GRAMS, "referenceRange": [{"high": {"value": 16, "unit": "g/L"}}]},
            {"code": coded(LOINC, "2458-8"), **quantity("2.1", "g/L")},
            {"code": coded(LOINC, "2472-9"), "dataAbsentReason": coded("urn:x", "error")},
        ],
    )
    mapped = read(panel)
    assert [(each.item, each.value, each.problem) for each in mapped.measurements] == [
        ("igg", interval("18.5"), None),
        ("iga", interval("2.1"), None),
        ("igm", None, Problem.ABSENT),
    ]
    assert mapped.measurements[0].normal == Interval(None, interval(16).high)
    assert mapped.unknown_codes == []


def test_a_value_beside_components_counts_too() -> None:
    both = observed(IGG, GRAMS, component=[{"code": coded(LOINC, "2458-8"), **quantity("2.1", "g/L")}])
    assert [each.item for each in read(both).measurements] == ["igg", "iga"]


# ------------------------------------------------------------------------------------------ ranges, words


def test_the_range_printed_with_a_result() -> None:
    """§14.22."""
    found = one(
        observed("esr", quantity(22, "mm/1h"), referenceRange=[{"high": {"value": 20, "unit": "mm/1h"}}])
    )
    assert found.normal == Interval(None, interval(20).high)


def test_a_printed_rate_takes_the_unit_of_the_settings() -> None:
    """§14.6: this laboratory prints its sedimentation rate without a unit."""
    resource = observed(coded(LAB, "ESR01"), {"valueString": "22"}, referenceRange=[{"high": {"value": 20}}])
    found = one(resource, CHINA)
    assert (found.value, found.normal) == (interval(22), Interval(None, interval(20).high))
    other = observed(coded(LAB, "IGG01"), {"valueString": "22"})
    assert one(other, CHINA).problem is Problem.NO_UNIT


def test_a_negative_word_beside_its_range() -> None:
    """§14.2: RF said to be negative."""
    resource = observed(
        coded(LAB, "RF01"), {"valueString": "阴性"}, referenceRange=[{"high": {"value": 20, "unit": "IU/ml"}}]
    )
    found = one(resource, CHINA)
    assert (found.found, found.value) == (False, Interval(interval(0).low, interval(20).high))


# ------------------------------------------------------------------------------------------ corrections


FIRST: Json = {"status": "final"}
CORRECTED: Json = {"status": "corrected", "id": "o2"}
BODY = {"reference": "BodyStructure/right-eye"}


@pytest.mark.parametrize(
    ("first", "second", "standing", "why"),
    [
        ({}, {"derivedFrom": [{"reference": "Observation/o1"}]}, 1, "derivedFrom"),
        ({}, {"derivedFrom": [{"reference": "https://hospital.example/fhir/Observation/o1"}]}, 1, "absolute"),
        ({}, {"focus": [{"reference": "Observation/o1"}]}, 1, "focus"),
        (
            {"identifier": [{"system": "urn:acc", "value": "A1"}]},
            {"derivedFrom": [{"identifier": {"system": "urn:acc", "value": "A1"}}]},
            1,
            "by identifier",
        ),
        (
            {},
            {"derivedFrom": [{"reference": "https://other.example/fhir/Observation/o1"}]},
            2,
            "of another server",
        ),
        ({"focus": [BODY]}, {"focus": [BODY]}, 2, "a shared body structure ties nothing"),
        (
            {"derivedFrom": [{"reference": "ImagingStudy/9"}]},
            {"derivedFrom": [{"reference": "ImagingStudy/9"}]},
            2,
            "a shared study ties nothing",
        ),
        ({}, {}, 2, "nothing in common"),
    ],
)
def test_a_correction_names_what_it_corrects(first: Json, second: Json, standing: int, why: str) -> None:
    """§14.4, weeks apart so that both stand unless one corrects the other."""
    results = [
        one(observed(IGG, GRAMS, **FIRST, **first)),
        one(observed(IGG, quantity(12, "g/L"), **CORRECTED, **second, effectiveDateTime="2024-10-14")),
    ]
    assert len(settled(results)["igg"]) == standing, why


@pytest.mark.parametrize(
    ("shared", "standing", "why"),
    [
        ({"identifier": [{"system": "urn:acc", "value": "A1"}]}, "12 g/L", "the same accession number"),
        ({"specimen": {"reference": "Specimen/5"}}, "12 g/L", "one specimen"),
        ({"identifier": [{"value": "1"}]}, "12 g/L | 18.5 g/L", "a number of no system says nothing"),
        ({"specimen": {"reference": "#1"}}, "12 g/L | 18.5 g/L", "each contains a specimen of its own"),
    ],
)
def test_what_a_correction_shares_with_a_result_of_that_moment(shared: Json, standing: str, why: str) -> None:
    """§14.4: where nothing ties them, the two contradict."""
    results = [
        one(observed(IGG, GRAMS, **FIRST, **shared)),
        one(observed(IGG, quantity(12, "g/L"), **CORRECTED, **shared)),
    ]
    assert [each.sent for each in settled(results)["igg"]] == [standing], why
