"""What a FHIR reference points at: relative, absolute, ``urn:uuid``, contained, or by identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LITERAL = re.compile(
    r"(?:(?P<base>.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-._]+)(?:/_history/[^/]+)?"
)


def names(reference: object) -> list[str]:
    """The names under which the target may be known, the surest first.

    A relative or absolute literal gives ``Type/id`` (the base is the source's own: what a source refers
    to lives there), a ``urn:`` stands for itself, a logical reference gives ``system|value``.
    """
    if not isinstance(reference, Mapping):
        return []
    found = []
    literal = reference.get("reference")
    if isinstance(literal, str):
        match = _LITERAL.fullmatch(literal)
        found.append(f"{match['type']}/{match['id']}" if match else literal)
    identifier = reference.get("identifier")
    if isinstance(identifier, Mapping) and identifier.get("value"):
        found.append(f"{identifier.get('system', '')}|{identifier['value']}")
    return found


def own_names(resource: Mapping[str, Any], url: str = "") -> list[str]:
    """The names under which others may refer to a resource: ``Type/id``, its full URL, its identifiers."""
    found = [f"{resource.get('resourceType')}/{resource.get('id')}"]
    if url.startswith("urn:"):
        found.append(url)
    return [*found, *identifier_names(resource)]


def identifier_names(resource: Mapping[str, Any]) -> list[str]:
    """A resource's identifiers as ``system|value``."""
    identifiers = resource.get("identifier")
    return [
        f"{each.get('system', '')}|{each['value']}"
        for each in (identifiers if isinstance(identifiers, list) else [identifiers])
        if isinstance(each, Mapping) and each.get("value")
    ]
