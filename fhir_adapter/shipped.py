"""Where the files that travel with the program are: profiles, mappings, protocols, schemas.

In a checkout profiles and mappings stand at its top, where people look for them; in an installed wheel
they stand inside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE / "_data"
_TOP = _DATA if _DATA.is_dir() else _PACKAGE.parent

PROFILES = _TOP / "profiles"
"""The project's FHIR package."""
SDC = _PACKAGE / "validation" / "sdc"
"""The package that ours depends on: of HL7's Structured Data Capture, the extensions that our forms use."""
MAPPINGS = _TOP / "mappings"
"""One folder a hospital."""
PROTOCOLS = _PACKAGE / "trial" / "protocols"
"""One TOML file a trial."""
SCHEMAS = _PACKAGE / "schemas"
"""JSON schemas of the files that people write."""
