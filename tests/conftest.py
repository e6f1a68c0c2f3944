"""The real servers that tests run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hapi import require_java
from tests.servers import running_sekmet, shared_hapi


@pytest.fixture(scope="session")
def sekmet_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a sekmet; whatever is written there needs ids of its own."""
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as base:
        yield base


@pytest.fixture(scope="session")
def hapi_base(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The base URL of a HAPI that takes nearly anything, one for all processes of a test run."""
    require_java("nothing was tried on HAPI FHIR, the second server.")
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # what the workers of one run have in common
    with shared_hapi(folder) as base:
        yield base


@pytest.fixture(scope="session", params=["sekmet", "hapi"])
def server_base(request: pytest.FixtureRequest) -> str:
    """The base URL of each real server in turn; whatever is written there needs ids of its own."""
    base: str = request.getfixturevalue(f"{request.param}_base")
    return base
