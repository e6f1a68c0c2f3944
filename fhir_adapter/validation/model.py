"""The types of R4, as their definitions describe them: which elements each has, and of which types they are.

https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

from fhir_adapter.validation.definitions.store import core, core_urls
from fhir_adapter.validation.primitives import FORMS

__all__ = [
    "Binding",
    "Constraint",
    "Element",
    "Model",
    "TypeRef",
    "ancestors",
    "constraints_of",
    "is_resource",
    "model",
    "resource_types",
    "types_of",
]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A type that an element may have; ``content`` names the model of its children."""

    code: str
    content: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    aggregation: tuple[str, ...] = ()
    versioning: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """A value set that codes must, should or may come from; ``limit`` is its ``maxValueSet``."""

    strength: str
    value_set: str
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant: a rule in FHIRPath that an element must keep."""

    key: str
    severity: str
    human: str
    expression: str
    best_practice: bool = False


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a type: ``name`` without ``[x]``, ``most`` ``None`` for ``*``.

    ``places``: of each of its types the name in JSON, that of the ``_`` sibling if it may have one, and the
    step in a FHIRPath. ``keys`` are all those names.
    """

    path: str
    name: str
    choice: bool
    least: int
    most: int | None
    repeats: bool
    types: tuple[TypeRef, ...]
    binding: Binding | None
    constraints: tuple[Constraint, ...]
    definition: Mapping[str, Any] = field(repr=False)
    places: tuple[tuple[TypeRef, str, str, str], ...] = field(init=False, repr=False, compare=False)
    keys: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = []
        for type in self.types:
            key = self.key(type.code)
            places.append((type, key, f"_{key}" if type.code in FORMS else "", self.step(type.code)))
        object.__setattr__(self, "places", tuple(places))
        names = {name for _, key, under, _ in places for name in (key, under) if name}
        object.__setattr__(self, "keys", frozenset(names))

    def key(self, code: str) -> str:
        """Its name in JSON when it is of the type ``code``."""
        return f"{self.name}{code[0].upper()}{code[1:]}" if self.choice else self.name

    def step(self, code: str) -> str:
        """Its step in a FHIRPath when it is of the type ``code``."""
        return f"{self.name}.ofType({code})" if self.choice else self.name


@dataclass(frozen=True, slots=True)
class Model:
    """A type or a backbone element: ``name`` is ``Quantity`` or ``Observation.component``.

    ``keys``: name in JSON → element and the type that it has then.
    """

    name: str
    kind: str
    abstract: bool
    elements: dict[str, Element]
    keys: dict[str, tuple[Element, TypeRef]]
    constraints: tuple[Constraint, ...]


@lru_cache(maxsize=4096)
def model(name: str) -> Model | None:
    """The model of a type (``Quantity``) or of an element with children (``Observation.component``)."""
    definition = core("StructureDefinition", _BASE + name.partition(".")[0])
    if definition is None or definition.get("derivation") == "constraint":
        return None
    rows = definition["snapshot"]
    depth = name.count(".") + 1
    prefix = f"{name}."
    below = [row for row in rows if row["path"].startswith(prefix) and row["path"].count(".") == depth]
    own = next((row for row in rows if row["path"] == name), None)
    if own is None or ("." in name and not below):
        return None
    parents = {row["path"].rpartition(".")[0] for row in rows}
    by_path = {row["path"]: row for row in rows}
    elements: dict[str, Element] = {}
    keys: dict[str, tuple[Element, TypeRef]] = {}
    for row in below:
        # An element that is described elsewhere keeps the rules that are stated there.
        described = by_path.get(row.get("contentReference", "").partition("#")[2], {})
        element = _element(row, row["path"] in parents, constraints_of(row) + constraints_of(described))
        elements[element.name] = element
        for type in element.types:
            keys[element.key(type.code)] = (element, type)
    kind = definition["kind"] if "." not in name else "element"
    return Model(
        name,
        kind,
        definition.get("abstract", False),
        elements,
        keys,
        constraints_of(own) if "." not in name else (),
    )


def _element(row: Mapping[str, Any], has_children: bool, constraints: tuple[Constraint, ...]) -> Element:
    name = row["path"].rpartition(".")[2]
    most = None if row["max"] == "*" else int(row["max"])
    base = row.get("base", row)["max"]
    return Element(
        path=row["path"],
        name=name.removesuffix("[x]"),
        choice=name.endswith("[x]"),
        least=row["min"],
        most=most,
        repeats=base not in ("0", "1"),
        types=types_of(row, has_children),
        binding=_binding(row),
        constraints=constraints,
        definition=row,
    )


def types_of(row: Mapping[str, Any], has_children: bool = False) -> tuple[TypeRef, ...]:
    """The types that an ElementDefinition allows."""
    if "contentReference" in row:
        return (TypeRef("BackboneElement", row["contentReference"].partition("#")[2]),)
    return tuple(
        TypeRef(
            code=kind["code"],
            content=row["path"]
            if has_children and kind["code"] in ("BackboneElement", "Element")
            else kind["code"],
            profiles=tuple(kind.get("profile", ())),
            targets=tuple(kind.get("targetProfile", ())),
            aggregation=tuple(kind.get("aggregation", ())),
            versioning=kind.get("versioning", ""),
        )
        for kind in row.get("type", ())
        if kind.get("code")
    )


def _binding(row: Mapping[str, Any]) -> Binding | None:
    found = row.get("binding")
    if not found or not found.get("valueSet"):
        return None
    return Binding(found.get("strength", "example"), found["valueSet"], found.get("max") or "")


def constraints_of(row: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """The invariants of an ElementDefinition that have an expression."""
    return tuple(
        Constraint(
            key=rule.get("key", "?"),
            severity=rule.get("severity", "error"),
            human=rule.get("human", ""),
            expression=rule["expression"],
            best_practice=rule.get("bestPractice", False),
        )
        for rule in row.get("constraint", ())
        if rule.get("expression")
    )


@cache
def resource_types() -> frozenset[str]:
    """The resource types of R4 that an instance may have."""
    names = [url.rpartition("/")[2] for url in core_urls("StructureDefinition") if url.startswith(_BASE)]
    return frozenset(
        name for name in names if name[:1].isupper() and "-" not in name and is_resource(name)
    ) - {"Resource", "DomainResource"}


@lru_cache(maxsize=4096)
def is_resource(name: str) -> bool:
    """Whether R4 has a resource type of that name, abstract ones included."""
    definition = core("StructureDefinition", _BASE + name) if name else None
    return (
        definition is not None
        and definition["kind"] == "resource"
        and definition.get("derivation") != "constraint"
    )


@lru_cache(maxsize=4096)
def ancestors(name: str) -> tuple[str, ...]:
    """A type and the types that it specializes: ``("Patient", "DomainResource", "Resource")``."""
    definition = core("StructureDefinition", _BASE + name) if name else None
    if definition is None:
        return (name,)
    base = definition.get("baseDefinition", "")
    return (name, *ancestors(base.rpartition("/")[2])) if base.startswith(_BASE) else (name,)
