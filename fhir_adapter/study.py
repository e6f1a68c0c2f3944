"""Reads the files that people write: the study file, the protocol file, a hospital's mapping folder.

Each is checked against its JSON schema (``schemas/``); an error names the file, the key and what is
allowed there. Nothing is read here that holds a secret.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fhir_adapter import shipped
from fhir_adapter.conduct.rules import ConductRule
from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.errors import StudyFileError, UnknownName
from fhir_adapter.trial.drugs import DRUGS, STUDY_DRUGS, Group, of_group
from fhir_adapter.trial.items import ESSDAI_DOMAINS, ITEMS
from fhir_adapter.trial.protocol import (
    CalendarRule,
    EssdaiRule,
    EsspriRule,
    HocevarRule,
    Protocol,
    Reading,
    ResponseRule,
    SalivaryFlowRule,
    SchirmerRule,
    StarRule,
    VisitRule,
)

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

STUDY_FILE = "study.toml"
"""The name that the commands look for in a folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server or a folder; exactly one of both. Credentials are named here, never held."""

    server: str | None
    folder: Path | None
    token_env: str | None = None
    token_file: Path | None = None

    def __str__(self) -> str:
        return self.server or str(self.folder)


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One place that data come from, and the mapping folder that speaks its codes.

    ``overlap`` is by how many minutes an increment reaches back behind the last pull.
    """

    name: str
    place: Place
    mapping: Path
    overlap: int = 10


@dataclass(frozen=True, slots=True)
class ParticipantsSpec:
    """Who names the participants: the ResearchSubjects of a source, or a CSV file.

    ``identifier_system`` is the system of the study's own numbers; ``match`` is the name, in the settings
    of each mapping folder, of the identifier by which one patient is known in every source.
    """

    source: str | None
    file: Path | None
    identifier_system: str
    match: str


@dataclass(frozen=True, slots=True)
class MappingFolder:
    """A hospital's mapping folder as it was read: its ConceptMaps, its settings, its digest."""

    path: Path
    concept_maps: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Study:
    """One study: what it is called, its rules, where its data come from and where results go.

    ``identifier`` is the study's identifier as (system, value); ``audit`` asks for an AuditEvent of each
    push on the target; ``digest`` is the SHA-256 of the file.
    """

    path: Path
    identifier: tuple[str, str]
    protocol: Protocol
    conduct: ConductRule
    timezone: ZoneInfo
    sources: tuple[SourceSpec, ...]
    participants: ParticipantsSpec
    target: Place
    audit: bool
    workspace: Path
    digest: str


def find(path: Path) -> Path:
    """The study file at ``path``: itself, or ``study.toml`` in that folder. Raises StudyFileError."""
    if path.is_file():
        return path
    if (path / STUDY_FILE).is_file():
        return path / STUDY_FILE
    raise StudyFileError(
        f"There is no {STUDY_FILE}.", where=str(path), remedy="Write one with `fhir-adapter init`."
    )


def read_study(path: Path) -> Study:
    """Read a study file. Paths in it are taken from its own folder. Raises StudyFileError or UnknownName."""
    return study_from_text(_read(path), path)


def study_from_text(text: bytes, path: Path) -> Study:
    """The study that ``text`` describes, as if it stood in the file ``path``."""
    document = _toml(text, path)
    _check(document, "study", path)
    study, home = document["study"], path.parent
    system, _, value = study["identifier"].partition("|")
    sources = tuple(_source(entry, home) for entry in document["source"])
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise StudyFileError("Two sources have one name.", where=f"{path}: source.name")
    rules_file = _protocol_file(study["protocol"], home)
    rules, rules_digest = _protocol_document(rules_file)
    named = document["participants"]
    if named.get("source") not in (None, *names):
        raise StudyFileError(
            f"There is no source {named['source']!r}.",
            where=f"{path}: participants.source",
            remedy=f"Sources are: {', '.join(names)}.",
        )
    return Study(
        path=path,
        identifier=(system, value),
        protocol=_protocol(rules, rules_digest, rules_file),
        conduct=_conduct(rules, rules_file),
        timezone=_zone(study["timezone"], f"{path}: study.timezone"),
        sources=sources,
        participants=ParticipantsSpec(
            named.get("source"),
            home / named["file"] if "file" in named else None,
            named["identifier_system"],
            named["match"],
        ),
        target=_place(document["target"], home),
        audit=document["target"].get("audit", False),
        workspace=home / study["workspace"],
        digest=_digest(text),
    )


