"""Small exports and studies for the tests of the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from fhir_adapter.cli.main import cli
from tests.hospital.generator import Hospital as Made
from tests.hospital.generator import hospital, write_ndjson
from tests.hospital.study import AS_OF, write_study

DAY = ("--as-of", AS_OF.isoformat())
_ATC = {"rtx": "L01FA01", "bel": "L04AG04"}


def command(*arguments: str | Path) -> Result:
    """One command in this process, with its output and error streams apart."""
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def two_sources(home: Path, participants: int = 3) -> Path:
    """A study over the hospital's and the ratings' folders; its outcomes go into a third."""
    write_ndjson(hospital(1, participants), home)
    return write_study(home, hospital="hospital", ratings="ratings", target="outcomes")


def one_export(folder: Path, participants: int = 3) -> Path:
    """One folder in international codes, with the participants, their ratings and their doses."""
    made = hospital(1, participants).sources
    kept = [
        _coded(each)
        for each in made["hospital"]
        if each["resourceType"] in ("ResearchStudy", "ResearchSubject", "Patient", "MedicationAdministration")
    ]
    write_ndjson(Made({folder.name: [*kept, *made["ratings"]]}, {}, {}), folder.parent)
    return folder


def _coded(resource: dict[str, Any]) -> dict[str, Any]:
    """An administration with the drug's ATC code in the place of the hospital's own."""
    if resource["resourceType"] != "MedicationAdministration":
        return resource
    drug = "rtx" if any(name in str(resource).lower() for name in ("rtx", "l01fa01")) else "bel"
    kept = {key: value for key, value in resource.items() if key not in ("contained", "medicationReference")}
    return kept | {
        "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": _ATC[drug]}]}
    }


def said(result: Result, code: int, *parts: str) -> str:
    """Check that a command ended with ``code`` and one sentence on stderr that holds ``parts``."""
    assert result.exit_code == code, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert "fault of fhir-adapter itself" not in result.stderr
    for part in parts:
        assert part in result.stderr, result.stderr
    return result.stderr


def lines(path: Path) -> Sequence[dict[str, Any]]:
    """The resources of an NDJSON file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
