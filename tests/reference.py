"""HL7's own FHIR validator, run offline over files: the reference that our validation is held against."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.java.maven import HERE, build, java, java_available, require_java, run

__all__ = ["ReferenceIssue", "build_validator", "errors", "java_available", "require_java", "validate"]

PREPARE_WITHIN = 300.0  # seconds
VALIDATE_WITHIN = 600.0


@dataclass(frozen=True)
class ReferenceIssue:
    """One thing that the validator has to say.

    ``file`` is the path as it was asked for, ``line`` the line of an NDJSON file (from 1; 0 for other files),
    ``resource`` its ``Type/id`` as far as it has them, ``severity`` one of ``fatal``, ``error``, ``warning``
    and ``information``, ``code`` FHIR's issue type (``structure``, ``invariant``, ``code-invalid``, ...), and
    ``expression`` the place, as in ``Observation.component[0].value.ofType(Quantity)``; broken JSON has no
    place that can be relied on.
    """

    file: Path
    line: int
    resource: str
    severity: str
    code: str
    expression: str
    message: str


def build_validator() -> Path:
    """Build the validator and R4's definitions, unless that was done before; returns the folder they are in.

    Raises ``RuntimeError`` when Maven or the preparation fails.
    """

    def prepare(target: Path) -> None:
        run([*_validator(target), "prepare"], PREPARE_WITHIN)

    return build(HERE / "validator", prepare)


def validate(
    files: Sequence[Path], packages: Sequence[Path], *, allow_unknown_profiles: bool = False
) -> list[ReferenceIssue]:
    """What HL7's validator has to say on ``files`` (JSON, or NDJSON when named so), in their order.

    Each resource is validated against R4 and the profiles that it names in ``meta.profile``; a profile that
    cannot be found is an error, or with ``allow_unknown_profiles`` the warning that it is by default in HL7's
    own program. ``packages`` are folders of FHIR packages whose conformance resources are loaded first.
    References are not followed, and codes of LOINC, SNOMED CT and UCUM are not looked up: there is no
    terminology server. Raises ``RuntimeError`` when a package or a file cannot be read,
    when a package has no conformance resource, or when a profile allows no snapshot.
    """
    target = build_validator()
    asked = {str(file.resolve()): file for file in files}
    with tempfile.TemporaryDirectory() as folder:
        request, result = Path(folder, "request.json"), Path(folder, "result.ndjson")
        wanted = {
            "packages": [str(package.resolve()) for package in packages],
            "files": list(asked),
            "unknownProfiles": allow_unknown_profiles,
        }
        request.write_text(json.dumps(wanted), encoding="utf-8")
        run([*_validator(target), "validate", str(request), str(result)], VALIDATE_WITHIN)
        with result.open(encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
    return [ReferenceIssue(**{**issue, "file": asked[issue["file"]]}) for issue in found]


def errors(issues: Sequence[ReferenceIssue]) -> list[ReferenceIssue]:
    """The issues that make a resource invalid: those of severity ``error`` and ``fatal``."""
    return [issue for issue in issues if issue.severity in ("error", "fatal")]


def _validator(target: Path) -> list[str]:
    # The validator keeps its packages in the user's home; ours has one of its own, so that nothing is shared.
    return [*java(target, "-Xmx1g", f"-Duser.home={target / 'home'}"), "Validator"]
