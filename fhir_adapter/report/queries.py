"""Data queries: what the people who entered the data are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fhir_adapter.report.table import Table
from fhir_adapter.trial.types import Query
from fhir_adapter.workspace import StoredQuery


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """One query; times are UTC, None where it has no history yet, ``resolved`` None while it is open.

    ``resources`` names what raised it as ``Type/id``; ``sources`` are the addresses of those versions.
    """

    id: str
    subject: str
    visit: str
    item: str
    kind: str
    text: str
    values: tuple[str, ...]
    resources: tuple[str, ...]
    sources: tuple[str, ...]
    first_seen: str | None = None
    last_seen: str | None = None
    resolved: str | None = None


def of_run(queries: Mapping[str, Query]) -> list[AskedQuery]:
    """The queries that a run found."""
    return _sorted(_asked(id, query) for id, query in queries.items())


def of_workspace(stored: Iterable[StoredQuery], *, everything: bool = False) -> list[AskedQuery]:
    """The queries with their history: the open ones, or every one that ever arose."""
    return _sorted(
        _asked(each.id, each.query, each.first_seen, each.last_seen, each.resolved)
        for each in stored
        if everything or each.resolved is None
    )


def _asked(
    id: str, query: Query, first: str | None = None, last: str | None = None, resolved: str | None = None
) -> AskedQuery:
    resources = tuple(f"{origin.type}/{origin.id}" for origin in query.origins)
    sources = tuple(origin.url for origin in query.origins)
    return AskedQuery(
        id, query.subject, query.visit, query.item, query.kind.value, query.text, query.values, resources,
        sources, first, last, resolved,
    )  # fmt: skip


def _sorted(queries: Iterable[AskedQuery]) -> list[AskedQuery]:
    return sorted(queries, key=lambda each: (each.subject, each.visit, each.item, each.kind))


def table(queries: list[AskedQuery]) -> Table:
    """One row a query; the columns of its history only where there is one."""
    history = any(each.first_seen for each in queries)
    columns = ("id", "subject", "visit", "item", "kind", "question", "values", "resources")
    rows = []
    for each in queries:
        cells = [
            each.id, each.subject, each.visit or "–", each.item or "–", each.kind, each.text,
            " | ".join(each.values), " ".join(each.resources),
        ]  # fmt: skip
        if history:
            cells += [_minute(each.first_seen), _minute(each.last_seen), _minute(each.resolved)]
        rows.append(tuple(cells))
    return Table(
        "Data queries",
        (*columns, *(("first seen", "last seen", "resolved") if history else ())),
        tuple(rows),
    )


def _minute(time: str | None) -> str:
    """A time to the minute, UTC."""
    return f"{time[:10]} {time[11:16]}Z" if time else "–"
