"""The place that outcomes are written to, on the best rung of the ladder that it offers.

1. Client ids: each resource is PUT under its computed id; safe also for parallel writers.
2. Conditional create: ``ifNoneExist`` by the outcome's identifier, then PUT by the server's own id; safe
   for one writer, and duplicates of a race are found by the next run.
3. Search, then create: safe for one writer, where a search shows what was acknowledged.

A folder is written under the computed ids. What each rung promises stands in ``Rung.promise``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from fhir_adapter.errors import UnknownResult
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received, decode
from fhir_adapter.exchange.search import batches, escaped
from fhir_adapter.exchange.server import Server
from fhir_adapter.exchange.transaction import Entry
from fhir_adapter.mapping import outcome
from fhir_adapter.mapping.hospital import listed
from fhir_adapter.mapping.provenance import names_digest

Json = dict[str, Any]

ENTERED_IN_ERROR = "entered-in-error"
"""The status of an outcome that was withdrawn."""


class Rung(Enum):
    """How identity is kept, and what is therefore promised."""

    CLIENT_IDS = (1, "client ids: each outcome once, also with parallel writers")
    IF_NONE_EXIST = (
        2,
        "ifNoneExist: each outcome once with one writer; duplicates of a race are mended by the next run",
    )
    SEARCH_FIRST = (3, "search, then create: each outcome once with one writer and a search that is current")

    @property
    def number(self) -> int:
        """1 is the best."""
        return self.value[0]

    @property
    def promise(self) -> str:
        """What holds on this rung, in words."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on the target for one outcome: the resource, and copies that a race left beside it."""

    received: Received
    document: Json
    digest: str
    copies: tuple[Standing, ...] = ()

    @property
    def living(self) -> bool:
        """Whether it was not withdrawn."""
        return bool(self.document.get("status") != ENTERED_IN_ERROR)


@dataclass(frozen=True, slots=True)
class Write:
    """One outcome that is to be written.

    ``outcome`` is its computed id, ``replaces`` what stands there now (None: nothing does), and ``kind``
    created, updated, retracted, or repaired (the Provenance alone was missing). ``proof`` is the id of a
    Provenance of this content that stands there already.
    """

    name: str
    outcome: str
    kind: str
    digest: str
    observation: Json
    provenance: Json
    replaces: Standing | None
    proof: str | None = None


