"""All that is known of a participant as one Record, from what was mapped; and what was received at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from msgspec.structs import replace

from fhir_adapter.conduct.record import ORDERS, Record
from fhir_adapter.mapping.context import Mapped
from fhir_adapter.mapping.hospital import STUDY_TREATMENT
from fhir_adapter.pipeline.pull import NOT_RECEIVED, history_of
from fhir_adapter.study import Study
from fhir_adapter.trial.history import Agreement, FocusScore, History, Person
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Dose, Measurement, Query, QueryKind, Subject
from fhir_adapter.workspace import Workspace


def received(
    study: Study, workspace: Workspace, subjects: Mapping[str, Subject]
) -> dict[str, frozenset[str]]:
    """The types of the history that were received of each participant, even if nothing was in them.

    A type counts if a source of the participant gave it and none that knows it withheld it: of what one
    hospital refuses, another one's silence says nothing.
    """
    cursors = {
        (spec.name, type): cursor
        for spec in study.sources
        for type in history_of(study)
        if (cursor := workspace.cursor(spec.name, type)) is not None
    }
    places = {spec.name: str(spec.place) for spec in study.sources}

    def given(subject: Subject, type: str) -> bool:
        known = [
            (cursors[(source, type)], source, frozenset(ids))
            for source, ids in subject.patients.items()
            if (source, type) in cursors
        ]
        return bool(known) and all(
            cursor.place == places[source] != NOT_RECEIVED
            # Who withdrew is pulled anew each time, and never among those who are known to be whole.
            and (subject.withdrawn is not None or ids <= cursor.patients)
            for cursor, source, ids in known
        )

    return {
        id: frozenset(type for type in history_of(study) if given(subject, type))
        for id, subject in subjects.items()
    }


def record(
    study: Study,
    subject: Subject,
    found: Mapped,
    measurements: Mapping[str, tuple[Measurement, ...]],
    doses: tuple[Dose, ...],
    pulled: frozenset[str],
) -> Record:
    """What is known of one participant; ``measurements`` are settled, ``pulled`` is of ``received``.

    Records with a code that nobody knows may be what a criterion asks for: their silence says nothing.
    """
    unread = set(found.unread)
    if unread & _OF_DRUGS:
        unread |= _OF_DRUGS
    return Record(
        subject,
        _person(subject.id, found.persons),
        measurements,
        doses,
        tuple(found.diagnoses),
        tuple(found.orders),
        tuple(found.stays),
        tuple(found.vaccinations),
        tuple(_agreements(study, found.agreements)),
        tuple(found.statements),
        tuple(
            FocusScore(each.subject, each.value, each.at, each.origins)
            for each in measurements.get("focus-score", ())
            if each.usable and each.value is not None
        ),
        pulled - unread,
        tuple(_struck(study, found.struck)),
    )


def _struck(study: Study, found: list[History]) -> Iterator[History]:
    """What was entered in error; consents with the drugs that they would be to."""
    for each in found:
        yield from _agreements(study, [each]) if isinstance(each, Agreement) else (each,)


_OF_DRUGS = {"MedicationAdministration", *ORDERS}


def consent_ended(study: Study, stated: list[Agreement]) -> date | None:
    """The day on which the consent to every drug had ended; None while one stands, or none was ever given.

    What is refused after it was given has ended with the refusal; what was given anew has not (§13).
    """
    known = list(_agreements(study, stated))
    ends = [_ended([each for each in known if drug in each.drugs]) for drug in _asked(study)]
    days = [each for each in ends if each is not None]
    return max(days) if days and len(days) == len(ends) else None


def _ended(about: list[Agreement]) -> date | None:
    """When the consent to one drug ended, by the latest that has a day; of one day by what stands longest."""
    dated = [each for each in about if each.since]
    if not any(each.given for each in dated):
        return None
    last = max(dated, key=lambda each: (each.since, each.given, each.until or date.max))
    return last.until if last.given else last.since


def questions(record: Record, found: Mapped) -> Iterator[Query]:
    """What arises only where records of one participant stand side by side."""
    yield from _disagreeing_consents(record)
    subject = record.subject
    if subject.withdrawn is not None and subject.status != "withdrawn":
        text = (
            "The consent has ended, and the participant is not listed as withdrawn. What is from after that "
            "day is not used; correct the one or the other."
        )
        origins = _gathered(each.origins for each in record.agreements) or subject.origins
        values = (f"ended {subject.withdrawn}", f"status {subject.status}")
        yield Query(subject.id, "", "consent", QueryKind.UNCLEAR_STATUS, text, values, origins)
    person = record.person
    if person is None:
        return
    for item, known, said in (
        ("birth-date", person.born, any(each.born for each in found.persons)),
        ("sex", person.sex, any(each.sex for each in found.persons)),
    ):
        if known is None and said:
            text = "The sources say different things of one person; correct one of them."
            yield Query(person.subject, "", item, QueryKind.CONFLICT, text, origins=person.origins)


def _person(subject: str, persons: list[Person]) -> Person | None:
    """One person from all sources; what they say differently is not known."""
    if not persons:
        return None
    sexes = {each.sex for each in persons if each.sex}
    return Person(
        subject,
        _birth([each.born for each in persons if each.born]),
        sexes.pop() if len(sexes) == 1 else None,
        _gathered(each.origins for each in persons),
    )


def _birth(spans: list[tuple[date, date]]) -> tuple[date, date] | None:
    """The days that all sources allow: a year and a day in it agree."""
    if not spans:
        return None
    first, last = max(low for low, _ in spans), min(high for _, high in spans)
    return (first, last) if first <= last else None


def _gathered(origins: Iterable[tuple[Origin, ...]]) -> tuple[Origin, ...]:
    return tuple(sorted({each for several in origins for each in several}))


def _agreements(study: Study, stated: list[Agreement]) -> Iterator[Agreement]:
    """Each consent with its drugs: one to the study's treatment is to each that the trial asks consent to.

    What a consent states of one drug as an exception goes before what it states of all.
    """
    for each in stated:
        excepted = {
            drug
            for other in stated
            if other.origins == each.origins and other.given is not each.given
            for drug in other.drugs
            if len(other.drugs) < len(each.drugs) or STUDY_TREATMENT in each.drugs
        }
        drugs = each.drugs - {STUDY_TREATMENT}
        if STUDY_TREATMENT in each.drugs:
            drugs |= frozenset(_asked(study))
        if drugs - excepted:
            yield replace(each, drugs=drugs - excepted)


def _asked(study: Study) -> tuple[str, ...]:
    """The drugs that the trial asks consent to."""
    rule = study.conduct.eligibility
    return rule.consent.drugs if rule and rule.consent else study.protocol.drugs


def _disagreeing_consents(record: Record) -> Iterator[Query]:
    """Two of one day about one drug, of which one is given and one refused, or ended otherwise."""
    groups: dict[tuple[date, str], list[Agreement]] = defaultdict(list)
    for each in record.agreements:
        if each.since is not None:
            for drug in each.drugs:
                groups[(each.since, drug)].append(each)
    for (_, drug), several in sorted(groups.items()):
        if len({(each.given, each.until) for each in several}) > 1:
            text = "Two consents of one day disagree about this drug, so neither counts."
            values = sorted({"given" if each.given else "refused" for each in several})
            origins = _gathered(each.origins for each in several)
            kind = QueryKind.CONSENTS_DISAGREE
            yield Query(record.subject.id, "", drug, kind, text, tuple(values), origins)
