"""What was received, held against R4 as far as it is used: an error there is asked about.

A value that could be read all the same is used: what is wrong stands beside it, or leaves no doubt about it.
Where it would, as of two values or two times in one result, the readers of ``mapping`` refuse it themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fhir_adapter.mapping import reference
from fhir_adapter.mapping.context import Named
from fhir_adapter.mapping.used import USED
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Query, QueryKind

if TYPE_CHECKING:
    from fhir_adapter.validation.parts import Parts

__all__ = ["is_modified", "question_of_modifier", "questions"]

_INDEX: Final = re.compile(r"\[\d+\]")
_TEXT: Final = (
    "This is not correct FHIR R4; have it corrected at the source. What can be read of it is used until then."
)


def questions(
    document: Mapping[str, Any],
    subject: str,
    origin: Origin,
    medications: Named,
    *,
    local_times: bool,
) -> Iterator[Query]:
    """The question about a resource that is used: which elements are wrong, what is, and by which rule.

    One for all that is wrong in it, and in the one of ``medications`` that it refers to. Its item are the
    elements, so that the same fault in many resources of a participant is one question. With ``local_times``
    a time may lack its zone: the source's is known.
    """
    parts = _parts(local_times)
    errors = parts.errors(document)
    if "medicationReference" in document:
        names = reference.names(document["medicationReference"], reference.base_of(origin.url))
        errors += next((parts.errors(medications[name]) for name in names if name in medications), [])
    if errors:
        elements = sorted({_INDEX.sub("", each.expression) for each in errors})
        found = tuple(f"{each.expression} {each.message} [{each.rule}]" for each in errors)
        yield Query(subject, "", ", ".join(elements), QueryKind.NOT_VALID, _TEXT, found, (origin,))


_MODIFIERS: Final = (b'"modifierExtension"', b'"implicitRules"')
_MODIFIED: Final = (
    "A modifierExtension or implicitRules may turn what this resource says into something else, and are not"
    " understood here, so it is not used. Have it sent without, or what it says recorded in another way."
)


def is_modified(body: bytes) -> bool:
    """Whether a resource must not be read as it stands.

    Whoever does not understand a modifier must not process what it is in:
    https://hl7.org/fhir/R4/extensibility.html#modifierExtension
    """
    return any(name in body for name in _MODIFIERS)


def question_of_modifier(body: bytes, subject: str, origin: Origin) -> Query | None:
    """The question about a resource that must not be read as it stands, if it is one."""
    if not is_modified(body):
        return None
    return Query(subject, "", origin.type, QueryKind.NOT_UNDERSTOOD, _MODIFIED, (), (origin,))


@cache
def _parts(local_times: bool) -> Parts:
    # Here, since the checks take longer to load than most commands take that score nothing.
    from fhir_adapter.validation.parts import Parts

    return Parts(USED, local_times=local_times)
