"""Credentials: from the environment or a file, never from a study file or the command line."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path

from fhir_adapter.errors import FileFault, WrongUse


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves to one server who we are; its ``repr`` never shows the secret.

    The secret is written ``user:password`` (sent as Basic) or as a token (sent as Bearer, with or without
    the word ``Bearer`` before it).
    """

    source: str
    _header: str = field(repr=False)

    @classmethod
    def from_env(cls, name: str) -> Credentials:
        """Read the environment variable ``name``. Raises ``WrongUse`` when it is unset or empty."""
        secret = os.environ.get(name, "").strip()
        if not secret:
            raise WrongUse(
                f"the environment variable {name} is not set, or empty.",
                remedy="Set it to user:password, or to a token.",
            )
        return cls(f"${name}", _header_of(secret, f"${name}"))

    @classmethod
    def from_file(cls, path: Path) -> Credentials:
        """Read the file at ``path``. Raises ``FileFault`` when it cannot be read, ``WrongUse`` when empty."""
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise FileFault(
                "the file with the credentials cannot be read.",
                where=str(path),
                remedy="It must be a text file with user:password or a token, readable by you.",
            ) from None
        if not secret:
            raise WrongUse(
                "the file is empty.", where=str(path), remedy="Write user:password or a token into it."
            )
        return cls(str(path), _header_of(secret, str(path)))

    def header(self) -> str:
        """The value of the Authorization header."""
        return self._header


def _header_of(secret: str, source: str) -> str:
    if not secret.isprintable():
        raise WrongUse("the secret has more than one line.", where=source, remedy="Write it on one line.")
    scheme, _, rest = secret.partition(" ")
    if scheme.lower() == "bearer":
        secret = rest.strip()
    elif ":" in secret:  # no token may hold a colon (RFC 6750)
        return "Basic " + base64.b64encode(secret.encode()).decode("ascii")
    if not secret or not secret.isascii() or " " in secret:
        raise WrongUse(
            "the secret is neither user:password nor a token.", where=source, remedy="Write one of the two."
        )
    return f"Bearer {secret}"
