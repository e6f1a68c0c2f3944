"""Parts of resources that were found faultless, and need not be looked at where they stand again.

Resources of one origin say the same in the same words again and again: codes, categories, units, the sources
of a result. A part is an object that stands directly in a resource. It is passed over only where the same
check found nothing in an equal one, in a resource in which nothing was found until then, and where all that
the check looks at stands in the part itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fhir_adapter.validation.run import Path, Run

__all__ = ["CONTAINED", "LEADS_OUT", "once"]

MOST: Final = 4_096
"""So many parts are known of each check at a time."""
LARGEST: Final = 2_048
"""Bytes; larger parts are hardly alike, and would only take memory."""

CONTAINED: Final = (b'"#',)
"""What leads out of a part whatever is looked at: it begins the texts that refer to contained resources."""
LEADS_OUT: Final = (b'"id"', b'xtension"', b'"reference"', b'"resourceType"', b'"div"', *CONTAINED)
"""What leads out of a part as a whole: ids and what refers to them, extensions inside, which ask where they
stand, and resources with their narratives.
"""

# What stands in no JSON text, but may in an object that somebody made.
_NO_JSON: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)

Check = Callable[[Any, Path, Run], None]

_encoder = msgspec.json.Encoder(decimal_format="number")


def once(check: Check, leads_out: tuple[bytes, ...] = LEADS_OUT) -> Check:
    """``check``, which takes an object, passed over where it found nothing in an equal one before.

    ``leads_out`` is what leads the check out of the part that it looks at.
    """

    def looked(value: Any, path: Path, run: Run) -> None:
        try:
            said = _encoder.encode(value)
        except _NO_JSON:
            check(value, path, run)
            return
        known = run.faultless.get(check)
        if known is not None and said in known:
            return
        around = run.around
        check(value, path, run)
        if not run.issues and run.around == around and _by_itself(said, leads_out):
            known = run.faultless.setdefault(check, set())
            if len(known) >= MOST:
                known.clear()
            known.add(said)

    return looked


def _by_itself(part: bytes, leads_out: tuple[bytes, ...]) -> bool:
    return len(part) <= LARGEST and not any(way in part for way in leads_out)
