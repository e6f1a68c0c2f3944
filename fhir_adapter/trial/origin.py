"""Where a value came from."""

from __future__ import annotations

from msgspec import Struct


class Origin(Struct, frozen=True, order=True, array_like=True, gc=False):
    """The resource that a value came from.

    ``version`` is the server's version id, or ``sha256:…`` of the content where the source gives none.
    ``url`` names exactly that version, as far as the source has addresses.
    """

    source: str
    type: str
    id: str
    version: str
    url: str

    @property
    def name(self) -> str:
        """How people name it: source, type and id."""
        return f"{self.source}: {self.type}/{self.id}"
