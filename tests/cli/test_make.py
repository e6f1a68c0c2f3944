"""``make``: what a fresh machine meets first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize(("version", "fits"), [((3, 10), False), ((3, 11), True)])
def test_an_older_python_is_told_in_a_sentence(tmp_path: Path, version: tuple[int, int], fits: bool) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(TOP / name, tmp_path)
    python = tmp_path / "another"
    # A python of another version: it runs what follows -c, and cannot do anything else.
    asked = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} -c "{asked}" "$2"\n', "utf-8")
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "demo", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    told = f"Python 3.11 or later is needed, and {python} is 3.10. Name another, as in: make demo PYTHON="
    assert (told in done.stderr) is not fits
    assert not (tmp_path / ".venv").exists()
