"""The words of a module of the program, as they stand on a page of the documentation."""

from __future__ import annotations

import inspect
import re
from textwrap import fill
from types import ModuleType

WIDTH = 116


def words(module: ModuleType) -> str:
    """The scorer's own definition and source, without the sections of the reference that it follows."""
    said = inspect.cleandoc(module.__doc__ or "")
    said = re.sub(r"\s*\(dossier [^)]*\)", "", said)
    said = re.sub(r";\s+dossier §[^.]*\.(?=\s|$)", ".", said)
    said = re.sub(r"\s*Dossier (§[0-9.a-z ]+(, )?)+\.?(?=\s|$)", "", said)
    said = re.sub(r"``([^`]*)``", r"`\1`", re.sub(r"\.\.+", ".", said)).strip()
    return "\n\n".join(fill(part, WIDTH, break_on_hyphens=False) for part in said.split("\n\n"))
