"""The commented study file that ``init`` writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

NUMBERS = "urn:example:trial-participant"
"""Stands for the identifier system of the participants' numbers until somebody names it."""

WORKSPACE = "study.sqlite"
"""The workspace that the template names."""

PROTOCOL, MAPPING = "nct06410833", "international"
"""The protocol and the mapping folder that the template names: both ship."""

IDENTIFIER = "https://clinicaltrials.gov|NCT06410833"
"""The identifier of the trial whose protocol ships."""

_TEMPLATE = """\
# The study file of fhir-adapter. Paths are taken from this file's folder. No secret ever stands here.

[study]
# The study's identifier as system|value: it finds the ResearchStudy, and every outcome carries it. It may be
# the hospital's own; one of the protocol's registry must be that of the protocol.
identifier = {identifier}
# The rules: one that ships (nct06410833), or the path of a protocol file. To change a threshold or a window,
# edit a copy: `fhir-adapter init --protocol FILE` makes one.
protocol = {protocol}
# The day of a result is the day in this time zone.
timezone = "Asia/Shanghai"
# One file that keeps what was received, the outcomes, the data queries and what was written. It only grows.
workspace = {workspace}

[participants]
# Who takes part: the ResearchSubjects of one of the sources below ...
source = "hospital"
# ... or, where no system has any, a CSV file instead, with the columns subject, the name that `match` gives
# (here: mrn), status, and if known consent and withdrawn (days such as 2024-03-31).
# file = "participants.csv"
# The identifier system of the participants' study numbers, in ResearchSubject.identifier.
identifier_system = {numbers}
# The identifier by which one patient is known in every source. The settings.toml of each mapping folder lists
# the systems under which its source sends it, under [identifiers], as in: mrn = ["https://hospital.example/mrn"]
match = "mrn"

# Any number of sources, each a server or a folder.
[[source]]
name = "hospital"
# A folder of NDJSON, as a bulk export writes it ...
folder = {folder}
# ... or a FHIR R4 server. Its token, or user:password, is named here and read from the environment or a file.
# server = "https://fhir.hospital.example/r4"
# token_env = "HOSPITAL_TOKEN"
# token_file = "/run/secrets/hospital"
# The mapping folder that speaks its codes: one that ships (international, example-cn), or the path of yours.
# To add your own codes, edit a copy: `fhir-adapter init --mapping FOLDER` makes one.
mapping = {mapping}

# Ratings often live in another system than the laboratory's results:
# [[source]]
# name = "ratings"
# server = "https://ratings.example/fhir"
# token_env = "RATINGS_TOKEN"
# mapping = "international"

[target]
# Where the outcomes go: a folder of NDJSON, or a server (with token_env or token_file as above).
folder = "outcomes"
# server = "https://fhir.hospital.example/r4"
"""


def template(
    folder: str,
    numbers: str = NUMBERS,
    *,
    protocol: str = PROTOCOL,
    identifier: str = IDENTIFIER,
    mapping: str = MAPPING,
) -> str:
    """The study file with ``folder`` as its source; ``identifier`` is that of the protocol's trial."""
    named = {
        "folder": folder, "numbers": numbers, "protocol": protocol, "identifier": identifier,
        "mapping": mapping, "workspace": WORKSPACE,
    }  # fmt: skip
    return _TEMPLATE.format(**{key: _quoted(value) for key, value in named.items()})


def source_template(folder: Path, home: Path, **named: str) -> str:
    """The study file in ``home`` for an export in ``folder``, with the identifier system found there.

    ``named`` are the protocol, identifier and mapping of ``template``.
    """
    return template(os.path.relpath(folder, home), _numbers_of(folder) or NUMBERS, **named)


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _numbers_of(folder: Path) -> str | None:
    """The identifier system of the ResearchSubjects of an export, where they have just one."""
    from fhir_adapter.exchange.folder import Folder
    from fhir_adapter.exchange.resource import Received, decode
    from fhir_adapter.mapping.hospital import listed

    systems = {
        str(identifier["system"])
        for found in Folder(folder, name="hospital").resources({"ResearchSubject"})
        if isinstance(found, Received)
        for identifier in listed(decode(found.body), "identifier")
        if identifier.get("system")
    }
    return systems.pop() if len(systems) == 1 else None
