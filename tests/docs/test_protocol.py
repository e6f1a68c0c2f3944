"""The page on how to write a protocol: its example works, and no key is without a meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from fhir_adapter.study import read_protocol
from tests.docs.generate import DOCS
from tests.docs.protocol import protocol_schema


def test_the_least_protocol_is_one(tmp_path: Path) -> None:
    page = (DOCS / "protocol.md").read_text(encoding="utf-8")
    (tmp_path / "protocol.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], "utf-8")
    read = read_protocol(tmp_path / "protocol.toml")
    assert (read.drugs, read.endpoint, read.anchor.default) == (("abatacept",), "week-12", "first-abatacept")
    rules = {each.name for each in fields(read) if hasattr(getattr(read, each.name), "sentence")}
    assert rules == {"anchor", "esspri"}


def keys(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, each in table.get("properties", {}).items():
        yield f"{path}{key}", each
        yield from keys(each, f"{path}{key}.")
        if isinstance(each.get("additionalProperties"), Mapping):
            yield from keys(each["additionalProperties"], f"{path}{key}.NAME.")


def test_every_key_has_a_meaning() -> None:
    assert [name for name, each in keys(protocol_schema()) if not each.get("title")] == []
