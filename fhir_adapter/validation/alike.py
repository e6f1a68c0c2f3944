"""Parts of resources that were found faultless, and need not be looked at where they stand again.

Resources of one origin say the same in the same words again and again: codes, categories, units, the sources
of a result. A part is an object that stands directly in a resource. It is passed over only where the same
check found nothing in an equal one, in a resource in which nothing was found until then, and where all that
the check looks at stands in the part itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from fhir_adapter.validation.run import Path, Run

    Check = Callable[[Any, Path, Run], None]

__all__ = ["CONTAINED", "LEADS_OUT", "Faultless", "once"]

MOST: Final = 4_194_304
"""Bytes of all parts that are known at a time."""
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

_encoder = msgspec.json.Encoder(decimal_format="number")


class Faultless:
    """Parts in which nothing was found, as JSON, by the check that looked at them; ``size`` in bytes."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: dict[Check, set[bytes]] = {}
        self.size = 0

    def add(self, check: Check, part: bytes) -> None:
        """Keep a part; where there are too many, those before it are forgotten."""
        if self.size + len(part) > MOST:
            self.parts.clear()
            self.size = 0
        self.parts.setdefault(check, set()).add(part)
        self.size += len(part)


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
        known = run.faultless.parts.get(check)
        if known is not None and said in known:
            return
        around = run.around
        check(value, path, run)
        if not run.issues and run.around == around and _by_itself(said, leads_out):
            run.faultless.add(check, said)

    return looked


def _by_itself(part: bytes, leads_out: tuple[bytes, ...]) -> bool:
    return len(part) <= LARGEST and not any(way in part for way in leads_out)
