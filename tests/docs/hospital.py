"""Writes the folder that the documentation works in: the synthetic hospital's export and a study file.

python -m tests.docs.hospital FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.hospital.generator import hospital, write_ndjson
from tests.hospital.study import write_study


def write_folder(folder: Path) -> None:
    """Write ``hospital/`` and ``ratings/``, as a bulk export writes them, and ``study.toml`` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ndjson(hospital(), folder)
    write_study(folder, hospital="hospital", ratings="ratings", target="outcomes")


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]))
