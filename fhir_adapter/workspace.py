"""The workspace: one SQLite file that only grows.

What was received, byte for byte; runs; outcomes; data queries; the journal of what was pushed. A
correction is a new row. The schema has a version; older files are brought up to date when opened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fhir_adapter.errors import Finding, WorkspaceError
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Query, QueryKind

MIGRATIONS = (
    """
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, started TEXT NOT NULL, about TEXT NOT NULL
    );
    CREATE TABLE run_end (
        run INTEGER PRIMARY KEY REFERENCES run, finished TEXT NOT NULL, summary TEXT NOT NULL
    );
    -- body NULL: the resource is no longer there
    CREATE TABLE received (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, source TEXT NOT NULL,
        type TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, last_updated TEXT NOT NULL,
        url TEXT NOT NULL, at TEXT NOT NULL, body BLOB
    );
    -- the row of each resource that is there; it follows from received, where every row stays
    CREATE TABLE standing (
        source TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES received,
        PRIMARY KEY (source, type, id)
    ) WITHOUT ROWID;
    -- document NULL: the outcome no longer holds
    CREATE TABLE outcome (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, id TEXT NOT NULL,
        subject TEXT NOT NULL, visit TEXT NOT NULL, code TEXT NOT NULL, digest TEXT NOT NULL,
        document BLOB, origins TEXT NOT NULL, invalid TEXT NOT NULL
    );
    CREATE INDEX outcome_id ON outcome (id, seq);
    -- one row each time that a query arises, says something else, or is resolved
    CREATE TABLE query (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, id TEXT NOT NULL,
        open INTEGER NOT NULL, document TEXT NOT NULL
    );
    CREATE INDEX query_id ON query (id, seq);
    -- the runs that found out which queries there are
    CREATE TABLE asked (run INTEGER PRIMARY KEY REFERENCES run);
    -- each step of writing one outcome: planned (with the bytes), sent, answered, confirmed. What the user
    -- decided: left (somebody else's version, by digest, was accepted), overruled (ours replaces it; with its
    -- bytes). And withdrawn: a copy that a race left is taken back.
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, target TEXT NOT NULL,
        outcome TEXT NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, version TEXT,
        at TEXT NOT NULL, detail BLOB
    );
    CREATE INDEX journal_target ON journal (target, seq);
    CREATE TABLE probe (
        seq INTEGER PRIMARY KEY, target TEXT NOT NULL, at TEXT NOT NULL, client_ids INTEGER NOT NULL
    );
    -- up to when, by the source's own clock, a type was pulled, and of which patients
    CREATE TABLE cursor (
        seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, source TEXT NOT NULL,
        type TEXT NOT NULL, place TEXT NOT NULL, since TEXT NOT NULL, patients TEXT NOT NULL
    );
    """,
)
"""The scripts that lead from each version of the schema to the next."""
_HOLDING = (
    "FROM outcome AS o WHERE seq = (SELECT max(seq) FROM outcome WHERE id = o.id) AND document IS NOT NULL"
)
WAIT = 30.0
"""How many seconds a run waits for another one of the same workspace to end."""
PAGE = 32_768
"""Bytes of a page of the file: several resources or outcomes fit, and little room between them is lost."""
TOGETHER = 1024
"""So many rows that lie side by side are read by one process."""
_SAME, _OTHER = 1, 2
"""Of a row that stood, what came under its id: the same again, another content, or both."""


class Stored(Struct, frozen=True, gc=False):
    """One received resource as it stands: where it is from and its bytes."""

    origin: Origin
    body: bytes


class Arrival(NamedTuple):
    """One resource as its source hands it over; ``last_updated`` is empty where that is not said."""

    id: str
    version: str
    last_updated: str
    url: str
    body: bytes


class StoredOutcome(Struct, frozen=True, gc=False):
    """One outcome as it was last computed: its Observation in bytes, and the origins for its Provenance.

    ``invalid`` is what is wrong with it as FHIR; such an outcome is kept, shown, and never sent.
    """

    id: str
    subject: str
    visit: str
    code: str
    digest: str
    body: bytes
    origins: tuple[Origin, ...]
    invalid: tuple[Finding, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The Observation; each time a new one."""
        return _from_json(self.body)

    @property
    def name(self) -> str:
        """How people name it: subject, outcome and visit."""
        return f"{self.subject} {self.code} {self.visit}"


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A data query with its history."""

    id: str
    query: Query
    first_seen: str
    last_seen: str
    resolved: str | None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run: when it began and ended (None: it did not come to its end), what it was about, what it did."""

    id: int
    started: str
    finished: str | None
    about: dict[str, Any]
    summary: dict[str, Any]


