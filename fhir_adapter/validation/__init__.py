"""Whether a resource is R4 (4.0.1): HL7's JSON schema, the ``fhir.resources.R4B`` models, and known traps.

This is a modest check, and says so: ``NOT_CHECKED`` lists in plain words what it leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fhir_adapter.validation.issue import Issue, Severity

__all__ = ["NOT_CHECKED", "Issue", "Severity", "validate"]

NOT_CHECKED: Final[tuple[str, ...]] = (
    "profiles, neither those that meta.profile names nor those of this project",
    "invariants (FHIRPath rules), apart from obs-6",
    "codes, units and value sets, apart from the codes of required bindings that HL7's schema lists",
    "whether a reference leads anywhere, and to a type that is allowed there",
    "extensions: whether they exist, and what they may hold",
    "the XHTML of narratives, and what base64 holds",
    "the kinds of Bundle: what each demands of its entries, fullUrls that fit",
    "answers against their Questionnaire",
    "names given twice in one JSON object, of which the last counts",
)
"""What ``validate`` does not look at, each a phrase that fits after "Not checked:"."""


def validate(resource: Mapping[str, Any], *, place: str = "") -> list[Issue]:
    """What keeps ``resource`` from being a correct R4 resource; an empty list where nothing was found.

    ``resource`` is a decoded JSON object; its numbers are ``int`` or ``Decimal`` (a ``float`` is taken too).
    Resources in it (contained, entries of a Bundle, parameters) are checked by their own type.
    A fault that the models alone see may stay hidden until the others are mended.
    ``place`` is where it stands, such as ``Bundle.entry[0].resource``; without it expressions begin with the
    resource's type. Messages quote no values. Never raises, whatever the object holds.
    """
    # Here, since the schema and the models take longer to load than a command's help may take to appear.
    from fhir_adapter.validation.check import check

    return check(resource, place)
