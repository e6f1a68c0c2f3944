"""Whether a code is in a value set, as far as the definitions at hand decide it.

https://hl7.org/fhir/R4/valueset.html#4.9.7 (compose), https://hl7.org/fhir/R4/codesystem.html. An answer is
``True``, ``False`` or ``None``: nobody can tell here, as for a code of LOINC or SNOMED CT, which do not ship.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.fhirpath.errors import CannotEvaluate
from fhir_adapter.validation.fhirpath.regex import pattern
from fhir_adapter.validation.languages import is_language
from fhir_adapter.validation.ucum import is_unit

__all__ = ["Members", "code_system", "has_code", "members"]

Answer = bool | None

_mime = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/([A-Za-z0-9][\w!#$&^.+-]{0,126}|\*)(\s*;.*)?").fullmatch

# Systems whose codes follow a grammar, not a list. https://hl7.org/fhir/R4/terminologies-systems.html
_GRAMMARS: Final[dict[str, Callable[[str], Answer]]] = {
    "urn:ietf:bcp:13": lambda code: _is_media_type(code),
    "urn:ietf:bcp:47": is_language,
    "http://unitsofmeasure.org": is_unit,
    "urn:iso:std:iso:4217": lambda code: None if re.fullmatch("[A-Z]{3}", code) else False,
}


def _is_media_type(code: str) -> Answer:
    """By its form; FHIR itself uses short names, too: xml, json and ttl."""
    return True if _mime(code) else None if "/" not in code and not re.search(r"\s", code) else False


@dataclass(slots=True)
class Members:
    """The codes of a value set.

    ``listed``: system → codes that are in it. ``open``: systems of which only some codes can be judged, each
    with what judges them. ``unknown``: whether a part of it is not known at all.
    """

    listed: dict[str, frozenset[str]] = field(default_factory=dict)
    open: list[tuple[str, Callable[[str], Answer]]] = field(default_factory=list)
    unknown: bool = False
    folded: dict[str, frozenset[str]] = field(default_factory=dict)

    def holds(self, system: str | None, code: str) -> Answer:
        """Whether it holds ``code`` of ``system``, or of any system when that is ``None``."""
        if system is None:
            if any(code in codes for codes in self.listed.values()):
                return True
            answers = [test(code) for _, test in self.open]
        else:
            if code in self.listed.get(system, ()) or code.lower() in self.folded.get(system, ()):
                return True
            answers = [test(code) for name, test in self.open if name == system]
        if True in answers:
            return True
        return None if self.unknown or None in answers else False

    def codes(self) -> list[str]:
        """The codes that are listed, of all systems."""
        return [code for codes in self.listed.values() for code in codes]


def members(definitions: Definitions, canonical: str) -> Members | None:
    """The codes of the value set at ``canonical``; ``None`` when the value set is not known."""
    cache = definitions.cache("terminology")
    if canonical not in cache:
        cache[canonical] = Members(unknown=True)  # what a value set says that includes itself
        cache[canonical] = _members(definitions, canonical)
    found: Members | None = cache[canonical]
    return found


def code_system(definitions: Definitions, system: str) -> dict[str, Any] | None:
    """The CodeSystem at ``system``, compact, or ``None``."""
    return definitions.get("CodeSystem", system)


def has_code(definitions: Definitions, system: str, code: str) -> Answer:
    """Whether ``system`` has ``code``."""
    grammar = _GRAMMARS.get(system)
    if grammar is not None:
        return grammar(code)
    found = code_system(definitions, system)
    if found is None or found.get("content") not in ("complete", "fragment"):
        return None
    if code in found["concept"]:
        return True
    if found.get("caseSensitive") is False and code.lower() in {known.lower() for known in found["concept"]}:
        return True
    return False if found["content"] == "complete" else None


def _members(definitions: Definitions, canonical: str) -> Members | None:
    found = definitions.get("ValueSet", canonical)
    if found is None:
        return None
    made = Members()
    if "expansion" in found and "compose" not in found:
        listed: dict[str, set[str]] = {}
        for system, code in found["expansion"]:
            listed.setdefault(system or "", set()).add(code)
        made.listed = {system: frozenset(codes) for system, codes in listed.items()}
        return made
    compose = found.get("compose", {})
    for part in compose.get("include", ()):
        _add(made, _part(definitions, part))
    for part in compose.get("exclude", ()):
        _remove(made, _part(definitions, part))
    return made


def _add(made: Members, part: Members) -> None:
    for system, codes in part.listed.items():
        made.listed[system] = made.listed.get(system, frozenset()) | codes
    for system, codes in part.folded.items():
        made.folded[system] = made.folded.get(system, frozenset()) | codes
    made.open += part.open
    made.unknown |= part.unknown


def _remove(made: Members, part: Members) -> None:
    if part.open or part.unknown:
        # What is excluded is not all known, so of the codes that are in, some are in doubt.
        for system, codes in made.listed.items():
            inside = frozenset(code for code in codes if part.holds(system, code) is False)
            if codes - inside:
                made.open.append((system, _perhaps(codes - inside)))
            made.listed[system] = inside
    for system, codes in part.listed.items():
        if system in made.listed:
            made.listed[system] -= codes
        if system in made.folded:
            made.folded[system] -= {code.lower() for code in codes}
    made.open = [(system, _but(test, system, part)) for system, test in made.open]


def _perhaps(codes: frozenset[str]) -> Callable[[str], Answer]:
    """Nobody can tell of ``codes``; no other code is in."""
    return lambda code: None if code in codes else False


def _but(test: Callable[[str], Answer], system: str, excluded: Members) -> Callable[[str], Answer]:
    return lambda code: _without(test(code), excluded.holds(system, code))


def _in_both(one: Members, other: Members, system: str) -> Callable[[str], Answer]:
    return lambda code: _and(one.holds(system, code), other.holds(system, code))


def _without(inside: Answer, excluded: Answer) -> Answer:
    if inside is False or excluded is True:
        return False
    return None if inside is None or excluded is None else True


def _part(definitions: Definitions, part: Mapping[str, Any]) -> Members:
    """One ``include`` or ``exclude``: the codes of a system that are also in all the value sets it names."""
    found: Members | None = None
    if "system" in part:
        found = _of_system(definitions, part)
    for canonical in part.get("valueSet", ()):
        other = members(definitions, canonical) or Members(unknown=True)
        found = other if found is None else _both(found, other)
    return found or Members(unknown=True)


def _both(one: Members, other: Members) -> Members:
    made = Members(unknown=one.unknown and other.unknown)
    for system in {*one.listed, *other.listed, *(name for name, _ in one.open + other.open)}:
        known = one.listed.get(system, frozenset()) | other.listed.get(system, frozenset())
        answers = {code: _and(one.holds(system, code), other.holds(system, code)) for code in known}
        made.listed[system] = frozenset(code for code, answer in answers.items() if answer)
        doubtful = frozenset(code for code, answer in answers.items() if answer is None)
        if system in {name for name, _ in one.open} & {name for name, _ in other.open}:
            made.open.append((system, _in_both(one, other, system)))
        elif doubtful:
            made.open.append((system, _perhaps(doubtful)))
    return made


def _and(one: Answer, other: Answer) -> Answer:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _of_system(definitions: Definitions, part: Mapping[str, Any]) -> Members:
    system = part["system"]
    if "concept" in part:
        codes = [code for code in part["concept"] if isinstance(code, str)]
        made = Members(listed={system: frozenset(codes)})
        known = code_system(definitions, system)
        if known is not None and known.get("caseSensitive") is False:
            made.folded = {system: frozenset(code.lower() for code in codes)}
        return made
    filters = part.get("filter", ())
    found = code_system(definitions, system)
    if found is not None and found.get("content") == "complete":
        concepts = found["concept"]
        codes_left = frozenset(concepts)
        for one in filters:
            kept = _filtered(concepts, one)
            if kept is None:
                return Members(open=[(system, _perhaps(codes_left))])
            codes_left &= kept
        made = Members(listed={system: codes_left})
        if found.get("caseSensitive") is False:
            made.folded = {system: frozenset(code.lower() for code in codes_left)}
        return made
    if filters:
        grammar = _GRAMMARS.get(system)
        return Members(
            open=[(system, lambda code: None if grammar is None or grammar(code) is not False else False)]
        )
    return Members(open=[(system, _GRAMMARS.get(system, lambda _code: None))])


def _filtered(concepts: Mapping[str, list[Any]], rule: Mapping[str, Any]) -> frozenset[str] | None:
    """The codes that a filter lets pass; ``None`` where it asks for what is not kept of a code system."""
    property, operation, value = rule.get("property"), rule.get("op"), rule.get("value")
    if property in ("code", "concept") and operation == "regex" and isinstance(value, str):
        try:
            fits = pattern(value).fullmatch
        except CannotEvaluate:
            return None
        return frozenset(code for code in concepts if fits(code))
    if property not in ("concept", "code") or not isinstance(value, str):
        return None
    if operation == "=":
        return frozenset({value} & concepts.keys())
    if operation == "in":
        return frozenset({one.strip() for one in value.split(",")} & concepts.keys())
    if operation == "not-in":
        return frozenset(concepts.keys() - {one.strip() for one in value.split(",")})
    below = _below(concepts, value)
    return {
        "is-a": below | ({value} & concepts.keys()),
        "descendent-of": below,
        "is-not-a": concepts.keys() - below - {value},
    }.get(operation or "")  # type: ignore[return-value]


def _below(concepts: Mapping[str, list[Any]], top: str) -> frozenset[str]:
    children: dict[str, list[str]] = {}
    for code, (_, parents, _) in concepts.items():
        for parent in parents:
            children.setdefault(parent, []).append(code)
    found: set[str] = set()
    left = list(children.get(top, ()))
    while left:
        code = left.pop()
        if code not in found:
            found.add(code)
            left += children.get(code, ())
    return frozenset(found)
