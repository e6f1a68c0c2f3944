"""How far our verdicts, and the places of our errors, agree with HL7's validator.

``python -m tests.validation.agreement [--show | --write | --pack] [SET or NAME …]``

Cases are read from the folder that ``FHIR_TEST_CASES`` names, or ``../shared/fhir-test-cases`` beside the
repository. The sets of mutants, which were made for this project, are also kept here: ``mutants.ndjson.gz``,
written by ``--pack``. ``further.ndjson.gz`` holds more in the same form and with the same settings: resources
of some fifty types, changed at random, and profiles, Bundles, forms and definitions by hand. ``--write``
writes docs/validation-agreement.md, and ``--show`` prints the cases that differ.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fhir_adapter.validation import Issue, validate
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.run import Settings
from fhir_adapter.validation.source import load

ROOT = Path(__file__).parents[2]
PACKED = Path(__file__).parent / "mutants.ndjson.gz"
FURTHER = Path(__file__).parent / "further.ndjson.gz"
PAGE = ROOT / "docs" / "validation-agreement.md"
SETS = ("hl7", "hl7-from-xml", "mutants", "mutants-extra")
"""The sets in the folder of cases."""
KEPT = "further"
"""The set that is kept here alone."""

# Why we differ, where it is not for want of a check. A name with @ is the input against a profile.
WHY = {
    "json-comments-1-yes": "JSON has no comments (RFC 8259), and no option of ours lets them pass.",
    "opdef-params": "The profiles of an operation's input and output are not compared with its parameters.",
    "patient-translated-codes@profile": "The profile binds a value set that it contains, and HL7's validator"
    " takes that set's displays; ours knows those of the code system.",
    "questionnaireResponse-enableWhenEx-test-fail": "The condition stands in an extension of one vendor.",
    "sr-note-long": "maxLength is checked in markdown, too; HL7's validator looks at strings only.",
    "search-unkelem": "The expression of a SearchParameter is parsed; its names are not looked up in R4.",
    "sl-ord-other-first": "`openAtEnd` allows items of no slice at the end only (R4, ElementDefinition);"
    " HL7's validator lets one stand first.",
    "sl-res-abs": "The URL names the type Practitioner, and the slice asks for no more; HL7's validator wants"
    " the resource itself.",
    "x-inext-valueprim": "The context is another extension: that is where it may stand; HL7's validator lets"
    " it stand at that extension's value, too.",
    "obs-control-char": "Strings SHALL NOT hold control characters (R4, datatypes); HL7's validator warns.",
}


def folder() -> Path | None:
    """Where the cases are, or ``None`` on a machine that has none."""
    named = os.environ.get("FHIR_TEST_CASES")
    found = Path(named) if named else ROOT.parent / "shared" / "fhir-test-cases"
    return found if found.is_dir() else None


@dataclass(frozen=True)
class Given:
    """A case as it is given: its text, and what the manifest says of it."""

    name: str
    text: bytes
    profiles: tuple[str, ...]
    supporting: tuple[bytes, ...]
    settings: Mapping[str, Any]
    references: Mapping[str, Any]
    expected: tuple[Mapping[str, Any], ...]


@dataclass
class Case:
    """A case with both answers: HL7's errors and ours."""

    given: Given
    found: list[Issue]

    @property
    def expected(self) -> tuple[Mapping[str, Any], ...]:
        """HL7's errors."""
        return self.given.expected

    @cached_property
    def theirs(self) -> set[str]:
        """The elements of HL7's errors."""
        return {plain(error.get("expression") or "") for error in self.expected}

    @property
    def agrees(self) -> bool:
        """Whether both say that there is an error, or that there is none."""
        return bool(self.expected) == bool(self.found)

    @property
    def located(self) -> bool:
        """Whether one of our errors stands where one of theirs does; those without a place stand anywhere."""
        known = self.theirs - {""}
        return (
            bool(self.found) if not known else any(plain(issue.expression) in known for issue in self.found)
        )

    @property
    def extra(self) -> list[Issue]:
        """Our errors at elements where they have none."""
        return [issue for issue in self.found if plain(issue.expression) not in self.theirs]


def plain(expression: str) -> str:
    """An expression without what only HL7's validator writes: ids in comments, types of choices."""
    expression = re.sub(r"/\*.*?\*/", "", expression)
    expression = re.sub(r"\[url='[^']*'\]", "", expression)
    return re.sub(r"\.ofType\([A-Za-z0-9]+\)|\[x\]", "", expression)


def in_folder(base: Path) -> Iterator[Given]:
    """The cases of a set in its folder."""
    for entry in json.loads((base / "manifest.json").read_bytes()):
        led_to = entry.get("references") or {}
        yield Given(
            entry["name"],
            (base / entry["file"]).read_bytes(),
            tuple(entry.get("profiles") or ()),
            tuple((base / name).read_bytes() for name in entry.get("supporting") or ()),
            entry.get("settings") or {},
            {url: json.loads((base / name).read_bytes()) for url, name in led_to.items()},
            tuple(entry["expected"]["errors"]),
        )


def cases(name: str, base: Path) -> Iterator[Given]:
    """The cases of a set: of ``SETS`` in the folder ``base``, or ``KEPT``."""
    return packed(name) if name == KEPT else in_folder(base / name)


