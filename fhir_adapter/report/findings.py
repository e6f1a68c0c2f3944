"""What ``validate`` found, for people and for programs: text, JSON, OperationOutcome, SARIF and JUnit.

Each form is a class that is given what was seen, part by part, and then told that it was all. Text is written
as it comes; the others are one document, written at the end.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from fhir_adapter.pipeline.validate import Found, Looked
from fhir_adapter.validation import NOT_CHECKED

__all__ = ["FORMATS", "Writer"]


class Writer(Protocol):
    """One form; ``write`` takes text that goes to the reader."""

    def __init__(self, write: Callable[[str], None]) -> None: ...

    def add(self, looked: Looked) -> None:
        """Take what was seen of a file, or of a part of one."""

    def end(self) -> None:
        """Write what is left: all has been seen."""


class _Sum:
    """Counts what was seen."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.files: dict[str, int] = {}
        self.severities: Counter[str] = Counter()

    def add(self, looked: Looked) -> None:
        self.files.setdefault(looked.file, 0)
        self.files[looked.file] += looked.resources
        self.severities.update(found.issue.severity for found in looked.found)

    def summary(self) -> str:
        kinds = [
            _count(self.severities[one], one if one != "information" else "remark")
            for one in ("error", "warning", "information")
            if self.severities[one]
        ]
        seen = f"{_count(sum(self.files.values()), 'resource')} in {_count(len(self.files), 'file')}"
        return f"{seen}: {', '.join(kinds) or 'nothing found'}."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


class Text(_Sum):
    """A line for each finding, ``file:line:column: …``, and a last one with the sum."""

    def add(self, looked: Looked) -> None:
        """Write the findings."""
        super().add(looked)
        for found in looked.found:
            self.write(line_of(found))

    def end(self) -> None:
        """Write the sum."""
        self.write(self.summary())


def line_of(found: Found) -> str:
    """One finding as a line."""
    issue = found.issue
    place = f"{found.file}:{found.line}:{found.column}"
    kind = "" if issue.severity == "error" else f"{issue.severity}, "
    parts = [place, found.resource, _element(found), issue.message]
    return f"{': '.join(filter(None, parts))} [{kind}{issue.rule}]"


def _element(found: Found) -> str:
    issue = found.issue
    return ".".join(filter(None, (issue.expression, issue.property)))


class Json(_Sum):
    """One object: how much was seen, and the findings."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self.found: list[Found] = []

    def add(self, looked: Looked) -> None:
        """Keep the findings."""
        super().add(looked)
        self.found += looked.found

    def end(self) -> None:
        """Write the object."""
        self.write(json.dumps(self.document(), ensure_ascii=False, indent=2))

    def document(self) -> dict[str, Any]:
        """The object."""
        return {
            "files": len(self.files),
            "resources": sum(self.files.values()),
            "findings": [
                {
                    "file": found.file,
                    "line": found.line,
                    "column": found.column,
                    "resource": found.resource,
                    "severity": found.issue.severity,
                    "expression": found.issue.expression,
                    "property": found.issue.property,
                    "rule": found.issue.rule,
                    "message": found.issue.message,
                }
                for found in self.found
            ],
            "not_checked": list(NOT_CHECKED),
        }


class OperationOutcome(Json):
    """An OperationOutcome; ``location`` has line and column as HL7's validator writes them.

    https://hl7.org/fhir/R4/operationoutcome.html
    """

    def document(self) -> dict[str, Any]:
        """The resource."""
        issues = [self._issue(found) for found in self.found]
        all_well = {"severity": "information", "code": "informational", "details": {"text": self.summary()}}
        return {"resourceType": "OperationOutcome", "issue": issues or [all_well]}

    def _issue(self, found: Found) -> dict[str, Any]:
        issue = found.issue
        made: dict[str, Any] = {
            "severity": issue.severity,
            "code": issue.code,
            "details": {"text": issue.message},
            "diagnostics": f"{found.file}:{found.line}:{found.column} {found.resource} [{issue.rule}]",
            "location": [f"Line[{found.line}] Col[{found.column}]"],
        }
        return made | ({"expression": [issue.expression]} if issue.expression else {})


class Sarif(Json):
    """SARIF 2.1.0, which code-scanning tools read.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """

    def document(self) -> dict[str, Any]:
        """The log."""
        # Here, since it takes longer to load than all else that a person waits for.
        from importlib.metadata import version

        rules = sorted({found.issue.rule for found in self.found})
        driver = {
            "name": "fhir-adapter",
            "version": version("fhir-adapter"),
            "rules": [{"id": rule} for rule in rules],
        }
        numbers = {rule: number for number, rule in enumerate(rules)}
        return {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {"driver": driver},
                    "columnKind": "unicodeCodePoints",
                    "results": [self._result(found, numbers) for found in self.found],
                }
            ],
        }

    def _result(self, found: Found, numbers: dict[str, int]) -> dict[str, Any]:
        issue = found.issue
        place: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": found.file.replace("\\", "/")},
                "region": {"startLine": found.line, "startColumn": found.column},
            }
        }
        element = _element(found)
        if element:
            place["logicalLocations"] = [{"fullyQualifiedName": element}]
        said = ": ".join(filter(None, (found.resource, element, issue.message)))
        return {
            "ruleId": issue.rule,
            "ruleIndex": numbers[issue.rule],
            "level": "note" if issue.severity == "information" else issue.severity,
            "message": {"text": said},
            "locations": [place],
        }


# What XML 1.0 has no way to write.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Junit(Json):
    """JUnit's XML: a suite for each file, with a failed case for each finding, or one that passed."""

    def end(self) -> None:
        """Write the suites."""
        by_file: dict[str, list[Found]] = {file: [] for file in self.files}
        for found in self.found:
            by_file[found.file].append(found)
        self.write('<?xml version="1.0" encoding="UTF-8"?>')
        self.write('<testsuites name="fhir-adapter validate">')
        for file, its in by_file.items():
            tests = max(1, len(its))
            self.write(f'  <testsuite name={_attribute(file)} tests="{tests}" failures="{len(its)}">')
            if not its:
                name = f"{_count(self.files[file], 'resource')}, nothing found"
                self.write(f"    <testcase classname={_attribute(file)} name={_attribute(name)}/>")
            for found in its:
                name = f"{found.line}:{found.column} {found.resource} {_element(found)}"
                self.write(f"    <testcase classname={_attribute(file)} name={_attribute(name.strip())}>")
                self.write(
                    f"      <failure type={_attribute(found.issue.rule)} message="
                    f"{_attribute(found.issue.message)}>{_escaped(line_of(found))}</failure>"
                )
                self.write("    </testcase>")
            self.write("  </testsuite>")
        self.write("</testsuites>")


def _escaped(text: str) -> str:
    return html.escape(_NO_XML.sub("?", text))


def _attribute(text: str) -> str:
    return f'"{_escaped(text)}"'


FORMATS: Final[dict[str, type[Writer]]] = {
    "text": Text,
    "json": Json,
    "operationoutcome": OperationOutcome,
    "sarif": Sarif,
    "junit": Junit,
}
"""Each form by the name that ``--format`` takes."""
