"""Profiles compiled into checks. https://hl7.org/fhir/R4/profiling.html

A ``ProfilePlan`` holds what a profile asks beyond the type that it is of; the type itself is checked by its
own plan. Each element of the snapshot is compared with the type's: cardinality, types, fixed and pattern
values, limits, bindings, invariants, and slices with theirs. An element that adds nothing leaves nothing
behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fhir_adapter.validation import datatypes, invariants, narrative
from fhir_adapter.validation.alike import once
from fhir_adapter.validation.bindings import bound_check
from fhir_adapter.validation.definitions.snapshot import NoSnapshot, snapshot
from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.issue import shown
from fhir_adapter.validation.model import Binding, Element, TypeRef, constraints_of, is_resource, model
from fhir_adapter.validation.primitives import FORMS
from fhir_adapter.validation.references import Target, target_checks
from fhir_adapter.validation.run import Path, Run, Scope
from fhir_adapter.validation.terminology import members
from fhir_adapter.validation.tree import Node, build
from fhir_adapter.validation.values import fixed_check, pattern_check

__all__ = ["Item", "ProfilePlan", "conforms_resource", "conforms_to", "plan_of", "tree_of"]

Check = Callable[[Any, Path, Run], None]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"


_WITH_UNIT: Final = frozenset({"Quantity", "Age", "Count", "Distance", "Duration", "code", "string"})


class Item(NamedTuple):
    """An element of an instance: value (``None`` for a primitive without), ``_`` sibling, type and path."""

    value: Any
    beside: Any
    type: TypeRef
    path: Path


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """The checks of a profile. ``extension_urls``: of an extension, the urls of those that it may hold."""

    url: str
    type: str
    check: Check
    extension_urls: frozenset[str] | None = None


def tree_of(definitions: Definitions, url: str) -> Node | None:
    """The snapshot of the profile at ``url`` as a tree; ``None`` when it is not known.

    Raises ``NoSnapshot`` where none can be made.
    """
    cache = definitions.cache("trees")
    if url not in cache:
        whole, _, part = url.partition("#")
        found = definitions.get("StructureDefinition", whole)
        tree = build(snapshot(definitions, found)) if found is not None else None
        cache[url] = _part(tree, part) if tree is not None and part else tree
    made: Node | None = cache[url]
    return made


def _part(tree: Node, id: str) -> Node | None:
    """An element of a profile by its id: ``Composition.section:codeA``."""
    node: Node | None = tree
    for step in id.split(".")[1:]:
        name, _, slice_name = step.partition(":")
        child = node.children.get(name.removesuffix("[x]")) if node is not None else None
        if slice_name and child is not None:
            child = next((one for one in child.slices if one.slice_name == slice_name), None)
        node = child
    return node


def plan_of(definitions: Definitions, url: str) -> ProfilePlan | None:
    """The plan of the profile at ``url``; ``None`` when it is not known or is a type of R4 itself.

    A profile that cannot be compiled has a plan that says so.
    """
    cache = definitions.cache("profiles")
    if url not in cache:
        found = definitions.get("StructureDefinition", url.partition("#")[0])
        if found is None:
            return None  # and not kept: resources may name any number of these
        if found.get("url") == f"{_BASE}{found.get('type')}":
            cache[url] = None
        else:
            # A profile may lead back to itself: whoever asks meanwhile is given what waits for the rest.
            made: list[Check] = []
            urls: frozenset[str] | None = None
            kind = found.get("type", "")
            cache[url] = ProfilePlan(url, kind, lambda value, path, run: made[0](value, path, run))
            try:
                tree = tree_of(definitions, url)
                if tree is None:
                    raise NoSnapshot("it has no elements")
                kind = tree.row["path"] if "#" in url else kind
                made.append(_compile(definitions, tree, kind))
                urls = _urls(tree) if kind == "Extension" else None
            except NoSnapshot as fault:
                made[:] = [_broken(url, str(fault))]
            except (AttributeError, KeyError, TypeError, ValueError):
                made[:] = [_broken(url, "it has not the form of a StructureDefinition")]
            cache[url] = ProfilePlan(url, kind, made[0], urls)
    plan: ProfilePlan | None = cache[url]
    return plan


def _broken(url: str, why: str) -> Check:
    def check(_value: Any, path: Path, run: Run) -> None:
        run.error(path, "profile", f"the profile {url} cannot be used: {why}", "exception")

    return check


def _urls(tree: Node) -> frozenset[str]:
    nested = tree.children.get("extension")
    found = set()
    for one in nested.slices if nested else ():
        url = one.children.get("url")
        fixed = url.value("fixed") if url else None
        if fixed:
            found.add(fixed[1])
        for type in one.types():
            found |= {profile.partition("|")[0] for profile in type.profiles}
    return frozenset(found)


def _compile(definitions: Definitions, tree: Node, kind: str) -> Check:
    described = model(kind)
    if described is None:
        raise NoSnapshot(f"its type {kind} is none of R4")
    inherited = {rule.key for rule in described.constraints}
    own = tuple(rule for rule in constraints_of(tree.row) if rule.key not in inherited)
    rules = invariants.compile_rules(own, kind)
    inside = Children(definitions, tree, kind, outermost=described.kind == "resource").check
    root: Check = _both(inside, rules) if rules is not None else inside
    return root


def _both(one: Check, other: Check) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        one(value, path, run)
        other(value, path, run)

    return check


class Children:
    """The compiled children of an element of a profile: a check of the JSON object that holds them.

    Of the ``outermost``, the elements of the resource itself, those that are alike are looked at once.
    """

    __slots__ = ("check", "parts")

    def __init__(
        self, definitions: Definitions, node: Node, content: str, *, outermost: bool = False
    ) -> None:
        described = model(content)
        self.parts: list[Callable[[Any, Path, Run], None]] = []
        for name, child in node.children.items():
            element = described.elements.get(name) if described else None
            if element is not None:
                made = _child(definitions, child, element, outermost=outermost)
                if made is not None:
                    self.parts.append(made)
        parts = tuple(self.parts)

        def check(value: Any, path: Path, run: Run) -> None:
            if type(value) is dict:
                for part in parts:
                    part(value, path, run)

        self.check: Final[Check] = check


def gather(element: Element, holder: Mapping[str, Any], path: Path) -> list[Item]:
    """The items of ``element`` in a JSON object. What has not the form of JSON that it should is left out."""
    found: list[Item] = []
    if element.choice and element.keys.isdisjoint(holder):
        return found
    for type, key, under, step in element.places:
        value = holder.get(key)
        beside = holder.get(under) if under else None
        if value is None and beside is None:
            continue
        primitive = bool(under)
        if not element.repeats:
            if primitive != isinstance(value, dict) and not isinstance(value, list):
                found.append(Item(value, beside, type, (path, step, -1)))
            continue
        if not primitive:
            items = enumerate(value) if isinstance(value, list) else ()
            found += [Item(one, None, type, (path, step, at)) for at, one in items if isinstance(one, dict)]
            continue
        values = value if isinstance(value, list) else []
        besides = beside if isinstance(beside, list) else []
        for index in range(max(len(values), len(besides))):
            one = values[index] if index < len(values) else None
            other = besides[index] if index < len(besides) else None
            if not isinstance(one, dict) and (one is not None or other is not None):
                found.append(Item(one, other, type, (path, step, index)))
    return found


def _child(
    definitions: Definitions, node: Node, element: Element, *, outermost: bool
) -> Callable[[Any, Path, Run], None] | None:
    """The check of one element in the object that holds it; ``None`` where the profile adds nothing."""
    from fhir_adapter.validation.slicing import slicing_of

    checks = item_checks(definitions, node, element)
    least, most = bounds(node)
    name = f"{element.name}[x]" if element.choice else element.name
    asks_least = least > element.least
    asks_most = most is not None and (element.most is None or most < element.most)
    sliced = slicing_of(definitions, node, element) if node.slices or _closed(node) else None
    if not (checks or asks_least or asks_most or sliced):
        return None
    alike = outermost and any(type.code not in (*FORMS, "Resource") for type in element.types)
    if alike and element.repeats and sliced is None:
        checks = (_once(checks, element),)

    def check(holder: Any, path: Path, run: Run) -> None:
        items = gather(element, holder, path)
        if asks_least and len(items) < least:
            run.error(
                path, "cardinality", f"{name} is there {len(items)} times; at least {least}", "structure"
            )
        if asks_most and most is not None and len(items) > most:
            wanted = f"at most {most}" if most else "none allowed by the profile"
            run.error(path, "cardinality", f"{name} is there {len(items)} times; {wanted}", "structure")
        for item in items:
            for further in checks:
                further(item, run)
        if sliced is not None:
            sliced(items, path, run)

    return check if not alike or (element.repeats and sliced is None) else _once_together(check, element)


def _once_together(check: Check, element: Element) -> Check:
    """The check of an element, which looks once at what is alike in all its items."""
    names = tuple(element.keys)

    def of_values(values: list[Any], path: Path, run: Run) -> None:
        check(
            {name: value for name, value in zip(names, values, strict=True) if value is not None}, path, run
        )

    whole = once(of_values)

    def together(holder: Any, path: Path, run: Run) -> None:
        whole([holder.get(name) for name in names], path, run)

    return together


def _once(checks: tuple[ItemCheck, ...], element: Element) -> ItemCheck:
    """All checks of an object in one, which looks at what is alike once; of a primitive they stay as many."""

    def of_type(type: TypeRef) -> Check:
        def whole(value: Any, path: Path, run: Run) -> None:
            for check in checks:
                check(Item(value, None, type, path), run)

        return once(whole)

    by_type = {type.code: of_type(type) for type in element.types if type.code not in FORMS}

    def on_item(item: Item, run: Run) -> None:
        whole = by_type.get(item.type.code)
        if whole is not None and item.value is not None:
            whole(item.value, item.path, run)
            return
        for check in checks:
            check(item, run)

    return on_item


def _closed(node: Node) -> bool:
    return bool(node.row.get("slicing", {}).get("rules") == "closed" and node.slices)


def bounds(node: Node) -> tuple[int, int | None]:
    """``min`` and ``max`` of an element."""
    most = node.row.get("max", "*")
    return int(node.row.get("min", 0)), None if most == "*" else int(most)


ItemCheck = Callable[[Item, Run], None]


def item_checks(definitions: Definitions, node: Node, element: Element) -> tuple[ItemCheck, ...]:
    """What a profile asks of each item of an element, beyond what the type asks."""
    found: list[ItemCheck] = []
    types = node.types()
    if types:
        found += _types(types, element)
    codes = {type.code for type in types} or {type.code for type in element.types}
    row = node.row
    fixed, pattern = node.value("fixed"), node.value("pattern")
    if fixed is not None:
        found.append(_of_value(fixed_check(fixed[1])))
    if pattern is not None:
        found.append(_of_value(pattern_check(pattern[1])))
    for limit, stem in zip(datatypes.limits(row), ("minValue", "maxValue"), strict=True):
        if limit is not None and not any(name.startswith(stem) for name in element.definition):
            found.append(_of_value(limit))
    if "maxLength" in row and row["maxLength"] != element.definition.get("maxLength"):
        found.append(_of_value(datatypes.longest(row["maxLength"])))
    bound = row.get("binding")
    if bound and bound.get("valueSet"):
        binding = Binding(bound.get("strength", "example"), bound["valueSet"], bound.get("max") or "")
        if element.binding is None or binding != element.binding:
            # Units bind what has a unit, and not the other types of a choice.
            bound_codes = (
                codes & _WITH_UNIT if element.choice and _only_units(definitions, binding) else codes
            )
            by_type = {
                code: check for code in bound_codes if (check := bound_check(binding, code)) is not None
            }
            if by_type:
                found.append(_of_type(by_type))
    inherited = {rule.key for rule in element.constraints} | _keys_of_types(types)
    own = tuple(rule for rule in constraints_of(row) if rule.key not in inherited)
    if own:
        by_type = {}
        for type in types or element.types:
            rules = invariants.compile_rules(own, type.content)
            if rules is not None:
                by_type[type.code] = rules
        found.append(_of_node(by_type))
    if row.get("mustHaveValue"):
        found.append(_must_have_value)
    if row.get("valueAlternatives"):
        found.append(_alternatives(tuple(row["valueAlternatives"])))
    if row.get("languages"):
        found.append(_languages(tuple(row["languages"])))
    # The children of a choice of types have nothing in common but their extensions: §5.1.0.9.
    if node.children and (len(types or element.types) == 1 or node.children.keys() <= {"id", "extension"}):
        inside = {
            type.code: Children(definitions, node, type.content)
            for type in (types or element.types)
            if model(type.content) is not None
        }
        kept = {code: children.check for code, children in inside.items() if children.parts}
        if kept:
            found.append(_inside(kept))
    return tuple(found)


def _only_units(definitions: Definitions, binding: Binding) -> bool:
    found = members(definitions, binding.value_set)
    return found is not None and not found.open and found.listed.keys() == {"http://unitsofmeasure.org"}


def _keys_of_types(types: tuple[TypeRef, ...]) -> set[str]:
    found: set[str] = {"ele-1", "ext-1"}
    for type in types:
        described = model(type.code)
        if described is not None:
            found |= {rule.key for rule in described.constraints}
    return found


def _of_value(check: Check) -> ItemCheck:
    def on_item(item: Item, run: Run) -> None:
        if item.value is not None:
            check(item.value, item.path, run)

    return on_item


def _of_type(by_type: dict[str, Check]) -> ItemCheck:
    def on_item(item: Item, run: Run) -> None:
        check = by_type.get(item.type.code)
        if check is not None and item.value is not None:
            check(item.value, item.path, run)

    return on_item


def _of_node(by_type: dict[str, invariants.Check]) -> ItemCheck:
    def on_item(item: Item, run: Run) -> None:
        check = by_type.get(item.type.code)
        if check is not None:
            check(item.value, item.path, run, item.beside)

    return on_item


def _inside(by_type: dict[str, Check]) -> ItemCheck:
    def on_item(item: Item, run: Run) -> None:
        check = by_type.get(item.type.code)
        if check is None:
            return
        if item.type.code in FORMS:
            check(item.beside if isinstance(item.beside, dict) else {}, item.path, run)
        else:
            check(item.value, item.path, run)

    return on_item


def _must_have_value(item: Item, run: Run) -> None:
    """ElementDefinition.mustHaveValue: an extension is no substitute for the value."""
    if item.value is None:
        run.error(item.path, "must-have-value", "has no value; the profile requires one", "required")


def _alternatives(urls: tuple[str, ...]) -> ItemCheck:
    """ElementDefinition.valueAlternatives: without a value one of these extensions must be there."""

    def on_item(item: Item, run: Run) -> None:
        if item.value is not None:
            return
        extensions = item.beside.get("extension") if isinstance(item.beside, dict) else None
        given = {one.get("url") for one in extensions or () if isinstance(one, dict)}
        if not given & set(urls):
            run.error(
                item.path,
                "value-alternatives",
                f"has no value; expected one, or {', '.join(urls)}",
                "required",
            )

    return on_item


def _languages(controls: tuple[str, ...]) -> ItemCheck:
    """The extension narrative-language-control: whether a narrative has a ``div`` for each language."""

    def on_item(item: Item, run: Run) -> None:
        div = item.value.get("div") if isinstance(item.value, dict) else None
        if not isinstance(div, str):
            return
        found = narrative.parse(div).languages
        for control in controls:
            if control == "_no" and found:
                run.error(
                    item.path,
                    "narrative-languages",
                    "has sections by language; expected none",
                    "business-rule",
                )
            elif control in ("_yes", "_resource") and not found:
                run.error(item.path, "narrative-languages", "has no sections by language", "business-rule")
            elif control == "_resource" and run.scope.resource.get("language") not in (None, *found):
                run.error(
                    item.path,
                    "narrative-languages",
                    "has no section in the resource's language",
                    "business-rule",
                )

    return on_item


def _types(types: tuple[TypeRef, ...], element: Element) -> list[ItemCheck]:
    """ElementDefinition.type: fewer types than the base has, and profiles on them."""
    found: list[ItemCheck] = []
    codes = {type.code for type in types}
    if codes < {type.code for type in element.types}:
        wanted = ", ".join(sorted(codes))

        def narrowed(item: Item, run: Run) -> None:
            if item.type.code not in codes:
                message = f"{element.name} is of the type {item.type.code}; expected {wanted}"
                run.error(item.path[0], "type", message, "structure")

        found.append(narrowed)
    base = {type.code: type for type in element.types}
    for type in types:
        before = base.get(type.code)
        if (
            type.profiles
            and (before is None or type.profiles != before.profiles)
            and type.code != "Extension"
        ):
            found.append(_profiled(type))
        if type.code == "Reference":
            changed = before is None or type.targets != before.targets
            narrower = TypeRef(
                type.code,
                type.content,
                (),
                type.targets if changed else (),
                type.aggregation,
                type.versioning,
            )
            found += [_of_type({"Reference": check}) for check in target_checks(narrower, narrower=True)]
    return found


def _profiled(type: TypeRef) -> ItemCheck:
    check = conforms_to(type.profiles)

    def on_item(item: Item, run: Run) -> None:
        if item.type.code == type.code and item.value is not None:
            check(item.value, item.path, run)

    return on_item


def conforms_to(profiles: tuple[str, ...]) -> Check:
    """The check that an element conforms to one of ``profiles``. ElementDefinition.type.profile"""

    def check(value: Any, path: Path, run: Run) -> None:
        if len(profiles) == 1:
            _conform(value, path, run, profiles[0])
            return
        key = ("one of", id(value), profiles)
        run.around += 1  # what is known already does not say what it hung on
        if key not in run.memo:
            run.memo[key] = any(
                run.tried(lambda profile=profile: _conform(value, path, run, profile))  # type: ignore[misc]
                for profile in profiles
            )
        if not run.memo[key]:
            run.error(path, "profile", f"conforms to none of {', '.join(profiles)}", "structure")

    return check


def _conform(value: Any, path: Path, run: Run, profile: str) -> None:
    name = profile.partition("|")[0].removeprefix(_BASE)
    if isinstance(value, dict) and "resourceType" in value:
        kind = value["resourceType"]
        if is_resource(name):
            if name not in ("Resource", "DomainResource", kind):
                run.error(path, "profile", f"is a {shown(str(kind))}; expected {name}", "structure")
            return
        plan = plan_of(run.definitions, profile)
        if plan is None:
            run.error(path, "profile-unknown", f"the profile {profile} is not known", "not-found")
        elif plan.type not in (kind, "Resource", "DomainResource"):
            run.error(path, "profile", f"is a {shown(str(kind))}; expected {plan.type}", "structure")
        else:
            outer = run.scope
            run.scope = Scope(
                value, str(kind), path, outer, "contained" if path[1] == "contained" else "entry"
            )
            try:
                plan.check(value, path, run)
            finally:
                run.scope = outer
        return
    if model(name) is not None:
        return
    plan = plan_of(run.definitions, profile)
    if plan is None:
        run.error(path, "profile-unknown", f"the profile {profile} is not known", "not-found")
    else:
        plan.check(value, path, run)


def conforms_resource(run: Run, target: Target, profile: str) -> bool:
    """Whether the resource that a reference leads to conforms to a profile, or is of a type of R4."""
    name = profile.partition("|")[0].removeprefix(_BASE)
    if is_resource(name):
        return name in ("Resource", "DomainResource", target.type)
    plan = plan_of(run.definitions, profile)
    if plan is None:
        return True
    if plan.type != target.type:
        return False
    kept = run.scope
    path: Path = target.path or (None, target.type, -1)
    role = "contained" if target.where == "contained" else "entry" if target.outer else "target"
    run.scope = Scope(dict(target.resource), target.type, path, target.outer, role)
    try:
        return run.tried(lambda: plan.check(run.scope.resource, path, run))
    finally:
        run.scope = kept
