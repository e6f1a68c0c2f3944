"""Snapshots of profiles that have a differential only. https://hl7.org/fhir/R4/profiling.html#snapshot

The snapshot of the base, changed by the elements of the differential in their order. Elements inside
datatypes are added where the differential speaks of them; children of a slice as far as it does, since what
holds of all items of an element stands at that element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_adapter.validation.definitions.store import Definitions, core

__all__ = ["NoSnapshot", "snapshot"]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"

Row = dict[str, Any]


class NoSnapshot(ValueError):
    """A profile whose snapshot cannot be made; the text says why."""


def snapshot(definitions: Definitions, structure: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The elements of a StructureDefinition's snapshot, compact; made from the differential if there is none.

    Raises ``NoSnapshot`` where the base is missing or leads back to the profile, or an element cannot be
    placed.
    """
    cache = definitions.cache("snapshots")
    key = (structure.get("url"), structure.get("version"), id(structure))
    if key not in cache:
        cache[key] = None
        cache[key] = structure.get("snapshot") or _generate(definitions, structure)
    found: Sequence[Mapping[str, Any]] | None = cache[key]
    if found is None:
        raise NoSnapshot("its chain of base definitions is a circle")
    return found


def _generate(definitions: Definitions, structure: Mapping[str, Any]) -> list[Row]:
    base = structure.get("baseDefinition")
    found = definitions.get("StructureDefinition", base) if isinstance(base, str) else None
    if found is None:
        raise NoSnapshot(f"its base {base} is not known")
    return _Maker(definitions, snapshot(definitions, found)).apply(structure.get("differential", ()))


class _Maker:
    """Rows in the making, each under its key: its path with slices (``Patient.name:official.use``)."""

    def __init__(self, definitions: Definitions, base: Sequence[Mapping[str, Any]]) -> None:
        self.definitions = definitions
        self.keys: list[str] = []
        self.rows: dict[str, Row] = {}
        latest: dict[str, str] = {}
        for row in base:
            key = _key(row, latest)
            self.keys.append(key)
            self.rows[key] = dict(row)

    def apply(self, differential: Sequence[Mapping[str, Any]]) -> list[Row]:
        latest: dict[str, str] = {}
        for row in differential:
            if not isinstance(row.get("path"), str):
                raise NoSnapshot("an element of it has no path")
            changed = self._unfold(dict(row))
            key = _key(changed, latest)
            if row["path"] != changed["path"]:
                latest[row["path"]] = key
            self._ensure(key)
            _merge(self.rows[key], changed)
        return [self.rows[key] for key in self.keys]

    def _unfold(self, row: Row) -> Row:
        """``Observation.valueQuantity`` is ``Observation.value[x]`` where it is a Quantity."""
        above, _, last = row["path"].rpartition(".")
        if not above or last.endswith("[x]") or any(_path(key) == row["path"] for key in self.keys):
            return row
        choices = [key for key in self.keys if _path(key).rpartition(".")[0] == above and key.endswith("[x]")]
        for key in choices:
            stem = _path(key).rpartition(".")[2][:-3]
            if last.startswith(stem) and last != stem:
                types = [
                    kind
                    for kind in self.rows[key].get("type", ())
                    if stem + kind["code"][0].upper() + kind["code"][1:] == last
                ]
                if types:
                    row["path"] = f"{above}.{stem}[x]"
                    row.setdefault("sliceName", last)
                    row.setdefault("type", types)
                    self.rows[key].setdefault(
                        "slicing", {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}
                    )
                    return row
        return row

    def _ensure(self, key: str) -> None:
        """See to it that there is a row at ``key``."""
        if key in self.rows:
            return
        above, _, last = key.rpartition(".")
        if not above:
            raise NoSnapshot(f"{key} is not of its type")
        if ":" in last:
            whole = key[: key.rindex(":")]
            self._ensure(whole)
            made = {
                name: value
                for name, value in self.rows[whole].items()
                if name not in ("slicing", "constraint")
            }
            made["min"] = 0
            made["sliceName"] = key.rpartition(":")[2]
            self._insert(key, made, whole, slices=True)
            return
        self._ensure(above)
        made = self._child(above, last)
        self._insert(key, made, above, slices=False)

    def _child(self, above: str, name: str) -> Row:
        """A child's row out of the definition of the type of the element that holds it."""
        general = _without_last_slice(above)
        while general is not None:
            row = self.rows.get(f"{general}.{name}")
            if row is not None:
                return {key: value for key, value in row.items() if key not in ("slicing",)} | {
                    "path": f"{_path(above)}.{name}"
                }
            general = _without_last_slice(general)
        holder = self.rows[above]
        reference = holder.get("contentReference")
        if reference:
            path = reference.partition("#")[2]
            whole = core("StructureDefinition", _BASE + path.partition(".")[0]) or {}
            for row in whole.get("snapshot", ()):
                if row["path"] == f"{path}.{name}":
                    return {**row, "path": f"{_path(above)}.{name}"}
        for kind in holder.get("type", ()):
            for url in (*kind.get("profile", ()), f"{_BASE}{kind['code']}"):
                structure = self.definitions.get("StructureDefinition", url) or core(
                    "StructureDefinition", url
                )
                if structure is None:
                    continue
                for one in snapshot(self.definitions, structure):
                    if one["path"] == f"{structure.get('type', kind['code'])}.{name}" and not one.get(
                        "sliceName"
                    ):
                        return {**one, "path": f"{_path(above)}.{name}"}
        raise NoSnapshot(f"{_path(above)}.{name} is no element of its base")

    def _insert(self, key: str, row: Row, after: str, *, slices: bool) -> None:
        """Put a row behind all that belongs to ``after``: its children, and its slices where ``slices``."""
        at = self.keys.index(after) + 1
        prefixes = (f"{after}.", f"{after}:", f"{after}/") if slices else (f"{after}.",)
        while at < len(self.keys) and self.keys[at].startswith(prefixes):
            at += 1
        self.keys.insert(at, key)
        self.rows[key] = row


