"""Slices and their discriminators. https://hl7.org/fhir/R4/profiling.html#slicing, #discriminator"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fhir_adapter.validation.definitions.snapshot import NoSnapshot
from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.model import Element, TypeRef, is_resource, model
from fhir_adapter.validation.profiles import (
    Children,
    Item,
    bounds,
    conforms_resource,
    conforms_to,
    gather,
    item_checks,
    tree_of,
)
from fhir_adapter.validation.references import Target, find, implied_type
from fhir_adapter.validation.run import Path, Run
from fhir_adapter.validation.terminology import members
from fhir_adapter.validation.tree import Node, default_slicing
from fhir_adapter.validation.values import fits, same

__all__ = ["slicing_of"]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_STEP: Final = re.compile(r"(?P<name>[A-Za-z$][A-Za-z0-9]*)(?:\((?P<argument>[^()]*)\))?(?:\.|$)")

Matches = Callable[[Item, Run], bool]
Sliced = Callable[[Sequence[Item], Path, Run], None]


class CannotSlice(ValueError):
    """A discriminator that nothing in the profile decides."""


def slicing_of(definitions: Definitions, node: Node, element: Element) -> Sliced | None:
    """The check of an element's slices: each item goes to the slice that its discriminators name.

    ElementDefinition.slicing: ``closed`` allows no other items, ``openAtEnd`` only after those of slices,
    ``ordered`` asks for the slices' order. A slice ``@default`` takes what no other takes.
    """
    slicing = node.row.get("slicing") or default_slicing(element.name)
    rules, ordered = slicing.get("rules", "open"), bool(slicing.get("ordered"))
    name = f"{element.name}[x]" if element.choice else element.name
    made: list[tuple[str, Matches, tuple[Any, ...], int, int | None, Sliced | None]] = []
    default: tuple[str, tuple[Any, ...]] | None = None
    for one in node.slices:
        checks = item_checks(definitions, one, element)
        if one.slice_name == "@default":
            default = (one.slice_name, checks)
            continue
        try:
            matches = _matches(definitions, one, element, slicing.get("discriminator", ()))
        except (CannotSlice, NoSnapshot) as fault:
            return _cannot(f"{name}:{one.slice_name}", str(fault))
        inner = slicing_of(definitions, one, element) if one.slices else None
        made.append((one.slice_name, matches, checks, *bounds(one), inner))

    def check(items: Sequence[Item], path: Path, run: Run) -> None:
        found: list[list[Item]] = [[] for _ in made]
        last = -1
        others_before = False
        for item in items:
            hits = [index for index, one in enumerate(made) if one[1](item, run)]
            if not hits:
                if default is not None:
                    for further in default[1]:
                        further(item, run)
                elif rules == "closed":
                    place = item.path[0] if element.choice else item.path
                    run.error(
                        place, "slicing", f"is in none of the slices of {name}, which are closed", "structure"
                    )
                others_before = True
                continue
            if len(hits) > 1:
                names = ", ".join(made[index][0] for index in hits)
                run.error(item.path, "slicing", f"is in more than one slice of {name}: {names}", "structure")
                continue
            if rules == "openAtEnd" and others_before:
                run.error(item.path, "slicing", f"stands after items of no slice of {name}", "structure")
            if ordered and hits[0] < last:
                run.error(item.path, "slicing", f"is not in the order of the slices of {name}", "structure")
            last = max(last, hits[0])
            found[hits[0]].append(item)
        for (slice_name, _, checks, least, most, inner), members_of in zip(made, found, strict=True):
            if len(members_of) < least:
                message = f"{name}:{slice_name} is there {len(members_of)} times; at least {least}"
                run.error(path, "cardinality", message, "structure")
            if most is not None and len(members_of) > most:
                message = f"{name}:{slice_name} is there {len(members_of)} times; at most {most}"
                run.error(path, "cardinality", message, "structure")
            for item in members_of:
                for further in checks:
                    further(item, run)
            if inner is not None:
                inner(members_of, path, run)

    return check


def _cannot(name: str, why: str) -> Sliced:
    def check(items: Sequence[Item], _path: Path, run: Run) -> None:
        if items:
            run.error(items[0].path, "slicing", f"cannot be told to be {name} or not: {why}", "processing")

    return check


def _matches(
    definitions: Definitions, node: Node, element: Element, discriminators: Sequence[Mapping[str, Any]]
) -> Matches:
    """Whether an item is in the slice ``node``: all its discriminators say so."""
    tests: list[Matches] = []
    undecided: CannotSlice | None = None
    for one in discriminators:
        try:
            tests.append(
                _discriminator(definitions, node, element, one.get("type", "value"), one.get("path", "$this"))
            )
        except CannotSlice as fault:
            # A slice may leave one of several discriminators open.
            undecided = fault
    if not tests and undecided is not None:
        raise undecided
    if not tests:
        # Slices without discriminators are told apart by what they ask: §5.1.0.12.
        return _conforming(definitions, node, element)
    if len(tests) == 1:
        return tests[0]
    return lambda item, run: all(test(item, run) for test in tests)


def _conforming(definitions: Definitions, node: Node, element: Element) -> Matches:
    checks = item_checks(definitions, node, element)

    def matches(item: Item, run: Run) -> bool:
        def all_checks() -> None:
            for check in checks:
                check(item, run)

        return run.tried(all_checks)

    return matches


def _discriminator(definitions: Definitions, node: Node, element: Element, kind: str, path: str) -> Matches:
    steps = _steps(path)
    if kind == "position":
        raise CannotSlice("it is sliced by position")
    go, ends = _walk(definitions, node, element, steps)
    if kind == "exists":
        known = [bounds(end) for end, _ in ends if isinstance(end, Node)]
        if any(least >= 1 for least, _ in known):
            return lambda item, run: bool(go(item, run))
        if any(most == 0 for _, most in known):
            return lambda item, run: not go(item, run)
        raise CannotSlice(f"nothing says whether {path} exists in it")
    if kind == "type":
        test = _type_test(definitions, ends, steps)
    elif kind == "profile":
        test = _profile_test(definitions, node, element, steps)
    else:
        by_value = _value_test(ends, definitions)
        if by_value is None:
            known = [bounds(end) for end, _ in ends]
            if any(most == 0 for _, most in known):
                return lambda item, run: not go(item, run)
            if any(least >= 1 for least, _ in known):
                return lambda item, run: bool(go(item, run))
            raise CannotSlice(f"nothing fixes {path} in it")
        test = by_value
    return lambda item, run: any(test(one, run) for one in go(item, run))


def _steps(path: str) -> list[tuple[str, str]]:
    """A discriminator's path: names, ``extension(url)``, ``resolve()`` and ``ofType()``."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise CannotSlice(f"the path {path} is not of the kind that discriminators have")
        if step["name"] != "$this":
            found.append((step["name"], (step["argument"] or "").strip("'\"")))
        at = step.end()
    return found


