"""Who takes part, and which patient of which source is whom."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.errors import FileFault, Finding, StudyFileError
from fhir_adapter.exchange.resource import decode
from fhir_adapter.mapping import patient, research_subject, when
from fhir_adapter.mapping.hospital import Hospital
from fhir_adapter.mapping.patient import Patients
from fhir_adapter.mapping.reference import base_of
from fhir_adapter.pipeline.not_valid import questions
from fhir_adapter.study import Study
from fhir_adapter.trial.types import Query, QueryKind, Subject
from fhir_adapter.workspace import Stored

TWICE = "listed twice"
"""Stands for the status of a participant whose number was given to two; it counts nowhere."""


class Named(Struct, frozen=True):
    """A participant as the study's own list names one, before any patient is found.

    ``names`` are the Patient's names in the source of the list; ``match`` the values of the identifier by
    which the other sources know the same person. ``queries`` are about how the list names them.
    """

    subject: Subject
    names: tuple[str, ...] = ()
    match: frozenset[str] = frozenset()
    queries: tuple[Query, ...] = ()


class Roster(Struct, frozen=True):
    """All participants with their patients, and the way back from a patient to the participant."""

    subjects: Mapping[str, Subject]
    by_patient: Mapping[tuple[str, str], str]
    patients: Mapping[str, Patients]
    match_of: Mapping[str, frozenset[str]]
    queries: tuple[Query, ...] = ()
    findings: tuple[Finding, ...] = ()

    def of(self, source: str, names: Iterable[str]) -> str | None:
        """The participant whom a reference of a source names."""
        found = self.patients[source].named(names)
        return self.by_patient.get((source, found)) if found else None


def from_file(study: Study) -> list[Named]:
    """The participants of a CSV file: ``subject``, the matching identifier, ``status``, ``consent``,
    ``withdrawn`` (days; the last two may be empty). Raises FileFault or StudyFileError naming the line.
    """
    path, match = study.participants.file, study.participants.match
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        raise FileFault(f"The list of participants cannot be read: {why}.", where=str(path)) from None
    named: dict[str, Named] = {}
    lines: dict[str, int] = {}
    rows = csv.DictReader(io.StringIO(text), restval="")
    try:
        missing = [name for name in ("subject", match, "status") if name not in (rows.fieldnames or ())]
        if missing:
            raise StudyFileError(
                f"The column {missing[0]!r} is missing.",
                where=str(path),
                remedy=f"Columns are: subject, {match}, status, consent, withdrawn.",
            )
        for row in rows:
            where = f"{path}:{rows.line_num}"
            each = _listed(row, match, study, where)
            number = each.subject.id
            if number in named:
                what = f"The participant of line {lines[number]} stands here again."
                raise StudyFileError(what, where=where, remedy="Leave one.")
            named[number], lines[number] = each, rows.line_num
    except csv.Error as fault:
        raise StudyFileError(f"This is not CSV: {fault}.", where=f"{path}:{rows.line_num}") from None
    return list(named.values())


def _listed(row: Mapping[str, str], match: str, study: Study, where: str) -> Named:
    """The participant of one line."""
    number, value, status = (row[column].strip() for column in ("subject", match, "status"))
    if not number or not value:
        raise StudyFileError(f"A line has no subject or no {match}.", where=where, remedy="Fill it in.")
    if status not in research_subject.STATUSES:
        raise StudyFileError(
            "The status is none of ResearchSubject's.",
            where=where,
            remedy=f"Statuses are: {', '.join(research_subject.STATUSES)}.",
        )
    days = {}
    for column in ("consent", "withdrawn"):
        written = row.get(column, "").strip()
        days[column] = when.day(written, study.timezone) if written else None
        if written and days[column] is None:
            raise StudyFileError(f"{column} is not a day.", where=where, remedy="Write it as 2024-03-31.")
    subject = Subject(number, status, days["consent"], days["withdrawn"])
    return Named(subject, match=frozenset((value,)))


def from_resources(
    study: Study, source: str, studies: Iterable[Stored], subjects: Iterable[Stored]
) -> tuple[list[Named], list[Finding]]:
    """The participants of a source that serves ResearchSubjects of the study.

    A ResearchSubject belongs to the study by reference to a ResearchStudy with its identifier, or by the
    identifier itself. One without the study's own number is a finding.
    """
    system, value = study.identifier
    names = {f"{system}|{value}"}
    for stored in studies:
        document = decode(stored.body)
        own = research_subject.study_names(document, stored.origin.url)
        if f"{system}|{value}" in own:
            names.update(own)
    named, findings = [], []
    for stored in subjects:
        document = decode(stored.body)
        if document.get("status") == "entered-in-error" or not research_subject.belongs(
            document, frozenset(names), base_of(stored.origin.url)
        ):
            continue
        found = research_subject.read(
            document, study.participants.identifier_system, stored.origin, study.timezone
        )
        if found is None:
            findings.append(
                Finding(
                    source,
                    f"ResearchSubject/{stored.origin.id}",
                    "identifier",
                    f"There is no identifier of the system {study.participants.identifier_system}.",
                    "Add it, or name the right identifier_system in the study file.",
                )
            )
            continue
        # Its times are read in the study's zone.
        asked = questions(document, found[0].id, stored.origin, {}, local_times=True)
        named.append(Named(found[0], tuple(found[1]), queries=tuple(asked)))
    return named, findings


def roster(
    study: Study,
    named: Iterable[Named],
    patients: Mapping[str, Patients],
    findings: Iterable[Finding] = (),
) -> Roster:
    """Match every participant to the patients of every source.

    In the source of the list by reference, everywhere else by the matching identifier.
    """
    subjects: dict[str, Subject] = {}
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    match_of: dict[str, frozenset[str]] = {}
    everybody = list(named)
    queries = [query for each in everybody for query in each.queries]
    for each in _once(everybody, queries):
        subject, match = each.subject, each.match
        ids_in, match_of[subject.id] = _patients(each, match, patients, study.participants.source)
        queries += (
            Query(
                subject.id,
                "",
                source,
                QueryKind.UNMATCHED_PATIENT,
                f"No patient of the source {source!r} has the participant's {study.participants.match}.",
                origins=subject.origins,
            )
            for source in patients
            if source not in ids_in
        )
        subjects[subject.id] = replace(subject, patients=ids_in)
        for source, matched in ids_in.items():
            for id in matched:
                owners[(source, id)].append(subject.id)
    queries += _shared(owners, subjects)
    by_patient = {patient: ids[0] for patient, ids in owners.items() if len(ids) == 1}
    return Roster(subjects, by_patient, patients, match_of, tuple(queries), tuple(findings))


def _patients(
    named: Named, match: frozenset[str], patients: Mapping[str, Patients], listed_in: str | None
) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The participant's patients by source, and all values of the matching identifier."""
    ids_in: dict[str, tuple[str, ...]] = {}
    if listed_in is not None:
        survivor = patients[listed_in].named(named.names)
        if survivor is not None:
            ids_in[listed_in] = patients[listed_in].merged[survivor]
            match |= patients[listed_in].match_of.get(survivor, frozenset())
    for source, known in patients.items():
        ids = (
            id
            for value in sorted(match)
            for survivor in known.by_match.get(value, ())
            for id in known.merged[survivor]
        )
        together = tuple(dict.fromkeys((*ids_in.get(source, ()), *ids)))
        if together:
            ids_in[source] = together
    return ids_in, match