class Target:
    """A server or a folder to write to, on one rung."""

    def __init__(
        self,
        place: Server | Folder,
        *,
        client_ids: bool | None,
        participants: Mapping[str, str] | None = None,
    ) -> None:
        """``client_ids`` is what a probe found; None where nobody probed and the server must announce it.

        ``participants`` leads from each outcome's computed id to its participant, as ``system|number``.
        """
        self.place = place
        self._participants = participants or {}
        self.rung, self.transactions = Rung.CLIENT_IDS, True
        if isinstance(place, Server):
            abilities = place.abilities()
            self.transactions = abilities.transactions
            if not (abilities.client_ids if client_ids is None else client_ids):
                self.rung = Rung.IF_NONE_EXIST if abilities.conditional_create else Rung.SEARCH_FIRST

    def standing(self, ids: Iterable[str]) -> dict[str, Standing]:
        """What stands there, by the outcomes' computed ids.

        Where ids are ours they are looked up first. An outcome may still stand there under an id of the
        server's, by its identifier: written when the target was known to offer less.
        """
        wanted = list(ids)
        if isinstance(self.place, Folder):
            return {id: _standing(each) for id, each in self.place.read_many("Observation", wanted).items()}
        found: dict[str, Standing] = {}
        if self.rung is Rung.CLIENT_IDS:
            by_id = self.place.read_many("Observation", wanted)
            found = {id: _standing(received) for id, received in by_id.items()}
            wanted = [id for id in wanted if id not in found or not found[id].living]
            if not wanted or not self._any_of_participants(self.place, wanted):
                return found
        groups: dict[str, list[Standing]] = defaultdict(list)
        values = [f"{outcome.OUTCOME_ID}|{id}" for id in wanted]
        for received in self.place.find("Observation", "identifier", values):
            standing = _standing(received)
            groups[_outcome_of(standing.document)].append(standing)
        return found | {id: _oldest(groups[id]) for id in wanted if id in groups}

    def _any_of_participants(self, server: Server, ids: Iterable[str]) -> bool:
        """Whether anything stands there of the participants of these outcomes.

        To ask for each outcome by its identifier takes some servers longer than to write it. Of participants
        who are new there a few looks are enough.
        """
        numbers = sorted({self._participants[id] for id in ids})
        searches = (
            server.search("Observation", [("identifier", ",".join(batch)), ("_count", "1")])
            for batch in batches(map(escaped, numbers))
        )
        return any(True for search in searches for _ in search)

    def proofs(self, standing: Mapping[str, Standing]) -> dict[str, str]:
        """The ids of the Provenances that are there, of the present content of these outcomes."""
        return self._proofs({id: (each.received.id, each.digest) for id, each in standing.items()})

    def former_proofs(self, writes: Iterable[Write]) -> dict[str, str]:
        """The ids of the Provenances that are there of a content that is to be written once more.

        Where the Provenance's id is ours it needs no looking up.
        """
        return self._proofs(
            {
                each.outcome: (each.replaces.received.id, each.digest)
                for each in writes
                if each.replaces is not None
                and each.kind != "repaired"
                and not (self._own_ids and each.replaces.received.id == each.outcome)
            }
        )

    @property
    def _own_ids(self) -> bool:
        return self.rung is Rung.CLIENT_IDS or isinstance(self.place, Folder)

    def _proofs(self, contents: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """The ids of the Provenances of contents, given as outcome → id of its Observation, and digest."""
        found: dict[str, str] = {}
        if self._own_ids:
            computed = {outcome.provenance_id(id, digest): id for id, (_, digest) in contents.items()}
            found = {computed[id]: id for id in self.place.read_many("Provenance", list(computed))}
        missing = {f"Observation/{at}": id for id, (at, _) in contents.items() if id not in found}
        if isinstance(self.place, Folder) or not missing:
            return found
        for received in self.place.find("Provenance", "target", list(missing)):
            document = decode(received.body)
            for target in document.get("target", []):
                literal = str(target.get("reference", "")).partition("/_history/")[0]
                id = missing.get("/".join(literal.rsplit("/", 2)[-2:]))
                if id is not None and names_digest(document, contents[id][1]):
                    found.setdefault(id, received.id)
        return found

    def write(self, batch: Sequence[Write]) -> None:
        """Write the outcomes of a batch, each with its Provenance: together where there are transactions.

        Raises Conflict, UnknownResult or another ServerError; then what became of the batch must be read.
        """
        entries = [entry for write in batch for entry in self.entries(write)]
        if isinstance(self.place, Folder):
            self.place.write(entries)
        elif self.transactions:
            self.place.transaction(entries)
        else:
            for write in batch:
                self._write_singly(self.place, write)

    def add(self, resource: Json) -> None:
        """Write one more resource, which nothing else depends on. Raises ServerError."""
        kind, url = resource["resourceType"], f"urn:uuid:{resource['id']}"
        entry = Entry("PUT", f"{kind}/{resource['id']}", resource, url)
        if isinstance(self.place, Folder):
            self.place.write([entry])
        elif self.rung is Rung.CLIENT_IDS:
            self.place.send(entry)
        else:
            without_id = {key: value for key, value in resource.items() if key != "id"}
            self.place.send(Entry("POST", kind, without_id, url))

    def entries(self, write: Write) -> list[Entry]:
        """The entries of the transaction for one outcome; a repair writes the Provenance alone."""
        made = [] if write.kind == "repaired" else [self._observation(write)]
        return [*made, self._provenance(write)]

    def _observation(self, write: Write) -> Entry:
        url = f"urn:uuid:{write.outcome}"
        if write.replaces is not None:
            there = write.replaces.received
            document = {**write.observation, "id": there.id}
            return Entry("PUT", f"Observation/{there.id}", document, url, self._if_match(there))
        if self._own_ids:
            return Entry("PUT", f"Observation/{write.outcome}", write.observation, url)
        document = {key: value for key, value in write.observation.items() if key != "id"}
        condition = f"identifier={outcome.OUTCOME_ID}|{write.outcome}"
        return Entry(
            "POST", "Observation", document, url, if_none_exist=condition if self._conditional else None
        )

    def _if_match(self, there: Received) -> str | None:
        """The version that is replaced; None where a server gives none, and so cannot guard it."""
        versioned = isinstance(self.place, Folder) or not there.version.startswith("sha256:")
        return there.version if versioned else None

    def _provenance(self, write: Write) -> Entry:
        proof = write.provenance
        url = f"urn:uuid:{proof['id']}"
        if write.replaces is not None:
            proof = {**proof, "target": [{"reference": f"Observation/{write.replaces.received.id}"}]}
        elif not self._own_ids:
            proof = {**proof, "target": [{"reference": f"urn:uuid:{write.outcome}"}]}
        id = write.proof or (proof["id"] if self._own_ids else None)
        if id is not None:
            return Entry("PUT", f"Provenance/{id}", {**proof, "id": id}, url)
        # R4's Provenance has no identifier to make its creation conditional: the Observation beside it, or
        # the search for a missing Provenance before a repair, is what keeps it from standing there twice.
        return Entry("POST", "Provenance", {key: value for key, value in proof.items() if key != "id"}, url)

    @property
    def _conditional(self) -> bool:
        return self.rung is Rung.IF_NONE_EXIST

    def _write_singly(self, server: Server, write: Write) -> None:
        """The Observation first; if its Provenance does not follow, the next push repairs that."""
        made: str | None = None
        for entry in self.entries(write):
            resource = entry.resource
            if made is not None and resource["resourceType"] == "Provenance":
                entry = replace(entry, resource={**resource, "target": [{"reference": made}]})
            answer = server.send(entry)
            if entry.type == "Observation":
                made = f"Observation/{answer.id or self._found(write)}"

    def _found(self, write: Write) -> str:
        """The id of an outcome that was just written, and whose id the server did not tell."""
        there = self.standing([write.outcome]).get(write.outcome)
        if there is None:
            raise UnknownResult(
                "it took the outcome, does not say under which id, and does not find it.",
                where=f"{self.place.name} Observation",
                remedy="Push again later: its search may not be up to date.",
            )
        return there.received.id


def _standing(received: Received) -> Standing:
    document = decode(received.body)
    return Standing(received, document, outcome.digest(document))


def _outcome_of(document: Json) -> str:
    """The computed id of the outcome that an Observation states, or ``""``."""
    identifiers = listed(document, "identifier")
    return next(
        (str(each.get("value")) for each in identifiers if each.get("system") == outcome.OUTCOME_ID), ""
    )


def _oldest(group: list[Standing]) -> Standing:
    """Of copies that a race left, the oldest counts; a copy that was already retracted is none."""
    ordered = sorted(group, key=lambda each: (each.received.last_updated, each.received.id))
    kept, *copies = [each for each in ordered if each.living] or ordered[:1]
    return replace(kept, copies=tuple(copies))
