"""The keys of a protocol file and what they mean, from its JSON schema, for the pages about protocols."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.docs.console import ROOT

SCHEMA = ROOT / "fhir_adapter" / "schemas" / "protocol.schema.json"
READINGS: Mapping[str, str] = {
    "threshold.at-least": "the number itself is enough",
    "threshold.more-than": "more than the number is asked for",
    "systemic.clinessdai": "the systemic item is read from ClinESSDAI",
    "systemic.essdai": "the systemic item is read from ESSDAI",
    "esr.any-baseline": "a fall counts from any baseline",
    "esr.abnormal-baseline-only": "a fall counts only from an abnormal baseline",
    "markers.any-marker": "one of IgG and RF is enough",
    "markers.both-markers": "both must fall",
    "schirmer.mean": "the mean of both eyes rises",
    "schirmer.either-eye": "one eye is enough",
    "schirmer.both-eyes": "each eye must rise",
    "schirmer.normal-stays-normal": "a test that was normal and stays normal counts too",
    "saliva.flow-or-ultrasound": "one of flow and ultrasound is enough",
    "saliva.flow-only": "the flow alone",
    "saliva.ultrasound-only": "the ultrasound alone",
    "anchor.first-rituximab": "week 0 is the first rituximab on or after consent",
    "anchor.last-rituximab": "week 0 is the last rituximab before belimumab",
    "anchor.first-belimumab": "week 0 is the first belimumab",
}
"""What each reading means."""

_COMMON = {"sentence", "visits", "code", "default", "alternatives"}
"""Keys that stand in many tables: explained once, in the page's words."""


def protocol_schema() -> dict[str, Any]:
    """The JSON schema of a protocol file; the titles say what its keys mean."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def keys() -> str:
    """A section for each table of the file: key, what may stand there, what it means."""
    schema = protocol_schema()
    text = ""
    for name, table, needed in _tables(schema, "", schema["required"]):
        own = [(key, each) for key, each in _values(table) if key not in _COMMON or name in ("anchor",)]
        text += f"### `[{name}]`\n\n{_opening(table, needed, name)}\n\n"
        if own:
            text += "| key | what may stand there | meaning |\n|---|---|---|\n"
            required = table.get("required", ())
            for key, each in own:
                optional = "" if key in required else ", may be left out"
                text += f"| `{key}` | {_allowed(each, schema)}{optional} | {each['title']} |\n"
            text += "\n"
        for reading, options in _readings(table):
            said = [f"`{option}`{_means(reading, option)}" for option in options]
            text += f"Reading `{reading}`: {'; '.join(said)}.\n\n"
    return text.rstrip("\n") + "\n"


def _tables(
    above: Mapping[str, Any], path: str, required: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Every table of the file with its name and whether it must be there; ``NAME`` is any name."""
    for key, each in above.get("properties", {}).items():
        if each.get("type") != "object" or key == "readings":
            continue
        name = f"{path}{key}"
        named = each.get("additionalProperties")
        if isinstance(named, Mapping) and "properties" in named:
            yield f"{name}.NAME", {**named, "title": each["title"]}, key in required
        elif "properties" in each:
            if _values(each):
                yield name, each, key in required
            yield from _tables(each, f"{name}.", each.get("required", ()))


def _values(table: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The keys of a table that are no tables themselves."""
    return [
        (key, each)
        for key, each in table["properties"].items()
        if "properties" not in each
        and not (
            isinstance(each.get("additionalProperties"), Mapping)
            and "properties" in each["additionalProperties"]
        )
    ]


def _means(reading: str, option: str) -> str:
    words = READINGS.get(f"{reading}.{option}")
    return f", {words}" if words else ""


def _readings(table: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    readings = table["properties"].get("readings", {})
    for name, each in readings.get("properties", {}).items():
        yield name, each["properties"]["default"]["enum"]


def _opening(table: Mapping[str, Any], needed: bool, name: str) -> str:
    title = table["title"]
    common = [
        key for key in ("code", "sentence", "visits") if key in table["properties"] and name != "anchor"
    ]
    text = f"{title[0].upper()}{title[1:]}."
    if not needed:
        text += " May be left out."
    if common:
        text += f" With {_listed([f'`{key}`' for key in common])}."
    return text


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _allowed(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in value:
        found = schema["$defs"][value["$ref"].rsplit("/", 1)[1]]
        return str(found["description"])
    if "enum" in value:
        return "one of " + ", ".join(f"`{each}`" for each in value["enum"])
    match value["type"]:
        case "array":
            return f"a list: {_allowed(value['items'], schema)}"
        case "object":
            inner = value["additionalProperties"]
            names = ", ".join(value.get("propertyNames", {}).get("enum", ("name",)))
            return f"a table: {names} → {_allowed(inner, schema)}"
        case "string":
            return str(value.get("description", "text"))
        case kind:
            return _number(value, "a whole number" if kind == "integer" else "a number")


def _number(value: Mapping[str, Any], words: str) -> str:
    limits = [
        f"{word} {value[key]}"
        for key, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in value
    ]
    return f"{words} {' '.join(limits)}".strip()
