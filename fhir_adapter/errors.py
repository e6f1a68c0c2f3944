"""What can go wrong, as types with fields.

    AdapterError
    ├── WrongUse            the user asked for something that cannot be meant        exit 2
    │   ├── StudyFileError      a study, protocol or mapping file says what is not allowed
    │   └── UnknownName         a subject, outcome or source that does not exist
    └── CannotBeDone        the world does not let us                               exit 3
        ├── ServerError         a server is not there, refuses, or answers nonsense
        │   ├── Unauthorized    401: the credentials do not hold
        │   ├── Refused         a 4xx that concerns this one request only
        │   ├── Conflict        what was to be replaced is no longer what was read: nothing was written
        │   ├── UnknownResult   a write was sent, and whether it was carried out is not known
        │   └── Incomplete      a server handed over less than it should have
        ├── FileFault           a file cannot be read or written
        └── WorkspaceError      the workspace cannot be opened, read or written

Nothing here quotes patient data: messages carry ids, element names and remedies only.
A fault of one resource is no exception: it becomes a ``Finding`` and the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass


class AdapterError(Exception):
    """Any fault that a user can mend: where it is, what is wrong, and the remedy.

    ``where`` names the file or server, the resource and the element, as far as they are known.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{place}{self.what}{remedy}"


class WrongUse(AdapterError):
    """The command, or a file that the user wrote, asks for something that cannot be meant."""


class StudyFileError(WrongUse):
    """A study, protocol or mapping file holds something that is not allowed."""


class UnknownName(WrongUse):
    """A subject, outcome, source or protocol of that name does not exist."""


class CannotBeDone(AdapterError):
    """What was asked is meant, but the world does not let us."""


class ServerError(CannotBeDone):
    """A server is not there, refuses, or answers with something that is not FHIR.

    ``status`` is the HTTP status, or None where no answer came.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "", status: int | None = None) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


class Unauthorized(ServerError):
    """401: the credentials do not hold. Fatal for the source, since no other request will fare better."""


class Refused(ServerError):
    """A 4xx answer that concerns this one request: it is skipped and named, the others go on."""


class Conflict(ServerError):
    """409 or 412: another version stands there than the one to be replaced; nothing was written.

    Read again, then decide. A folder raises it too.
    """


class UnknownResult(ServerError):
    """It is not known whether a write was carried out; read back before writing again."""


class Incomplete(ServerError):
    """A server handed over less than it should have; what came is not to be taken for the whole."""


class FileFault(CannotBeDone):
    """A file cannot be read or written."""


class WorkspaceError(CannotBeDone):
    """The workspace cannot be opened, read or written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of one resource, file or line: it is reported, and the others go on.

    ``source`` is the source's name in the study file, ``resource`` is ``Type/id`` or ``file:line``,
    ``element`` a FHIRPath-like path, ``what`` a sentence without patient data.
    """

    source: str
    resource: str
    element: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        element = f" {self.element}" if self.element else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.source}: {self.resource}{element}: {self.what}{remedy}"
