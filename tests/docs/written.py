"""An outcome and its Provenance as a run writes them, for the page on how it works."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fhir_adapter.pipeline.run import run
from fhir_adapter.study import read_study
from tests.docs.hospital import write_folder
from tests.hospital.study import AS_OF

SUBJECT, OUTCOME, VISIT = "JSS-11", "essdai", "week-28"
"""A score that is missing, so that its reason and bounds are seen."""
WIDTH = 116


def parts() -> Mapping[str, str]:
    """The generated parts by their names."""
    with TemporaryDirectory() as home:
        write_folder(Path(home))
        study = read_study(Path(home) / "study.toml")
        run(study, frozenset(("pull", "score", "push")), AS_OF)
        outcomes = Path(home) / "outcomes"
        observation = next(each for each in _lines(outcomes / "Observation.ndjson") if _is_example(each))
        target = f"Observation/{observation['id']}"
        provenance = next(
            each
            for each in _lines(outcomes / "Provenance.ndjson")
            if each["target"][0]["reference"].startswith(target)
        )
    components = [
        each
        for each in observation["component"]
        if not each["code"]["coding"][0]["code"].startswith("anchor-")
    ]
    return {
        "observation": _fence({**observation, "component": components}),
        "provenance": _fence(provenance),
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _is_example(resource: Mapping[str, Any]) -> bool:
    names = {each["value"] for each in resource["identifier"]}
    visits = {each.get("valueCode") for each in resource["extension"]}
    return SUBJECT in names and VISIT in visits and resource["code"]["coding"][0]["code"] == OUTCOME


def _fence(resource: Mapping[str, Any]) -> str:
    """JSON with short objects on one line, and digests cut short."""
    text = re.sub(r"sha256:([0-9a-f]{8})[0-9a-f]{56}", r"sha256:\1…", _compact(resource, 0))
    return f"```json\n{text}\n```\n"


def _compact(value: Any, depth: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + depth <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (depth + 2)
    if isinstance(value, dict):
        lines = [f'{inner}"{key}": {_compact(each, depth + 2)}' for key, each in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
    return (
        "[\n" + ",\n".join(f"{inner}{_compact(each, depth + 2)}" for each in value) + "\n" + " " * depth + "]"
    )
