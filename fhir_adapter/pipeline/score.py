"""Score: what the workspace holds → outcomes and data queries. Nothing is fetched, nothing is sent."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from fhir_adapter.conduct.outcomes import with_conduct
from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.conduct.queries import queries as queries_of_conduct
from fhir_adapter.errors import Finding
from fhir_adapter.exchange.resource import decode
from fhir_adapter.mapping import (
    condition,
    consent,
    diagnostic_report,
    encounter,
    immunization,
    medication_administration,
    medication_request,
    medication_statement,
    observation,
    outcome,
    patient,
    procedure,
    questionnaire_response,
)
from fhir_adapter.mapping import reference as refer
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.head import Sieve, subject_of
from fhir_adapter.mapping.hospital import Code, Hospital
from fhir_adapter.pipeline.participants import Roster
from fhir_adapter.pipeline.pull import CLINICAL, history_of, present_roster
from fhir_adapter.pipeline.records import questions, received, record
from fhir_adapter.scores.assess import Assessment, assess
from fhir_adapter.study import Place, Study
from fhir_adapter.trial.doses import one_a_day
from fhir_adapter.trial.items import ITEMS, OutcomeCode
from fhir_adapter.trial.types import Dose, Outcome, Query, QueryKind, Subject
from fhir_adapter.trial.windows import first_day
from fhir_adapter.workspace import Stored, StoredOutcome, Workspace


@dataclass(frozen=True, slots=True)
class UnknownCodes:
    """A code that no mapping knows, the type of the resources with it, and how often a source sent it for
    participants.
    """

    source: str
    type: str
    code: Code
    count: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of scoring: participants, their assessments, the queries by id, and what is unknown.

    ``conduct`` is that of everybody on the list, also of those who do not count or not yet.
    """

    subjects: Mapping[str, Subject]
    assessments: Mapping[str, Assessment]
    conduct: Mapping[str, Conduct]
    doses: Mapping[str, tuple[Dose, ...]]
    queries: Mapping[str, Query]
    unknown_codes: tuple[UnknownCodes, ...]
    findings: tuple[Finding, ...]
    documents: tuple[StoredOutcome, ...]

    def outcomes(self, code: OutcomeCode, visit: str) -> dict[str, Outcome]:
        """One outcome of every participant who has it."""
        return {
            subject: each
            for subject, assessment in self.assessments.items()
            for each in assessment.outcomes
            if (each.code, each.visit) == (code, visit)
        }

    def dosed(self, subject: str) -> bool:
        """Whether the participant received a dose of a study drug (§13: only they count in a rate)."""
        return subject in self.assessments and self.assessments[subject].dosed


def score(study: Study, hospitals: dict[str, Hospital], workspace: Workspace, as_of: date) -> Scored:
    """Everything that the protocol asks for, of every participant, as of a day."""
    roster = present_roster(study, hospitals, workspace)
    mapped: dict[str, Mapped] = defaultdict(Mapped)
    unknown: list[UnknownCodes] = []
    for spec in study.sources:
        reader = Reader(study, spec.name, hospitals[spec.name], roster, workspace)
        for subject, found in reader.read_all():
            mapped[subject].add(found)
        unknown += (
            UnknownCodes(spec.name, type, code, count) for (type, code), count in reader.unknown.items()
        )
    assessments: dict[str, Assessment] = {}
    conducted: dict[str, Conduct] = {}
    doses: dict[str, tuple[Dose, ...]] = {}
    queries = list(roster.queries)
    pulled = received(study, workspace, roster.subjects)
    for id, participant in roster.subjects.items():
        found = mapped[id]
        doses[id] = one_a_day(found.doses)
        if participant.status in study.protocol.counting_statuses:
            assessments[id] = assess(participant, found.measurements, doses[id], study.protocol, as_of)
            queries += _queries_of(assessments[id])
            queries += (_at_visit(query, assessments[id]) for query in found.queries)
        else:
            queries += found.queries
        known = record(study, participant, found, doses[id], pulled[id])
        queries += questions(known, found)
        visits = assessments[id].visits if id in assessments else {}
        conducted[id] = conduct(known, visits, study.protocol, study.conduct, as_of)
        queries += queries_of_conduct(conducted[id])
        if id in assessments:
            outcomes = with_conduct(assessments[id].outcomes, conducted[id], study.conduct.eligibility)
            assessments[id] = replace(assessments[id], outcomes=outcomes)
    target = _target(study, hospitals, roster)
    documents = tuple(
        _stored(each, target) for assessment in assessments.values() for each in assessment.outcomes
    )
    return Scored(
        roster.subjects,
        assessments,
        conducted,
        doses,
        _by_id(queries),
        tuple(sorted(unknown, key=lambda each: (each.source, each.type, each.code))),
        roster.findings,
        documents,
    )


