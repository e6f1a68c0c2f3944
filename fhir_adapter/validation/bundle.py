"""The rules of Bundles that their invariants leave to words. https://hl7.org/fhir/R4/bundle.html"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from fhir_adapter.validation.model import is_resource
from fhir_adapter.validation.references import absolute, entries, rest
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = ["check"]

_FIRST: Final = {"document": "Composition", "message": "MessageHeader"}
_ONCE: Final = frozenset({"self", "first", "next", "previous", "prev", "last"})

# What of a document's Composition must be in the Bundle. https://hl7.org/fhir/R4/documents.html#content
_COMPOSITION: Final = ("subject", "encounter", "author", "attester.party", "custodian", "event.detail")


def check(scope: Scope, run: Run) -> None:
    """A Bundle as a whole, after its elements."""
    bundle, path = scope.resource, scope.path
    kind = bundle.get("type")
    kind = kind if isinstance(kind, str) else ""
    listed = bundle.get("entry")
    found = [entry if isinstance(entry, dict) else {} for entry in listed] if isinstance(listed, list) else []
    relative = [index for index, entry in enumerate(found) if _is_relative(entry.get("fullUrl"))]
    if relative:
        more = f" (and so are {len(relative) - 1} more)" if len(relative) > 1 else ""
        message = f"fullUrl is relative{more}; expected an absolute URL"
        run.error((path, "entry", relative[0]), "full-url", message, "invalid")
    for index, entry in enumerate(found):
        _full_url(entry, kind, (path, "entry", index), run)
    if kind in _FIRST:
        _first(found, _FIRST[kind], path, run)
        _reachable(scope, found, run)
    if kind == "searchset":
        _search(bundle, found, path, run)


def _full_url(entry: dict[str, Any], kind: str, path: Path, run: Run) -> None:
    """§2.36.4: fullUrl is there where the resource has an identity, and fits its type and id."""
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if not isinstance(resource, dict):
        return
    if not isinstance(url, str):
        if "_fullUrl" not in entry:
            _without_url(resource, kind, path, run)
        return
    restful = rest(url)
    if restful is None or not restful["base"]:
        return
    id, type = resource.get("id"), resource.get("resourceType")
    if not isinstance(id, str):
        message = "fullUrl is that of a server, and the resource has no id"
        run.error(path, "full-url", message, "invalid")
    elif (restful["type"], restful["id"]) != (type, id) or restful["version"]:
        message = "fullUrl is that of a server, and does not end with the resource's type and id"
        run.error(path, "full-url", message, "invalid")


def _without_url(resource: dict[str, Any], kind: str, path: Path, run: Run) -> None:
    answers = kind in ("transaction-response", "batch-response")
    is_outcome = kind == "searchset" and resource.get("resourceType") == "OperationOutcome"
    if not answers and any(not one.startswith("#") for one in _all_references(resource)):
        message = "has references, and no fullUrl that relative ones could be resolved by"
        run.error(path, "full-url", message, "invalid")
    elif not answers and not is_outcome and kind not in ("transaction", "batch"):
        message = "has no fullUrl, which is the identity of the resource"
        run.error(path, "full-url", message, "invalid")


def _is_relative(url: object) -> bool:
    try:
        return isinstance(url, str) and not urlsplit(url).scheme
    except ValueError:
        return False


def _first(found: list[dict[str, Any]], wanted: str, path: Path, run: Run) -> None:
    """The first entry of a document is a Composition, of a message a MessageHeader (bdl-11, bdl-12)."""
    if not found:
        run.error(path, "bundle-first", f"has no entry; expected a {wanted} first", "invalid")
        return
    first = found[0].get("resource")
    if not isinstance(first, dict) or first.get("resourceType") != wanted:
        run.error(
            ((path, "entry", 0), "resource", -1), "bundle-first", f"expected a {wanted} first", "invalid"
        )


def _reachable(scope: Scope, found: list[dict[str, Any]], run: Run) -> None:
    """What the first entry refers to is in the Bundle, and all that is in the Bundle has to do with it.

    https://hl7.org/fhir/R4/documents.html#content, https://hl7.org/fhir/R4/messaging.html
    """
    if not found or not isinstance(found[0].get("resource"), dict):
        return
    first = found[0]["resource"]
    kind = first.get("resourceType")
    if kind not in _FIRST.values():
        return
    top: Path = ((scope.path, "entry", 0), "resource", -1)
    inner = Scope(first, str(kind), top, scope, "entry")
    for reference, path in _named(first, str(kind), top):
        if reference.startswith("#"):
            continue
        url = absolute(reference, inner, scope)
        target = (url or "").partition("/_history/")[0]
        if url is None or target not in entries(run, scope):
            run.error(
                path,
                "bundle-missing",
                f"leads to no entry of the Bundle, which must hold it as a {scope.resource['type']}",
                "invalid",
            )
    _orphans(scope, found, run)


def _named(first: dict[str, Any], kind: str, path: Path) -> Iterator[tuple[str, Path]]:
    names = _COMPOSITION if kind == "Composition" else ("focus",)
    for name in names:
        yield from _references(first, name.split("."), path)
    if kind == "Composition":
        yield from _sections(first, path)


def _sections(holder: dict[str, Any], path: Path) -> Iterator[tuple[str, Path]]:
    sections = holder.get("section")
    for index, section in enumerate(sections if isinstance(sections, list) else ()):
        if isinstance(section, dict):
            here = (path, "section", index)
            for name in ("author", "focus", "entry"):
                yield from _references(section, [name], here)
            yield from _sections(section, here)


def _references(holder: Any, steps: list[str], path: Path) -> Iterator[tuple[str, Path]]:
    if not steps:
        if isinstance(holder, dict) and isinstance(holder.get("reference"), str):
            yield holder["reference"], path
        return
    if not isinstance(holder, dict):
        return
    value = holder.get(steps[0])
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _references(one, steps[1:], (path, steps[0], index))
    elif value is not None:
        yield from _references(value, steps[1:], (path, steps[0], -1))


def _orphans(scope: Scope, found: list[dict[str, Any]], run: Run) -> None:
    """Entries that no chain of references, in either direction, joins to the first one."""
    neighbours: list[set[int]] = [set() for _ in found]
    known = entries(run, scope)
    for index, entry in enumerate(found):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        here = Scope(
            resource,
            str(resource.get("resourceType")),
            ((scope.path, "entry", index), "resource", -1),
            scope,
            "entry",
        )
        for reference in _all_references(resource):
            url = absolute(reference, here, scope)
            for other in known.get((url or "").partition("/_history/")[0].partition("#")[0], ()):
                neighbours[index].add(other)
                neighbours[other].add(index)
    reached, left = {0}, [0]
    while left:
        for other in neighbours[left.pop()]:
            if other not in reached:
                reached.add(other)
                left.append(other)
    is_document = scope.resource.get("type") == "document"
    for index, entry in enumerate(found):
        if index not in reached and "resource" in entry:
            message = "no chain of references leads to it from the first entry, or from it to the first"
            run.say(
                "error" if is_document else "warning", (scope.path, "entry", index), "bundle-orphan", message
            )


def _all_references(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            for name, item in one.items():
                if name == "reference" and isinstance(item, str):
                    yield item
                elif isinstance(item, (dict, list)):
                    left.append(item)
        elif isinstance(one, list):
            left += one


def _search(bundle: dict[str, Any], found: list[dict[str, Any]], path: Path, run: Run) -> None:
    """A self link that says what was searched for, and search modes: bundle.html#searchset."""
    links = bundle.get("link")
    wanted: str | None = None
    seen: set[str] = set()
    for index, link in enumerate(links if isinstance(links, list) else ()):
        relation = link.get("relation") if isinstance(link, dict) else None
        if not isinstance(relation, str):
            continue
        if relation in _ONCE and relation in seen:
            run.error(
                (path, "link", index), "bundle-link", f"the link {relation} may be there once only", "invalid"
            )
        seen.add(relation)
        if relation == "self" and isinstance(link.get("url"), str):
            wanted = _searched(link["url"])
    if "self" not in seen:
        run.warning(
            path,
            "bundle-link",
            "a searchset should have a self link that says what was searched for",
            "invalid",
        )
    for index, entry in enumerate(found):
        search, resource = entry.get("search"), entry.get("resource")
        mode = search.get("mode") if isinstance(search, dict) else None
        if not isinstance(resource, dict):
            continue
        here: Path = ((path, "entry", index), "resource", -1)
        kind = resource.get("resourceType")
        if mode == "outcome" and kind != "OperationOutcome":
            run.error(here, "bundle-search", "an entry of the mode outcome is an OperationOutcome", "invalid")
        elif mode == "match" and wanted is not None and kind != wanted:
            run.error(
                here, "bundle-search", f"is no {wanted}, which the self link says was searched for", "invalid"
            )
        if mode in ("match", "include") and not isinstance(resource.get("id"), str):
            run.error(here, "bundle-search", "has no id, which what a search finds has", "invalid")


def _searched(url: str) -> str | None:
    """The resource type that a search asks for."""
    try:
        last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return None
    return last if is_resource(last) else None
