"""R4's definitions and those of packages, and how they are read."""

from fhir_adapter.validation.definitions.store import BrokenPackage, Definitions, read_package

__all__ = ["BrokenPackage", "Definitions", "read_package"]
