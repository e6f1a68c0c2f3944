"""Opens the servers and folders that a study names, and reads their mapping folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from fhir_adapter.errors import AdapterError
from fhir_adapter.exchange.credentials import Credentials
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.server import Server
from fhir_adapter.mapping.hospital import Hospital, hospital
from fhir_adapter.study import Place, Study, read_mapping


@dataclass(frozen=True, slots=True)
class Mappings:
    """The mapping of each source by the source's name, and the digests of their folders."""

    hospitals: Mapping[str, Hospital]
    digests: Mapping[str, str]


def opened(place: Place, name: str) -> Server | Folder:
    """The server or folder, with its credentials from the environment or a file.

    Raises AdapterError naming the place and the key where the credentials cannot be had.
    """
    if place.folder is not None:
        return Folder(place.folder, name=name)
    try:
        credentials = _credentials(place)
    except AdapterError as fault:
        key = "token_env" if place.token_env else "token_file"
        fault.where = ": ".join(filter(None, (f"{name}: {key}", fault.where)))
        raise
    assert place.server is not None  # noqa: S101 - the study file's schema wants exactly one of both
    return Server(place.server, name=name, credentials=credentials)


def _credentials(place: Place) -> Credentials | None:
    if place.token_env:
        return Credentials.from_env(place.token_env)
    return Credentials.from_file(place.token_file) if place.token_file else None


def target_name(study: Study) -> str:
    """What the journal calls the study's target: its address, or its folder seen from the study file.

    It must not depend on where a command is started from, nor change when the whole study is moved.
    """
    folder = study.target.folder
    return str(study.target) if folder is None else os.path.relpath(folder, study.path.parent)


def mappings(study: Study) -> Mappings:
    """The mapping folders of all sources. Raises StudyFileError."""
    folders = {source.name: read_mapping(source.mapping) for source in study.sources}
    hospitals = {
        name: hospital(folder.concept_maps, folder.settings, str(folder.path))
        for name, folder in folders.items()
    }
    for name, speaks in hospitals.items():
        if study.participants.match not in speaks.identifiers:
            from fhir_adapter.errors import StudyFileError

            raise StudyFileError(
                f"The settings know no identifier {study.participants.match!r}.",
                where=f"{folders[name].path}: identifiers",
                remedy=f"Add it, or match by one of: {', '.join(speaks.identifiers)}.",
            )
    return Mappings(hospitals, {name: folder.digest for name, folder in folders.items()})
