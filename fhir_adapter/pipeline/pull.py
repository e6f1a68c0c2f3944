"""Pull: what the sources hold of the participants, into the workspace.

First the participants, then their patients in every source, then what was measured, answered and given,
and of their history what the protocol asks for. Only what belongs to a participant is kept; of one who
withdrew, nothing from after that day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fhir_adapter.conduct.rules import EligibilityRule
from fhir_adapter.errors import Finding, Refused, ServerError
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received, decode
from fhir_adapter.exchange.server import Server
from fhir_adapter.mapping import reference
from fhir_adapter.mapping.head import head, subject_of
from fhir_adapter.mapping.hospital import Hospital, listed
from fhir_adapter.mapping.research_subject import study_names
from fhir_adapter.pipeline.participants import Named, Roster, from_file, from_resources, patients_of, roster
from fhir_adapter.pipeline.places import opened
from fhir_adapter.study import SourceSpec, Study
from fhir_adapter.trial.origin import Origin
from fhir_adapter.workspace import Arrival, Cursor, Stored, Workspace

CLINICAL = ("Observation", "QuestionnaireResponse", "MedicationAdministration")
"""What is pulled of each participant."""
HISTORY = (
    "Condition", "MedicationRequest", "MedicationStatement", "Encounter", "Immunization", "Consent",
    "DiagnosticReport", "Procedure",
)  # fmt: skip
"""What a protocol may ask for beside: what went before, and to what was agreed."""
NOT_RECEIVED = ""
"""Stands for the place in the cursor of a type that was asked for and not received."""
BATCH = 25
"""Patients or identifiers named in one search: it keeps the URL short enough for any server."""

Progress = Callable[[str], None]


@dataclass(slots=True)
class Pulled:
    """What one source gave: resources by type, how many were new or had gone, and what went wrong.

    Where only what changed was asked for, ``counts`` has only that.
    """

    source: str
    counts: Counter[str] = field(default_factory=Counter)
    new: int = 0
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)
    requests: int = 0
    retries: int = 0


class _Intake:
    """Puts what one source hands over into the workspace."""

    def __init__(self, workspace: Workspace, run: int, spec: SourceSpec) -> None:
        self.workspace, self.run, self.spec = workspace, run, spec
        self.place = opened(spec.place, spec.name)
        self.pulled = Pulled(spec.name)
        self.damaged = False
        self._told: set[Finding] = set()

    def keep(
        self,
        type: str,
        resources: Iterable[Received],
        *,
        others: Iterable[Received] = (),
        whole: bool = True,
        gone: Set[str] = frozenset(),
        cursor: Cursor | None = None,
    ) -> None:
        """Store the resources of a type, all or none of them; of each id what its source changed last.

        Where nothing says which of two contents is newer, that is a finding, and a fixed rule decides. The
        ``others`` are not to be kept; what is older under their ids is not, either.
        Where they are the ``whole``, the others are marked as gone, else those in ``gone``. A file with a
        line that cannot be read is not the whole: that line may be what seems to be missing. The cursor
        moves with them.
        """
        name = self.spec.name
        with self.workspace.transaction():
            delivery = self.workspace.delivery(self.run, name, type, _age)
            delivery.take(_arrival(name, received) for received in resources)
            self.pulled.gone += delivery.let_go(_arrival(name, received) for received in others)
            if whole and not self.damaged:
                self.pulled.gone += delivery.forget_absent()
            else:
                self.pulled.gone += delivery.forget(gone)
            if cursor is not None:
                self.workspace.move_cursor(self.run, name, type, cursor)
        self.pulled.new += delivery.new
        self.pulled.counts[type] = delivery.count
        for id in sorted(delivery.doubtful):
            what = "Two contents stand under this id, and nothing says which is newer."
            remedy = "Give each its meta.lastUpdated or meta.versionId."
            self.pulled.findings.append(Finding(name, f"{type}/{id}", "meta", what, remedy))

    def search(self, type: str, params: Iterable[tuple[str, str]]) -> list[Received] | None:
        """The matches on a server; None, and a finding, where it refuses to search this type so.

        That it does not know a type of the history is no finding: a system of ratings has no orders.
        """
        assert isinstance(self.place, Server)  # noqa: S101
        try:
            return list(self.place.search(type, list(params)))
        except Refused as refused:
            if type in HISTORY and type not in self.place.abilities().types:
                return None
            self.pulled.findings.append(
                Finding(self.spec.name, type, "", refused.what, "This type was skipped. " + refused.remedy)
            )
            return None

    def folder(self, *types: str) -> Iterator[Received]:
        """The resources of these types in a folder; lines that are none become findings once."""
        assert isinstance(self.place, Folder)  # noqa: S101
        for found in self.place.resources(types):
            if isinstance(found, Received):
                yield found
                continue
            self.damaged = True
            if found not in self._told:
                self._told.add(found)
                self.pulled.findings.append(found)

    def keep_wanted(self, type: str, wanted: Callable[[Received], bool]) -> None:
        """Store the wanted resources of a type in a folder.

        It is read again where there are others, and no more than one of them is held: an export may be of a
        whole hospital.
        """
        passed_over = False

        def sifted() -> Iterator[Received]:
            nonlocal passed_over
            for received in self.folder(type):
                if wanted(received):
                    yield received
                else:
                    passed_over = True

        def others() -> Iterator[Received]:
            if passed_over:
                yield from self.unwanted(type, wanted)

        self.keep(type, sifted(), others=others())

    def unwanted(self, type: str, wanted: Callable[[Received], bool]) -> Iterator[Received]:
        """The other resources of a type in a folder."""
        return (received for received in self.folder(type) if not wanted(received))

    def several(
        self, types: Set[str], wanted: Callable[[Received], bool]
    ) -> tuple[dict[str, list[Received]], set[str]]:
        """The wanted resources of types that are few, in one reading; and of which types there are others."""
        found: dict[str, list[Received]] = {type: [] for type in types}
        others: set[str] = set()
        for received in self.folder(*types):
            if wanted(received):
                found[received.type].append(received)
            else:
                others.add(received.type)
        return found, others

    def stored(self, type: str) -> Iterator[Stored]:
        """What stands in the workspace of a type of this source."""
        return self.workspace.current(self.spec.name, type)


def _arrival(source: str, received: Received) -> Arrival:
    return Arrival(
        received.id, received.version, received.last_updated, _url(source, received), received.body
    )


def _age(arrival: Arrival | Received) -> tuple[float, int]:
    """What tells versions of one resource apart: when it was updated, its number."""
    try:
        updated = datetime.fromisoformat(arrival.last_updated).timestamp()
    except (ValueError, OverflowError):
        updated = float("-inf")
    return updated, int(arrival.version) if arrival.version.isdecimal() else -1


def history_of(study: Study) -> tuple[str, ...]:
    """The types of a participant's history that the protocol's criteria ask for."""
    rule = study.conduct.eligibility
    if rule is None:
        return ()
    asked = {
        "Condition": (
            rule.criteria, rule.activity, rule.infection, rule.suppression, rule.stay, rule.immunodeficiency,
            rule.malignancy, rule.steroid,
        ),
        "MedicationRequest": _ordered(rule),
        "MedicationStatement": _ordered(rule),
        "Encounter": (rule.stay,),
        "Immunization": (rule.vaccine,),
        "Consent": (rule.consent,),
        "DiagnosticReport": (rule.criteria, rule.activity),
        "Procedure": (rule.criteria,),
    }  # fmt: skip
    return tuple(type for type in HISTORY if any(asked[type]))


def _ordered(rule: EligibilityRule) -> tuple[object, ...]:
    """The criteria that look at orders."""
    return (rule.treatment, rule.biologics, rule.suppression, rule.anti_infective, rule.steroid)


def origin_of(source: str, received: Received) -> Origin:
    """Where a resource is from; one from a folder gets an address of its own."""
    return Origin(source, received.type, received.id, received.version, _url(source, received))


def _url(source: str, received: Received) -> str:
    if received.url.startswith(("http://", "https://", "urn:")):
        return received.url
    return f"urn:fhir-adapter:{source}:{received.type}/{received.id}/_history/{received.version}"


def pull(
    study: Study,
    hospitals: dict[str, Hospital],
    workspace: Workspace,
    run: int,
    *,
    full: bool = False,
    progress: Progress = lambda _: None,
) -> list[Pulled]:
    """Bring the workspace up to date with every source.

    From a server that was pulled before, only what changed since is asked for, unless ``full``; a folder is
    always read whole.
    Raises AdapterError where a source is not there, does not know us, or hands over less than it should:
    what is half is never taken for the whole.
    """
    intakes = {spec.name: _Intake(workspace, run, spec) for spec in study.sources}
    listed_in = study.participants.source
    if listed_in is not None:
        progress(f"{listed_in}: participants")
        _pull_participants(study, intakes[listed_in])
    named = who(study, workspace)[0]
    match = study.participants.match
    order = sorted(intakes, key=lambda name: name != listed_in)
    for name in order:
        progress(f"{name}: patients")
        asked: frozenset[str] | None = None
        # The patients of the list say by which identifiers a source may know them twice.
        while (values := known_values(study, named, hospitals, workspace)) != asked:
            _pull_patients(intakes[name], hospitals[name], match, named if name == listed_in else [], values)
            asked = values
    found = present_roster(study, hospitals, workspace)
    for name in order:
        _pull_clinical(study, intakes[name], hospitals[name], found, full=full, progress=progress)
    for intake in intakes.values():
        if isinstance(intake.place, Server):
            intake.pulled.requests, intake.pulled.retries = intake.place.requests, intake.place.retries
    return [intakes[spec.name].pulled for spec in study.sources]


def who(study: Study, workspace: Workspace) -> tuple[list[Named], list[Finding]]:
    """The participants as the list in the workspace, or the file, names them."""
    source = study.participants.source
    if source is None:
        return from_file(study), []
    return from_resources(
        study,
        source,
        workspace.current(source, "ResearchStudy"),
        workspace.current(source, "ResearchSubject"),
    )


def present_roster(study: Study, hospitals: dict[str, Hospital], workspace: Workspace) -> Roster:
    """The participants with all their patients, as the workspace knows them."""
    named, findings = who(study, workspace)
    patients = {
        spec.name: patients_of(
            workspace.current(spec.name, "Patient"), hospitals[spec.name], study.participants.match
        )
        for spec in study.sources
    }
    return roster(study, named, patients, findings)


def known_values(
    study: Study, named: list[Named], hospitals: dict[str, Hospital], workspace: Workspace
) -> frozenset[str]:
    """The values of the matching identifier of all participants, as far as they are known by now."""
    values = {value for each in named for value in each.match}
    source = study.participants.source
    if source is not None:
        known = patients_of(workspace.current(source, "Patient"), hospitals[source], study.participants.match)
        survivors = [known.named(each.names) for each in named]
        values.update(value for id in survivors if id for value in known.match_of.get(id, ()))
    return frozenset(values)


def _pull_participants(study: Study, intake: _Intake) -> None:
    if isinstance(intake.place, Folder):
        for type in ("ResearchStudy", "ResearchSubject"):
            intake.keep(type, intake.folder(type))
        return
    system, value = study.identifier
    studies = intake.search("ResearchStudy", [("identifier", f"{system}|{value}")])
    if studies is None:
        return
    # a server that does not know the parameter hands over every study
    studies = [each for each in studies if f"{system}|{value}" in study_names(decode(each.body))]
    intake.keep("ResearchStudy", studies)
    if not studies:
        intake.pulled.findings.append(
            Finding(
                intake.spec.name,
                "ResearchStudy",
                "identifier",
                f"There is no study {system}|{value}.",
                "Check the identifier in the study file, or name the participants in a file.",
            )
        )
    batches = [intake.search("ResearchSubject", [("study", f"ResearchStudy/{each.id}")]) for each in studies]
    subjects = [received for batch in batches for received in batch or ()]
    intake.keep("ResearchSubject", subjects, whole=None not in batches)


def _pull_patients(
    intake: _Intake, hospital: Hospital, match: str, named: list[Named], values: frozenset[str]
) -> None:
    """The patients of the list, those with a matching identifier, and those they were merged with."""
    if isinstance(intake.place, Folder):
        everyone = list(intake.folder("Patient"))
        newest = {each.id: each for each in sorted(everyone, key=lambda each: (_age(each), each.body))}
        wanted = _wanted(newest.values(), hospital, match, named, values)
        intake.keep("Patient", (received for received in everyone if received.id in wanted))
        return
    found: dict[str, Received] = {}
    ids = [
        name.removeprefix("Patient/") for each in named for name in each.names if name.startswith("Patient/")
    ]
    found.update(intake.place.read_many("Patient", ids))
    asked = [
        f"{system}|{value}" for value in sorted(values) for system in sorted(hospital.identifiers[match])
    ]
    asked += sorted({name for each in named for name in each.names if "|" in name} - set(asked))
    batches = [
        intake.search("Patient", [("identifier", ",".join(asked[start : start + BATCH]))])
        for start in range(0, len(asked), BATCH)
    ]
    found.update({received.id: received for batch in batches for received in batch or ()})
    while True:
        others = {id for received in found.values() for id in _merged_into(received)} - set(found)
        if not others:
            break
        more = intake.place.read_many("Patient", sorted(others))
        if not more:
            break
        found.update(more)
    intake.keep("Patient", found.values(), whole=None not in batches)


def _merged_into(received: Received) -> list[str]:
    return [
        name.removeprefix("Patient/")
        for link in listed(decode(received.body), "link")
        for name in reference.names(link.get("other"), reference.base_of(received.url))
        if name.startswith("Patient/")
    ]


def _wanted(
    everyone: Iterable[Received], hospital: Hospital, match: str, named: list[Named], values: frozenset[str]
) -> set[str]:
    """The ids of the patients of a folder that belong to a participant."""
    stored = [Stored(origin_of("", received), received.body) for received in everyone]
    known = patients_of(stored, hospital, match)
    survivors = {known.named(each.names) for each in named}
    survivors.update(survivor for value in values for survivor in known.by_match.get(value, ()))
    more = {
        survivor
        for id in survivors
        if id
        for value in known.match_of.get(id, ())
        for survivor in known.by_match.get(value, ())
    }
    return {id for survivor in survivors | more if survivor for id in known.merged[survivor]}


def _pull_clinical(
    study: Study, intake: _Intake, hospital: Hospital, found: Roster, *, full: bool, progress: Progress
) -> None:
    source = intake.spec.name
    ids = frozenset(id for place, id in found.by_patient if place == source)

    def wanted(received: Received) -> bool:
        """Whether it is of a participant, not one of our own outcomes, and not from after a withdrawal."""
        base = reference.base_of(received.url)
        top = head(received.body)
        if top is None:
            return found.of(source, reference.names(subject_of(decode(received.body)), base)) is not None
        subject = found.of(source, top.whose(base))
        if subject is None or top.ours:
            return False
        withdrawn = found.subjects[subject].withdrawn
        return withdrawn is None or not top.after(withdrawn, study.timezone, hospital.timezone)

    # What was left out of a withdrawn participant is needed if the withdrawal turns out to be none: such a
    # patient is never taken for pulled.
    open_ones = frozenset(id for id in ids if found.subjects[found.by_patient[(source, id)]].withdrawn)
    place, history = str(intake.spec.place), history_of(study)
    if isinstance(intake.place, Server):
        following = Cursor(intake.place.clock(), ids - open_ones, place)
        for type in (*CLINICAL, *history):
            progress(f"{source}: {type}")
            _pull_type(intake, type, ids, following, wanted, full=full)
    else:
        for type in CLINICAL:
            progress(f"{source}: {type}")
            intake.keep_wanted(type, wanted)
        following = Cursor(datetime.now(UTC), ids - open_ones, place)
        _read_history(intake, frozenset(history), following, wanted)
    _pull_medications(intake)


def _read_history(
    intake: _Intake, types: frozenset[str], following: Cursor, wanted: Callable[[Received], bool]
) -> None:
    """The history in a folder. A type of which there is neither a resource nor a file was not exported.

    Where a line cannot be read, no type is known to be whole that was not before.
    """
    if not types:
        return
    found, passed_over = intake.several(types, wanted)
    assert isinstance(intake.place, Folder)  # noqa: S101
    seen = passed_over | {type for type, resources in found.items() if resources}
    seen |= {path.name.partition(".")[0] for path in intake.place.path.iterdir()}
    for type, resources in sorted(found.items()):
        cursor = following if type in seen else None
        if cursor is None and intake.workspace.cursor(intake.spec.name, type):
            cursor = Cursor(following.since, frozenset(), NOT_RECEIVED)
        others = intake.unwanted(type, wanted) if type in passed_over else ()
        intake.keep(type, resources, others=others, cursor=None if intake.damaged else cursor)


def _pull_type(
    intake: _Intake,
    type: str,
    ids: frozenset[str],
    following: Cursor,
    wanted: Callable[[Received], bool],
    *,
    full: bool,
) -> None:
    """One type of a server: of patients known before what changed since, of all others everything.

    The increment goes by the server's own clock, and reaches back by an overlap for what becomes visible
    late. Absence says nothing in it: deletions come from the type's history, where the server offers one,
    and from a full pull. ``following`` is the cursor of the next pull.
    """
    cursor = None if full else intake.workspace.cursor(intake.spec.name, type)
    if cursor is not None and cursor.place != following.place:
        cursor = None
    if cursor is None:
        found = _searched(intake, type, ids, [])
        if found is not None:
            intake.keep(type, filter(wanted, found), cursor=following)
        elif type in HISTORY and type in _known_types(intake):
            refused = Cursor(following.since, frozenset(), NOT_RECEIVED)
            with intake.workspace.transaction():
                intake.workspace.move_cursor(intake.run, intake.spec.name, type, refused)
        return
    since = cursor.since - timedelta(minutes=intake.spec.overlap)
    changed = _searched(intake, type, ids & cursor.patients, [("_lastUpdated", f"ge{_instant(since)}")])
    fresh = _searched(intake, type, ids - cursor.patients, [])
    if changed is None or fresh is None:
        return
    found = [*changed, *fresh]
    kept = [received for received in found if wanted(received)]
    gone = {received.id for received in found} | _deleted(intake, type, since)
    intake.keep(type, kept, whole=False, gone=gone, cursor=following)


def _known_types(intake: _Intake) -> frozenset[str]:
    assert isinstance(intake.place, Server)  # noqa: S101
    return intake.place.abilities().types


def _deleted(intake: _Intake, type: str, since: datetime) -> set[str]:
    """What was deleted since, as far as the server tells; some tell it and do not announce that they do."""
    assert isinstance(intake.place, Server)  # noqa: S101
    try:
        return intake.place.deleted_since(type, since)
    except Refused:
        return set()
    except ServerError:
        if type in intake.place.abilities().history:
            raise
        return set()


def _searched(
    intake: _Intake, type: str, ids: Iterable[str], params: list[tuple[str, str]]
) -> list[Received] | None:
    """The resources of a type of these patients; None, and a finding, where the server refuses."""
    ordered = sorted(ids)
    batches = [
        intake.search(type, [("patient", ",".join(ordered[start : start + BATCH])), *params])
        for start in range(0, len(ordered), BATCH)
    ]
    if None in batches:
        return None
    return [received for batch in batches for received in batch or ()]


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _pull_medications(intake: _Intake) -> None:
    """The Medications that administrations, orders and statements refer to."""
    names = {
        name
        for type in ("MedicationAdministration", "MedicationRequest", "MedicationStatement")
        for stored in intake.stored(type)
        for name in reference.names(
            decode(stored.body).get("medicationReference"), reference.base_of(stored.origin.url)
        )
    }
    if isinstance(intake.place, Folder):

        def known(received: Received) -> bool:
            return bool(names & set(reference.own_names(decode(received.body), received.url)))

        intake.keep("Medication", filter(known, intake.folder("Medication")))
        return
    ids = sorted(name.removeprefix("Medication/") for name in names if name.startswith("Medication/"))
    intake.keep("Medication", intake.place.read_many("Medication", ids).values())
