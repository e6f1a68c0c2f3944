"""One participant's conduct, from the record and the visits."""

from __future__ import annotations

from datetime import date

from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.conduct.record import Record
from fhir_adapter.scores.assess import Assessment
from fhir_adapter.study import Study


def conduct_of(study: Study, record: Record, assessment: Assessment | None, as_of: date) -> Conduct:
    """The conduct as of a day; of somebody without an assessment no visit is looked at."""
    visits = assessment.visits if assessment else {}
    return conduct(record, visits, study.protocol, study.conduct, as_of)
