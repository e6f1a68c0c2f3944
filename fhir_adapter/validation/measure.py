"""Measures and MeasureReports. https://hl7.org/fhir/R4/measure.html, https://hl7.org/fhir/R4/measurereport.html"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhir_adapter.validation.references import find
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = ["check_measure", "check_report"]

Json = Mapping[str, Any]


def check_measure(scope: Scope, run: Run) -> None:
    """Criteria in CQL are in a library that the measure names: Measure.library, "SHALL be referenced"."""
    libraries = scope.resource.get("library")
    named = [url for url in libraries if isinstance(url, str)] if isinstance(libraries, list) else []
    known = [run.definitions.whole("Library", url) for url in named]
    for criteria, path in _criteria(scope.resource, scope.path):
        if criteria.get("language") not in ("text/cql", "text/cql-identifier"):
            continue
        if not named:
            run.error(path, "measure-library", "is CQL, and the measure names no library", "invalid")
            continue
        expression = criteria.get("expression")
        if not isinstance(expression, str) or None in known:
            continue
        space, _, name = expression.strip().rpartition(".")
        found = [one for one in known if one is not None and (not space or one.get("name") == space)]
        if not found:
            run.error(path, "measure-library", "names a library that is none of the measure's", "invalid")
        elif not any(_defines(one, name) for one in found):
            run.error(path, "measure-library", "names what its library does not define", "invalid")


def _criteria(measure: Json, path: Path) -> Iterator[tuple[Json, Path]]:
    for group, here in _items(measure, "group", path):
        for name in ("population", "stratifier"):
            for one, there in _items(group, name, here):
                if isinstance(one.get("criteria"), dict):
                    yield one["criteria"], (there, "criteria", -1)
    for one, there in _items(measure, "supplementalData", path):
        if isinstance(one.get("criteria"), dict):
            yield one["criteria"], (there, "criteria", -1)


def _defines(library: Json, name: str) -> bool:
    """Whether a library's CQL defines ``name``; one whose text is not at hand may."""
    for content, _ in _items(library, "content", (None, "content", -1)):
        if content.get("contentType") == "text/cql" and isinstance(content.get("data"), str):
            try:
                text = base64.b64decode(content["data"]).decode()
            except (binascii.Error, ValueError):
                return True
            plain = name.strip('"')
            return re.search(rf'define\s+(function\s+)?"?{re.escape(plain)}"?\s*[:(]', text) is not None
    return True


def check_report(scope: Scope, run: Run) -> None:
    """A report's groups and populations are the measure's; subjects are listed where its type asks for them.

    MeasureReport.group.population.subjectResults: "if the type of the report is subject-list".
    """
    report = scope.resource
    lists = report.get("type") == "subject-list"
    for group, path in _items(report, "group", scope.path):
        for population, here in _items(group, "population", path):
            results = population.get("subjectResults")
            if results is not None and not lists:
                run.error(
                    here,
                    "measure-subjects",
                    "lists subjects, though the type is not subject-list",
                    "business-rule",
                )
            elif isinstance(results, dict) and isinstance(results.get("reference"), str):
                _count(population, results["reference"], here, run)
    url = report.get("measure")
    measure = run.definitions.whole("Measure", url) if isinstance(url, str) else None
    if measure is not None:
        _groups(report, measure, scope.path, run)


def _count(population: Json, reference: str, path: Path, run: Run) -> None:
    count, target = population.get("count"), find(reference, run)
    subjects = target.resource.get("entry") if target is not None and target.type == "List" else None
    number = len(subjects) if isinstance(subjects, list) else 1 if target is None else None
    if isinstance(count, int) and number is not None and count != number:
        run.error(path, "measure-count", f"count is not the number of subjects, {number}", "business-rule")


def _groups(report: Json, measure: Json, path: Path, run: Run) -> None:
    wanted = [one for one, _ in _items(measure, "group", path)]
    given = list(_items(report, "group", path))
    if len(wanted) == 1 and len(given) == 1:
        pairs = [(given[0], wanted[0])]
    else:
        pairs = []
        for group, here in given:
            match = next((one for one in wanted if _same(group.get("code"), one.get("code"))), None)
            if match is None:
                run.error(
                    here, "measure-group", "has no code that is one of the measure's groups", "business-rule"
                )
            else:
                pairs.append(((group, here), match))
        for one in wanted:
            if not any(_same(group.get("code"), one.get("code")) for group, _ in given):
                run.error(path, "measure-group", "lacks a group of the measure", "business-rule")
    for (group, here), match in pairs:
        codes = [one.get("code") for one, _ in _items(match, "population", path)]
        for population, there in _items(group, "population", here):
            if not any(_same(population.get("code"), code) for code in codes):
                run.error(
                    there, "measure-population", "its code is none of the measure's group", "business-rule"
                )


def _same(one: Any, other: Any) -> bool:
    """Whether two concepts have a coding in common, or the same text."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    left = {(coding.get("system"), coding.get("code")) for coding, _ in _items(one, "coding", (None, "", -1))}
    right = {
        (coding.get("system"), coding.get("code")) for coding, _ in _items(other, "coding", (None, "", -1))
    }
    return bool(left & right) or (one.get("text") is not None and one.get("text") == other.get("text"))


def _items(holder: Json, name: str, path: Path) -> Iterator[tuple[Json, Path]]:
    found = holder.get(name)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield one, (path, name, index)
