"""Small resources with ids and identifiers that nobody else has, and the entries that write them."""

from __future__ import annotations

import uuid
from typing import Any

from fhir_adapter.exchange.transaction import Entry

SYSTEM = "https://example.org/outcome"


def fresh() -> str:
    """What no other resource has as id or identifier; begins with a letter, as HAPI's own ids do not."""
    return f"x{uuid.uuid4()}"


def observation(value: str = "", **rest: Any) -> dict[str, Any]:
    """An Observation with the identifier ``value``."""
    found = {"resourceType": "Observation", "status": "final", "code": {"text": "ESSPRI"}, **rest}
    return {**found, "identifier": [{"system": SYSTEM, "value": value}]} if value else found


def put(id: str = "", if_match: str | None = None, **rest: Any) -> Entry:
    """An Observation with an id of our own."""
    id = id or fresh()
    resource = observation(id=id, **rest)
    return Entry("PUT", f"Observation/{id}", resource, f"urn:uuid:{uuid.uuid4()}", if_match)


def post(value: str = "", once: bool = False, **rest: Any) -> Entry:
    """An Observation with the identifier ``value``, whose id the server chooses; with ``once``, only one."""
    value = value or fresh()
    criteria = f"identifier={SYSTEM}|{value}" if once else None
    full_url = f"urn:uuid:{uuid.uuid4()}"
    return Entry("POST", "Observation", observation(value, **rest), full_url, if_none_exist=criteria)


def value_of(entry: Entry) -> str:
    """The identifier as a search asks for it."""
    return f"{SYSTEM}|{entry.resource['identifier'][0]['value']}"