Walk = Callable[[Item, Run], list[Item]]
Ends = list[tuple[Node, Element | None]]


def _walk(
    definitions: Definitions, node: Node, element: Element, steps: list[tuple[str, str]]
) -> tuple[Walk, Ends]:
    """The way through an instance, and the elements of the profile at its end."""
    ends: Ends = [(node, element)]
    for name, argument in steps:
        ends = [found for end in ends for found in _next(definitions, *end, name, argument)]

    def go(item: Item, run: Run) -> list[Item]:
        items = [item]
        for name, argument in steps:
            items = [found for one in items for found in _follow(one, name, argument, run)]
            if not items:
                break
        return items

    return go, ends


def _next(definitions: Definitions, node: Node, element: Element | None, name: str, argument: str) -> Ends:
    """The elements of a profile that a step of a discriminator leads to from ``node``."""
    types = node.types() or (element.types if element else ())
    if name == "resolve":
        trees = [tree_of(definitions, target) for type in types for target in type.targets]
        return [(tree, None) for tree in trees if tree is not None] or [(node, element)]
    if name == "ofType":
        chosen = [one for one in node.slices if any(type.code == argument for type in one.types())]
        return [(one, element) for one in chosen] or [(node, element)]
    if name == "extension":
        slices = node.children["extension"].slices if "extension" in node.children else []
        named = [one for one in slices if _extension_url(one) == argument]
        tree = None if named else tree_of(definitions, argument)
        return [(one, None) for one in (*named, *([tree] if tree else []))]
    if name in node.children:
        child = node.children[name]
        described = model(types[0].content if types else node.row["path"])
        inner = described.elements.get(name) if described else None
        # A choice that is sliced by its types is what its slices are.
        own = [] if child.slices and (inner is None or inner.choice) else [child]
        return [(one, inner) for one in [*own, *child.slices]]
    for stem in ("fixed", "pattern"):
        whole = node.value(stem)
        if whole is not None and isinstance(whole[1], dict) and name in whole[1]:
            row = {"path": f"{node.row['path']}.{name}", "min": 1, "max": "*", f"{stem}Value": whole[1][name]}
            return [(Node(name, row), None)]
    found: Ends = []
    for type in types:
        for profile in type.profiles or (f"{_BASE}{type.code}",):
            tree = tree_of(definitions, profile)
            if tree is not None and name in tree.children:
                described = model(type.code) or model(tree.name)
                found.append((tree.children[name], described.elements.get(name) if described else None))
    return found


