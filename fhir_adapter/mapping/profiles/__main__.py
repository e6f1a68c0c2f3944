"""Writes the package into the folder that is named."""

import sys
from pathlib import Path

from fhir_adapter.mapping.profiles import write

write(Path(sys.argv[1]))
