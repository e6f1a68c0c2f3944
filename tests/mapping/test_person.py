"""Patient → person: a birth date of a year is an interval; sex where it is one of two (§8 I1, §8.2)."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.mapping import patient
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.trial.types import QueryKind
from tests.mapping.build import Json, context, wired


def read(**more: object) -> Mapped:
    resource: Json = {
        "resourceType": "Patient",
        "id": "7",
        "birthDate": "2012-05-14",
        "gender": "female",
        **more,
    }
    return patient.read(wired(resource), context("international", resource))


@pytest.mark.parametrize(
    ("birth", "born", "query"),
    [
        ("2012-05-14", (date(2012, 5, 14), date(2012, 5, 14)), []),
        ("2012-05", (date(2012, 5, 1), date(2012, 5, 31)), [QueryKind.PARTIAL_DATE]),
        ("2012", (date(2012, 1, 1), date(2012, 12, 31)), [QueryKind.PARTIAL_DATE]),
        ("spring 2012", None, [QueryKind.NO_DATE]),
        (20120514, None, [QueryKind.NO_DATE]),
        (None, None, []),
    ],
)
def test_birth_dates(birth: object, born: tuple[date, date] | None, query: list[QueryKind]) -> None:
    mapped = read(birthDate=birth)
    assert [person.born for person in mapped.persons] == [born]
    assert [(each.item, each.kind) for each in mapped.queries] == [("birth-date", kind) for kind in query]


@pytest.mark.parametrize(
    ("gender", "sex"),
    [("female", "female"), ("male", "male"), ("other", None), ("unknown", None), (None, None), (1, None)],
)
def test_sex(gender: object, sex: str | None) -> None:
    assert [person.sex for person in read(gender=gender).persons] == [sex]
