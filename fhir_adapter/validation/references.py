"""References: their form, what they lead to, and whether that is allowed there.

https://hl7.org/fhir/R4/references.html, https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.issue import shown, suggestion
from fhir_adapter.validation.model import TypeRef, is_resource, resource_types
from fhir_adapter.validation.run import Path, Run, Scope

__all__ = [
    "Target",
    "absolute",
    "check_canonical",
    "check_form",
    "entries",
    "entry_of",
    "find",
    "implied_type",
    "rest",
    "target_checks",
    "types_allowed",
]

Check = Callable[[Any, Path, Run], None]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_BLANK: Final = re.compile(r"\s")
_LOCAL: Final = re.compile(r"([A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SEARCH: Final = re.compile(r"[A-Za-z]+\?")
_RELATIVE: Final = re.compile(r"[A-Za-z]+/[^/]+(/_history/[^/]+)?")
_REST: Final = re.compile(
    r"(?P<base>(?:https?://[^?#\s]*/)?)(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?(?:#.*)?"
)


class Target(NamedTuple):
    """What a reference leads to: the resource, its type, its path, and the scope around it."""

    resource: Mapping[str, Any]
    type: str
    path: Path | None
    outer: Scope | None
    where: str
    """``contained``, ``bundled`` or ``referenced``, as aggregation modes are called."""


def rest(reference: str) -> re.Match[str] | None:
    """A RESTful URL in its parts ``base``, ``type``, ``id`` and ``version``; ``None`` for others.

    https://hl7.org/fhir/R4/references.html#regex
    """
    found = _REST.fullmatch(reference)
    return found if found is not None and is_resource(found["type"]) else None


def implied_type(reference: str) -> str | None:
    """The type of resource that a RESTful URL names."""
    found = rest(reference)
    return found["type"] if found else None


def check_form(value: Any, path: Path, run: Run) -> None:
    """A Reference by itself: a URI, a contained resource that is there, and a type that fits.

    https://hl7.org/fhir/R4/references.html#literal, §contained ("SHALL be resolvable within the resource"),
    Reference.type ("the type SHALL be the same").
    """
    reference = value.get("reference")
    if type(reference) is not str or not reference:
        if "type" not in value and not value.keys() & {
            "identifier",
            "display",
            "extension",
            "_reference",
            "id",
        }:
            run.warning(path, "reference-empty", "has neither reference, identifier nor display", "invalid")
        return
    if _BLANK.search(reference):
        run.error(path, "reference-form", "reference is no valid URI: it has a blank in it", "invalid")
        return
    if reference[0] == "#":
        if find(reference, run) is None:
            run.error(path, "reference-contained", "reference leads to no contained resource", "not-found")
            if reference != "#":
                run.error(
                    path,
                    "ref-1",
                    "SHALL have a contained resource if a local reference is provided",
                    "invariant",
                )
    elif _is_no_name(reference, run):
        run.error(path, "reference-form", "reference is relative; expected [type]/[id]", "structure")
    elif (local := _LOCAL.fullmatch(reference)) is not None and not is_resource(local[1]):
        near = suggestion(local[1], resource_types())
        run.warning(
            path, "reference-type", f"reference leads to {shown(local[1])}, no resource type of R4.{near}"
        )
    elif reference.startswith("urn:") and run.scope.bundle is not None and find(reference, run) is None:
        run.warning(
            path, "reference-bundle", "reference is a URN, and no entry of the Bundle has it", "not-found"
        )
    _ambiguous(reference, path, run)
    told = value.get("type")
    if isinstance(told, str):
        target = find(reference, run)
        actual = target.type if target is not None else implied_type(reference)
        if actual is not None and told != actual:
            run.error(
                path,
                "reference-type",
                f"type says {shown(told)}, and reference leads to {shown(actual)}",
                "structure",
            )


def _is_no_name(reference: str, run: Run) -> bool:
    """Whether a relative reference in a Bundle has not the form of a resource's type and id.

    https://hl7.org/fhir/R4/bundle.html#references: relative ones are resolved as ``[type]/[id]``. In a
    transaction they may be a search for the resource: https://hl7.org/fhir/R4/http.html#trules.
    """
    bundle = run.scope.bundle
    if bundle is None or _SCHEME.match(reference):
        return False
    if bundle.resource.get("type") == "transaction" and _SEARCH.match(reference):
        return False
    return _RELATIVE.fullmatch(reference) is None


def _ambiguous(reference: str, path: Path, run: Run) -> None:
    """A reference without a version that several entries of the Bundle answer to.

    https://hl7.org/fhir/R4/bundle.html#references: "If multiple matches are found, it is ambiguous which is
    correct."
    """
    bundle = run.scope.bundle
    if bundle is None or "/_history/" in reference:
        return
    url = absolute(reference, run.scope, bundle)
    if url is not None and len(entries(run, bundle).get(url.partition("#")[0], ())) > 1:
        run.error(
            path, "reference-bundle", "more than one entry of the Bundle is what it leads to", "invalid"
        )


def check_canonical(value: Any, path: Path, run: Run) -> None:
    """A canonical that is a fragment leads to a contained resource. https://hl7.org/fhir/R4/references.html#canonical"""
    if value[:1] == "#" and find(value, run) is None:
        run.error(path, "canonical-url", "leads to no contained resource", "not-found")


