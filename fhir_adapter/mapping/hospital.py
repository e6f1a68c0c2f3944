"""A hospital's codes, units and words, as look-ups from its mapping folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from fhir_adapter.errors import StudyFileError
from fhir_adapter.mapping.statement import ASKED
from fhir_adapter.shipped import PROFILES
from fhir_adapter.trial.components import FINDINGS, LEVELS
from fhir_adapter.trial.drugs import DRUGS, ORDERED
from fhir_adapter.trial.items import CANONICAL, NOT_USED, SITED, OutcomeCode
from fhir_adapter.trial.values import Truth

TEXT = f"{CANONICAL}/CodeSystem/text"
"""Pseudo code system of codes that a hospital sends as free text only."""
UCUM = "http://unitsofmeasure.org"

ICD10 = "http://hl7.org/fhir/sid/icd-10"

Code = tuple[str, str]
"""A code system's URL and a code of it."""

NO_CODE: Code = (TEXT, "")
"""What is reported of a concept that has neither code nor text."""

STUDY_TREATMENT = "study-treatment"
"""What a consent is about that names no drug: every drug that the trial asks consent to."""

ROUTES: Mapping[str, str] = {
    "parenteral": "Into a vein or a muscle",
    "other-route": "Any other way: by mouth, under or onto the skin, inhaled",
}
CONTACTS: Mapping[str, str] = {
    "inpatient": "Admitted to the hospital",
    "other-contact": "Seen without being admitted",
}
VACCINES: Mapping[str, str] = {
    "live": "Live, attenuated organisms",
    "not-live": "Inactivated organisms, their parts, or instructions to make them",
}
SHOWN = tuple(
    str(code)
    for code in (OutcomeCode.ESSDAI, OutcomeCode.CLINESSDAI, OutcomeCode.ESSPRI, OutcomeCode.HOCEVAR)
)
"""The scores that a form may show beside its answers."""
CONSENTS: Mapping[str, str] = {
    STUDY_TREATMENT: "The treatment of the trial, with every drug that it asks consent to",
    **{code: drug.display for code, drug in ORDERED.items()},
}

_TARGETS: Mapping[str, frozenset[str]] = {
    "items": frozenset((*ASKED, *SITED, NOT_USED)),
    "sites": frozenset(site for sites in SITED.values() for site in sites),
    "levels": frozenset(map(str, LEVELS)),
    "findings": frozenset(FINDINGS),
    "drugs": frozenset((*DRUGS, NOT_USED)),
    "routes": frozenset(ROUTES),
    "contacts": frozenset(CONTACTS),
    "vaccines": frozenset((*VACCINES, NOT_USED)),
    "consents": frozenset((*CONSENTS, NOT_USED)),
    "outcomes": frozenset(SHOWN),
}
_FEW = 8
DIAGNOSES = "diagnoses"
"""The table whose targets are ICD-10 codes; its ConceptMaps name ICD-10 itself as their target."""
_ICD10_CODE = re.compile(r"([A-Z]\d[0-9A-Z])\.?([0-9A-Z]*)")


@lru_cache(maxsize=16_384)
def folded(text: str) -> str:
    """Text as it is compared: full-width forms narrowed (NFKC), trimmed, without case."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


@lru_cache(maxsize=16_384)
def spelling(unit: str) -> str:
    """A unit as it is looked up: full-width forms narrowed (NFKC), without blanks."""
    return "".join(unicodedata.normalize("NFKC", unit).split())


class UnknownCode(Exception):
    """None of a concept's codes is known to the mapping folder; ``code`` is the one to report."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


class AmbiguousCode(Exception):
    """The codes of one concept lead to different targets."""


