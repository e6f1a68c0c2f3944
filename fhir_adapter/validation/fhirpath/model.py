"""What FHIRPath knows of FHIR's types, and the elements of a resource as it sees them.

https://hl7.org/fhir/R4/fhirpath.html §Using FHIR types in expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

__all__ = ["Element", "Model", "Node", "Type"]

Definition = Callable[[str], Mapping[str, Any] | None]

# How FHIRPath reads the value of a primitive: https://hl7.org/fhir/R4/fhirpath.html#types
_DATES: Final = frozenset({"date", "dateTime", "instant"})
_NUMBERS: Final = frozenset({"integer", "decimal", "unsignedInt", "positiveInt", "integer64"})


class Node(msgspec.Struct, gc=False, eq=False):
    """An element or a resource: its ``value`` in the JSON, its ``type``, and its ``_`` sibling if it has one.

    ``value`` is an object for a complex type; for a primitive ``bool``, ``int``, ``Decimal`` or ``str``, or
    ``None`` where only the sibling is there. Nothing of the resource is copied.
    """

    # Not watched for cycles, of which there are none: a resource is a tree. That halves what a node costs.
    value: Any
    type: Type
    extra: Any = None


class Type:
    """A type of FHIR, or the type of a part of one, which goes by its path: ``Observation.component``.

    Of two objects with one name each is a type of its own; a ``Model`` makes one for each name.
    """

    __slots__ = ("ancestors", "elements", "is_primitive", "json", "model", "name", "reads_as")

    def __init__(self, name: str, model: Model, ancestors: frozenset[str], elements: dict[str, Element]):
        self.name: Final = name
        self.model: Final = model
        self.ancestors: Final = ancestors
        """The names of the types that it specialises; its own is not among them."""
        self.elements: Final = elements
        """Its children by FHIRPath's name: ``value`` for ``value[x]``."""
        self.json: Final[dict[str, tuple[str, Element, str]]] = {
            json: (f"_{json}", element, kind)
            for element in elements.values()
            for json, kind in element.choices.items()
        }
        """Its children by JSON's names: ``valueQuantity`` → ``_valueQuantity``, the element, the type."""
        self.is_primitive: Final = name[:1].islower() and "." not in name
        self.reads_as: Final = _reads_as(name)
        """How a value that is a JSON string reads: ``text``, ``moment`` or ``time``."""

    def is_a(self, name: str) -> bool:
        """Whether it is the type ``name``, or a specialisation of it."""
        return name == self.name or name in self.ancestors


class Element:
    """A child of a type: its names in JSON, each with its type."""

    __slots__ = (
        "_type",
        "choices",
        "is_choice",
        "is_primitive",
        "is_resource",
        "json",
        "keys",
        "model",
        "under",
    )

    def __init__(self, name: str, choices: dict[str, str], model: Model):
        self.choices: Final = choices
        """The names in JSON, and the name of the type of each."""
        self.is_choice: Final = name not in choices
        self.json: Final = name
        self.under: Final = f"_{name}"
        self.keys: Final = frozenset(choices) | frozenset(f"_{choice}" for choice in choices)
        kind = next(iter(choices.values()), "")
        self.is_resource: Final = kind in ("Resource", "DomainResource")
        self.is_primitive: Final = kind[:1].islower()
        self.model: Final = model
        self._type: Type | None = None

    @property
    def type(self) -> Type:
        """Its type where it has one only. Of a resource in a resource, see ``Model.of_resource``."""
        if self._type is None:
            self._type = self.model.type(next(iter(self.choices.values()), ""))
        return self._type


class Model:
    """The types of FHIR, each made when it is first asked for.

    ``definition`` takes a type's name, and returns its StructureDefinition or ``None``: a mapping of which
    ``baseDefinition`` and ``snapshot`` are read, a list of elements with ``path``, ``type`` (a list of
    ``{"code": …}``) and ``contentReference``.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition: Final = definition
        self._types: Final[dict[str, Type]] = {}

    def type(self, name: str) -> Type:
        """The type ``name``, or the type of the part at a path; one without elements where there is none."""
        found = self._types.get(name)
        if found is None:
            self._read(name.partition(".")[0])
            found = self._types.get(name)
            if found is None:
                found = self._types[name] = Type(name, self, frozenset(), {})
        return found

    def of_resource(self, value: Any) -> Type:
        """The type that a resource in JSON says it is."""
        kind = value.get("resourceType") if type(value) is dict else None
        return self.type(kind if isinstance(kind, str) else "")

    def node(self, resource: Mapping[str, Any]) -> Node:
        """A whole resource as a node."""
        return Node(resource, self.of_resource(resource))

    def _read(self, name: str) -> None:
        definition = self._definition(name)
        if definition is None:
            return
        base = definition.get("baseDefinition", "").rpartition("/")[2]
        parent = self.type(base) if base and base != name else None
        ancestors = parent.ancestors | {parent.name} if parent else frozenset()
        parts: dict[str, dict[str, Element]] = {name: {}}
        bases: dict[str, str] = {}
        for element in definition.get("snapshot", ()):
            holder, _, last = element["path"].rpartition(".")
            if not holder or holder not in parts:
                continue
            codes = [one.get("code", "") for one in element.get("type", ())]
            content = element.get("contentReference", "").rpartition("#")[2]
            if content:
                codes = [content]
            elif codes and codes[0] in ("BackboneElement", "Element"):
                bases[element["path"]] = codes[0]
                parts[element["path"]] = {}
                codes = [element["path"]]
            if last.endswith("[x]"):
                last = last[:-3]
                choices = {f"{last}{code[:1].upper()}{code[1:]}": code for code in codes}
            else:
                choices = {last: codes[0] if codes else ""}
            parts[holder][last] = Element(last, choices, self)
        for path, elements in parts.items():
            above = frozenset({"Element", bases[path]}) if path in bases else ancestors
            self._types[path] = Type(path, self, above, elements)


def _reads_as(name: str) -> str:
    if name in _DATES:
        return "moment"
    return "time" if name == "time" else "text"