def find(reference: str, run: Run) -> Target | None:
    """What ``reference`` leads to from the resource that is being checked, as far as it is at hand."""
    scope = run.scope
    key = (id(scope.resource), reference)
    memo = run.memo
    if key not in memo:
        memo[key] = _find(reference, run, scope)
    found: Target | None = memo[key]
    return found


def _find(reference: str, run: Run, scope: Scope) -> Target | None:
    if reference.startswith("#"):
        return _contained(reference, scope)
    bundle = scope.bundle
    if bundle is not None:
        found = _bundled(reference, run, scope, bundle)
        if found is not None:
            return found
    found = _in_parameters(reference, scope)
    if found is not None:
        return found
    if run.settings.fetch is not None:
        fetched = run.settings.fetch(reference)
        if fetched is not None:
            return Target(fetched, str(fetched.get("resourceType")), None, None, "referenced")
    return None


def _contained(reference: str, scope: Scope) -> Target | None:
    container = scope.container
    if reference == "#":
        if scope is container:
            return None
        return Target(container.resource, container.type, container.path, container.outer, "contained")
    contained = container.resource.get("contained")
    for index, one in enumerate(contained if isinstance(contained, list) else ()):
        if isinstance(one, dict) and one.get("id") == reference[1:]:
            return Target(
                one,
                str(one.get("resourceType")),
                (container.path, "contained", index),
                container,
                "contained",
            )
    return None


def _in_parameters(reference: str, scope: Scope) -> Target | None:
    """Another resource of the same Parameters, by type and id."""
    outer = scope.container.outer
    if outer is None or outer.type != "Parameters":
        return None
    parameters = outer.resource.get("parameter")
    for index, one in enumerate(parameters if isinstance(parameters, list) else ()):
        resource = one.get("resource") if isinstance(one, dict) else None
        if isinstance(resource, dict) and f"{resource.get('resourceType')}/{resource.get('id')}" == reference:
            path = ((outer.path, "parameter", index), "resource", -1)
            return Target(resource, str(resource.get("resourceType")), path, outer, "bundled")
    return None


def entries(run: Run, bundle: Scope) -> dict[str, list[int]]:
    """The entries of a Bundle by their fullUrl."""
    key = ("fullUrl", id(bundle.resource))
    if key not in run.memo:
        found: dict[str, list[int]] = {}
        listed = bundle.resource.get("entry")
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("fullUrl"), str):
                found.setdefault(entry["fullUrl"], []).append(index)
        run.memo[key] = found
    made: dict[str, list[int]] = run.memo[key]
    return made


def entry_of(scope: Scope, bundle: Scope) -> int:
    """The index of the entry of ``bundle`` in which ``scope`` stands, or -1."""
    inner = scope
    while inner.outer is not None and inner.outer is not bundle:
        inner = inner.outer
    path: Any = inner.path
    while path is not None:
        above, name, index = path
        if name == "entry" and above == bundle.path:
            return int(index)
        path = above
    return -1


def absolute(reference: str, scope: Scope, bundle: Scope) -> str | None:
    """A reference in a Bundle as an absolute URL, by the fullUrl of the entry that it stands in."""
    found = rest(reference)
    if found is None or found["base"]:
        return reference
    index = entry_of(scope, bundle)
    listed = bundle.resource.get("entry")
    own = listed[index].get("fullUrl") if index >= 0 and isinstance(listed, list) else None
    around = rest(own) if isinstance(own, str) else None
    return around["base"] + reference if around is not None else None


def _bundled(reference: str, run: Run, scope: Scope, bundle: Scope) -> Target | None:
    """§2.36.4.1 Resolving references in Bundles."""
    url = absolute(reference, scope, bundle)
    if url is None:
        return None
    url = url.partition("#")[0]
    bare, _, version = url.partition("/_history/")
    listed = bundle.resource["entry"]
    for index in entries(run, bundle).get(bare, ()):
        resource = listed[index].get("resource")
        if not isinstance(resource, dict):
            continue
        meta = resource.get("meta")
        if version and not (isinstance(meta, dict) and meta.get("versionId") == version):
            continue
        path = ((bundle.path, "entry", index), "resource", -1)
        return Target(resource, str(resource.get("resourceType")), path, bundle, "bundled")
    return None


