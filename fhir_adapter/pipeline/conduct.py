"""One participant's conduct, from what was mapped."""

from __future__ import annotations

from datetime import date

from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.conduct.record import Record
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.scores.assess import Assessment
from fhir_adapter.study import Study
from fhir_adapter.trial.types import Dose, Subject
from fhir_adapter.trial.windows import settled


def conduct_of(
    study: Study,
    participant: Subject,
    found: Mapped,
    doses: tuple[Dose, ...],
    assessment: Assessment | None,
    as_of: date,
) -> Conduct:
    """The conduct as of a day; of somebody who does not count, without an assessment, no visit is looked at."""
    record = Record(
        participant,
        None,
        settled(found.measurements),
        doses,
        (),
        (),
        (),
        (),
        (),
        (),
        (),
        frozenset(("Observation", "MedicationAdministration", "QuestionnaireResponse")),
    )
    visits = assessment.visits if assessment else {}
    return conduct(record, visits, study.protocol, study.conduct, as_of)
