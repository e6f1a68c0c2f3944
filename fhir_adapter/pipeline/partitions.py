"""What was received, sorted by participant on disk: memory holds a few participants at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from fhir_adapter.errors import FileFault
from fhir_adapter.trial.origin import Origin
from fhir_adapter.workspace import Stored

PARTICIPANTS = 50
"""So many participants stand in one partition."""
_AT_ONCE = 64
"""So many resources are written at once."""
_LENGTH = 8

_Row = tuple[str, Origin, bytes]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Row])


class Partitions:
    """Files in a folder, one for every few participants; ``writer`` tells those of several processes apart.

    The folder is temporary and readable by its owner only: it holds patients' data.
    """

    def __init__(self, folder: Path, subjects: Iterable[str], writer: int = 0) -> None:
        self.folder, self.writer = folder, writer
        ordered = list(subjects)
        self.subjects = [
            ordered[start : start + PARTICIPANTS] for start in range(0, len(ordered), PARTICIPANTS)
        ]
        self._of = {id: number for number, ids in enumerate(self.subjects) for id in ids}
        self._waiting: dict[int, list[_Row]] = defaultdict(list)

    def __contains__(self, subject: str) -> bool:
        return subject in self._of

    def add(self, subject: str, stored: Stored) -> None:
        """Put one resource to those of its participant. Raises FileFault where there is no room."""
        number = self._of[subject]
        waiting = self._waiting[number]
        waiting.append((subject, stored.origin, stored.body))
        if len(waiting) >= _AT_ONCE:
            self._write(number, waiting)

    def close(self) -> None:
        """Write what is still waiting; before it nothing can be read. Raises FileFault."""
        for number, waiting in self._waiting.items():
            self._write(number, waiting)

    def read(self, number: int) -> dict[str, list[Stored]]:
        """The resources of each participant of a partition, whichever process wrote them."""
        found: dict[str, list[Stored]] = {id: [] for id in self.subjects[number]}
        for path in sorted(self.folder.glob(f"{number}.*")):
            for subject, origin, body in _rows(path):
                found[subject].append(Stored(origin, body))
        return found

    def _write(self, number: int, waiting: list[_Row]) -> None:
        rows = _encoder.encode(waiting)
        try:
            with (self.folder / f"{number}.{self.writer}").open("ab") as file:
                file.write(len(rows).to_bytes(_LENGTH) + rows)
        except OSError as fault:
            raise FileFault(
                f"What was received cannot be sorted there ({fault.strerror}).",
                where=str(self.folder),
                remedy="Make room for as much as was received, or name another folder in TMPDIR.",
            ) from None
        waiting.clear()


def _rows(path: Path) -> Iterator[_Row]:
    with path.open("rb") as file:
        while length := file.read(_LENGTH):
            yield from _decoder.decode(file.read(int.from_bytes(length)))