@dataclass(frozen=True, slots=True, eq=False)
class Hospital:
    """The look-ups of one mapping folder; what is looked up in one is remembered by which one it is.

    ``codes`` leads from a target code system (``items``, ``sites``, …) to its map from code to target
    code; codes under the system ``TEXT`` are folded. ``words`` are folded words for present and absent.
    ``icd10`` are the code systems whose codes are of ICD-10 or extend it.
    """

    title: str
    timezone: ZoneInfo | None
    identifiers: Mapping[str, frozenset[str]]
    codes: Mapping[str, Mapping[Code, str]]
    units: Mapping[str, str]
    words: Mapping[str, Truth]
    default_units: Mapping[Code, str]
    icd10: frozenset[str]

    def target(self, table: str, concept: Mapping[str, Any]) -> str:
        """The target that a CodeableConcept (or Coding) leads to; text counts where no code is known.

        Raises UnknownCode where none of its codes is known, AmbiguousCode where they disagree. A code
        that leads to an item goes before one that is known and not used.
        """
        found, _ = self.match(table, concept)
        return found

    def match(self, table: str, concept: Mapping[str, Any]) -> tuple[str, Code]:
        """As ``target``, with the hospital's code that led there."""
        return _matched(self, table, tuple(codes_of(concept)))

    def diagnoses(self, concept: Mapping[str, Any]) -> tuple[str, ...]:
        """The ICD-10 codes of a CodeableConcept: its own, else those that its other codes lead to.

        None for a code that is known and not used. Raises UnknownCode where none of its codes is known.
        """
        codes = codes_of(concept)
        own = {found for system, code in codes if system in self.icd10 and (found := icd10_code(code))}
        if own:
            return tuple(sorted(own))
        known = self.codes[DIAGNOSES]
        sure = [code for code in codes if code in known and code[0] != TEXT]
        targets = {known[code] for code in sure or codes if code in known}
        if not targets:
            raise UnknownCode(codes[0] if codes else NO_CODE)
        return tuple(sorted(targets - {NOT_USED}))

    def unit(self, sent: str) -> str:
        """The UCUM unit of a spelling; an unlisted spelling stands for itself."""
        plain = spelling(sent)
        return self.units.get(plain, plain)

    def identifier_values(self, resource: Mapping[str, Any], name: str) -> frozenset[str]:
        """The values of a resource's identifiers under one of the systems that ``name`` stands for."""
        systems = self.identifiers.get(name, frozenset())
        return frozenset(
            str(each["value"])
            for each in listed(resource, "identifier")
            if str(each.get("system")) in systems and each.get("value")
        )


@lru_cache(maxsize=16_384)
def _matched(hospital: Hospital, table: str, codes: tuple[Code, ...]) -> tuple[str, Code]:
    """What the codes of one concept lead to: the same few concepts are sent again and again."""
    known = hospital.codes[table]
    sure = [code for code in codes if code in known and code[0] != TEXT]
    hits = {known[code]: code for code in reversed(sure or codes) if code in known}
    if not hits:
        raise UnknownCode(codes[0] if codes else NO_CODE)
    used = [name for name in hits if name != NOT_USED]
    if len(used) > 1:
        raise AmbiguousCode
    name = used[0] if used else NOT_USED
    return name, hits[name]


def icd10_code(code: str) -> str | None:
    """An ICD-10 code with its point (``M35.0``), from one with or without; None for what is none."""
    match = _ICD10_CODE.fullmatch(code.strip().upper())
    if match is None:
        return None
    category, rest = match.groups()
    return f"{category}.{rest}" if rest else category


def codes_of(concept: Mapping[str, Any]) -> list[Code]:
    """The codes of a CodeableConcept or Coding, then its text."""
    codings = concept["coding"] if isinstance(concept.get("coding"), list) else [concept]
    codes = [
        (str(coding.get("system", "")), str(coding["code"]))
        for coding in codings
        if isinstance(coding, dict) and coding.get("code")
    ]
    text = concept.get("text")
    if isinstance(text, str) and text.strip():
        codes.append((TEXT, folded(text)))
    return codes


def concept_of(resource: Mapping[str, Any], element: str) -> dict[str, Any]:
    """A CodeableConcept; one that is missing or of another shape has no codes."""
    value = resource.get(element)
    return value if isinstance(value, dict) else {}


