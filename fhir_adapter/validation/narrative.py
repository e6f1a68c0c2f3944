"""The XHTML of narratives. https://hl7.org/fhir/R4/narrative.html

§2.4.0.1: ``div`` is a fragment of XHTML in its namespace, with the elements of chapters 7 to 11 and 15 of HTML 4.0
and links, images and styles, and without scripts, forms, objects and event handlers (txt-1); it has content that
is more than blanks (txt-2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import name2codepoint
from typing import Any, Final
from xml.parsers import expat

from fhir_adapter.validation.run import Path, Run

__all__ = ["ELEMENTS", "check", "faults", "parse"]

_XHTML: Final = "http://www.w3.org/1999/xhtml"

ELEMENTS: Final = frozenset(
    "p br div h1 h2 h3 h4 h5 h6 a span em strong cite dfn code samp kbd var abbr acronym q sub sup ins del tt i b"
    " big small u s strike font blockquote pre address hr ul ol li dl dt dd table caption colgroup col thead tfoot"
    " tbody tr td th img center bdo map area nobr".split()
)
"""The elements that a narrative may have."""

_EVERYWHERE: Final = frozenset(
    "title style class id lang xml:lang xml:base xml:space dir accesskey tabindex".split()
)
_OF: Final = {
    "a": "charset type name href hreflang rel rev shape coords target",
    "area": "shape coords href nohref alt",
    "br": "clear",
    "blockquote": "cite", "q": "cite", "ins": "cite datetime", "del": "cite datetime",
    "div": "align", "h1": "align", "h2": "align", "h3": "align", "h4": "align", "h5": "align", "h6": "align",
    "p": "align", "caption": "align",
    "hr": "align noshade size width",
    "font": "color size face",
    "img": "src alt longdesc height width usemap ismap border align hspace vspace name",
    "li": "type value", "ol": "type start compact", "ul": "type compact", "dl": "compact",
    "map": "name", "pre": "width",
    "table": "width border frame rules cellspacing cellpadding align bgcolor summary",
    "td": "abbr axis headers scope rowspan colspan align char charoff valign nowrap bgcolor width height",
    "th": "abbr axis headers scope rowspan colspan align char charoff valign nowrap bgcolor width height",
    "tr": "align char charoff valign bgcolor", "tbody": "align char charoff valign", "thead": "align char charoff valign",
    "tfoot": "align char charoff valign", "col": "align char charoff valign span width",
    "colgroup": "align char charoff valign span width",
}  # fmt: skip
_ATTRIBUTES: Final = {name: _EVERYWHERE | set(listed.split()) for name, listed in _OF.items()}

_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_LINKABLE: Final = frozenset({"http", "https", "mailto", "tel", "data", "cid", "ftp", "sms"})
_ENTITIES: Final = "".join(f'<!ENTITY {name} "&#{point};">' for name, point in name2codepoint.items() if name not in
                           ("lt", "gt", "amp", "quot"))  # fmt: skip


class Narrative:
    """What is in a ``div``: its faults, its ids and the fragments that it links to, its languages."""

    __slots__ = ("blank", "faults", "fragments", "ids", "languages")

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.fragments: list[str] = []
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


def faults(value: str) -> list[tuple[str, str]]:
    """What is wrong with a ``div``, each a rule and a message."""
    return parse(value).faults


@lru_cache(maxsize=256)
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
        if space != _XHTML:
            if depth == 1 or space:
                fault("xhtml-namespace", f"its elements are not in the namespace {_XHTML}")
        if local not in ELEMENTS:
            fault("txt-1", f"has an element that is not allowed in a narrative ({local[:20]})")
        allowed = _ATTRIBUTES.get(local, _EVERYWHERE)
        for key, content in attributes.items():
            attribute = key.rpartition(" ")[2] if " " in key else key
            if key.startswith("http://www.w3.org/XML/1998/namespace "):
                attribute = f"xml:{attribute}"
            if attribute not in allowed:
                fault("txt-1", f"has an attribute that is not allowed in a narrative ({local[:20]}/{attribute[:20]})")
            if attribute in ("id", "name"):
                found.ids.add(content)
            if attribute in ("lang", "xml:lang") and depth == 2:
                found.languages.append(content)
            if attribute == "href":
                link(content)
            if attribute == "src":
                found.blank = False
        if local == "img":
            found.blank = False

    def link(target: str) -> None:
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
    body = text.lstrip()
    declared = ""
    if body.startswith("<?xml"):
        declared, _, body = body.partition("?>")
    try:
        parser.Parse(f"<!DOCTYPE div [{_ENTITIES}]>", False)
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, UnicodeEncodeError) as broken:
        place = f" at line {parser.ErrorLineNumber}" if isinstance(broken, expat.ExpatError) else ""
        found.faults.append(("xhtml-form", f"is not well-formed XHTML{place}"))
        found.faults.append(("txt-1", "is no narrative that can be read"))
        found.blank = False
    return found
