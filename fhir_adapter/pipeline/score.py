"""Score: what the workspace holds → outcomes and data queries. Nothing is fetched, nothing is sent."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.conduct.outcomes import with_conduct
from fhir_adapter.conduct.participant import Conduct, conduct
from fhir_adapter.conduct.queries import queries as queries_of_conduct
from fhir_adapter.errors import Finding
from fhir_adapter.exchange.resource import decode
from fhir_adapter.mapping import outcome, reading
from fhir_adapter.mapping import reference as refer
from fhir_adapter.mapping.context import Context, Mapped
from fhir_adapter.mapping.head import Sieve, subject_of, whose
from fhir_adapter.mapping.hospital import NO_CODE, Code, Hospital
from fhir_adapter.pipeline import not_valid
from fhir_adapter.pipeline.participants import Roster
from fhir_adapter.pipeline.partitions import Partitions
from fhir_adapter.pipeline.pull import CLINICAL, history_of, present_roster
from fhir_adapter.pipeline.records import consent_ended, questions, received, record
from fhir_adapter.scores.assess import Assessment, assess
from fhir_adapter.study import Place, Study
from fhir_adapter.trial.doses import one_a_day
from fhir_adapter.trial.items import ITEMS, OutcomeCode
from fhir_adapter.trial.types import Dose, Outcome, Query, QueryKind, Subject
from fhir_adapter.trial.windows import first_day, settled
from fhir_adapter.workspace import WHOLE, Share, Stored, StoredOutcome, Workspace


@dataclass(frozen=True, slots=True)
class UnknownCodes:
    """A code that no mapping knows, the type of the resources with it, and how often a source sent it for
    participants.
    """

    source: str
    type: str
    code: Code
    count: int


class Scored(Struct, frozen=True, gc=False):
    """What came of scoring: participants, their assessments, the queries by id, and what is unknown.

    ``conduct`` is that of everybody on the list, also of those who do not count or not yet. A run keeps the
    scores without evidence, and neither conduct nor doses.
    """

    subjects: Mapping[str, Subject]
    assessments: Mapping[str, Assessment]
    conduct: Mapping[str, Conduct]
    doses: Mapping[str, tuple[Dose, ...]]
    queries: Mapping[str, Query]
    unknown_codes: tuple[UnknownCodes, ...]
    findings: tuple[Finding, ...]

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


_OF_CONDUCT = (OutcomeCode.CALENDAR, OutcomeCode.ELIGIBILITY)


class ScoredOne(Struct, frozen=True, gc=False):
    """What came of scoring one participant; ``assessment`` is None of who does not count."""

    subject: str
    assessment: Assessment | None
    conduct: Conduct | None
    doses: tuple[Dose, ...]
    queries: tuple[Query, ...]

    def without_evidence(self) -> ScoredOne:
        """Only what is told of a cohort: its scores, without what they rest on."""
        if self.assessment is None:
            return replace(self, conduct=None, doses=())
        scores = tuple(each.alone() for each in self.assessment.outcomes if each.code not in _OF_CONDUCT)
        bare = Assessment(scores, {}, (), self.assessment.dosed)
        return replace(self, assessment=bare, conduct=None, doses=())


class Scoring:
    """Scores the participants one after another, as of a day; memory holds a few of them at a time."""

    def __init__(
        self, study: Study, hospitals: dict[str, Hospital], workspace: Workspace, as_of: date
    ) -> None:
        self.study, self.as_of = study, as_of
        self.workspace = workspace
        self.roster = present_roster(study, hospitals, workspace)
        self.target = _target(study, hospitals, self.roster)
        self._pulled = received(study, workspace, self.roster.subjects)
        self._readers = {
            spec.name: Reader(study, spec.name, hospitals[spec.name], self.roster, workspace)
            for spec in study.sources
        }

    def participants(self, only: str | None = None) -> Iterator[ScoredOne]:
        """Everybody on the list, in its order, or one of them.

        What was received is first sorted by participant, on disk.
        """
        subjects = [id for id in self.roster.subjects if only in (None, id)]
        with TemporaryDirectory() as name:
            partitions = Partitions(Path(name), subjects)
            self.sort_into(partitions)
            for number in range(len(partitions.subjects)):
                yield from self.of_partition(partitions, number)

    def sort_into(self, partitions: Partitions, share: Share = WHOLE) -> None:
        """Put what the trial asks for, of a share of what was received, to those of its participant."""
        for reader in self._readers.values():
            for subject, stored in reader.sifted(share):
                if subject in partitions:
                    partitions.add(subject, stored)
        partitions.close()

    def of_partition(self, partitions: Partitions, number: int) -> Iterator[ScoredOne]:
        """The participants of one partition."""
        for id, resources in partitions.read(number).items():
            found = Mapped()
            for stored in resources:
                self._readers[stored.origin.source].read_into(found, stored, id)
            yield self._one(self.roster.subjects[id], found)

    def _one(self, participant: Subject, found: Mapped) -> ScoredOne:
        study = self.study
        ended = consent_ended(study, found.agreements)
        if ended is not None and ended <= min(participant.withdrawn or self.as_of, self.as_of):
            participant = replace(participant, withdrawn=ended)
        doses, queries = one_a_day(found.doses), list[Query]()
        measurements = settled(found.measurements, participant.until(self.as_of))
        assessment = None
        if participant.status in study.protocol.counting_statuses:
            assessment = assess(participant, measurements, doses, study.protocol, self.as_of)
            queries += _queries_of(assessment)
            queries += (_at_visit(query, assessment) for query in found.queries)
        else:
            queries += found.queries
        known = record(study, participant, found, measurements, doses, self._pulled[participant.id])
        queries += questions(known, found)
        visits = assessment.visits if assessment else {}
        conducted = conduct(known, visits, study.protocol, study.conduct, self.as_of)
        queries += queries_of_conduct(conducted)
        if assessment is not None:
            outcomes = with_conduct(assessment.outcomes, conducted, study.conduct.eligibility)
            assessment = replace(assessment, outcomes=outcomes)
        return ScoredOne(participant.id, assessment, conducted, doses, tuple(queries))

    def documents(self, one: ScoredOne) -> Iterator[StoredOutcome]:
        """The outcomes of a participant as they are written."""
        for each in one.assessment.outcomes if one.assessment else ():
            id, body, digest = outcome.write(each, self.target)
            yield StoredOutcome(id, each.subject, each.visit, each.code, digest, body, each.origins)

    def scored(self, found: Sequence[ScoredOne]) -> Scored:
        """All that was found, once everybody was scored."""
        return Scored(
            self.roster.subjects,
            {each.subject: each.assessment for each in found if each.assessment},
            {each.subject: each.conduct for each in found if each.conduct},
            {each.subject: each.doses for each in found},
            _by_id((*self.roster.queries, *(query for each in found for query in each.queries))),
            self._unknown_codes(),
            self.roster.findings,
        )

    def add_unknown(self, unknown: Mapping[str, Counter[tuple[str, Code]]]) -> None:
        """Count what another process found unknown, by source."""
        for source, found in unknown.items():
            self._readers[source].unknown.update(found)

    def take_unknown(self) -> dict[str, Counter[tuple[str, Code]]]:
        """What was found unknown since it was taken last, by source."""
        taken = {source: reader.unknown.copy() for source, reader in self._readers.items()}
        for reader in self._readers.values():
            reader.unknown.clear()
        return taken

    def _unknown_codes(self) -> tuple[UnknownCodes, ...]:
        found = (
            UnknownCodes(source, type, code, count)
            for source, reader in self._readers.items()
            for (type, code), count in reader.unknown.items()
        )
        return tuple(sorted(found, key=lambda each: (each.source, each.type, each.code)))


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
        """The resources of a type that others refer to, by each of their names.

        One that must not be read as it stands is not among them.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for stored in sorted(self.workspace.current(self.source, type), key=lambda each: each.origin):
            if not_valid.is_modified(stored.body):
                continue
            document = decode(stored.body)
            found.update(dict.fromkeys(refer.own_names(document, stored.origin.url), document))
        return found

    def sifted(self, share: Share = WHOLE) -> Iterator[tuple[str, Stored]]:
        """What may say something to the trial, with the participant whom it speaks of."""
        yield from self._persons(share)
        sieve = Sieve(self.hospital)
        for type in (*CLINICAL, *history_of(self.study)):
            for stored in self.workspace.current(self.source, type, share):
                base = refer.base_of(stored.origin.url)
                found = sieve.sift(stored.body, base) if type == "Observation" else whose(stored.body, base)
                if not found.asked and not found.unknown_codes:
                    continue
                names = found.subject
                if names is None:
                    names = refer.names(subject_of(decode(stored.body)), base)
                subject = self.roster.of(self.source, names)
                if subject is not None and found.asked:
                    yield subject, stored
                elif subject is not None:
                    self.unknown.update((type, code) for code in found.unknown_codes)

    def _persons(self, share: Share) -> Iterator[tuple[str, Stored]]:
        """Who the participants are; of merged records the surviving one says it."""
        surviving = self.roster.patients[self.source].merged
        for stored in self.workspace.current(self.source, "Patient", share):
            subject = self.roster.by_patient.get((self.source, stored.origin.id))
            if subject is not None and stored.origin.id in surviving:
                yield subject, stored

    def read_into(self, mapped: Mapped, stored: Stored, subject: str) -> None:
        """Put what one resource says to what is known of its participant."""
        modified = not_valid.question_of_modifier(stored.body, subject, stored.origin)
        if modified is not None:
            mapped.queries.append(modified)
            mapped.unread.append(stored.origin.type)
            return
        known, asked, facts = len(mapped.unknown_codes), len(mapped.queries), mapped.facts
        document = decode(stored.body)
        context = Context(subject, stored.origin, self.hospital, self.study.timezone, self.dosed)
        reading.read_into(mapped, document, context, self.medications, self.conditions)
        unknown = mapped.unknown_codes[known:]
        # What is asked about already is looked at by somebody; what says nothing is not used.
        if len(mapped.queries) == asked and (mapped.facts > facts or NO_CODE in unknown):
            local = self.hospital.timezone is not None
            mapped.queries += not_valid.questions(
                document, subject, stored.origin, self.medications, local_times=local
            )
        if unknown:
            self.unknown.update((stored.origin.type, code) for code in unknown)


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
    """The queries by their stable ids; several of one kind about one item at one visit are one.

    It has the words of the one about the first resource, by source, type and id.
    """
    groups: dict[tuple[str, str, str, str], list[Query]] = defaultdict(list)
    for query in queries:
        groups[query.key].append(query)
    merged = {}
    for key, group in sorted(groups.items()):
        origins = tuple(sorted({origin for each in group for origin in each.origins}))
        values = tuple(sorted({value for each in group for value in each.values}))
        id = "Q-" + hashlib.sha256("|".join(key).encode()).hexdigest()[:10]
        first = min(group, key=lambda each: (each.origins, each.text))
        merged[id] = replace(first, origins=origins, values=values)
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
