"""Patient: who it is, and the same person under several records and across sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_adapter.mapping import reference
from fhir_adapter.mapping.context import Context, Mapped, query
from fhir_adapter.mapping.hospital import Hospital, listed
from fhir_adapter.mapping.span import moment
from fhir_adapter.trial.history import Person
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Moment


@dataclass(frozen=True, slots=True)
class Patients:
    """The patients of one source: by every name, with merges followed, and by the matching identifier.

    ``by_name`` leads from ``Patient/id``, a ``urn:`` or ``system|value`` to the surviving patient's id;
    ``merged`` from a surviving id to all ids of the person, the surviving one first.
    """

    by_name: Mapping[str, str]
    merged: Mapping[str, tuple[str, ...]]
    by_match: Mapping[str, tuple[str, ...]]
    match_of: Mapping[str, frozenset[str]]

    def find(self, reference_to: object, base: str | None = None) -> str | None:
        """The surviving patient that a reference points at, from a resource of the server ``base``."""
        return self.named(reference.names(reference_to, base))

    def named(self, names: Iterable[str]) -> str | None:
        """The surviving patient that goes by one of the names."""
        for name in names:
            if name in self.by_name:
                return self.by_name[name]
        return None


def index(resources: Iterable[tuple[Mapping[str, Any], str]], hospital: Hospital, match: str) -> Patients:
    """The patients of a source from pairs of resource and full URL.

    A patient whose ``link`` says replaced-by, or whom another one's says that it replaces, is followed to
    the surviving one (dossier §13). A circle of links is one person, who goes by its smallest id.
    """
    found = {str(resource["id"]): (resource, url) for resource, url in resources}
    replaced_by = {}
    for id, (resource, url) in found.items():
        base = reference.base_of(url)
        for link in listed(resource, "link"):
            others = [name.removeprefix("Patient/") for name in reference.names(link.get("other"), base)]
            if link.get("type") == "replaced-by":
                replaced_by[id] = others[0] if others else id
            elif link.get("type") == "replaces":
                replaced_by.update(dict.fromkeys(others, id))

    def surviving(id: str) -> str:
        path = [id]
        while (after := replaced_by.get(path[-1])) in found:
            if after in path:
                return min(path[path.index(after) :])
            path.append(after)
        return path[-1]

    by_name: dict[str, str] = {}
    merged: dict[str, list[str]] = defaultdict(list)
    match_of: dict[str, set[str]] = defaultdict(set)
    for id, (resource, url) in sorted(found.items()):
        survivor = surviving(id)
        merged[survivor].append(id)
        match_of[survivor] |= hospital.identifier_values(resource, match)
        for name in reference.own_names(resource, url):
            by_name.setdefault(name, survivor)
    by_match: dict[str, list[str]] = defaultdict(list)
    for survivor, values in sorted(match_of.items()):
        for value in values:
            by_match[value].append(survivor)
    return Patients(
        by_name,
        {id: (id, *(other for other in ids if other != id)) for id, ids in merged.items()},
        {value: tuple(ids) for value, ids in by_match.items()},
        {id: frozenset(values) for id, values in match_of.items()},
    )


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The person: a birth date to the month or year is all of its days, and is asked about."""
    mapped = Mapped()
    sent = resource.get("birthDate")
    found = moment(sent, context)
    born = (found.first, found.last) if isinstance(found, Moment) else None
    if sent is not None and (born is None or born[0] != born[1]):
        kind = QueryKind.PARTIAL_DATE if born else QueryKind.NO_DATE
        text = (
            "The birth date is no day; add it. Until then what depends on the age stays open near a boundary."
        )
        mapped.queries.append(query(context, "birth-date", kind, text))
    gender = resource.get("gender")
    sex = str(gender) if gender in ("female", "male") else None
    mapped.persons.append(Person(context.subject, born, sex, (context.origin,)))
    return mapped
