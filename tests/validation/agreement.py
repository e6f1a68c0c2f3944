"""How far our verdicts, and the places of our errors, agree with HL7's validator.

``python -m tests.validation.agreement [--write] [--show SET] [NAME …]``. Cases are read from the folder that
``FHIR_TEST_CASES`` names, or ``../shared/fhir-test-cases`` beside the repository.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fhir_adapter.validation import Issue, validate
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.run import Settings
from fhir_adapter.validation.source import load

ROOT = Path(__file__).parents[2]
SETS = ("hl7", "hl7-from-xml", "mutants", "mutants-extra")


def folder() -> Path | None:
    """Where the cases are, or ``None`` on a machine that has none."""
    named = os.environ.get("FHIR_TEST_CASES")
    found = Path(named) if named else ROOT.parent / "shared" / "fhir-test-cases"
    return found if found.is_dir() else None


@dataclass
class Case:
    """A case with both answers: the expressions of errors, normalised."""

    name: str
    expected: list[dict[str, Any]]
    found: list[Issue]
    theirs: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.theirs = [plain(error.get("expression", "")) for error in self.expected]
        self.ours = [plain(issue.expression) for issue in self.found]

    @property
    def agrees(self) -> bool:
        """Whether both say that there is an error, or that there is none."""
        return bool(self.expected) == bool(self.found)

    @property
    def located(self) -> bool:
        """Whether one of our errors stands where one of theirs does."""
        known = {place for place in self.theirs if place}
        return (not known and bool(self.ours)) or bool(known & set(self.ours))

    @property
    def extra(self) -> list[Issue]:
        """Our errors at elements where they have none."""
        known = set(self.theirs)
        return [issue for issue, place in zip(self.found, self.ours, strict=True) if place not in known]


def plain(expression: str) -> str:
    """An expression without what only HL7's validator writes: ids in comments, types of choices."""
    expression = re.sub(r"/\*.*?\*/", "", expression)
    expression = re.sub(r"\[url='[^']*'\]", "", expression)
    return re.sub(r"\.ofType\([A-Za-z0-9]+\)|\[x\]", "", expression)


@cache
def _supporting(base: Path, files: tuple[str, ...]) -> Definitions:
    made = Definitions()
    for name in files:
        document = load((base / name).read_bytes())
        if document.resource is not None:
            made.add(document.resource)
    return made


def settings(base: Path, entry: Mapping[str, Any]) -> Settings:
    """The settings of a case in ours."""
    given = entry.get("settings") or {}
    led_to = {
        name: load((base / file).read_bytes()).resource for name, file in entry.get("references", {}).items()
    }
    return Settings(
        fetch=led_to.get if "validateReference" in given else None,
        rest_references=bool(given.get("assumeValidRestReferences")),
        best_practice=str(given.get("best-practice", "")).lower() not in ("", "ignore", "hint", "warning"),
        html=not (given.get("security-checks") or given.get("noHtmlInMarkdown")),
        contained=given.get("validateContains") != "IGNORE",
        examples=given.get("examples", True) is not False,
    )


def cases(base: Path) -> Iterator[Case]:
    """The cases of a set, each validated."""
    for entry in json.loads((base / "manifest.json").read_bytes()):
        yield run(base, entry)


def run(base: Path, entry: Mapping[str, Any]) -> Case:
    """One case."""
    document = load((base / entry["file"]).read_bytes())
    issues = list(document.issues)
    if document.resource is not None:
        definitions = _supporting(base, tuple(entry.get("supporting") or ()))
        issues += validate(
            document.resource,
            profiles=entry.get("profiles") or (),
            definitions=definitions,
            settings=settings(base, entry),
        )
    errors = [issue for issue in issues if issue.severity == "error"]
    return Case(entry["name"], entry["expected"]["errors"], errors)


@dataclass(frozen=True)
class Figures:
    """The agreement on a set, each a share."""

    cases: int
    verdict: float
    valid: float
    invalid: float
    located: float
    extra: float


def figures(found: list[Case]) -> Figures:
    """The figures of a set's cases."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else 1.0

    valid = [case for case in found if not case.expected]
    invalid = [case for case in found if case.expected]
    both = [case for case in invalid if case.found]
    ours = sum(len(case.found) for case in found)
    return Figures(
        len(found),
        share(sum(case.agrees for case in found), len(found)),
        share(sum(case.agrees for case in valid), len(valid)),
        share(sum(case.agrees for case in invalid), len(invalid)),
        share(sum(case.located for case in invalid), len(invalid)),
        share(sum(len(case.extra) for case in both) + sum(len(case.found) for case in valid), ours),
    )


def main(arguments: list[str]) -> None:
    """Print the figures, and the cases that differ."""
    base = folder()
    if base is None:
        sys.exit("There are no cases here: set FHIR_TEST_CASES.")
    show = "--show" in arguments
    names = [one for one in arguments if not one.startswith("--")]
    for one in SETS:
        if names and one not in names and any(name in SETS for name in names):
            continue
        wanted = [name for name in names if name not in SETS]
        found = [case for case in cases(base / one) if not wanted or case.name in wanted]
        if not found:
            continue
        print(one, figures(found))
        if not show:
            continue
        for case in found:
            if (
                not case.agrees
                or wanted
                or ("--extra" in arguments and (case.extra or not case.located) and case.expected)
            ):
                print("  ==", case.name, "valid for HL7" if not case.expected else "")
                for error in case.expected:
                    print("      HL7 ", error.get("expression"), "|", error["message"][:150])
                for issue in case.found:
                    print("      ours", issue.expression, "|", issue.rule, issue.message[:150])


if __name__ == "__main__":
    main(sys.argv[1:])
