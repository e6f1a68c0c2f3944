"""One sekmet for all tests of this folder: ten Observations that no test changes, and room for others."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.exchange.server import Entry, Server
from tests.servers import running_sekmet

SYSTEM = "http://loinc.org"


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a sekmet with the Observations o0 … o9 (code http://loinc.org|1, value 1.50)."""
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as base:
        entries = [_entry(f"o{number}") for number in range(10)]
        with Server(base, name="setup") as server:
            server.transaction(entries)
        yield base


def _entry(id: str) -> Entry:
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"coding": [{"system": SYSTEM, "code": "1"}]},
        "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": Decimal("1.50")},
    }
    return Entry("PUT", f"Observation/{id}", resource, f"urn:test:{id}")
