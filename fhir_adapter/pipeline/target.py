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
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received, decode
from fhir_adapter.exchange.server import Server
from fhir_adapter.exchange.transaction import Answer, Entry
from fhir_adapter.mapping import outcome
from fhir_adapter.mapping.provenance import names_digest

Json = dict[str, Any]


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
    copies: tuple[Received, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """One outcome that is to be written.

    ``outcome`` is its computed id, ``replaces`` what stands there now (None: nothing does), and ``kind``
    created, updated, retracted, or repaired (the Provenance alone was missing).
    """

    name: str
    outcome: str
    kind: str
    digest: str
    observation: Json
    provenance: Json
    replaces: Standing | None


class Target:
    """A server or a folder to write to, on one rung."""

    def __init__(self, place: Server | Folder, *, client_ids: bool | None) -> None:
        """``client_ids`` is what a probe found; None where nobody probed and the server must announce it."""
        self.place = place
        self.rung, self.transactions = Rung.CLIENT_IDS, True
        if isinstance(place, Server):
            abilities = place.abilities()
            self.transactions = abilities.transactions
            if not (abilities.client_ids if client_ids is None else client_ids):
                self.rung = Rung.IF_NONE_EXIST if abilities.conditional_create else Rung.SEARCH_FIRST

    def standing(self, ids: Iterable[str]) -> dict[str, Standing]:
        """What stands there, by the outcomes' computed ids."""
        wanted = list(ids)
        if self.rung is Rung.CLIENT_IDS or isinstance(self.place, Folder):
            found = self.place.read_many("Observation", wanted)
            return {id: _standing(received) for id, received in found.items()}
        groups: dict[str, list[Received]] = defaultdict(list)
        values = [f"{outcome.OUTCOME_ID}|{id}" for id in wanted]
        for received in self.place.find("Observation", "identifier", values):
            id = next(
                (
                    each.get("value", "")
                    for each in decode(received.body).get("identifier", [])
                    if each.get("system") == outcome.OUTCOME_ID
                ),
                "",
            )
            groups[id].append(received)
        return {id: _oldest(group) for id, group in groups.items()}

    def proven(self, standing: Mapping[str, Standing]) -> set[str]:
        """Those of the outcomes whose present content has its Provenance there."""
        if self.rung is Rung.CLIENT_IDS or isinstance(self.place, Folder):
            proofs = {outcome.provenance_id(id, each.digest): id for id, each in standing.items()}
            return {proofs[found] for found in self.place.read_many("Provenance", list(proofs))}
        by_reference = {f"Observation/{each.received.id}": id for id, each in standing.items()}
        proven = set()
        for received in self.place.find("Provenance", "target", list(by_reference)):
            document = decode(received.body)
            for target in document.get("target", []):
                id = by_reference.get(str(target.get("reference", "")))
                if id is not None and names_digest(document, standing[id].digest):
                    proven.add(id)
        return proven

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
            return Entry("PUT", f"Observation/{there.id}", document, url, there.version)
        if self.rung is Rung.CLIENT_IDS:
            return Entry("PUT", f"Observation/{write.outcome}", write.observation, url)
        document = {key: value for key, value in write.observation.items() if key != "id"}
        condition = f"identifier={outcome.OUTCOME_ID}|{write.outcome}"
        return Entry(
            "POST", "Observation", document, url, if_none_exist=condition if self._conditional else None
        )

    def _provenance(self, write: Write) -> Entry:
        proof = write.provenance
        url = f"urn:uuid:{proof['id']}"
        if self.rung is Rung.CLIENT_IDS:
            return Entry("PUT", f"Provenance/{proof['id']}", proof, url)
        # R4's Provenance has no identifier to make its creation conditional: the Observation beside it, or
        # the search for a missing Provenance before a repair, is what keeps it from standing there twice.
        document = {key: value for key, value in proof.items() if key != "id"}
        there = write.replaces
        target = f"Observation/{there.received.id}" if there else f"urn:uuid:{write.outcome}"
        return Entry("POST", "Provenance", {**document, "target": [{"reference": target}]}, url)

    @property
    def _conditional(self) -> bool:
        return self.rung is Rung.IF_NONE_EXIST

    def _write_singly(self, server: Server, write: Write) -> None:
        """The Observation first; if its Provenance does not follow, the next push repairs that."""
        answer: Answer | None = None
        for entry in self.entries(write):
            resource = entry.resource
            if answer is not None and answer.id and resource["resourceType"] == "Provenance":
                resource = {**resource, "target": [{"reference": f"Observation/{answer.id}"}]}
            answer = server.send(
                Entry(entry.method, entry.url, resource, entry.full_url, entry.if_match, entry.if_none_exist)
            )


def _standing(received: Received) -> Standing:
    document = decode(received.body)
    return Standing(received, document, outcome.digest(document))


def _oldest(group: list[Received]) -> Standing:
    """Of copies that a race left, the oldest counts; a copy that was already retracted is none."""
    ordered = sorted(group, key=lambda each: (each.last_updated, each.id))
    living = [each for each in ordered if decode(each.body).get("status") != "entered-in-error"]
    kept, *copies = living or ordered[:1]
    found = _standing(kept)
    return Standing(found.received, found.document, found.digest, tuple(copies))
