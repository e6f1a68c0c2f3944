"""What references point at, and which patients are one person (dossier §13)."""

from __future__ import annotations

import pytest

from fhir_adapter.mapping import reference
from fhir_adapter.mapping.patient import Patients, index
from tests.mapping.build import Json, hospital

MRN = "urn:example:mrn"


@pytest.mark.parametrize(
    ("pointer", "names"),
    [
        ({"reference": "Patient/7"}, ["Patient/7"]),
        ({"reference": "Patient/7/_history/3"}, ["Patient/7"]),
        ({"reference": "https://hospital.example/fhir/Patient/7"}, ["Patient/7"]),
        ({"reference": "https://hospital.example/fhir/Patient/7/_history/3"}, ["Patient/7"]),
        ({"reference": "urn:uuid:0c3c0d9a-1"}, ["urn:uuid:0c3c0d9a-1"]),
        ({"reference": "#p"}, ["#p"]),
        ({"identifier": {"system": MRN, "value": "7"}}, [f"{MRN}|7"]),
        ({"reference": "Patient/7", "identifier": {"system": MRN, "value": "9"}}, ["Patient/7", f"{MRN}|9"]),
        ({"identifier": {"system": MRN}}, []),
        ({"display": "someone"}, []),
        ({}, []),
        (None, []),
        ("Patient/7", []),
    ],
)
def test_names_of_a_reference(pointer: object, names: list[str]) -> None:
    assert reference.names(pointer) == names


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://a.example/fhir/Observation/1/_history/2", "https://a.example/fhir"),
        ("https://a.example/fhir/Observation/1", "https://a.example/fhir"),
        ("urn:fhir-adapter:hospital:Observation/1/_history/2", None),
        ("urn:uuid:0c3c0d9a-1", None),
        ("Observation/1", None),
        ("", None),
    ],
)
def test_the_server_of_an_address(url: str, base: str | None) -> None:
    assert reference.base_of(url) == base


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("Patient/7", "Patient/7"),
        ("https://a.example/fhir/Patient/7/_history/3", "Patient/7"),
        ("https://b.example/fhir/Patient/7", "https://b.example/fhir/Patient/7"),
        ("https://b.example/fhir/Patient/7/_history/3", "https://b.example/fhir/Patient/7"),
        ("urn:uuid:0c3c0d9a-1", "urn:uuid:0c3c0d9a-1"),
    ],
)
def test_an_absolute_reference_to_another_server_is_not_the_source_s_own(pointer: str, name: str) -> None:
    assert reference.names({"reference": pointer}, "https://a.example/fhir") == [name]


def test_what_came_from_a_server_goes_by_its_address_there() -> None:
    found = indexed(patient("7"), url="https://b.example/fhir/Patient/7/_history/3")
    assert found.find({"reference": "https://b.example/fhir/Patient/7"}, "https://a.example/fhir") == "7"
    assert found.find({"reference": "https://c.example/fhir/Patient/7"}, "https://a.example/fhir") is None


def patient(id: str, *, replaced_by: str = "", mrn: str = "") -> Json:
    made: Json = {"resourceType": "Patient", "id": id}
    if replaced_by:
        made["link"] = [{"type": "replaced-by", "other": {"reference": replaced_by}}]
    if mrn:
        made["identifier"] = [{"system": MRN, "value": mrn}]
    return made


def indexed(*patients: Json, url: str = "") -> Patients:
    return index([(each, url) for each in patients], hospital("international"), "mrn")


@pytest.mark.parametrize(
    "pointer",
    [
        {"reference": "Patient/7"},
        {"reference": "https://hospital.example/fhir/Patient/7"},
        {"reference": "urn:uuid:0c3c0d9a-1"},
        {"identifier": {"system": MRN, "value": "M7"}},
    ],
)
def test_a_patient_is_found_by_every_kind_of_reference(pointer: Json) -> None:
    assert indexed(patient("7", mrn="M7"), url="urn:uuid:0c3c0d9a-1").find(pointer) == "7"


def test_a_patient_who_is_not_there_is_not_found() -> None:
    assert indexed(patient("7")).find({"reference": "Patient/8"}) is None


@pytest.mark.parametrize(
    ("patients", "survivors", "why"),
    [
        ([patient("7")], {"7": "7"}, "no merge"),
        ([patient("7", replaced_by="Patient/8"), patient("8")], {"7": "8", "8": "8"}, "merged"),
        (
            [patient("7", replaced_by="Patient/8"), patient("8", replaced_by="Patient/9"), patient("9")],
            {"7": "9", "8": "9", "9": "9"},
            "merged twice",
        ),
        (
            [patient("7", replaced_by="https://hospital.example/fhir/Patient/8"), patient("8")],
            {"7": "8", "8": "8"},
            "absolute",
        ),
        ([patient("7", replaced_by="Patient/99")], {"7": "7"}, "the survivor was not received"),
        (
            [patient("7", replaced_by="Patient/8"), patient("8", replaced_by="Patient/7")],
            {"7": "7", "8": "7"},
            "a circle is one person, who goes by the smallest id",
        ),
        (
            [
                patient("6", replaced_by="Patient/9"),
                patient("9", replaced_by="Patient/8"),
                patient("8", replaced_by="Patient/9"),
            ],
            {"6": "8", "8": "8", "9": "8"},
            "whoever leads into a circle belongs to it",
        ),
        ([patient("7", replaced_by="Patient/7")], {"7": "7"}, "itself"),
    ],
)
def test_merged_patients_are_followed_to_the_survivor(
    patients: list[Json], survivors: dict[str, str], why: str
) -> None:
    """§13."""
    for order in (patients, patients[::-1]):
        found = indexed(*order)
        assert {id: found.find({"reference": f"Patient/{id}"}) for id in survivors} == survivors, why


def test_both_ids_of_a_merged_patient_are_kept() -> None:
    """§13: both ids are named in the provenance, the surviving one first."""
    found = indexed(patient("1", replaced_by="Patient/8", mrn="M1"), patient("8", mrn="M8"))
    assert found.merged == {"8": ("8", "1")}
    assert found.match_of == {"8": frozenset({"M1", "M8"})}
    assert (found.by_match["M1"], found.by_match["M8"]) == (("8",), ("8",))


def test_two_patients_with_one_matching_identifier_are_both_named() -> None:
    assert indexed(patient("7", mrn="M"), patient("8", mrn="M")).by_match["M"] == ("7", "8")


def test_an_identifier_of_another_system_matches_nothing() -> None:
    other: Json = {"resourceType": "Patient", "id": "7", "identifier": [{"system": "urn:x", "value": "M7"}]}
    assert indexed(other).by_match == {}
