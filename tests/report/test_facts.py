"""A fact in words: days that are not known are not made up."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_adapter.report.facts import fact
from fhir_adapter.trial.history import Diagnosis, Reason, Stay, Vaccination
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


@pytest.mark.parametrize(
    ("admitted", "reasons", "said"),
    [
        (True, (), "reason not known"),
        (True, (Reason((), True),), "reason not known"),
        (True, (Reason(("J18.9",), True),), "for J18.9"),
        (True, (Reason(("J18.9",), True), Reason((), True)), "for J18.9 and a reason that is not known"),
        (
            True,
            (Reason(("S52.5", "S52.6"), True), Reason(("J18.9",), False)),
            "for S52.5 S52.6, also J18.9",
        ),
        (True, (Reason((), True), Reason(("J18.9",), False)), "reason not known, also J18.9"),
        (None, (Reason(("J18.9",), True),), "for J18.9, not known whether admitted"),
    ],
)
def test_what_a_stay_was_for(admitted: bool | None, reasons: tuple[Reason, ...], said: str) -> None:
    assert fact(Stay("S", DAY, DAY, admitted, reasons, BY)).value == said
