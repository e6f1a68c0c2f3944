"""The runs of a study: who ran what, when, by which rules, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir_adapter.report.table import Table
from fhir_adapter.workspace import StoredRun

_WRITTEN = ("created", "updated", "retracted", "repaired", "unchanged", "conflicts", "retries")


def table(runs: Iterable[StoredRun]) -> Table:
    """A row a run; the digest of the protocol is cut to what tells two of them apart."""
    return Table(
        "Runs",
        (
            "run",
            "started",
            "ended",
            "who",
            "software",
            "as of",
            "protocol",
            "steps",
            "pulled",
            "outcomes",
            "written",
        ),
        tuple(
            (
                str(run.id),
                run.started,
                run.finished or "not ended",
                run.about["user"],
                run.about["software"],
                run.about["as_of"],
                run.about["protocol"][:10],
                " ".join(run.about["steps"]),
                _pulled(run.summary.get("pulled", {})),
                _changed(run.summary.get("outcomes")),
                _written(run.summary.get("pushed", {})),
            )
            for run in runs
        ),
    )


def _pulled(sources: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {each['new']} new, {each['gone']} gone" for name, each in sources.items())


def _changed(outcomes: dict[str, int] | None) -> str:
    return f"{outcomes['changed']} changed, {outcomes['gone']} gone" if outcomes else ""


def _written(pushed: dict[str, Any]) -> str:
    return ", ".join(f"{pushed[word]} {word}" for word in _WRITTEN if pushed.get(word))