def _once(named: Iterable[Named], queries: list[Query]) -> list[Named]:
    """Each participant once, by number; one who stands there twice and differently is not counted."""
    groups: dict[str, list[Named]] = defaultdict(list)
    for each in sorted(named, key=lambda one: (one.subject.id, one.subject.origins)):
        groups[each.subject.id].append(each)
    once = []
    for id, group in groups.items():
        origins = tuple(sorted({origin for each in group for origin in each.subject.origins}))
        subject = replace(group[0].subject, origins=origins)
        alike = [replace(each, subject=replace(each.subject, origins=origins)) for each in group]
        if any(each != alike[0] for each in alike):
            text = "The participant's number stands twice, with different statuses, days or patients."
            queries.append(Query(id, "", "", QueryKind.DUPLICATE_PARTICIPANT, text, origins=origins))
            subject = replace(subject, status=TWICE)
        once.append(replace(group[0], subject=subject))
    return once


def _shared(owners: Mapping[tuple[str, str], list[str]], subjects: Mapping[str, Subject]) -> Iterator[Query]:
    """Two participants cannot be one patient: the data go to neither until somebody says whose they are."""
    for (source, _), ids in sorted(owners.items()):
        if len(ids) > 1:
            for id in ids:
                others = ", ".join(other for other in ids if other != id)
                text = f"The participant has the same patient as {others}; the data go to neither."
                yield Query(id, "", source, QueryKind.SHARED_PATIENT, text, origins=subjects[id].origins)


def patients_of(resources: Iterable[Stored], hospital: Hospital, match: str) -> Patients:
    """The patients of one source, as received."""
    return patient.index(((decode(stored.body), stored.origin.url) for stored in resources), hospital, match)
