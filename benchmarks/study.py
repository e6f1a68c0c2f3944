"""The study of the benchmarks that read a folder: trial NCT06410833 at the example hospital."""

from __future__ import annotations

from pathlib import Path

from fhir_adapter.study import Study, study_from_text

SOURCE = "hospital"
"""What the source is called."""


def study_of(home: Path, folder: str) -> Study:
    """The study as if its file stood in ``home``, with the export in ``folder`` of it."""
    text = f"""\
[study]
identifier = "https://clinicaltrials.gov|NCT06410833"
protocol = "nct06410833"
timezone = "Asia/Shanghai"
workspace = "study.sqlite"

[participants]
source = "{SOURCE}"
identifier_system = "urn:example:trial-participant"
match = "mrn"

[[source]]
name = "{SOURCE}"
folder = "{folder}"
mapping = "example-cn"

[target]
folder = "outcomes"
"""
    return study_from_text(text.encode(), home / "study.toml")
