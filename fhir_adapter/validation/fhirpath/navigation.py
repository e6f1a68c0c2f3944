"""From nodes to the nodes below them.

https://hl7.org/fhir/R4/fhirpath.html, https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Final

from fhir_adapter.validation.fhirpath.model import Element, Node, Type

__all__ = [
    "NOTHING",
    "all_children",
    "below",
    "child",
    "count_child",
    "count_children",
    "descend",
    "has_child",
]


NOTHING: Final = object()
"""A focus that is empty: what ``iif`` hands to its arguments when it is called on nothing."""


def child(node: Node, name: str) -> list[Node]:
    """The children of ``node`` that go by ``name``, in their order."""
    value = node.value
    if type(value) is not dict:
        return _of_primitive(node, name)
    element = node.type.elements.get(name)
    if element is None:
        return []
    if element.is_choice:
        keys = element.keys
        if keys.isdisjoint(value):
            return []
        found: list[Node] = []
        for json in value:
            if json in keys:
                if json[0] == "_":
                    if json[1:] in value:
                        continue
                    found += _nodes(None, value[json], element.model.type(element.choices[json[1:]]))
                else:
                    found += _nodes(
                        value[json], value.get(f"_{json}"), element.model.type(element.choices[json])
                    )
        return found
    inside = value.get(element.json)
    if element.is_primitive:
        return _nodes(inside, value.get(element.under), element.type)
    if inside is None:
        return []
    if element.is_resource:
        return _resources(inside, element)
    kind_of = element.type
    if type(inside) is list:
        return [Node(item, kind_of) for item in inside if item is not None]
    return [Node(inside, kind_of)]


def _of_primitive(node: Node, name: str) -> list[Node]:
    extra = node.extra
    if type(extra) is not dict or name not in ("id", "extension"):
        return []
    inside = extra.get(name)
    if inside is None:
        return []
    kind = node.type.model.type("string" if name == "id" else "Extension")
    if type(inside) is list:
        return [Node(item, kind) for item in inside if item is not None]
    return [Node(inside, kind)]


def _resources(inside: Any, element: Element) -> list[Node]:
    of_resource = element.model.of_resource
    if type(inside) is list:
        return [Node(item, of_resource(item)) for item in inside if item is not None]
    return [Node(inside, of_resource(inside))]


def _nodes(inside: Any, extra: Any, kind: Type) -> list[Node]:
    if extra is None:
        if inside is None:
            return []
        if type(inside) is list:
            return [Node(item, kind) for item in inside if item is not None]
        return [Node(inside, kind)]
    if type(inside) is list or type(extra) is list:
        values = inside if type(inside) is list else [inside]
        extras = extra if type(extra) is list else [extra]
        return [
            Node(item, kind, more)
            for item, more in zip_longest(values, extras)
            if item is not None or more is not None
        ]
    return [Node(inside, kind, extra)]


def has_child(node: Node, name: str) -> bool:
    """Whether ``child`` would find something."""
    value = node.value
    if type(value) is not dict:
        return bool(_of_primitive(node, name))
    element = node.type.elements.get(name)
    if element is None:
        return False
    if element.is_choice:
        return not element.keys.isdisjoint(value) and bool(child(node, name))
    inside = value.get(element.json)
    if inside is not None and type(inside) is not list:
        return True
    if inside is None and element.under not in value:
        return False
    return bool(child(node, name))


def count_child(node: Node, name: str) -> int:
    """How many nodes ``child`` would find."""
    value = node.value
    if type(value) is dict:
        element = node.type.elements.get(name)
        if element is None:
            return 0
        if not element.is_choice and element.under not in value:
            inside = value.get(element.json)
            if inside is None:
                return 0
            if type(inside) is not list:
                return 1
    return len(child(node, name))


def all_children(node: Node) -> list[Node]:
    """All children of ``node``, in the order of the JSON."""
    value = node.value
    if type(value) is not dict:
        return _of_primitive(node, "id") + _of_primitive(node, "extension") if node.extra else []
    found: list[Node] = []
    json, type_named = node.type.json, node.type.model.type
    for name, inside in value.items():
        known = json.get(name)
        if known is not None:
            under, element, kind = known
            if element.is_resource:
                found += _resources(inside, element) if inside is not None else []
            else:
                found += _nodes(inside, value.get(under), type_named(kind))
        elif name[:1] == "_" and name[1:] not in value:
            known = json.get(name[1:])
            if known is not None:
                found += _nodes(None, inside, type_named(known[2]))
    return found


def count_children(node: Node) -> int:
    """How many nodes ``all_children`` would find."""
    value, json = node.value, node.type.json
    if type(value) is not dict:
        return len(all_children(node))
    count = 0
    for name, inside in value.items():
        if name in json:
            if type(inside) is not list and inside is not None:
                count += 1
            elif inside is None or None in inside or f"_{name}" in value:
                return len(all_children(node))
            else:
                count += len(inside)
        elif name[:1] == "_" and name[1:] not in value:
            return len(all_children(node))
    return count


def descend(node: Node) -> list[Node]:
    """All that is below ``node``, at any depth, each before what is below it."""
    found: list[Node] = []
    waiting = all_children(node)[::-1]
    while waiting:
        item = waiting.pop()
        found.append(item)
        waiting += all_children(item)[::-1]
    return found


def below(items: list[Any], name: str) -> list[Any]:
    """The children of each of ``items`` that go by ``name``."""
    if len(items) == 1:
        only = items[0]
        return child(only, name) if type(only) is Node else []
    return [found for item in items if type(item) is Node for found in child(item, name)]