class Reader:
    """Reads the resources of one source that the workspace holds, each for its participant.

    ``unknown`` counts the codes that no mapping knows, by the type of the resource, as they are read.
    """

    def __init__(
        self, study: Study, source: str, hospital: Hospital, roster: Roster, workspace: Workspace
    ) -> None:
        self.study, self.source, self.hospital = study, source, hospital
        self.roster, self.workspace = roster, workspace
        self.dosed = frozenset((*study.protocol.drugs, "immunoglobulin"))
        self.unknown: Counter[tuple[str, Code]] = Counter()
        self.medications = self._named("Medication")
        self.conditions = self._named("Condition")

    def _named(self, type: str) -> dict[str, Mapping[str, Any]]:
        """The resources of a type that others refer to, by each of their names."""
        found: dict[str, Mapping[str, Any]] = {}
        for stored in self.workspace.current(self.source, type):
            document = decode(stored.body)
            found.update(dict.fromkeys(refer.own_names(document, stored.origin.url), document))
        return found

    def read_all(self) -> Iterator[tuple[str, Mapped]]:
        """What each resource says, with the participant whom it speaks of."""
        sieve = Sieve(self.hospital)
        yield from self._persons()
        for type in (*CLINICAL, *history_of(self.study)):
            for stored in self.workspace.current(self.source, type):
                base = refer.base_of(stored.origin.url)
                unasked = sieve.unasked(stored.body, base) if type == "Observation" else None
                if unasked is None:
                    document = decode(stored.body)
                    subject = self.roster.of(self.source, refer.names(subject_of(document), base))
                    if subject is not None:
                        found = self.read(document, stored, subject)
                        self.unknown.update((type, code) for code in found.unknown_codes)
                        yield subject, found
                elif unasked.unknown_codes:
                    subject = self.roster.of(self.source, unasked.subject)
                    if subject is not None:
                        self.unknown.update((type, code) for code in unasked.unknown_codes)
                        yield subject, Mapped(unknown_codes=list(unasked.unknown_codes))

    def _persons(self) -> Iterator[tuple[str, Mapped]]:
        """Who the participants are; of merged records the surviving one says it."""
        surviving = self.roster.patients[self.source].merged
        for stored in self.workspace.current(self.source, "Patient"):
            subject = self.roster.by_patient.get((self.source, stored.origin.id))
            if subject is not None and stored.origin.id in surviving:
                yield subject, self.read(decode(stored.body), stored, subject)

    def read(self, document: Mapping[str, Any], stored: Stored, subject: str) -> Mapped:
        """What one resource says."""
        context = Context(subject, stored.origin, self.hospital, self.study.timezone, self.dosed)
        medications, conditions = self.medications, self.conditions
        match stored.origin.type:
            case "Observation":
                return observation.read(document, context)
            case "QuestionnaireResponse":
                return questionnaire_response.read(document, context)
            case "MedicationAdministration":
                return medication_administration.read(document, medications, context)
            case "MedicationRequest":
                return medication_request.read(document, medications, conditions, context)
            case "MedicationStatement":
                return medication_statement.read(document, medications, conditions, context)
            case "Encounter":
                return encounter.read(document, conditions, context)
            case type:
                return _READERS[type](document, context)


_READERS: Mapping[str, Callable[[Mapping[str, Any], Context], Mapped]] = {
    "Patient": patient.read,
    "Condition": condition.read,
    "Immunization": immunization.read,
    "Consent": consent.read,
    "DiagnosticReport": diagnostic_report.read,
    "Procedure": procedure.read,
}


