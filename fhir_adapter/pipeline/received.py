"""What was received, held against R4 as far as it is used: an error there is asked about.

A value that could be read all the same is used: which one is meant is clear, and what is wrong beside it may
be wrong of much else that the source sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fhir_adapter.mapping.context import Context, query
from fhir_adapter.mapping.used import USED
from fhir_adapter.trial.types import Query, QueryKind

if TYPE_CHECKING:
    from fhir_adapter.validation.parts import Parts

__all__ = ["questions"]

_INDEX: Final = re.compile(r"\[\d+\]")
_TEXT: Final = (
    "This is not correct FHIR R4; have it corrected at the source. What can be read of it is used until then."
)


def questions(document: dict[str, Any], context: Context) -> Iterator[Query]:
    """The question about a resource that is used: which elements are wrong, what is, and by which rule.

    One for all that is wrong in it. Its item are the elements, so that the same fault in many resources of a
    participant is one question. A time without a zone is none where the hospital's settings name one.
    """
    errors = _parts(context.hospital.timezone is not None).errors(document)
    if errors:
        elements = dict.fromkeys(_INDEX.sub("", each.expression) for each in errors)
        found = (f"{each.expression} {each.message} [{each.rule}]" for each in errors)
        yield query(context, ", ".join(elements), QueryKind.NOT_VALID, _TEXT, found)


@cache
def _parts(local_times: bool) -> Parts:
    # Here, since the checks take longer to load than most commands take that score nothing.
    from fhir_adapter.validation.parts import Parts

    return Parts(USED, local_times=local_times)
