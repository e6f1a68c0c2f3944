"""``make demo``: the whole path on a real FHIR server with the synthetic hospital.

Every line that begins with ``$`` is a command that you can run yourself. What the commands say is checked
against what then stands on the server; the exit code is 0 only where all went as told.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from fhir_adapter.trial.items import CANONICAL
from tests.hospital.generator import Hospital, hospital, load, write_ndjson
from tests.hospital.study import AS_OF, write_study
from tests.servers import running_sekmet

SUBJECT = "JSS-01"
"""Three indicators of five, each exactly at its limit: one result decides the response."""
NEW_VALUE = 22.0
"""IgG at week 28 in g/L instead of 18.0: from 24.0 it fell by 8 %, neither by 25 % nor by 10 %."""
REST_ON_IT = {f"{SUBJECT} {code} week-28" for code in ("essdai", "response", "star")}
"""All outcomes that look at that result."""
SEARCH = {"category": "survey", "_count": "1000"}

DONE, FINDINGS = 0, 1


class NotAsTold(Exception):
    """Something went otherwise than the demo says."""


def main() -> int:
    """Tell the story; 0 where it came true."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped then, too
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-demo-") as folder:
        home = Path(folder)
        try:
            say("A FHIR R4 server starts on 127.0.0.1 and is given a synthetic hospital.")
            with running_sekmet(home / "server") as base:
                tell(base, home)
        except NotAsTold as fault:
            print(f"\nNot as told: {fault}", file=sys.stderr)
            return 1
    say(f"All of it came true, in {time.monotonic() - began:.0f} seconds. The server is stopped.")
    return 0


def tell(base: str, home: Path) -> None:
    """The story, from the first run to the explanation."""
    made = hospital()
    load(made.sources["hospital"], base)
    write_ndjson(Hospital({"ratings": made.sources["ratings"]}, {}, {}), home)
    write_study(home, hospital=base, ratings="ratings", target=base)
    say(
        f"The hospital's results, doses and participants are on {base}; the ratings\n"
        "come from another system, as a folder of NDJSON. study.toml names both, and the server\n"
        "as the place for the outcomes."
    )
    run = ["run", "--as-of", AS_OF.isoformat()]

    say("The first run pulls, maps, scores, checks and pushes. It ends with 1: there are findings.")
    command(run, home, expect=FINDINGS)
    first, proofs = outcomes(base), provenances(base)
    check(len(proofs) == len(first), f"{len(proofs)} Provenances stand there for {len(first)} outcomes")
    check(len(first) == 15 * 22, f"{len(first)} outcomes stand on the server, not 15 × 22")

    say("The same command again: nothing is written twice.")
    pushed_lines(command(run, home, expect=FINDINGS, quiet=True))
    check((outcomes(base), provenances(base)) == (first, proofs), "the second run wrote something")

    say(f"The laboratory corrects one result on the server: IgG of {SUBJECT} at week 28.")
    account = command(["explain", SUBJECT, "response", "--json"], home, expect=DONE, quiet=True)
    address = source_of(json.loads(account), "igg", "week-28")
    correct(address)
    print(f"  changed: {address}: 18.0 g/L becomes {NEW_VALUE} g/L")

    say("The next run rewrites just the outcomes that rest on it.")
    pushed_lines(command(run, home, expect=FINDINGS, quiet=True))
    third = outcomes(base)
    rewritten = {name for name, version in third.items() if first.get(name) != version}
    check(third.keys() == first.keys(), "outcomes came or went")
    check(rewritten == REST_ON_IT, f"rewritten were {sorted(rewritten)}")
    check(len(provenances(base) - proofs) == len(rewritten), "not each of them has its own Provenance")

    say(f"Why {SUBJECT} is no responder any more, down to the versions of the source resources:")
    command(["explain", SUBJECT, "response"], home, expect=DONE)
    account = command(["explain", SUBJECT, "response", "--json"], home, expect=DONE, quiet=True, echo=False)
    check(json.loads(account)[0]["value"] == "Non-responder", "the response did not change")
    check(source_of(json.loads(account), "igg", "week-28") != address, "the old version is still named")


def say(text: str) -> None:
    """A sentence of the story."""
    print(f"\n— {text}", flush=True)


def command(arguments: list[str], home: Path, *, expect: int, quiet: bool = False, echo: bool = True) -> str:
    """Run the product's own command in ``home``; what it printed, where it is to be ``quiet``."""
    program = shutil.which("fhir-adapter", path=str(Path(sys.executable).parent))
    check(program is not None, "fhir-adapter is not installed beside this Python")
    if echo:
        print(f"\n$ {shlex.join(['fhir-adapter', *arguments])}", flush=True)
    done = subprocess.run(
        [str(program), *arguments],
        cwd=home,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != expect:
        check(False, f"the exit code was {done.returncode}, not {expect}\n{done.stderr or ''}")
    return done.stdout or ""


def pushed_lines(printed: str) -> None:
    """Show of a run's output what was written, and the main rate."""
    lines = printed.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("Outcomes written")), None)
    check(start is not None, "the run does not say what it wrote")
    print("  (the tables as above)")
    for line in lines:
        if line.startswith("  main ("):
            print(line)
    print("\n".join(lines[start:]).rstrip(), flush=True)


def outcomes(base: str) -> dict[str, str]:
    """The outcomes that stand on the server: name → version."""
    found = {}
    for each in everything(base, "Observation", SEARCH):
        if f"{CANONICAL}/StructureDefinition/outcome" in each.get("meta", {}).get("profile", ()):
            subject = each["identifier"][1]["value"]
            visit = next(one["valueCode"] for one in each["extension"] if "valueCode" in one)
            name = f"{subject} {each['code']['coding'][0]['code']} {visit}"
            check(name not in found, f"{name} stands there twice")
            found[name] = str(each["meta"]["versionId"])
    return found


def provenances(base: str) -> set[tuple[str, str]]:
    """The Provenances that stand on the server: id and version."""
    return {
        (str(each["id"]), str(each["meta"]["versionId"]))
        for each in everything(base, "Provenance", {"_count": "1000"})
    }


def everything(base: str, type: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
    """All matches of a search, page after page."""
    with local() as session:
        page = session.get(f"{base}/{type}", params=params, timeout=30).json()
        while True:
            yield from (entry["resource"] for entry in page.get("entry", ()))
            following = [link["url"] for link in page.get("link", ()) if link["relation"] == "next"]
            if not following:
                return
            page = session.get(following[0], timeout=30).json()


def source_of(accounts: list[dict[str, Any]], item: str, visit: str) -> str:
    """The address of the version that one measurement of an explanation comes from."""
    for part in accounts[0]["parts"]:
        for fact in part["rests_on"]:
            if (fact.get("item"), fact.get("visit")) == (item, visit):
                return str(fact["sources"][0]["url"])
    raise NotAsTold(f"the explanation names no {item} at {visit}")


def correct(address: str) -> None:
    """Put the new value in the place of the old one, as a laboratory would."""
    resource = address.partition("/_history/")[0]
    with local() as session:
        found = session.get(resource, timeout=30).json()
        found["valueQuantity"]["value"] = NEW_VALUE
        answer = session.put(
            resource, json=found, headers={"Content-Type": "application/fhir+json"}, timeout=30
        )
    check(answer.ok, f"the server refused the correction: {answer.status_code}")


def local() -> requests.Session:
    """A session that uses no proxy: the server is on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


def check(true: bool, otherwise: str) -> None:
    """Stop where something is not as told."""
    if not true:
        raise NotAsTold(otherwise)


if __name__ == "__main__":
    sys.exit(main())
