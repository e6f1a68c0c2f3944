"""The project's FHIR package, generated from the domain: code systems, value sets, profiles, forms.

``python -m fhir_adapter.mapping.profiles profiles/`` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

from fhir_adapter.mapping.profiles.forms import essdai, esspri, hocevar
from fhir_adapter.mapping.profiles.resource import FHIR_VERSION, PACKAGE, SDC_VERSION, VERSION, Json
from fhir_adapter.mapping.profiles.structures import structures
from fhir_adapter.mapping.profiles.terminology import terminology
from fhir_adapter.trial.items import CANONICAL


def resources() -> list[Json]:
    """Every resource of the package, each as R4 JSON with ``resourceType``, ``id`` and ``url``."""
    return [*terminology(), *structures(), essdai(), esspri(), hocevar()]


def package() -> dict[str, str]:
    """The files of the package: name → text, ``package.json`` and ``.index.json`` included."""
    made = {f"{resource['resourceType']}-{resource['id']}.json": resource for resource in resources()}
    described = ("resourceType", "id", "url", "version", "kind", "type")
    index = [
        {"filename": name, **{key: resource[key] for key in described if key in resource}}
        for name, resource in sorted(made.items())
    ]
    manifest = {
        "name": PACKAGE,
        "version": VERSION,
        "title": "fhir-adapter",
        "description": "Outcomes of Sjögren trials in FHIR R4: codes, profiles and forms",
        "type": "IG",
        "canonical": CANONICAL,
        "url": CANONICAL,
        "author": "The fhir-adapter maintainers",
        "license": "Apache-2.0",
        "fhirVersions": [FHIR_VERSION],
        "dependencies": {"hl7.fhir.r4.core": FHIR_VERSION, "hl7.fhir.uv.sdc": SDC_VERSION},
    }
    files = {**made, "package.json": manifest, ".index.json": {"index-version": 2, "files": index}}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def write(folder: Path) -> None:
    """Writes the package's files into ``folder``, made where it is missing; other files stay.

    Raises OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in package().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