def _source(entry: Mapping[str, Any], home: Path) -> SourceSpec:
    mapping = _mapping_path(entry["mapping"], home)
    return SourceSpec(entry["name"], _place(entry, home), mapping, entry.get("overlap_minutes", 10))


def _place(entry: Mapping[str, Any], home: Path) -> Place:
    return Place(
        entry.get("server"),
        home / entry["folder"] if "folder" in entry else None,
        entry.get("token_env"),
        home / entry["token_file"] if "token_file" in entry else None,
    )


def _mapping_path(name: str, home: Path) -> Path:
    for path in (home / name, shipped.MAPPINGS / name):
        if path.is_dir():
            return path
    known = ", ".join(sorted(path.name for path in shipped.MAPPINGS.iterdir() if path.is_dir()))
    raise UnknownName(
        f"There is no mapping folder {name!r}.", remedy=f"Name a folder, or one that ships: {known}."
    )


def _protocol_file(name: str, home: Path) -> Path:
    for path in (home / name, shipped.PROTOCOLS / f"{name.lower()}.toml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in shipped.PROTOCOLS.glob("*.toml")))
    raise UnknownName(f"There is no protocol {name!r}.", remedy=f"Name a file, or one that ships: {known}.")


def read_mapping(path: Path) -> MappingFolder:
    """Read a hospital's mapping folder. Raises StudyFileError naming the file and the key."""
    settings_file = path / "settings.toml"
    text = _read(settings_file)
    settings = _toml(text, settings_file)
    _check(settings, "settings", settings_file)
    if "timezone" in settings:
        _zone(settings["timezone"], f"{settings_file}: timezone")
    files = sorted(path.glob("ConceptMap-*.json"))
    if not files:
        raise StudyFileError("There is no ConceptMap-*.json.", where=str(path))
    texts = [_read(file) for file in files]
    maps = tuple(_json(text, file) for text, file in zip(texts, files, strict=True))
    return MappingFolder(path, maps, settings, _digest(text, *texts))


def read_protocol(path: Path) -> Protocol:
    """The outcomes of a protocol file. Raises StudyFileError naming the key and what is allowed."""
    document, digest = _protocol_document(path)
    return _protocol(document, digest, path)


def read_conduct(path: Path) -> ConductRule:
    """The conduct of a protocol file. Raises StudyFileError naming the key and what is allowed."""
    document, _ = _protocol_document(path)
    return _conduct(document, path)


def _protocol_document(path: Path) -> tuple[dict[str, Any], str]:
    """A protocol file that follows its schema, and the file's digest."""
    text = _read(path)
    document = _toml(text, path)
    _check_finite(document, path)
    _check(document, "protocol", path)
    _check_order(document, path)
    return document, _digest(text)


def _protocol(document: Mapping[str, Any], digest: str, path: Path) -> Protocol:
    visits = {
        name: VisitRule(name, rule["sentence"], rule["day"], rule["before"], rule["after"],
                        rule.get("before_by_item", {}))
        for name, rule in document["visits"].items()
    }  # fmt: skip
    outcomes = document["outcomes"]
    for name, outcome in outcomes.items():
        unknown = [visit for visit in outcome["visits"] if visit not in visits]
        if unknown:
            raise StudyFileError(
                f"There is no visit {unknown[0]!r}.",
                where=f"{path}: outcomes.{name}.visits",
                remedy=f"Visits are: {', '.join(visits)}.",
            )
    _complete(outcomes, visits, path)
    _check_heads(document, path)
    head, calendar = document["protocol"], document.get("calendar")
    last_day = max(visit.day for visit in visits.values())
    return Protocol(
        id=head["id"],
        registry=head["registry"],
        title=head["title"],
        drugs=tuple(head["drugs"]),
        endpoint=head["endpoint"],
        anchor=_reading(document["anchor"]),
        visits=visits,
        counting_statuses=tuple(head["counting_statuses"]),
        essdai=_rule(EssdaiRule, outcomes.get("essdai")),
        esspri=_rule(EsspriRule, outcomes.get("esspri")),
        schirmer=_rule(SchirmerRule, outcomes.get("schirmer")),
        salivary_flow=_rule(SalivaryFlowRule, outcomes.get("salivary-flow")),
        hocevar=_rule(HocevarRule, outcomes.get("hocevar")),
        star=_rule(StarRule, outcomes.get("star")),
        response=_rule(ResponseRule, outcomes.get("response")),
        calendar=_rule(CalendarRule, calendar and {**calendar, "last_day": last_day}),
        digest=digest,
    )


def _complete(outcomes: Mapping[str, Any], visits: Mapping[str, VisitRule], path: Path) -> None:
    """Every change needs its baseline, and STAR needs the two indices that it is made of."""
    first = min(visits.values(), key=lambda rule: rule.day).name
    for name in ("essdai", "esspri", "schirmer", "salivary-flow", "hocevar"):
        if name in outcomes and first not in outcomes[name]["visits"]:
            raise StudyFileError(
                "The baseline is missing.",
                where=f"{path}: outcomes.{name}.visits",
                remedy=f"Add {first!r}: each change is counted from it.",
            )
    for name in ("star", "response"):
        if first in outcomes.get(name, {"visits": ()})["visits"]:
            raise StudyFileError(
                f"{first!r} is the baseline, which cannot be compared with itself.",
                where=f"{path}: outcomes.{name}.visits",
                remedy="Take it out.",
            )
    if "star" in outcomes:
        for part in ("essdai", "esspri"):
            missing = set(outcomes["star"]["visits"]) - set(outcomes.get(part, {"visits": ()})["visits"])
            if missing:
                raise StudyFileError(
                    f"STAR needs {part} at {', '.join(sorted(missing))}.",
                    where=f"{path}: outcomes.{part}.visits",
                    remedy="Add it there, or take it out of the visits of STAR.",
                )


def _check_heads(document: Mapping[str, Any], path: Path) -> None:
    """Every drug, anchor and visit that a protocol names is one that it has, and every visit is used."""
    head, anchor, visits = document["protocol"], document["anchor"], document["visits"]
    first = min(visits, key=lambda name: visits[name]["day"])
    anchors = [f"{end}-{drug}" for drug in head["drugs"] for end in ("first", "last")]
    named: list[tuple[str, str, Iterable[str]]] = [
        *(("protocol.drugs", drug, STUDY_DRUGS) for drug in head["drugs"]),
        ("anchor.default", anchor["default"], anchors),
        *(("anchor.alternatives", name, anchors) for name in anchor["alternatives"]),
        ("protocol.endpoint", head["endpoint"], [name for name in visits if name != first]),
        *(
            (f"calendar.{part}.drug", document["calendar"][part]["drug"], head["drugs"])
            for part in ("course", "upkeep")
            if "calendar" in document
        ),
    ]
    for where, name, known in named:
        if name not in known:
            raise StudyFileError(
                f"There is no {name!r}.", where=f"{path}: {where}", remedy=f"Allowed are: {', '.join(known)}."
            )
    used = {visit for outcome in document["outcomes"].values() for visit in outcome["visits"]}
    for name in visits:
        if name not in used:
            raise StudyFileError(
                "No outcome knows this visit.",
                where=f"{path}: visits.{name}",
                remedy="Name it in the `visits` of an outcome, or take it out.",
            )


def _conduct(document: Mapping[str, Any], path: Path) -> ConductRule:
    for where, name, known in _names(document):
        if name not in known:
            raise StudyFileError(
                f"There is no {name!r}.", where=f"{path}: {where}", remedy=f"Allowed are: {', '.join(known)}."
            )
    eligibility = document.get("eligibility", {})
    codes = [each["code"] for each in eligibility.values() if isinstance(each, Mapping)]
    twice = [code for code in codes if codes.count(code) > 1]
    if twice:
        raise StudyFileError(f"Two criteria have the code {twice[0]!r}.", where=f"{path}: eligibility")
    if "egfr" not in document and ("kidney" in eligibility or "derived" in document):
        raise StudyFileError(
            "The key 'egfr' is missing.",
            where=str(path),
            remedy="Add it: `eligibility.kidney` and `derived.renal` need the formulas' ages.",
        )
    return cast("ConductRule", _built(ConductRule, document))


def _names(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Where a name stands, the name, and those that are known there; doses are only of the study drugs."""
    dosed, biologics = document["protocol"]["drugs"], of_group(Group.BIOLOGIC)
    for drug in document.get("usual_dose", {}).get("amounts", ()):
        yield "usual_dose.amounts", drug, dosed
    for name, rule in document.get("eligibility", {}).items():
        where = f"eligibility.{name}"
        if name == "day_0":
            yield where, rule, dosed
            continue
        if "drug" in rule:
            yield f"{where}.drug", rule["drug"], dosed
        if "washout" in rule:
            yield f"{where}.washout", rule["washout"], biologics
        for drug in rule.get("drugs", ()):
            yield f"{where}.drugs", drug, DRUGS
        for drug in rule.get("study_drugs", ()):
            yield f"{where}.study_drugs", drug, dosed
        for code in (*rule.get("categories", ()), *((rule["statement"],) if "statement" in rule else ())):
            yield f"{where}.{'categories' if 'categories' in rule else 'statement'}", code, STATEMENTS
        for item in rule["least"] if isinstance(rule.get("least"), Mapping) else ():
            yield f"{where}.least", item, ITEMS
        for domain in rule.get("levels", ()):
            yield f"{where}.levels", domain, ESSDAI_DOMAINS


_CODES = (
    "codes", "exclusions", "diagnoses", "infections", "perhaps_infections", "related", "hiv", "tuberculosis",
)  # fmt: skip
"""The keys of criteria under which ICD-10 codes and ranges stand."""

_ORDER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "calendar.course": (("least", "most"),),
    "outcomes.essdai": (("low_below", "high_from"),),
    "eligibility.age": (("youngest", "oldest"),),
    "derived.biological": (("igg_fall_below", "igg_low_from"), ("igg_low_from", "igg_moderate_above")),
    **{
        f"derived.haematological.{cell}": (
            ("high_below", "moderate_at_most"),
            ("moderate_at_most", "low_below"),
        )
        for cell in ("neutrophils", "haemoglobin", "platelets", "lymphocytes")
    },
    "derived.renal": (
        ("protein_low_from", "protein_moderate_above"),
        ("protein_moderate_above", "protein_high_above"),
    ),
    "derived.muscular": (
        ("ck_moderate_above", "ck_high_above"),
        ("strength_high_at_most", "strength_moderate_below"),
    ),
    "derived.pulmonary": (
        ("dlco_high_below", "dlco_moderate_below"),
        ("fvc_high_below", "fvc_moderate_below"),
        ("nyha_moderate_from", "nyha_high_from"),
    ),
    "derived.constitutional": (
        ("fever_low_from", "fever_moderate_above"),
        ("loss_low_from", "loss_moderate_above"),
    ),
}
"""Table → pairs of keys of which the first must not lie above the second."""


def _check_order(document: Mapping[str, Any], path: Path) -> None:
    """A span that ends before it begins cannot be meant."""
    for name, pairs in _ORDER.items():
        table: Any = document
        for part in name.split("."):
            table = table.get(part, {})
        for low, high in pairs:
            if low in table and high in table and table[low] > table[high]:
                _backwards(f"{low} = {table[low]}", f"{high} = {table[high]}", f"{path}: {name}")
    for name, rule in document.get("eligibility", {}).items():
        for key in _CODES:
            for span in rule.get(key, ()) if isinstance(rule, Mapping) else ():
                first, _, last = span.partition("-")
                if last and last < first:
                    _backwards(first, last, f"{path}: eligibility.{name}.{key}")


def _backwards(first: str, last: str, where: str) -> None:
    raise StudyFileError(
        f"This ends before it begins: {first} lies above {last}.", where=where, remedy="Exchange the two."
    )


_Rule = TypeVar("_Rule")


def _rule(kind: type[_Rule], table: Mapping[str, Any] | None) -> _Rule | None:
    """A rule from its table; None where there is none."""
    return None if table is None else cast("_Rule", _built(kind, table))


def _built(kind: Any, value: Any) -> Any:
    """A value of a rule as its type asks for: numbers exact, readings by name, what is left out None."""
    if isinstance(kind, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if kind is Reading:
        return _reading(value)
    if kind in (Fraction, int):
        return kind(value)
    if is_dataclass(kind):
        given = {**value, **{_reading_field(name): each for name, each in value.get("readings", {}).items()}}
        hints = get_type_hints(kind)
        return cast("Any", kind)(
            **{
                each.name: _built(hints[each.name], given[each.name]) if each.name in given else None
                for each in fields(kind)
            }
        )
    if get_origin(kind) is tuple:
        return tuple(_built(get_args(kind)[0], each) for each in value)
    if get_origin(kind) is Mapping:
        return {key: _built(get_args(kind)[1], each) for key, each in value.items()}
    return value


def _reading_field(name: str) -> str:
    return "marker_reading" if name == "markers" else f"{name}_reading"


def _reading(table: Mapping[str, Any]) -> Reading:
    default = table["default"]
    return Reading(
        table["sentence"], default, tuple(name for name in table["alternatives"] if name != default)
    )


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise StudyFileError(
            f"{name!r} is no time zone.", where=where, remedy='Write one such as "Asia/Shanghai".'
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise StudyFileError(f"The file cannot be read: {fault.strerror}.", where=str(path)) from None


def _toml(text: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise StudyFileError("The file is not UTF-8.", where=str(path)) from None
    except tomllib.TOMLDecodeError as fault:
        raise StudyFileError(f"This is not TOML: {fault}.", where=str(path)) from None


def _json(text: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as fault:
        raise StudyFileError(f"This is not JSON: {fault}.", where=str(path)) from None
    if not isinstance(document, dict) or document.get("resourceType") != "ConceptMap":
        raise StudyFileError("This is not a ConceptMap.", where=str(path))
    return document


def _check_finite(value: Any, path: Path, key: str = "") -> None:
    """TOML has ``inf`` and ``nan``; no rule does."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            _check_finite(each, path, f"{key}.{name}" if key else name)
    elif isinstance(value, Decimal | float) and not math.isfinite(value):
        raise StudyFileError(f"{value} is no number to compare with.", where=f"{path}: {key}")


def _check(document: Mapping[str, Any], schema: str, path: Path) -> None:
    from jsonschema.exceptions import best_match

    fault = best_match(_validator(schema).iter_errors(document))
    if fault is not None:
        key = ".".join(str(part) for part in fault.absolute_path)
        what, remedy = _sentence(fault)
        raise StudyFileError(what, where=f"{path}: {key}" if key else str(path), remedy=remedy)


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((shipped.SCHEMAS / f"{schema}.schema.json").read_bytes()))


def _sentence(fault: ValidationError) -> tuple[str, str]:
    """A schema's complaint in words that a person can act on."""
    asked: Any = fault.validator_value
    instance: Any = fault.instance
    match fault.validator:
        case "additionalProperties":
            known = fault.schema.get("properties", {}) if isinstance(fault.schema, Mapping) else {}
            extra = [key for key in instance if key not in known]
            return f"The key {extra[0]!r} is not known.", f"Allowed are: {', '.join(known)}."
        case "required":
            missing = next(key for key in asked if key not in instance)
            known = fault.schema.get("properties", {}) if isinstance(fault.schema, Mapping) else {}
            title = known.get(missing, {}).get("title")
            return f"The key {missing!r} is missing.", f"Add it: {title}." if title else ""
        case "enum":
            allowed = ", ".join(map(repr, asked))
            return f"{instance!r} is not allowed here.", f"Allowed are: {allowed}."
        case "oneOf":
            choices = " or ".join(repr(choice["required"][0]) for choice in asked)
            return f"Exactly one of {choices} is wanted.", ""
        case "type":
            return f"This should be of the type {asked}.", ""
        case "minimum" | "exclusiveMinimum" | "maximum":
            words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
            return f"{instance} is not allowed here.", f"It must be {words[fault.validator]} {asked}."
        case "minProperties":
            return f"Only {len(instance)} stands here.", f"At least {asked} must."
        case "pattern" if isinstance(fault.schema, Mapping) and "description" in fault.schema:
            return f"{instance!r} is not allowed here.", f"Write {fault.schema['description']}."
        case _:
            return f"{fault.message}.", ""


def _digest(*texts: bytes) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()