def _key(row: Mapping[str, Any], latest: dict[str, str]) -> str:
    """The key of a row, after those before it: ``latest`` is the key that each path had last."""
    path: str = row["path"]
    above, below = path, ""
    while "." in above:
        # The elements around it need not be named themselves.
        above, _, name = above.rpartition(".")
        below = f".{name}{below}"
        if above in latest:
            break
    key = latest.get(above, above) + below
    if row.get("sliceName"):
        key += f":{row['sliceName']}"
    for inner in [other for other in latest if other.startswith(f"{path}.")]:
        del latest[inner]
    latest[path] = key
    return key


def _path(key: str) -> str:
    return ".".join(part.partition(":")[0] for part in key.split("."))


def _without_last_slice(key: str) -> str | None:
    """The key of the element that the innermost slice in ``key`` is a slice of; ``None`` without slices."""
    parts = key.split(".")
    for index in range(len(parts) - 1, -1, -1):
        if ":" in parts[index]:
            parts[index] = parts[index].partition(":")[0]
            return ".".join(parts)
    return None


def _merge(row: Row, changed: Mapping[str, Any]) -> None:
    for name, value in changed.items():
        if name in ("path", "base"):
            continue
        if name == "constraint":
            keys = {rule.get("key") for rule in value}
            row[name] = [rule for rule in row.get(name, ()) if rule.get("key") not in keys] + list(value)
        elif name == "slicing" or name == "binding":
            row[name] = {**row.get(name, {}), **value}
        elif name == "extension":
            row[name] = [*row.get(name, ()), *value]
        else:
            if name.startswith(("fixed", "pattern", "minValue", "maxValue")):
                stem = next(
                    one for one in ("fixed", "pattern", "minValue", "maxValue") if name.startswith(one)
                )
                for other in [other for other in row if other.startswith(stem)]:
                    del row[other]
            row[name] = value