def _extension_url(node: Node) -> str | None:
    for type in node.types():
        for profile in type.profiles:
            return profile.partition("|")[0]
    url = node.children.get("url")
    fixed = url.value("fixed") if url else None
    return fixed[1] if fixed else None


def _follow(item: Item, name: str, argument: str, run: Run) -> list[Item]:
    """One step from an item of an instance."""
    if name == "resolve":
        reference = item.value.get("reference") if isinstance(item.value, dict) else item.value
        if not isinstance(reference, str):
            return []
        target = find(reference, run)
        if target is not None:
            return [Item(target, None, TypeRef("Resource", target.type), target.path or item.path)]
        implied = implied_type(reference)
        return [Item(None, None, TypeRef("Resource", implied), item.path)] if implied else []
    if name == "ofType":
        return [item] if item.type.code == argument else []
    holder = item.value if isinstance(item.value, dict) else item.beside
    content = item.type.content
    path = item.path
    if isinstance(item.value, Target):
        holder, content = item.value.resource, item.value.type
    elif item.type.code == "Resource" and isinstance(holder, dict):
        content = str(holder.get("resourceType"))
    described = model(content) if content else None
    if described is None or not isinstance(holder, Mapping):
        return []
    element = described.elements.get(name)
    if element is None:
        return []
    found = gather(element, holder, path)
    if name == "extension" and argument:
        return [one for one in found if isinstance(one.value, dict) and one.value.get("url") == argument]
    return found


Test = Callable[[Item, Run], bool]


def _type_test(definitions: Definitions, ends: Ends, steps: list[tuple[str, str]]) -> Test:
    codes: set[str] = set()
    for end, element in ends:
        if steps and steps[-1][0] == "resolve" and element is None:
            codes.add(end.name)
            continue
        for type in end.types() or (element.types if element else (TypeRef(end.name, end.name),)):
            if type.code == "Resource" and type.profiles:
                for profile in type.profiles:
                    name = profile.partition("|")[0].removeprefix(_BASE)
                    found = definitions.get("StructureDefinition", profile)
                    codes.add(name if is_resource(name) or found is None else found.get("type", name))
            else:
                codes.add(type.code)

    def test(item: Item, _run: Run) -> bool:
        if isinstance(item.value, Target):
            return item.value.type in codes
        if item.type.code == "Resource":
            kind = item.value.get("resourceType") if isinstance(item.value, dict) else item.type.content
            return "Resource" in codes or (isinstance(kind, str) and kind in codes)
        return item.type.code in codes

    return test


def _profile_test(
    definitions: Definitions, node: Node, element: Element, steps: list[tuple[str, str]]
) -> Test:
    """Whether an element, or what a reference leads to, conforms to one of the slice's profiles."""
    resolves = bool(steps) and steps[-1][0] == "resolve"
    _, ends = _walk(definitions, node, element, steps[:-1] if resolves else steps)
    types = [type for end, inner in ends for type in end.types() or (inner.types if inner else ())]
    profiles = [profile for type in types for profile in (type.targets if resolves else type.profiles)]
    if not profiles:
        raise CannotSlice("no profile is named")
    check = conforms_to(tuple(profiles))

    def test(item: Item, run: Run) -> bool:
        if isinstance(item.value, Target):
            target = item.value
            return any(conforms_resource(run, target, profile) for profile in profiles)
        if item.value is None:
            return False
        return run.tried(lambda: check(item.value, item.path, run))

    return test


def _value_test(ends: Ends, definitions: Definitions) -> Test | None:
    """``value`` and ``pattern``: fixed[x], pattern[x] or a required binding at the path's end."""
    tests = [test for end, element in ends if (test := _value_of(definitions, end, element)) is not None]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda item, run: any(test(item, run) for test in tests)


def _value_of(definitions: Definitions, node: Node, element: Element | None) -> Test | None:
    fixed, pattern = node.value("fixed"), node.value("pattern")
    if fixed is not None:
        return lambda item, _run: same(item.value, fixed[1])
    if pattern is not None:
        return lambda item, _run: fits(item.value, pattern[1])
    binding = node.row.get("binding") or {}
    if binding.get("strength") == "required" and binding.get("valueSet"):
        value_set = binding["valueSet"]
        return lambda item, run: _in(run, value_set, item.value)
    if element is not None and node.children:
        kept = {}
        for type in node.types() or element.types:
            children = Children(definitions, node, type.content) if model(type.content) else None
            if children is not None and children.parts:
                kept[type.code] = children.check
        if kept:
            return lambda item, run: (
                item.type.code in kept and run.tried(lambda: kept[item.type.code](item.value, item.path, run))
            )
    return None


def _in(run: Run, value_set: str, value: Any) -> bool:
    from fhir_adapter.validation.bindings import in_value_set

    return members(run.definitions, value_set) is not None and in_value_set(run, value_set, value) is True
