"""A study file over the synthetic hospital: its sources as a server or as folders."""

from __future__ import annotations

from datetime import date
from pathlib import Path

AS_OF = date(2026, 3, 1)
"""The day of the stories."""

_TEXT = """\
[study]
identifier = "https://clinicaltrials.gov|NCT06410833"
protocol = "nct06410833"
timezone = "Asia/Shanghai"
workspace = "study.sqlite"

[participants]
source = "hospital"
identifier_system = "urn:example:trial-participant"
match = "mrn"

[[source]]
name = "hospital"
{hospital}
mapping = "example-cn"

[[source]]
name = "ratings"
{ratings}
mapping = "international"

[target]
{target}
"""


def write_study(home: Path, *, hospital: str, ratings: str, target: str) -> Path:
    """Write ``study.toml`` into ``home``; each place is a URL or the name of a folder in it."""
    lines = {
        name: f'server = "{place}"' if place.startswith("http") else f'folder = "{place}"'
        for name, place in (("hospital", hospital), ("ratings", ratings), ("target", target))
    }
    path = home / "study.toml"
    path.write_text(_TEXT.format(**lines), encoding="utf-8")
    return path
