"""The snapshot of a profile as a tree: elements, their slices, and the elements of each slice.

https://hl7.org/fhir/R4/profiling.html#snapshot: the order of a snapshot's elements says what belongs to what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_adapter.validation.model import TypeRef, model, types_of

__all__ = ["Node", "build", "default_slicing"]


@dataclass(slots=True)
class Node:
    """An element of a profile. ``name`` is without ``[x]``; ``slices`` are of an element that is sliced."""

    name: str
    row: Mapping[str, Any]
    children: dict[str, Node] = field(default_factory=dict)
    slices: list[Node] = field(default_factory=list)

    @property
    def slice_name(self) -> str:
        """The name of the slice that it is, or ``""``."""
        return str(self.row.get("sliceName", ""))

    def types(self) -> tuple[TypeRef, ...]:
        """The types that it allows, each with the model of its children."""
        found = types_of(self.row)
        if self.children or any(one.code in ("BackboneElement", "Element") for one in found):
            return types_of(self.row, has_children=True)
        return found

    def value(self, stem: str) -> tuple[str, Any] | None:
        """``fixed[x]`` or ``pattern[x]``: the type's name capitalised, and the value."""
        for name, value in self.row.items():
            if name.startswith(stem):
                return name[len(stem) :], value
        return None


def build(rows: Sequence[Mapping[str, Any]]) -> Node:
    """The tree of a snapshot's elements."""
    root = Node(rows[0]["path"], rows[0])
    latest: dict[str, Node] = {rows[0]["path"]: root}
    for row in rows[1:]:
        path: str = row["path"]
        above, _, last = path.rpartition(".")
        parent = latest.get(above)
        if parent is None:
            continue
        name, chosen = _stem(above, parent, last)
        node = Node(name, row)
        first = parent.children.get(name)
        if first is None:
            parent.children[name] = node
            if chosen and not row.get("sliceName"):
                # Observation.valueQuantity, as older profiles have it, is a slice of Observation.value[x].
                node.row = {**row, "sliceName": last}
            if node.slice_name:
                # A slice without the element that it is a slice of: that one says nothing of its own.
                bare = {
                    "path": path,
                    "min": 0,
                    "max": "*",
                    "slicing": row.get("slicing") or default_slicing(name),
                }
                parent.children[name] = Node(name, bare, slices=[node])
        elif row.get("sliceName") or chosen:
            if not row.get("sliceName"):
                node.row = {**row, "sliceName": last}
            _slice_of(first, node)
        else:
            parent.children[name] = node
        latest[path] = node
    return root


def _stem(above: str, parent: Node, last: str) -> tuple[str, str]:
    """The element's name, and the type where a choice is named by its type: ``value``, ``Quantity``."""
    if last.endswith("[x]"):
        return last[:-3], ""
    for type in parent.types() or (TypeRef("", above),):
        described = model(type.content) or model(above)
        if described is None or last in described.elements:
            continue
        found = described.keys.get(last)
        if found is not None:
            return found[0].name, found[1].code
    described = model(above)
    if described is not None and last not in described.elements and last in described.keys:
        element, kind = described.keys[last]
        return element.name, kind.code
    return last, ""


def default_slicing(name: str) -> dict[str, Any]:
    """How an element is sliced that does not say it: extensions by their url, choices by their type."""
    by_url = name in ("extension", "modifierExtension")
    discriminator = {"type": "value", "path": "url"} if by_url else {"type": "type", "path": "$this"}
    return {"discriminator": [discriminator], "rules": "open"}


def _slice_of(first: Node, node: Node) -> None:
    """Hang a slice on its element; ``a/b`` is a slice of the slice ``a``."""
    within, _, _ = node.slice_name.rpartition("/")
    holder = next((one for one in first.slices if one.slice_name == within), None) if within else None
    (holder or first).slices.append(node)