def types_allowed(definitions: Definitions, profiles: Iterable[str]) -> frozenset[str] | None:
    """The resource types that target profiles allow; ``None`` for any."""
    found: set[str] = set()
    for profile in profiles:
        name = profile.partition("|")[0].removeprefix(_BASE)
        if not is_resource(name):
            defined = definitions.get("StructureDefinition", profile)
            if defined is None:
                return None
            name = defined.get("type", "Resource")
        if name in ("Resource", "DomainResource"):
            return None
        found.add(name)
    return frozenset(found) if found else None


def target_checks(type: TypeRef, *, narrower: bool = False) -> list[Check]:
    """The checks of where a Reference of this element may lead: types, profiles, aggregation, versions.

    ElementDefinition.type.targetProfile, .aggregation, .versioning. Types are judged by what the reference
    leads to in the resource or Bundle, or by its text where ``Settings.rest_references`` says that it can be
    relied on.
    """
    if type.code != "Reference":
        return []
    found: list[Check] = []
    targets = type.targets
    plain = all(is_resource(one.partition("|")[0].removeprefix(_BASE)) for one in targets)
    allowed_here = types_allowed(Definitions(), targets) if plain else None
    if targets and not (plain and allowed_here is None):

        def check(value: Any, path: Path, run: Run) -> None:
            reference = value.get("reference")
            if type_is_not_text(reference):
                return
            allowed = allowed_here if plain else types_allowed(run.definitions, targets)
            target = find(reference, run)
            if target is None:
                told = value.get("type")
                implied = implied_type(reference) if run.settings.rest_references else None
                if implied is None and isinstance(told, str) and not told.startswith("http"):
                    implied = told
                if allowed is not None and implied is not None and implied not in allowed:
                    run.error(path, "reference-target", _wrong(implied, allowed), "structure")
                else:
                    _existing(value, path, run)
                return
            if allowed is not None and target.type not in allowed:
                run.error(path, "reference-target", _wrong(target.type, allowed), "structure")
            elif not plain:
                _conforming(target, targets, path, run)

        found.append(check)
    elif not narrower:
        found.append(_existing)
    if type.aggregation:
        found.append(_aggregated(type.aggregation))
    if type.versioning in ("specific", "independent"):
        found.append(_versioned(type.versioning))
    return found


def type_is_not_text(reference: object) -> bool:
    """Whether there is no literal reference to follow."""
    return not isinstance(reference, str) or not reference


def _existing(value: Any, path: Path, run: Run) -> None:
    """References that leave the resource lead somewhere, where there is something to fetch them with."""
    reference = value.get("reference")
    if run.settings.fetch is None or not isinstance(reference, str) or reference.startswith(("#", "urn:")):
        return
    if run.settings.examples and "example.org" in reference:
        return
    if find(reference, run) is None:
        run.error(path, "reference-missing", "leads to no resource that can be found", "not-found")


def _wrong(found: str, allowed: frozenset[str]) -> str:
    return f"leads to {shown(found)}; expected {', '.join(sorted(allowed))}"


def _conforming(target: Target, profiles: tuple[str, ...], path: Path, run: Run) -> None:
    """The target conforms to one of the target profiles; a circle does, if nothing in it is wrong."""
    from fhir_adapter.validation.profiles import conforms_resource

    key = ("target", id(target.resource), profiles)
    if key in run.memo:
        answer = run.memo[key]
    else:
        run.memo[key] = True
        answer = run.memo[key] = any(conforms_resource(run, target, profile) for profile in profiles)
    if not answer:
        run.error(
            path,
            "reference-profile",
            f"leads to a resource that conforms to none of {', '.join(profiles)}",
            "structure",
        )


def _aggregated(modes: tuple[str, ...]) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        reference = value.get("reference")
        if type_is_not_text(reference):
            return
        target = find(reference, run)
        where = "contained" if reference.startswith("#") else target.where if target else "referenced"
        if where not in modes:
            run.error(
                path, "reference-aggregation", f"is {where}; expected {' or '.join(modes)}", "structure"
            )

    return check


def _versioned(versioning: str) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        reference = value.get("reference")
        if type_is_not_text(reference) or reference.startswith(("#", "urn:")):
            return
        if ("/_history/" in reference) != (versioning == "specific"):
            wanted = "a version" if versioning == "specific" else "no version"
            run.error(path, "reference-version", f"expected a reference with {wanted}", "structure")

    return check