def packed(name: str) -> Iterator[Given]:
    """The cases of a set that is kept here: ``mutants``, ``mutants-extra`` or ``further``."""
    with gzip.open(FURTHER if name == KEPT else PACKED, "rt", encoding="utf-8", newline="") as lines:
        shared = tuple(json.dumps(one).encode() for one in json.loads(next(lines)))
        for line in lines:
            one = json.loads(line)
            if one["set"] == name:
                yield Given(
                    one["name"],
                    one["text"].encode(),
                    tuple(one["profiles"]),
                    shared,
                    one["settings"],
                    {},
                    tuple(one["errors"]),
                )


def pack(base: Path) -> None:
    """Write ``mutants.ndjson.gz``: the resources that all cases load first, then a case a line."""
    lines: list[str] = []
    for name in ("mutants", "mutants-extra"):
        for one in in_folder(base / name):
            if not lines:
                lines.append(json.dumps([json.loads(text) for text in one.supporting], ensure_ascii=False))
            errors = [
                {key: error[key] for key in ("expression", "message") if key in error}
                for error in one.expected
            ]
            case = {
                "set": name,
                "name": one.name,
                "text": one.text.decode(),
                "profiles": one.profiles,
                "settings": one.settings,
                "errors": errors,
            }
            lines.append(json.dumps(case, ensure_ascii=False))
    text = "".join(f"{line}\n" for line in lines).encode()
    PACKED.write_bytes(gzip.compress(text, 9, mtime=0))


def run(given: Given) -> Case:
    """A case through our validation, with the settings that it asks for."""
    document = load(given.text)
    issues = list(document.issues)
    if document.resource is not None:
        issues += validate(
            document.resource,
            profiles=given.profiles,
            definitions=_definitions(given.supporting),
            settings=_settings(given),
        )
    return Case(given, [issue for issue in issues if issue.severity == "error"])


@cache
def _definitions(texts: tuple[bytes, ...]) -> Definitions:
    documents = [load(text) for text in texts]
    return Definitions([one.resource for one in documents if one.resource is not None])


def _settings(given: Given) -> Settings:
    asked = given.settings
    return Settings(
        fetch=given.references.get if "validateReference" in asked else None,
        html=not (asked.get("security-checks") or asked.get("noHtmlInMarkdown")),
        contained=asked.get("validateContains") != "IGNORE",
        rest_references=bool(asked.get("assumeValidRestReferences")),
        examples=asked.get("examples") is not False,
    )


@dataclass(frozen=True)
class Figures:
    """The agreement on a set, each but the first a share."""

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
    return Figures(
        len(found),
        share(sum(case.agrees for case in found), len(found)),
        share(sum(case.agrees for case in valid), len(valid)),
        share(sum(case.agrees for case in invalid), len(invalid)),
        share(sum(case.located for case in invalid), len(invalid)),
        share(sum(len(case.extra) for case in found), sum(len(case.found) for case in found)),
    )


def page(sets: Mapping[str, list[Case]]) -> str:
    """docs/validation-agreement.md."""
    rows = []
    for name, found in sets.items():
        figure = figures(found)
        shares = (figure.verdict, figure.valid, figure.invalid, figure.located, figure.extra)
        rows.append(f"| {name} | {figure.cases} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    differing = []
    for name, found in sets.items():
        for case in found:
            if not case.agrees:
                ours, theirs = (("errors", "none"), ("none", "errors"))[bool(case.expected)]
                why = WHY.get(case.given.name, "Not known yet.")
                differing.append(f"| {name} | {case.given.name} | {theirs} | {ours} | {why} |")
    return _PAGE.format(rows="\n".join(rows), differing="\n".join(differing))


_PAGE = """# Agreement with HL7's validator

`fhir-adapter validate` is held against HL7's own validator (org.hl7.fhir.validation 6.10.3, R4 4.0.1, without
a terminology server) on cases with its verdicts: R4 cases of HL7's test suite, in JSON (`hl7`) and turned
into it from XML (`hl7-from-xml`); resources of the kinds that this program reads and writes, right and wrong
(`mutants`, `mutants-extra`); and resources of some fifty types, changed at random, with profiles, Bundles,
forms and definitions by hand (`further`). This page is written by
`python -m tests.validation.agreement --write`.

- *Verdict*: both find an error, or both find none. Then the same of the valid and of the wrong cases alone.
- *Located*: of the wrong cases, those where one of our errors stands at an element where theirs does.
- *Extra*: of our errors, those at elements where theirs has none.

| set | cases | verdict | valid | wrong | located | extra |
|---|---|---|---|---|---|---|
{rows}

## Where the verdicts differ

| set | case | HL7's validator | ours | why |
|---|---|---|---|---|
{differing}
"""


def main(arguments: list[str]) -> None:
    """Print the figures; with ``--show`` also the cases that differ, or those that are named."""
    base = folder()
    if base is None:
        sys.exit("There are no cases here: set FHIR_TEST_CASES.")
    if "--pack" in arguments:
        pack(base)
        return
    names = {one for one in arguments if not one.startswith("--")}
    every = (*SETS, KEPT)
    wanted = names - set(every)
    sets = {
        one: [run(given) for given in cases(one, base) if not wanted or given.name in wanted]
        for one in every
        if one in names or not names & set(every)
    }
    if "--write" in arguments:
        PAGE.write_text(page(sets), encoding="utf-8")
    for name, found in sets.items():
        print(name, figures(found))
        for case in found if "--show" in arguments else ():
            if not case.agrees or wanted:
                print(f"  {case.given.name}")
                for error in case.expected:
                    print(f"      HL7  {error.get('expression')} | {error['message'][:150]}")
                for issue in case.found:
                    print(f"      ours {issue.expression} | {issue.rule} {issue.message[:150]}")


if __name__ == "__main__":
    main(sys.argv[1:])
