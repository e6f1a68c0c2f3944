"""What a FHIR reference points at: relative, absolute, ``urn:uuid``, contained, or by identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LITERAL = re.compile(
    r"(?:(?P<base>.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-._]+)(?:/_history/[^/]+)?"
)


def base_of(url: str) -> str | None:
    """The server of an absolute address of a resource (``https://…/fhir``); None where it has none."""
    match = _LITERAL.fullmatch(url) if url.startswith(("http://", "https://")) else None
    return match["base"].rstrip("/") if match else None


def names(reference: object, base: str | None = None) -> list[str]:
    """The names under which the target may be known, the surest first.

    A relative literal gives ``Type/id``. So does an absolute one on the server ``base``, from which the
    resource that refers is (``base_of`` its origin's URL); where that is not known (None), as in an export
    that was put into a folder, any. An absolute one elsewhere and a ``urn:`` stand for themselves. A
    logical reference gives ``system|value``.
    """
    if not isinstance(reference, dict):
        return []
    found = []
    literal = reference.get("reference")
    if isinstance(literal, str):
        found.append(own(literal, base))
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and identifier.get("value"):
        found.append(f"{identifier.get('system', '')}|{identifier['value']}")
    return found


def own(literal: str, base: str | None) -> str:
    """The name that a literal reference gives; see ``names``."""
    if literal.count("/") < 2:  # it is the name itself, or none of any resource: most are so
        return literal
    match = _LITERAL.fullmatch(literal)
    name = f"{match['type']}/{match['id']}" if match else literal
    server = base_of(literal)
    return name if base is None or server in (None, base) else f"{server}/{name}"


def own_names(resource: Mapping[str, Any], url: str = "") -> list[str]:
    """The names under which others may refer to a resource: ``Type/id``, its full URL, its identifiers."""
    own = f"{resource.get('resourceType')}/{resource.get('id')}"
    found = [own]
    if url.startswith("urn:"):
        found.append(url)
    elif (base := base_of(url)) is not None:
        found.append(f"{base}/{own}")
    return [*found, *identifier_names(resource)]


def identifier_names(resource: Mapping[str, Any]) -> list[str]:
    """A resource's identifiers as ``system|value``."""
    identifiers = resource.get("identifier")
    return [
        f"{each.get('system', '')}|{each['value']}"
        for each in (identifiers if isinstance(identifiers, list) else [identifiers])
        if isinstance(each, dict) and each.get("value")
    ]
