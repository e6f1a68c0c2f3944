"""Doctor: whether each place of a study is there, speaks R4, and what may be promised for the target."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fhir_adapter.errors import AdapterError, Refused, ServerError, WrongUse
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received
from fhir_adapter.exchange.server import Server
from fhir_adapter.exchange.transaction import Entry
from fhir_adapter.pipeline.places import mappings, opened, target_name
from fhir_adapter.pipeline.pull import CLINICAL, history_of
from fhir_adapter.pipeline.target import Rung, Target
from fhir_adapter.study import Place, Study
from fhir_adapter.workspace import Workspace

STUDY = "study"
"""Stands in the place of a source or the target where the study file itself is meant."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: where, what was found, and the remedy where it is not well."""

    place: str
    what: str
    well: bool = True
    remedy: str = ""


def examine(study: Study, *, probe: bool = False) -> list[Check]:
    """Look at every source and at the target.

    With ``probe`` an Observation that says of itself that it is a test is written to the target under an
    id of our choice and deleted again: some servers allow that and do not announce it. What was found is
    kept in the workspace, and the next push goes by it.
    """
    mappings(study)
    checks = [check for spec in study.sources for check in _source(spec.place, spec.name, history_of(study))]
    return [*_identity(study), *checks, *_target(study, probe=probe)]


def _identity(study: Study) -> Iterator[Check]:
    """A name of the hospital's own is worth a look; one of the registry must be that of the protocol.

    Else outcomes by the rules of one trial are written under the name of another.
    """
    (system, value), rules = study.identifier, study.protocol
    if value == rules.id:
        return
    what = f"it is called {system}|{value}, and its protocol is of {rules.registry}|{rules.id}."
    if _registry(system) != _registry(rules.registry):
        yield Check(STUDY, what)
        return
    remedy = "Correct the identifier or the protocol in the study file; in a protocol of your own, its id."
    yield Check(STUDY, what, well=False, remedy=remedy)


def _registry(url: str) -> str:
    """A registry's address as it is compared: with or without https, www and a slash at the end."""
    return re.sub(r"^https?://(www\.)?", "", url.casefold()).rstrip("/")


def _source(place: Place, name: str, history: tuple[str, ...]) -> Iterator[Check]:
    try:
        found = opened(place, name)
        if isinstance(found, Folder):
            lines = list(found.resources({*CLINICAL, *history, "Patient", "ResearchSubject"}))
            whole = sum(isinstance(line, Received) for line in lines)
            yield Check(name, f"{place}: {whole} resources, {len(lines) - whole} that cannot be read")
            return
        abilities = found.abilities()
        yield Check(name, f"{place}: {abilities.software or 'a server'}, FHIR R4")
        for type in (*CLINICAL, "Patient"):
            yield _searchable(found, name, type)
        for type in history:
            if type in abilities.types:
                yield _searchable(found, name, type)
            else:
                yield Check(name, f"{type}: not announced; criteria that need it stay open")
    except AdapterError as fault:
        yield Check(name, fault.what, well=False, remedy=fault.remedy)


def _searchable(server: Server, name: str, type: str) -> Check:
    """Whether we may search a type; of an id that no patient has, so that no data travel."""
    parameter = "_id" if type == "Patient" else "patient"
    try:
        list(server.search(type, [(parameter, "fhir-adapter-doctor"), ("_count", "1")]))
    except ServerError as fault:
        return Check(name, f"{type}: {fault.what}", well=False, remedy=fault.remedy)
    return Check(name, f"{type}: may be searched")


def _target(study: Study, *, probe: bool) -> Iterator[Check]:
    name = target_name(study)
    try:
        place = opened(study.target, "target")
        with Workspace(study.workspace) as workspace:
            if probe:
                yield _probe(place, workspace, name)
            target = Target(place, client_ids=workspace.probed(name))
        yield Check("target", f"rung {target.rung.number}, {target.rung.promise}")
        if not target.transactions:
            yield Check(
                "target",
                "no transactions: the Provenance follows its outcome, and the next push repairs a lack",
            )
        if target.rung is not Rung.CLIENT_IDS and not probe:
            yield Check(
                "target", "Some servers take ids of ours and do not say so: `doctor --probe` tries it."
            )
    except AdapterError as fault:
        yield Check("target", fault.what, well=False, remedy=fault.remedy)


def _probe(place: Server | Folder, workspace: Workspace, name: str) -> Check:
    if isinstance(place, Folder):
        raise WrongUse("There is nothing to probe: the target is a folder.")
    id = str(uuid.uuid4())
    test = {
        "resourceType": "Observation",
        "id": id,
        "status": "entered-in-error",
        "code": {"text": "fhir-adapter: a test of whether ids may be chosen; it may be deleted"},
    }
    taken = False
    with suppress(Refused):
        taken = place.send(Entry("PUT", f"Observation/{id}", test, f"urn:uuid:{id}")).id == id
    if taken:
        place.delete("Observation", id)
    workspace.note_probe(name, taken)
    return Check("target", f"ids of ours are {'taken' if taken else 'not taken'} (tried, and kept)")
