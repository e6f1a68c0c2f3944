"""HL7's R4 definitions in XML, read as the JSON that FHIR says they are.

https://hl7.org/fhir/R4/xml.html and https://hl7.org/fhir/R4/json.html: the two hold the same content, but XML
does not say which element repeats and which primitive is a number. The definitions themselves say it: the
first pass reads from the StructureDefinitions what each element is, the second turns resources into JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from xml.etree import ElementTree

__all__ = ["Shapes", "entries", "learn", "to_json"]

_FHIR: Final = "{http://hl7.org/fhir}"
_XHTML: Final = "{http://www.w3.org/1999/xhtml}"

Shapes = dict[str, tuple[str, bool]]
"""Path of an element (``Patient.name``, ``Extension.valueString``) → its type, or the path where its children
are described, and whether it repeats."""


def entries(text: bytes) -> Iterator[ElementTree.Element]:
    """The resources of a Bundle in XML. Raises ``ElementTree.ParseError`` when it is no XML."""
    # The text is a file that the maintainer names, not one that comes from outside.
    root = ElementTree.fromstring(text)  # noqa: S314
    for holder in root.iterfind(f"{_FHIR}entry/{_FHIR}resource"):
        yield from holder


def learn(resource: ElementTree.Element, shapes: Shapes) -> None:
    """Add what a StructureDefinition of a type says of its elements to ``shapes``; others are passed over."""
    if resource.tag != f"{_FHIR}StructureDefinition" or _value(resource, "derivation") == "constraint":
        return
    for element in resource.iterfind(f"{_FHIR}snapshot/{_FHIR}element"):
        path = _value(element, "path")
        if "." not in path:
            continue
        repeats = _value(element, "max") not in ("0", "1")
        content = _value(element, "contentReference")
        codes = [_code(kind) for kind in element.iterfind(f"{_FHIR}type")]
        for code in [content.removeprefix("#")] if content else codes:
            described = path if code in ("BackboneElement", "Element") else code
            name = path.removesuffix("[x]") + code[0].upper() + code[1:] if path.endswith("[x]") else path
            shapes[name] = (described, repeats)


def to_json(resource: ElementTree.Element, shapes: Shapes) -> dict[str, Any]:
    """A resource in XML as JSON. Narratives are left out. Raises ``KeyError`` for an unknown element."""
    kind = resource.tag.removeprefix(_FHIR)
    return {"resourceType": kind} | _object(resource, kind, shapes)


def _object(element: ElementTree.Element, kind: str, shapes: Shapes) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "id" in element.attrib:
        made["id"] = element.attrib["id"]
    if "url" in element.attrib:
        made["url"] = element.attrib["url"]
    for child in element:
        if child.tag.startswith(_XHTML):
            continue
        name = child.tag.removeprefix(_FHIR)
        described, repeats = shapes[f"{kind}.{name}"]
        if described == "Resource":
            value: Any = to_json(child[0], shapes)
        elif described[0].islower() and "." not in described:
            value = _primitive(child.attrib.get("value"), described)
            below = _object(child, described, shapes)
            if below:
                made.setdefault(f"_{name}", [None] * len(made.get(name, ())) if repeats else below)
                if repeats:
                    made[f"_{name}"].append(below)
        else:
            value = _object(child, described, shapes)
        if repeats:
            made.setdefault(name, []).append(value)
        elif value is not None:
            made[name] = value
    return made


def _primitive(text: str | None, kind: str) -> Any:
    if text is None:
        return None
    if kind == "boolean":
        return text == "true"
    if kind in ("integer", "positiveInt", "unsignedInt"):
        return int(text)
    return Decimal(text) if kind == "decimal" else text


def _value(element: ElementTree.Element, name: str) -> str:
    found = element.find(f"{_FHIR}{name}")
    return "" if found is None else found.attrib.get("value", "")


def _code(kind: ElementTree.Element) -> str:
    # The primitives' own values are FHIRPath system types; an extension names FHIR's.
    code = _value(kind, "code")
    if code.startswith("http://hl7.org/fhirpath/System."):
        url = kind.find(f"{_FHIR}extension/{_FHIR}valueUrl")
        return "string" if url is None else url.attrib["value"]
    return code
