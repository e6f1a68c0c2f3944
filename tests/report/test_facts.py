"""A fact in words: days that are not known are not made up."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.report.facts import fact
from fhir_adapter.trial.history import Diagnosis, Vaccination
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.values import Moment, on

BY = (Origin("hospital", "Condition", "c1", "1", ""),)
DAY = date(2024, 2, 3)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (on(DAY), "2024-02-03"),
        (Moment(date(2024, 2, 1), date(2024, 2, 29)), "2024-02-01 to 2024-02-29"),
        (Moment(date.min, DAY), "on or before 2024-02-03"),
        (Moment(date.min, date.max), "on a day that is not known"),
    ],
)
def test_days_that_are_not_known(at: Moment, said: str) -> None:
    assert fact(Vaccination("S", True, at, BY)).day == said
    assert fact(Diagnosis("S", ("D80.1",), at, None, BY)).day == said
