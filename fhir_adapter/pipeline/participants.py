"""Who takes part, and which patient of which source is whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fhir_adapter.errors import FileFault, Finding, StudyFileError
from fhir_adapter.exchange.resource import decode
from fhir_adapter.mapping import patient, research_subject, when
from fhir_adapter.mapping.hospital import Hospital
from fhir_adapter.mapping.patient import Patients
from fhir_adapter.study import Study
from fhir_adapter.trial.types import Query, QueryKind, Subject
from fhir_adapter.workspace import Stored


@dataclass(frozen=True, slots=True)
class Named:
    """A participant as the study's own list names one, before any patient is found.

    ``names`` are the Patient's names in the source of the list; ``match`` the values of the identifier by
    which the other sources know the same person.
    """

    subject: Subject
    names: tuple[str, ...] = ()
    match: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Roster:
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
        raise FileFault(f"The list of participants cannot be read ({fault}).", where=str(path)) from None
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in ("subject", match, "status") if name not in (rows.fieldnames or ())]
    if missing:
        raise StudyFileError(
            f"The column {missing[0]!r} is missing.",
            where=str(path),
            remedy=f"Columns are: subject, {match}, status, consent, withdrawn.",
        )
    named = []
    for row in rows:
        number = (row["subject"] or "").strip()
        days = {}
        for column in ("consent", "withdrawn"):
            written = (row.get(column) or "").strip()
            days[column] = when.day(written, study.timezone) if written else None
            if written and days[column] is None:
                raise StudyFileError(
                    f"{column} is not a day.",
                    where=f"{path}:{rows.line_num}",
                    remedy="Write it as 2024-03-31.",
                )
        if not number or not (row[match] or "").strip():
            raise StudyFileError(
                f"A line has no subject or no {match}.", where=f"{path}:{rows.line_num}", remedy="Fill it in."
            )
        subject = Subject(number, row["status"].strip(), days["consent"], days["withdrawn"])
        named.append(Named(subject, match=frozenset((row[match].strip(),))))
    return named


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
        own = research_subject.study_names(document)
        if f"{system}|{value}" in own:
            names.update(own)
    named, findings = [], []
    for stored in subjects:
        document = decode(stored.body)
        if document.get("status") == "entered-in-error" or not research_subject.belongs(
            document, frozenset(names)
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
        named.append(Named(found[0], tuple(found[1])))
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
    listed_in = study.participants.source
    subjects: dict[str, Subject] = {}
    by_patient: dict[tuple[str, str], str] = {}
    match_of: dict[str, frozenset[str]] = {}
    queries: list[Query] = []
    for each in sorted(named, key=lambda one: (one.subject.id, one.subject.origins)):
        subject, match = each.subject, each.match
        ids_in: dict[str, tuple[str, ...]] = {}
        if listed_in is not None:
            survivor = patients[listed_in].named(each.names)
            if survivor is not None:
                ids_in[listed_in] = patients[listed_in].merged[survivor]
                match |= patients[listed_in].match_of.get(survivor, frozenset())
        for source, known in patients.items():
            ids = dict.fromkeys(
                id
                for value in sorted(match)
                for survivor in known.by_match.get(value, ())
                for id in known.merged[survivor]
            )
            together = dict.fromkeys((*ids_in.get(source, ()), *ids))
            if together:
                ids_in[source] = tuple(together)
                continue
            queries.append(
                Query(
                    subject.id,
                    "",
                    source,
                    QueryKind.UNMATCHED_PATIENT,
                    f"No patient of the source {source!r} has the participant's {study.participants.match}.",
                    origins=subject.origins,
                )
            )
        subjects[subject.id] = replace(subject, patients=ids_in)
        match_of[subject.id] = match
        for source, matched in ids_in.items():
            for id in matched:
                by_patient[(source, id)] = subject.id
    return Roster(subjects, by_patient, patients, match_of, tuple(queries), tuple(findings))


def patients_of(resources: Iterable[Stored], hospital: Hospital, match: str) -> Patients:
    """The patients of one source, as received."""
    return patient.index(((decode(stored.body), stored.origin.url) for stored in resources), hospital, match)
