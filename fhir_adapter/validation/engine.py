"""One validation from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.issue import Issue
from fhir_adapter.validation.resources import check, check_inner
from fhir_adapter.validation.run import Path, Run, Settings

__all__ = ["run"]


def run(
    resource: Mapping[str, Any],
    definitions: Definitions,
    settings: Settings,
    profiles: Sequence[str],
    place: str,
) -> list[Issue]:
    """All issues of a resource, each once; see ``fhir_adapter.validation.validate``."""
    one = Run(definitions, settings, check_inner)
    kind = resource.get("resourceType") if isinstance(resource, Mapping) else None
    root: Path = (None, place or (kind if isinstance(kind, str) and kind.isalnum() else "$"), -1)
    try:
        check(one, resource, root, profiles)
    except RecursionError:
        one.error(root, "too-deep", "is nested too deeply to be checked", "too-long")
    return list(dict.fromkeys(one.issues))
