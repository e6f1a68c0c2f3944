"""What ``validate`` found, for people and for programs: text, JSON, OperationOutcome, SARIF and JUnit.

Each form is a class that is given what was seen, part by part, and then told that it was all. What was found
is written as it comes and not kept, but for JUnit, which keeps what was found in one file.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import quote

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


class _Array(_Sum):
    """One JSON document in which the findings stand in one array, each written as it comes."""

    opening = ""
    """The document up to the items of the array; ``indent`` blanks stand before each of these."""
    indent = 0

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._last: str | None = None

    def add(self, looked: Looked) -> None:
        """Write the findings, the last of them when it is known whether a comma follows."""
        super().add(looked)
        for found in looked.found:
            self._item(self.item(found))

    def end(self) -> None:
        """Write the last finding, and what stands behind the array."""
        if self._last is None:
            self.write(self.opening)
        else:
            self.write(self._last)
        self.write(self.closing())

    def item(self, found: Found) -> dict[str, Any]:
        """One finding as an item of the array."""
        raise NotImplementedError

    def closing(self) -> str:
        """The rest of the document."""
        raise NotImplementedError

    def _item(self, item: dict[str, Any]) -> None:
        self.write(self.opening if self._last is None else f"{self._last},")
        self._last = _indented(item, self.indent)


def _indented(data: object, indent: int) -> str:
    blanks = " " * indent
    return blanks + json.dumps(data, ensure_ascii=False, indent=2).replace("\n", f"\n{blanks}")


class Json(_Array):
    """One object: the findings, and how much was seen."""

    opening = '{\n  "findings": ['
    indent = 4

    def item(self, found: Found) -> dict[str, Any]:
        """One finding."""
        return {
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

    def closing(self) -> str:
        """How much was seen, and what was not checked."""
        rest = {
            "files": len(self.files),
            "resources": sum(self.files.values()),
            "not_checked": list(NOT_CHECKED),
        }
        return "  ],\n" + _indented(rest, 0).removeprefix("{\n")


class OperationOutcome(_Array):
    """An OperationOutcome; ``location`` has line and column as HL7's validator writes them.

    https://hl7.org/fhir/R4/operationoutcome.html
    """

    opening = '{\n  "resourceType": "OperationOutcome",\n  "issue": ['
    indent = 4

    def item(self, found: Found) -> dict[str, Any]:
        """One issue."""
        issue = found.issue
        made: dict[str, Any] = {
            "severity": issue.severity,
            "code": issue.code,
            "details": {"text": issue.message},
            "diagnostics": f"{found.file}:{found.line}:{found.column} {found.resource} [{issue.rule}]",
            "location": [f"Line[{found.line}] Col[{found.column}]"],
        }
        return made | ({"expression": [issue.expression]} if issue.expression else {})

    def end(self) -> None:
        """Write the rest; an OperationOutcome has an issue at least."""
        if not self.severities:
            text = self.summary()
            self._item({"severity": "information", "code": "informational", "details": {"text": text}})
        super().end()

    def closing(self) -> str:
        """Nothing more."""
        return "  ]\n}"


class Sarif(_Array):
    """SARIF 2.1.0, which code-scanning tools read.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """

    opening = """\
{
  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
  "version": "2.1.0",
  "runs": [
    {
      "columnKind": "unicodeCodePoints",
      "results": ["""
    indent = 8

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._rules: dict[str, int] = {}

    def item(self, found: Found) -> dict[str, Any]:
        """One result."""
        issue = found.issue
        place: dict[str, Any] = {
            "physicalLocation": {
                # A reference of RFC 3986: blanks and other than ASCII signs are written with %.
                "artifactLocation": {"uri": quote(found.file.replace("\\", "/"))},
                "region": {"startLine": found.line, "startColumn": found.column},
            }
        }
        element = _element(found)
        if element:
            place["logicalLocations"] = [{"fullyQualifiedName": element}]
        said = ": ".join(filter(None, (found.resource, element, issue.message)))
        return {
            "ruleId": issue.rule,
            "ruleIndex": self._rules.setdefault(issue.rule, len(self._rules)),
            "level": "note" if issue.severity == "information" else issue.severity,
            "message": {"text": said},
            "locations": [place],
        }

    def closing(self) -> str:
        """The tool with the rules, in the order in which they were first broken."""
        # Here, since it takes longer to load than all else that a person waits for.
        from importlib.metadata import version

        rules = [{"id": rule} for rule in self._rules]
        driver = {"name": "fhir-adapter", "version": version("fhir-adapter"), "rules": rules}
        tool = _indented({"tool": {"driver": driver}}, 4).removeprefix("    {\n")
        return f"      ],\n{tool}\n  ]\n}}"


# What XML 1.0 has no way to write.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Junit(_Sum):
    """JUnit's XML: a suite for each file, with a failed case for each finding, or one that passed.

    A suite begins with the number of its cases: the findings of one file are kept.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._file: str | None = None
        self._resources = 0
        self._found: list[Found] = []
        self._begun = False

    def add(self, looked: Looked) -> None:
        """Keep the findings until those of the next file come."""
        super().add(looked)
        if looked.file != self._file:
            self._suite()
            self._file, self._resources, self._found = looked.file, 0, []
        self._resources += looked.resources
        self._found += looked.found

    def end(self) -> None:
        """Write the last suite."""
        self._suite()
        self.write("</testsuites>")

    def _suite(self) -> None:
        if not self._begun:
            self.write('<?xml version="1.0" encoding="UTF-8"?>')
            self.write('<testsuites name="fhir-adapter validate">')
            self._begun = True
        if self._file is None:
            return
        file, its = self._file, self._found
        tests = max(1, len(its))
        self.write(f'  <testsuite name={_attribute(file)} tests="{tests}" failures="{len(its)}">')
        if not its:
            name = f"{_count(self._resources, 'resource')}, nothing found"
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
