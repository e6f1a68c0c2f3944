"""The XHTML of narratives. https://hl7.org/fhir/R4/narrative.html

§2.4.0.1: ``div`` is a fragment of XHTML in its namespace, with the elements of chapters 7 to 11 and 15 of
HTML 4.0 and links, images and styles, and without scripts, forms, objects and event handlers (txt-1); it has
content that is more than blanks (txt-2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final
from xml.parsers import expat

from fhir_adapter.validation.run import Path, Run

__all__ = ["ELEMENTS", "check", "faults", "parse"]

_XHTML: Final = "http://www.w3.org/1999/xhtml"

ELEMENTS: Final = frozenset(
    (  # noqa: SIM905
        "p br div h1 h2 h3 h4 h5 h6 a span em strong cite dfn code samp kbd var abbr acronym q sub sup tt i "
        "b big small blockquote pre address hr ul ol li dl dt dd table caption colgroup col thead tfoot "
        "tbody tr td th img bdo map area"
    ).split()
)
"""The elements that a narrative may have: those of XHTML 1.0 Strict out of the chapters named."""

_EVERYWHERE: Final = frozenset(
    (  # noqa: SIM905
        "title style class id lang xml:lang xml:space dir accesskey tabindex align valign char charoff width "
        "span scope headers abbr axis colspan rowspan"
    ).split()
)
_OF: Final = {
    "a": "charset type name href hreflang rel rev shape coords",
    "area": "shape coords href nohref alt",
    "blockquote": "cite",
    "q": "cite",
    "img": "src alt longdesc height usemap ismap border",
    "map": "name",
    "table": "border frame rules cellspacing cellpadding summary",
    "td": "nowrap",
}
_ATTRIBUTES: Final = {name: _EVERYWHERE | set(listed.split()) for name, listed in _OF.items()}

_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_ENTITY: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_OF_XML: Final = frozenset({"lt", "gt", "amp", "quot", "apos"})
_LINKABLE: Final = frozenset({"http", "https", "mailto", "tel", "data", "cid", "ftp", "sms"})


class Narrative:
    """What is in a ``div``: its faults, its ids and the fragments that it links to, its languages."""

    __slots__ = ("blank", "faults", "fragments", "ids", "images", "languages")

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.fragments: list[str] = []
        self.images: list[str] = []
        self.languages: list[str] = []
        self.blank = True


def check(value: Any, path: Path, run: Run) -> None:
    """A narrative's ``div``."""
    if not isinstance(value, str):
        run.error(path, "json-type", "is not a string; expected XHTML", "structure")
        return
    found = parse(value)
    for rule, message in found.faults:
        run.error(path, rule, message, "invariant" if rule.startswith("txt-") else "invalid")
    if found.blank:
        run.error(path, "txt-2", "has no content but blanks; expected text or an image", "invariant")
    if any(found.fragments):
        _linked(found.fragments, path, run)
    if found.images:
        _pictured(found.images, path, run)


def _linked(fragments: list[str], path: Path, run: Run) -> None:
    """A link to ``#x`` leads to an element with that id: in a narrative, or of the resource or Bundle."""
    root = run.scope.root.resource
    key = ("ids", id(root))
    if key not in run.memo:
        run.memo[key] = _ids(root)
    known = run.memo[key]
    if any(fragment and fragment not in known for fragment in fragments):
        run.error(path, "xhtml-link", "has a link within the resource that leads nowhere", "invalid")


def _pictured(images: list[str], path: Path, run: Run) -> None:
    """An image of the source ``#x`` is a contained resource. https://hl7.org/fhir/R4/narrative.html#img"""
    held = run.scope.container.resource.get("contained")
    known = {one.get("id") for one in held if isinstance(one, dict)} if isinstance(held, list) else set()
    if any(image not in known for image in images):
        run.error(path, "xhtml-link", "has an image within the resource that is not there", "invalid")


def _ids(resource: Any) -> set[str]:
    """The ids of the elements in a resource and of those in its narratives."""
    found: set[str] = set()
    left = [resource]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if isinstance(one.get("id"), str):
                found.add(one["id"])
            if isinstance(one.get("div"), str):
                found |= parse(one["div"]).ids
            left += [item for item in one.values() if isinstance(item, (dict, list))]
        elif isinstance(one, list):
            left += one
    return found


def faults(value: str) -> list[tuple[str, str]]:
    """What is wrong with a ``div``, each a rule and a message."""
    return parse(value).faults


@lru_cache(maxsize=16)
def parse(text: str) -> Narrative:
    """Read a ``div``."""
    found = Narrative()
    depth = 0
    seen: set[tuple[str, str]] = set()

    def fault(rule: str, message: str) -> None:
        if (rule, message) not in seen:
            seen.add((rule, message))
            found.faults.append((rule, message))

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        space, _, local = name.rpartition(" ")
        if depth == 1 and local != "div":
            fault("xhtml-div", "does not begin with <div>")
        if space != _XHTML and (depth == 1 or space):
            fault("xhtml-namespace", f"its elements are not in the namespace {_XHTML}")
        if local not in ELEMENTS:
            fault("txt-1", f"has an element that is not allowed in a narrative ({local[:20]})")
        allowed = _ATTRIBUTES.get(local, _EVERYWHERE)
        for key, content in attributes.items():
            attribute = key.rpartition(" ")[2] if " " in key else key
            if key.startswith("http://www.w3.org/XML/1998/namespace "):
                attribute = f"xml:{attribute}"
            if attribute not in allowed:
                fault(
                    "txt-1",
                    f"has an attribute that is not allowed in a narrative ({local[:20]}/{attribute[:20]})",
                )
            if attribute in ("id", "name"):
                found.ids.add(content)
            if attribute in ("lang", "xml:lang") and depth == 2:
                found.languages.append(content)
            if attribute == "href":
                link(content)
            if attribute == "src" and content.startswith("#"):
                found.images.append(content[1:])
        if local == "img":
            found.blank = False

    def link(target: str) -> None:
        if not target.strip():
            fault("xhtml-link", "has a link without a target")
        if target.startswith("#"):
            found.fragments.append(target[1:])
            return
        scheme = _SCHEME.match(target)
        if scheme and scheme[1].lower() not in _LINKABLE:
            fault("xhtml-link", f"links to what is no web page (a {scheme[1][:12]} URL)")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def characters(content: str) -> None:
        if found.blank and content.strip(" \t\r\n"):
            found.blank = False

    if "<!DOCTYPE" in text or "<!ENTITY" in text or "<?" in text.lstrip()[2:]:
        fault("txt-1", "has a DOCTYPE or a processing instruction")
        found.blank = False
        return found
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    # HTML's own entities are unknown in XML: https://hl7.org/fhir/R4/narrative.html, "&nbsp;" and the like.
    for entity in sorted({one for one in _ENTITY.findall(text) if one not in _OF_XML}):
        fault(
            "xhtml-entity",
            f"has an entity that XML does not know (&{entity[:12]};); expected a character or its number",
        )
    body = _ENTITY.sub(lambda one: one[0] if one[1] in _OF_XML else " ", text).lstrip()
    if body.startswith("<?xml"):
        body = body.partition("?>")[2]
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, UnicodeEncodeError) as broken:
        place = f" at line {parser.ErrorLineNumber}" if isinstance(broken, expat.ExpatError) else ""
        found.faults.append(("xhtml-form", f"is not well-formed XHTML{place}"))
        found.faults.append(("txt-1", "is no narrative that can be read"))
        found.blank = False
    return found
