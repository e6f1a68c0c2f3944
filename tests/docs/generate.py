"""Writes the parts of the documentation that are made from the code, the protocol file and real runs.

    python -m tests.docs.generate            write what is stale
    python -m tests.docs.generate --check    name what is stale and exit with 1

``docs/scores.md``, ``docs/eligibility.md``, ``docs/codes.md`` and ``docs/commands.md`` are written whole. Of
the pages that people write, what stands below the commands of ``docs/tutorial.md`` is refreshed, and what
stands between ``generated`` comments in the others. It stands among the tests because it needs their
synthetic hospital and cases.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs import codes, commands, console, eligibility, protocol, scores, written

DOCS = console.ROOT / "docs"

_GENERATED = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.S)


def _run(document: str) -> str:
    with TemporaryDirectory() as folder:
        return console.refreshed(document, Path(folder))


def _filled(document: str, parts: Mapping[str, str]) -> str:
    """The document with its ``generated`` parts as they are made now."""

    def made(found: re.Match[str]) -> str:
        return f"{found[1]}{parts[found['name']]}{found[3]}"

    return _GENERATED.sub(made, document)


PAGES: Mapping[str, Callable[[str], str]] = {
    "scores.md": lambda _: scores.page(),
    "eligibility.md": lambda _: eligibility.page(),
    "codes.md": lambda _: codes.page(),
    "commands.md": lambda _: commands.reference(),
    "tutorial.md": _run,
    "how-it-works.md": lambda page: _filled(page, written.parts()),
    "protocol.md": lambda page: _filled(page, {"protocol-keys": protocol.keys()}),
}
"""Page → what it should be, given what it is."""


def stale(name: str) -> str | None:
    """What the page should be, where it is not that already."""
    path = DOCS / name
    now = path.read_text(encoding="utf-8") if path.exists() else ""
    wanted = PAGES[name](now)
    return None if console.same(now, wanted) else wanted


def main(check: bool) -> int:
    """Write the stale pages, or name them; 1 where ``check`` found any."""
    found = {name: text for name in PAGES if (text := stale(name)) is not None}
    for name, text in found.items():
        print(f"docs/{name} {'is stale' if check else 'written'}")
        if not check:
            (DOCS / name).write_text(text, encoding="utf-8")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
