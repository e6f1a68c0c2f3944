"""Observations that are vital signs conform to R4's profiles of them. https://hl7.org/fhir/R4/observation-vitalsigns.html

Whoever represents one of these concepts SHALL use its profile; which one, the LOINC code says.
"""

from __future__ import annotations

from typing import Final

from fhir_adapter.validation.run import Scope

__all__ = ["profiles_of"]

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"

_BY_CODE: Final = {
    "85353-1": "vitalspanel",
    "9279-1": "resprate",
    "8867-4": "heartrate",
    "2708-6": "oxygensat",
    "8310-5": "bodytemp",
    "8302-2": "bodyheight",
    "9843-4": "headcircum",
    "29463-7": "bodyweight",
    "39156-5": "bmi",
    "85354-9": "bp",
}


def profiles_of(scope: Scope) -> list[str]:
    """The profiles that an Observation's code asks for."""
    if scope.type != "Observation":
        return []
    code = scope.resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    found = []
    for one in codings if isinstance(codings, list) else ():
        if isinstance(one, dict) and one.get("system") == "http://loinc.org":
            profile = _BY_CODE.get(one.get("code", "")) if isinstance(one.get("code"), str) else None
            if profile is not None:
                found.append(_BASE + profile)
    return found