def _queries_of(assessment: Assessment) -> Iterator[Query]:
    """The queries that arise only when the data of a participant stand side by side."""
    for measurement in assessment.conflicts:
        query = Query(
            measurement.subject,
            "",
            measurement.item,
            QueryKind.CONFLICT,
            f"{ITEMS[measurement.item].display}: different values stand at one time; correct one of them.",
            tuple(measurement.sent.split(" | ")),
            measurement.origins,
            measurement.at,
        )
        yield _at_visit(query, assessment)
    for each in assessment.outcomes:
        if "total-disagrees" in each.flags:
            total = assessment.visits[each.visit].chosen["hocevar-total"]
            yield Query(
                each.subject,
                each.visit,
                "hocevar-total",
                QueryKind.TOTAL_DISAGREES,
                "The recorded total is not the sum of the 20 grades; the sum is used.",
                (total.sent, str(each.number)),
                total.origins,
            )
        if "no-consent-date" in each.flags:
            text = "No day of consent is known; the first dose of all is taken for Day 0."
            yield Query(each.subject, "", "", QueryKind.NO_CONSENT_DATE, text)


def _at_visit(query: Query, assessment: Assessment) -> Query:
    """The query with the visit in whose window its values lie, if any."""
    if query.at is None:
        return query
    for name, evidence in assessment.visits.items():
        window = evidence.window
        if window and first_day(window, query.item) <= query.at.first and query.at.last <= window.last:
            return replace(query, visit=name)
    return query


def _by_id(queries: Iterable[Query]) -> dict[str, Query]:
    """The queries by their stable ids; several of one kind about one item at one visit are one."""
    groups: dict[tuple[str, str, str, str], list[Query]] = defaultdict(list)
    for query in queries:
        groups[query.key].append(query)
    merged = {}
    for key, group in sorted(groups.items()):
        origins = tuple(sorted({origin for each in group for origin in each.origins}))
        values = tuple(sorted({value for each in group for value in each.values}))
        id = "Q-" + hashlib.sha256("|".join(key).encode()).hexdigest()[:10]
        merged[id] = replace(group[0], origins=origins, values=values)
    return merged


def _target(study: Study, hospitals: dict[str, Hospital], roster: Roster) -> outcome.Target:
    """How the outcomes refer to each participant's Patient on the place that they are written to.

    Where that place is one of the sources, by its own id; elsewhere by the matching identifier.
    """
    same = next((spec.name for spec in study.sources if _alike(spec.place, study.target)), None)
    match = study.participants.match
    speaking = study.participants.source or study.sources[0].name
    systems = sorted(hospitals[speaking].identifiers[match])
    patients: dict[str, dict[str, Any]] = {}
    for id, subject in roster.subjects.items():
        ids = subject.patients.get(same, ()) if same else ()
        values = sorted(roster.match_of.get(id, ()))
        known = roster.patients[speaking].by_name
        pairs = [(system, value) for system in systems for value in values]
        # The pair that a patient really has; in a CSV list only the value stands.
        pair = next((pair for pair in pairs if "|".join(pair) in known), next(iter(pairs), None))
        if ids:
            patients[id] = {"reference": f"Patient/{ids[0]}"}
        elif pair:
            patients[id] = {"type": "Patient", "identifier": {"system": pair[0], "value": pair[1]}}
        else:
            system = study.participants.identifier_system
            patients[id] = {"type": "Patient", "identifier": {"system": system, "value": id}}
    return outcome.Target(study.identifier, study.participants.identifier_system, patients)


def _alike(place: Place, other: Place) -> bool:
    """Whether two places are the same server or folder, with or without a slash at the end."""
    if place.server is None or other.server is None:
        return place.folder == other.folder
    return place.server.rstrip("/") == other.server.rstrip("/")


def _stored(each: Outcome, target: outcome.Target) -> StoredOutcome:
    document, digest = outcome.written(each, target)
    return StoredOutcome(document["id"], each.subject, each.visit, each.code, digest, document, each.origins)
