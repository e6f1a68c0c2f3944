"""``docs/exactly-once.md``: its commands, run again on a real server, print what stands there.

python -m tests.docs.test_exactly_once      write what they print now
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from fhir_adapter.pipeline.push import RETRACTED_SHARE
from fhir_adapter.pipeline.target import Rung
from fhir_adapter.study import SourceSpec
from fhir_adapter.workspace import MIGRATIONS
from tests.docs import console
from tests.servers import running_sekmet

PAGE = console.ROOT / "docs/exactly-once.md"
ADDRESS = "http://127.0.0.1:8080/fhir"


def refreshed(page: str) -> str:
    """The page with what its commands print now, on a server of their own."""
    with TemporaryDirectory() as name:
        home = Path(name)
        (home / "repository").mkdir()
        here = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        with running_sekmet(home / "server") as base, patch.dict(os.environ, here):
            found = console.refreshed(page.replace(ADDRESS, base), home / "repository")
        if "Traceback" in found or "fault of fhir-adapter itself" in found:
            raise RuntimeError("A command of the page failed.")
        return found.replace(base, ADDRESS)


def test_the_commands_print_what_the_page_shows() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert console.same(page, refreshed(page)), "stale: python -m tests.docs.test_exactly_once"


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    page = PAGE.read_text(encoding="utf-8")
    overlap = SourceSpec.__dataclass_fields__["overlap"].default
    assert set(re.findall(r"(\d+) minutes", page)) == {str(overlap)}
    assert set(re.findall(r"(\d+) %", page)) == {f"{RETRACTED_SHARE * 100:.0f}"}
    assert {each.number for each in Rung} == {1, 2, 3}


def test_every_state_of_the_journal_is_explained() -> None:
    """The comment above the table of the journal names them; so does the page."""
    page = PAGE.read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| ([a-z]+) \| .+ \| .+ \|$", page, re.M)) - {"state", "target"}
    (comment,) = re.findall(r"((?:    --.*\n)+)    CREATE TABLE journal", "".join(MIGRATIONS))
    assert explained == {state for state in explained if state in comment}
    assert {"planned", "sent", "answered", "confirmed", "left", "overruled", "withdrawn"} == explained


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(refreshed(text), encoding="utf-8")
