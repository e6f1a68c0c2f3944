"""What an expression may know besides the element it is evaluated on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from fhir_adapter.validation.fhirpath.model import Node

__all__ = ["Environment"]


class Environment:
    """The surroundings of one resource: make one for each, since constants are worked out once in each.

    ``resource`` is ``%resource`` and ``root_resource`` ``%rootResource``, the resource that contains it if
    one does. The callbacks answer for what lies outside the resource; each may return ``None`` for what it
    cannot decide:

    - ``resolve(reference)``: the resource that a reference's text leads to; ``None`` if it leads nowhere;
    - ``member_of(node, value_set)``: whether a code, Coding or CodeableConcept is in a value set;
    - ``conforms_to(node, profile)``: whether a node fulfils the profile of that URL;
    - ``html(text)``: whether a narrative's XHTML keeps FHIR's rules.

    ``variables`` are further ``%names``, each a list of items. ``now`` is what ``now()`` and ``today()`` say.
    """

    __slots__ = (
        "conforms_to", "context", "html", "index", "known", "member_of", "now", "resolve", "resource",
        "root_resource", "total", "variables",
    )  # fmt: skip

    def __init__(
        self,
        resource: Node,
        root_resource: Node | None = None,
        *,
        resolve: Callable[[str], Node | None] | None = None,
        member_of: Callable[[Node, str], bool | None] | None = None,
        conforms_to: Callable[[Node, str], bool | None] | None = None,
        html: Callable[[str], bool | None] | None = None,
        variables: Mapping[str, list[Any]] | None = None,
        now: datetime.datetime | None = None,
    ) -> None:
        self.resource = resource
        self.root_resource = resource if root_resource is None else root_resource
        self.resolve = resolve
        self.member_of = member_of
        self.conforms_to = conforms_to
        self.html = html
        self.variables = variables or {}
        self.now = now or datetime.datetime.now(datetime.UTC)
        # What belongs to an evaluation under way: $index, $total, %context, and what was worked out once.
        self.context: Any = resource
        self.index: int | None = None
        self.total: list[Any] = []
        self.known: dict[int, list[Any]] = {}