class Pushed(Struct, frozen=True):
    """What the journal knows of one outcome on one target.

    ``confirmed`` is the digest that last stood there for certain, with its ``version``; ``maybe`` are the
    digests that were planned or sent since and may stand there; ``left`` is somebody else's digest that was
    accepted, with ours of that time.
    """

    confirmed: str | None = None
    version: str | None = None
    maybe: frozenset[str] = frozenset()
    left: tuple[str, str] | None = None

    def wrote(self, digest: str) -> bool:
        """Whether a content that stands there is ours."""
        return digest == self.confirmed or digest in self.maybe


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to when a type of a source was pulled, by the source's own clock, of which patients, and where."""

    since: datetime
    patients: frozenset[str]
    place: str


class Share(NamedTuple):
    """One of several equal parts of what was received: for processes that divide the work."""

    number: int
    of: int


WHOLE = Share(0, 1)


class Workspace:
    """The open workspace. Use it as a context manager; it is closed at the end whatever happens."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises WorkspaceError with the remedy where that cannot be done."""
        self.path = path
        self._alone: sqlite3.Connection | None = None
        self._delivery: Delivery | None = None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.create_function("newer", 2, self._newer)
        except sqlite3.Error as fault:
            raise self._error(fault) from None
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.Error as fault:
            self._db.close()
            raise self._error(fault) from None
        except WorkspaceError:
            self._db.close()
            raise

    def __reduce__(self) -> tuple[type[Workspace], tuple[Path]]:
        """Another process opens the same file for itself."""
        return Workspace, (self.path,)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        if self._alone is not None:
            self._alone.close()

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        with closing(self._claim()):  # whoever else opens it first at this moment waits here
            if self._version() > len(MIGRATIONS):
                raise WorkspaceError(
                    f"The workspace has the schema {self._version()}, this program knows up to"
                    f" {len(MIGRATIONS)}.",
                    where=str(self.path),
                    remedy="Install the newer fhir-adapter that wrote it.",
                )
            self._db.execute(f"PRAGMA page_size = {PAGE}")  # before there is a page
            self._db.execute("PRAGMA journal_mode = WAL")
            for number in range(self._version(), len(MIGRATIONS)):
                self._db.executescript(
                    f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;"
                )

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _claim(self) -> sqlite3.Connection:
        """The workspace for oneself, until the connection is closed or the process ends, however it does."""
        beside = self.path.with_name(f"{self.path.name}-lock")
        claim = sqlite3.connect(beside, isolation_level=None, timeout=WAIT)
        try:
            claim.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            claim.close()
            raise
        return claim

    def _error(self, fault: sqlite3.Error) -> WorkspaceError:
        text = str(fault)
        remedies = {
            "readonly": "Give yourself the right to write the file and its folder.",
            "unable to open": "Check that the folder exists and that you may write there.",
            "full": "Free some space on the disk; nothing that was stored before is lost.",
            "locked": "Another run is using it; wait until it has ended.",
            "not a database": "Name another file, or move this one away.",
            "no such table": "A version made it that was never released: name another file, and pull anew.",
        }
        remedy = next((words for part, words in remedies.items() if part in text), "")
        return WorkspaceError(f"The workspace cannot be used: {text}.", where=str(self.path), remedy=remedy)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is there together or not at all. Raises WorkspaceError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as fault:
            raise self._error(fault) from None

    # Runs

    def start_run(self, about: Mapping[str, Any]) -> int:
        """Begin a run; ``about`` says who, which software, as of when, and the digests of all rules.

        One run at a time: until the workspace is closed, whoever begins another waits, and is told after
        ``WAIT`` seconds. Raises WorkspaceError.
        """
        try:
            self._alone = self._claim()
        except sqlite3.Error as fault:
            raise self._error(fault) from None
        with self.transaction():
            row = self._db.execute("INSERT INTO run (started, about) VALUES (?, ?)", (_now(), _text(about)))
        assert row.lastrowid is not None  # noqa: S101 - an insert always has one
        return row.lastrowid

    def finish_run(self, run: int, summary: Mapping[str, Any]) -> None:
        """Record what a run did."""
        with self.transaction():
            self._db.execute("INSERT INTO run_end VALUES (?, ?, ?)", (run, _now(), _text(summary)))

    def last_run(self) -> dict[str, Any] | None:
        """What the last run that came to its end was about, or None before the first."""
        row = self._rows(
            "SELECT about FROM run JOIN run_end ON run_end.run = run.id ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return json.loads(row[0]) if row else None

    def runs(self) -> list[StoredRun]:
        """Every run, the first one first."""
        rows = self._rows(
            "SELECT id, started, finished, about, summary FROM run LEFT JOIN run_end ON run_end.run = run.id"
            " ORDER BY id"
        )
        return [
            StoredRun(id, started, finished, json.loads(about), json.loads(summary) if summary else {})
            for id, started, finished, about, summary in rows
        ]

    def identifier(self) -> str | None:
        """The study whose workspace it is, or None before the first run."""
        row = self._rows("SELECT about FROM run ORDER BY id LIMIT 1").fetchone()
        return str(json.loads(row[0])["identifier"]) if row else None

    # What was received

    def delivery(self, run: int, source: str, type: str, age: Callable[[Arrival], Any]) -> Delivery:
        """Take in what a source hands over of one type, inside one transaction.

        Of several contents under one id the one of the greatest ``age`` stands.
        """
        self._delivery = Delivery(self._db, run, source, type, age)
        return self._delivery

    def _newer(self, one: int, other: int) -> int:
        assert self._delivery is not None  # noqa: S101 - only a delivery asks
        return self._delivery.newer(one, other)

    def current(self, source: str, type: str, share: Share = WHOLE) -> Iterator[Stored]:
        """The resources of one type of one source as they stand, or a share of them.

        They come in the order in which they were received, which says nothing.
        """
        rows = self._rows(
            "SELECT id, version, url, body FROM received WHERE seq IN"
            " (SELECT seq FROM standing WHERE source = ? AND type = ? AND seq / ? % ? = ?) ORDER BY seq",
            (source, type, TOGETHER, share.of, share.number),
        )
        for id, version, url, body in rows:
            yield Stored(Origin(source, type, id, version, url), body)

    # Outcomes

    def save_outcomes(
        self,
        run: int,
        outcomes: Iterable[StoredOutcome],
    ) -> tuple[int, int]:
        """Keep those of the outcomes whose content is new or changed, and note those that no longer hold.
        Returns how many changed, and how many are gone.

        They are taken one after another, in one transaction: there may be more than memory can hold.
        """
        with self.transaction():
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM outcome").fetchone()
            came = bytearray(last + 1)  # of each row whether its outcome came again
            changed = 0
            for outcome in outcomes:
                seq, holds = self._last(outcome)
                came[seq] = True
                if not holds:
                    self._insert_outcome(run, outcome)
                    changed += 1
            held = self._db.execute(f"SELECT seq {_HOLDING} AND seq <= ?", (last,))
            gone = [(run, seq) for (seq,) in held if not came[seq]]
            self._db.executemany(
                "INSERT INTO outcome (run, id, subject, visit, code, digest, document, origins, invalid)"
                " SELECT ?, id, subject, visit, code, digest, NULL, origins, invalid FROM outcome"
                " WHERE seq = ?",
                gone,
            )
        return changed, len(gone)

    def holds(self, outcome: StoredOutcome) -> bool:
        """Whether an outcome is as it was last computed."""
        return self._last(outcome)[1]

    def _last(self, outcome: StoredOutcome) -> tuple[int, bool]:
        """The number of its last row, 0 for none, and whether the outcome is as it says."""
        row = self._db.execute(
            "SELECT seq, document IS NULL, digest, origins FROM outcome WHERE id = ?"
            " ORDER BY seq DESC LIMIT 1",
            (outcome.id,),
        ).fetchone()
        if row is None:
            return 0, False
        seq, is_gone, digest, origins = row
        return seq, not is_gone and (digest, origins) == (outcome.digest, _written(outcome.origins))

    def _insert_outcome(self, run: int, outcome: StoredOutcome) -> None:
        self._db.execute(
            "INSERT INTO outcome (run, id, subject, visit, code, digest, document, origins, invalid)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run, outcome.id, outcome.subject, outcome.visit, outcome.code, outcome.digest,
                outcome.body, _written(outcome.origins),
                _text([astuple(finding) for finding in outcome.invalid]) if outcome.invalid else "[]",
            ),
        )  # fmt: skip

    def outcomes(self) -> list[StoredOutcome]:
        """The outcomes that hold, as they were last computed."""
        rows = self._rows(
            f"SELECT id, subject, visit, code, digest, document, origins, invalid {_HOLDING} ORDER BY seq"
        )
        return [
            StoredOutcome(
                id, subject, visit, code, digest, bytes(document),
                _origins(origins),
                tuple(Finding(*row) for row in json.loads(invalid)),
            )
            for id, subject, visit, code, digest, document, origins, invalid in rows
        ]  # fmt: skip

    def former_outcomes(self) -> list[StoredOutcome]:
        """The outcomes that held once and hold no more: what they were called, without content."""
        rows = self._rows(
            "SELECT id, subject, visit, code FROM outcome AS o WHERE document IS NULL"
            " AND seq = (SELECT max(seq) FROM outcome WHERE id = o.id) ORDER BY seq"
        )
        return [StoredOutcome(id, subject, visit, code, "", b"", ()) for id, subject, visit, code in rows]

    def has_scores(self) -> bool:
        """Whether there ever was an outcome or a data query."""
        rows = self._rows("SELECT EXISTS (SELECT 1 FROM outcome) OR EXISTS (SELECT 1 FROM query)")
        return bool(rows.fetchone()[0])

    # Queries

    def save_queries(self, run: int, queries: Mapping[str, Query]) -> None:
        """Note the queries that arise in this run or say something else, and those that are resolved."""
        with self.transaction():
            open_ones: dict[str, str] = dict(
                self._db.execute(
                    "SELECT id, document FROM query AS q"
                    " WHERE seq = (SELECT max(seq) FROM query WHERE id = q.id) AND open"
                ).fetchall()
            )
            for id, query in queries.items():
                document = _document(query)
                if open_ones.pop(id, None) != document:
                    self._insert_query(run, id, document, open=True)
            for id, document in open_ones.items():
                self._insert_query(run, id, document, open=False)
            self._db.execute("INSERT INTO asked VALUES (?)", (run,))

    def _insert_query(self, run: int, id: str, document: str, *, open: bool) -> None:
        self._db.execute(
            "INSERT INTO query (run, id, open, document) VALUES (?, ?, ?, ?)", (run, id, open, document)
        )

    def queries(self) -> list[StoredQuery]:
        """Every data query that ever arose, with when it was first and last seen, and when resolved."""
        asked = self._rows("SELECT run, started FROM asked JOIN run ON run.id = run ORDER BY run").fetchall()
        started = dict(asked)
        # Resolved is what the run before saw last.
        before = {run: earlier for (_, earlier), (run, _) in pairwise(asked)}
        found: dict[str, StoredQuery] = {}
        for id, run, is_open, text in self._rows("SELECT id, run, open, document FROM query ORDER BY seq"):
            first = found[id].first_seen if id in found else started[run]
            last = asked[-1][1] if is_open else before[run]
            found[id] = StoredQuery(
                id, _query(json.loads(text)), first, last, None if is_open else started[run]
            )
        return list(found.values())

    # The journal of the push

    def journal(
        self, run: int, target: str, state: str, steps: Iterable[tuple[str, str, str | None, bytes | None]]
    ) -> None:
        """Record one state of several outcomes, durably, before this returns.

        A step is the outcome's id, the digest of its content, the version and a detail (the bytes that
        are planned, the answer that came).
        """
        with self.transaction():
            self._db.executemany(
                "INSERT INTO journal (run, target, state, at, outcome, digest, version, detail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(run, target, state, _now(), *step) for step in steps],
            )

    def pushed(self, target: str) -> dict[str, Pushed]:
        """What the journal knows of each outcome on a target."""
        found: dict[str, Pushed] = {}
        rows = self._rows(
            "SELECT outcome, state, digest, version, detail FROM journal WHERE target = ?"
            " AND state IN ('planned', 'confirmed', 'left') ORDER BY seq",
            (target,),
        )
        for outcome, state, digest, version, detail in rows:
            before = found.get(outcome, Pushed())
            match state:
                case "planned":
                    found[outcome] = replace(before, maybe=before.maybe | {digest})
                case "confirmed":
                    found[outcome] = Pushed(digest, version)
                case "left":
                    found[outcome] = replace(before, left=(digest, bytes(detail or b"").decode()))
        return found

    def planned(self, target: str, outcome: str, digest: str) -> bytes | None:
        """The bytes that were last planned for a content of an outcome."""
        row = self._rows(
            "SELECT detail FROM journal WHERE target = ? AND outcome = ? AND digest = ? AND state = 'planned'"
            " ORDER BY seq DESC LIMIT 1",
            (target, outcome, digest),
        ).fetchone()
        return bytes(row[0]) if row else None

    def note_probe(self, target: str, client_ids: bool) -> None:
        """Keep whether a target lets the client choose ids, as it was tried."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO probe (target, at, client_ids) VALUES (?, ?, ?)", (target, _now(), client_ids)
            )

    def probed(self, target: str) -> bool | None:
        """Whether a target lets the client choose ids; None where it was never tried."""
        row = self._rows(
            "SELECT client_ids FROM probe WHERE target = ? ORDER BY seq DESC LIMIT 1", (target,)
        ).fetchone()
        return bool(row[0]) if row else None

    # Cursors

    def cursor(self, source: str, type: str) -> Cursor | None:
        """Up to when a type of a source was pulled, or None before the first complete pull."""
        row = self._rows(
            "SELECT since, patients, place FROM cursor WHERE source = ? AND type = ?"
            " ORDER BY seq DESC LIMIT 1",
            (source, type),
        ).fetchone()
        return Cursor(datetime.fromisoformat(row[0]), frozenset(json.loads(row[1])), row[2]) if row else None

    def move_cursor(self, run: int, source: str, type: str, cursor: Cursor) -> None:
        """Keep up to when a type of a source is complete; inside the transaction that stores it."""
        self._db.execute(
            "INSERT INTO cursor (run, source, type, place, since, patients) VALUES (?, ?, ?, ?, ?, ?)",
            (run, source, type, cursor.place, cursor.since.isoformat(), _text(sorted(cursor.patients))),
        )

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as fault:
            raise self._error(fault) from None


class Delivery:
    """What one source hands over of one type: what of it is new, what stands, and what is gone.

    Memory holds a byte for each row of the workspace, and of what is handed over one resource at a time.
    """

    def __init__(
        self, db: sqlite3.Connection, run: int, source: str, type: str, age: Callable[[Arrival], Any]
    ) -> None:
        self._db, self._key, self._age = db, (source, type), age
        self._row = (run, source, type, _now())
        (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM received").fetchone()
        self._first = last + 1
        """The first row of this delivery."""
        self._came = bytearray(self._first)
        """Of each row that stood, what came under its id."""
        self._before = self._standing()
        self._superseded: list[tuple[int]] = []
        self.new = 0
        """How many resources are new or changed."""
        self.count = 0
        """How many there are, by id."""
        self.doubtful: set[str] = set()
        """The ids under which different contents of the same, greatest age stand."""

    def take(self, arrivals: Iterable[Arrival]) -> None:
        """Keep those that differ in version or bytes from what stands; once, in any order.

        Of several under one id only the newest stays, which may be the one that stood.
        """
        self._db.executemany(
            "INSERT INTO received (run, source, type, at, id, version, last_updated, url, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._differing(arrivals),
        )
        # In the order of the key: the table grows at its end, and is not leafed through for each row.
        self._db.execute(
            "INSERT INTO standing SELECT ?, ?, id, seq FROM received WHERE seq >= ? ORDER BY id, seq"
            " ON CONFLICT DO UPDATE SET seq = newer(seq, excluded.seq)",
            (*self._key, self._first),
        )
        self._db.executemany("DELETE FROM received WHERE seq = ?", self._superseded)
        self.new -= len(self._superseded)
        known = len(self._came) - self._came.count(0)
        self.count = known + self._standing() - self._before

    def let_go(self, others: Iterable[Arrival]) -> int:
        """Let go of what is older than one of the ``others`` of the same id, which are not to be kept.

        Returns how many of those are gone that had stood before.
        """
        gone = 0
        for other in others:
            row = self._db.execute(
                "SELECT seq FROM standing WHERE source = ? AND type = ? AND id = ?", (*self._key, other.id)
            ).fetchone()
            if row is None:
                continue
            (seq,) = row
            kept, newer = self._age(self._arrival(seq)), self._age(other)
            if newer == kept:
                self.doubtful.add(other.id)
            if newer <= kept:
                continue
            self.doubtful.discard(other.id)
            self.count -= seq >= self._first or self._came[seq] != 0
            if seq >= self._first:
                self.new -= 1
                self._db.execute("DELETE FROM received WHERE seq = ?", (seq,))
                seq = self._former(other.id)
            gone += self._forget([(other.id, seq)])
        return gone

    def _former(self, id: str) -> int:
        """The row that stood under an id before something of this delivery did; 0 for none."""
        row = self._db.execute(
            "SELECT seq, body IS NULL FROM received WHERE source = ? AND type = ? AND id = ? AND seq < ?"
            " ORDER BY seq DESC LIMIT 1",
            (*self._key, id, self._first),
        ).fetchone()
        return 0 if row is None or row[1] else int(row[0])

    def forget_absent(self) -> int:
        """Mark as gone what stood and did not come; after a complete delivery. Returns how many."""
        rows = self._db.execute(
            "SELECT id, seq FROM standing WHERE source = ? AND type = ? AND seq < ?",
            (*self._key, self._first),
        )
        return self._forget([(id, seq) for id, seq in rows if not self._came[seq]])

    def forget(self, ids: Iterable[str]) -> int:
        """Mark as gone those that stood and did not come. Returns how many."""
        rows = [(id, self._found(id)) for id in ids]
        return self._forget([(id, seq) for id, seq in rows if seq is not None and not self._came[seq]])

    def _forget(self, gone: list[tuple[str, int]]) -> int:
        self._db.executemany(
            "INSERT INTO received (run, source, type, id, version, last_updated, url, at, body)"
            " SELECT ?, source, type, id, version, '', url, ?, NULL FROM received WHERE seq = ?",
            ((self._row[0], self._row[3], seq) for _, seq in gone),
        )
        self._db.executemany(
            "DELETE FROM standing WHERE source = ? AND type = ? AND id = ?",
            ((*self._key, id) for id, _ in gone),
        )
        return sum(seq > 0 for _, seq in gone)

    def _found(self, id: str) -> int | None:
        """The row that stood under an id."""
        row = self._db.execute(
            "SELECT seq FROM standing WHERE source = ? AND type = ? AND id = ? AND seq < ?",
            (*self._key, id, self._first),
        ).fetchone()
        return int(row[0]) if row else None

    def _differing(self, arrivals: Iterable[Arrival]) -> Iterator[tuple[object, ...]]:
        """The rows of those that are not as what stands."""
        for each in arrivals:
            if self._before and self._stands(each):
                continue
            self.new += 1
            yield (*self._row, *each)

    def _stands(self, arrival: Arrival) -> bool:
        found = self._db.execute(
            "SELECT seq, version = ? AND body = ? FROM standing JOIN received USING (seq)"
            " WHERE standing.source = ? AND standing.type = ? AND standing.id = ?",
            (arrival.version, arrival.body, *self._key, arrival.id),
        ).fetchone()
        if found is None:
            return False
        seq, same = found
        self._came[seq] |= _SAME if same else _OTHER
        return bool(same)

    def newer(self, one: int, other: int) -> int:
        """Which of two rows of an id stands: ``other`` is of this delivery, ``one`` may have stood before."""
        if one < self._first and not self._came[one] & _SAME:
            return other
        arrivals = self._arrival(one), self._arrival(other)
        first, second = (self._age(each) for each in arrivals)
        id = arrivals[0].id
        if first == second and arrivals[0].body != arrivals[1].body:
            self.doubtful.add(id)
        elif second > first:
            self.doubtful.discard(id)
        stays, goes = (other, one) if (second, arrivals[1].body) > (first, arrivals[0].body) else (one, other)
        if goes >= self._first:
            self._superseded.append((goes,))
        return stays

    def _arrival(self, seq: int) -> Arrival:
        return Arrival(
            *self._db.execute(
                "SELECT id, version, last_updated, url, body FROM received WHERE seq = ?", (seq,)
            ).fetchone()
        )

    def _standing(self) -> int:
        """How many resources of the type stand."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM standing WHERE source = ? AND type = ?", self._key
        ).fetchone()
        return int(count)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _written(origins: tuple[Origin, ...]) -> str:
    return _encoder.encode(origins).decode()


def _origins(text: str) -> tuple[Origin, ...]:
    return msgspec.json.decode(text, type=tuple[Origin, ...])


def _document(query: Query) -> str:
    return _text(
        {
            "subject": query.subject, "visit": query.visit, "item": query.item, "kind": query.kind.value,
            "text": query.text, "values": list(query.values),
            "origins": [msgspec.structs.astuple(origin) for origin in query.origins],
        }
    )  # fmt: skip


def _query(document: Mapping[str, Any]) -> Query:
    return Query(
        document["subject"],
        document["visit"],
        document["item"],
        QueryKind(document["kind"]),
        document["text"],
        tuple(document["values"]),
        tuple(Origin(*row) for row in document["origins"]),
    )


def _from_json(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = _decoder.decode(body)
    return document


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(float_hook=Decimal)