def listed(resource: Mapping[str, Any], element: str) -> list[dict[str, Any]]:
    """The objects of a repeating element; a lone object counts as a list of one, anything else as none."""
    value = resource.get(element)
    if value is None:
        return []
    candidates = value if isinstance(value, list) else [value]
    return [each for each in candidates if isinstance(each, dict)]


def hospital(concept_maps: Iterable[Mapping[str, Any]], settings: Mapping[str, Any], where: str) -> Hospital:
    """The look-ups of a mapping folder from its documents.

    Raises StudyFileError naming the ConceptMap and the code where a target does not exist, or where one
    code leads to two targets.
    """
    codes: dict[str, dict[Code, str]] = {table: {} for table in (*_TARGETS, DIAGNOSES)}
    for concept_map in concept_maps:
        for group in listed(concept_map, "group"):
            _add_group(codes, group, f"{where}: ConceptMap {concept_map.get('id', '')}")
    words: dict[str, Truth] = {}
    for name, answer in (("positive", True), ("negative", False), ("indeterminate", None)):
        words.update(dict.fromkeys(map(folded, settings.get("words", {}).get(name, ())), answer))
    zone = settings.get("timezone")
    return Hospital(
        title=settings["title"],
        timezone=ZoneInfo(zone) if zone else None,
        identifiers={name: frozenset(systems) for name, systems in settings["identifiers"].items()},
        codes=codes,
        units={spelling(sent): unit for sent, unit in settings.get("units", {}).items()},
        words=words,
        default_units={_code(key): unit for key, unit in settings.get("default_units", {}).items()},
        icd10=frozenset((ICD10, *settings.get("icd10", ()))),
    )


def _code(key: str) -> Code:
    system, _, code = key.rpartition("|")
    return (system, code)


def _add_group(codes: dict[str, dict[Code, str]], group: Mapping[str, Any], where: str) -> None:
    target_system = str(group.get("target", ""))
    table = DIAGNOSES if target_system == ICD10 else target_system.removeprefix(f"{CANONICAL}/CodeSystem/")
    if table not in codes or (table == DIAGNOSES and target_system != ICD10):
        raise StudyFileError(
            f"The target {group.get('target')!r} is none of ours.",
            where=where,
            remedy=f"Use {CANONICAL}/CodeSystem/ and one of: {', '.join(_TARGETS)}; for diagnoses {ICD10}.",
        )
    system = str(group.get("source", ""))
    for element in listed(group, "element"):
        code = str(element.get("code", ""))
        targets = {_target(table, each) for each in listed(element, "target")}
        unknown = {each for each in targets if not _allowed(table, each)}
        if len(targets) != 1 or unknown:
            what = f"leads to {sorted(unknown)[0]!r}, which does not exist" if unknown else "needs one target"
            remedy = _remedy(table, sorted(unknown)[0]) if unknown else ""
            raise StudyFileError(f"The code {code!r} {what}.", where=f"{where}, {system}", remedy=remedy)
        key = (system, folded(code) if system == TEXT else code)
        target = targets.pop()
        if codes[table].setdefault(key, target) != target:
            raise StudyFileError(f"The code {code!r} has two targets.", where=f"{where}, {system}")


def _remedy(table: str, unknown: str) -> str:
    """What may stand there: few targets by name, of many the nearest, and where all of them stand."""
    if table == DIAGNOSES:
        return "Write an ICD-10 code with its point, such as M35.0."
    if len(_TARGETS[table]) <= _FEW:
        return f"Allowed are: {', '.join(sorted(_TARGETS[table]))}."
    near = get_close_matches(unknown.casefold(), _TARGETS[table], n=1)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    return f"{guess}All codes stand in {PROFILES / f'CodeSystem-{table}.json'}."


def _target(table: str, target: Mapping[str, Any]) -> str:
    """A target's code; ICD-10 has none for what is known and not used, which FHIR writes without a code."""
    if table == DIAGNOSES and "code" not in target and target.get("equivalence") == "unmatched":
        return NOT_USED
    return str(target.get("code", ""))


def _allowed(table: str, code: str) -> bool:
    if table == DIAGNOSES:
        return code == NOT_USED or icd10_code(code) == code
    return code in _TARGETS[table]
