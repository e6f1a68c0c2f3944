"""Whether a resource is correct FHIR R4 (4.0.1), and conforms to profiles.

    from fhir_adapter.validation import validate
    issues = validate(resource)

The definitions of R4 ship with the program; those of packages are read by
``Definitions(read_package(path))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fhir_adapter.validation.issue import Issue, Severity

if TYPE_CHECKING:
    from fhir_adapter.validation.definitions import Definitions
    from fhir_adapter.validation.run import Settings

__all__ = ["NOT_CHECKED", "Issue", "Severity", "validate"]

NOT_CHECKED: Final[tuple[str, ...]] = (
    "codes of LOINC, SNOMED CT and other code systems that do not ship",
    "references that leave the resource or its Bundle",
)
"""What ``validate`` cannot look at, each a phrase that fits after "Not checked:"."""


def validate(
    resource: Mapping[str, Any],
    *,
    profiles: Sequence[str] = (),
    definitions: Definitions | None = None,
    settings: Settings | None = None,
    place: str = "",
) -> list[Issue]:
    """What keeps ``resource`` from being correct R4; an empty list where nothing was found.

    ``resource`` is a decoded JSON object; its numbers are ``int`` or ``Decimal`` (a ``float`` is taken too).
    It is checked against its type, the profiles that ``meta.profile`` names, those of vital signs where it is
    one, and ``profiles``, canonical URLs. ``definitions`` are R4's with those of packages over them; by
    default R4's alone. Resources in it (contained, entries of a Bundle, parameters) are checked alike.
    ``place`` is where it stands, such as ``Bundle.entry[0].resource``; without it expressions begin with the
    resource's type. Never raises, whatever the object holds.
    """
    # Here, since the checks take longer to load than a command's help may take to appear.
    from fhir_adapter.validation.engine import run
    from fhir_adapter.validation.run import Settings

    return run(resource, definitions or _core(), settings or Settings(), profiles, place)


@cache
def _core() -> Definitions:
    from fhir_adapter.validation.definitions import Definitions

    return Definitions()
