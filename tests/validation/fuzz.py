"""Validates resources that were damaged at random, and stops at the first exception.

``python -m tests.validation.fuzz [NUMBER [SEED]]``
"""

from __future__ import annotations

import copy
import json
import random
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from typing import Any

from fhir_adapter.validation import validate
from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.source import load
from tests.validation.agreement import packed

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    5,
    10**30,
    1.5,
    "",
    " ",
    "x",
    "a b",
    "#",
    "#a",
    "Patient/1",
    "http://x.test/Patient/1",
    "urn:uuid:x",
    "2024-02-30",
    "2024",
    "final",
    "http://loinc.org",
    "<div>",
    "<div xmlns='http://www.w3.org/1999/xhtml'/>",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"id": "a"},
    {"extension": []},
    {"resourceType": "Patient"},
    {"resourceType": 5},
    {"reference": "#"},
    {"reference": 5},
    {"coding": 5},
    {"coding": [{"code": []}]},
    {"system": {}, "code": {}},
    {"url": "x", "valueString": "y"},
    [{"url": 5}],
    {"div": 5},
    {"value": {}, "unit": []},
    {"linkId": {}},
    "\u0000",
    "\ud800",
)
NAMES = (
    "resourceType",
    "id",
    "_id",
    "meta",
    "extension",
    "modifierExtension",
    "contained",
    "text",
    "div",
    "status",
    "reference",
    "identifier",
    "type",
    "url",
    "coding",
    "code",
    "system",
    "display",
    "value",
    "valueQuantity",
    "valueString",
    "valueReference",
    "_valueString",
    "entry",
    "resource",
    "fullUrl",
    "link",
    "request",
    "item",
    "answer",
    "linkId",
    "questionnaire",
    "profile",
    "parameter",
    "part",
    "component",
    "category",
    "fooBar",
    "",
    "\u0000",
)


@cache
def resources() -> tuple[Definitions, list[dict[str, Any]]]:
    """The definitions that the mutants load, and their resources, whole; the definitions among them."""
    given = [one for name in ("mutants", "mutants-extra") for one in packed(name)]
    found: list[dict[str, Any]] = []
    for one in given:
        resource = load(one.text).resource
        if resource is not None:
            if one.profiles and isinstance(resource.get("meta", {}), dict):
                resource.setdefault("meta", {})["profile"] = list(one.profiles)
            found.append(resource)
    return Definitions(shared()), [*found, *shared()]


@cache
def shared() -> list[dict[str, Any]]:
    """The definitions themselves: profiles, extensions, value sets, code systems and a questionnaire."""
    texts = next(packed("mutants")).supporting
    return [found for text in texts if (found := load(text).resource) is not None]


def damaged_definitions(chance: random.Random) -> Definitions:
    """The definitions, one of them damaged."""
    held = list(shared())
    at = chance.randrange(len(held))
    made = damaged(held[at], chance)
    return Definitions([*held[:at], made, *held[at + 1 :]])


def damaged(resource: dict[str, Any], chance: random.Random) -> Any:
    """A copy of ``resource`` with one to four changes."""
    made = json.loads(json.dumps(resource, default=float))
    for _ in range(chance.randint(1, 4)):
        places = list(_places(made))
        if not places:
            break
        holder, key = chance.choice(places)
        change = chance.randint(0, 6)
        if change == 0:
            del holder[key]
        elif change == 1:
            holder[key] = [holder[key]]
        elif change == 2 and isinstance(holder, dict):
            holder[chance.choice(NAMES)] = holder.pop(key)
        elif change == 3:
            copied = json.dumps(chance.choice(places)[0])
            if len(copied) < 20_000:
                holder[key] = json.loads(copied)
        elif change == 4 and isinstance(holder, dict):
            holder[chance.choice(NAMES)] = copy.deepcopy(chance.choice(ODD))
        elif change == 5 and isinstance(holder[key], list):
            holder[key] = holder[key] * 2
        else:
            holder[key] = copy.deepcopy(chance.choice(ODD))
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    left = [value]
    while left:
        one = left.pop()
        items = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        for key, item in items:
            yield one, key
            if isinstance(item, (dict, list)):
                left.append(item)


def main(number: int, seed: int) -> None:
    """Validate ``number`` damaged resources, each twentieth of them with a damaged definition."""
    chance = random.Random(seed)
    definitions, whole = resources()
    issues = 0
    for done in range(number):
        resource = damaged(chance.choice(whole), chance)
        try:
            known = definitions if done % 20 else damaged_definitions(chance)
            issues += len(validate(resource, definitions=known))
        except Exception:
            traceback.print_exc()
            sys.exit(f"after {done}: {json.dumps(resource)}")
    print(f"{number} damaged resources, {issues} issues, no exception")


if __name__ == "__main__":
    arguments = [int(one) for one in sys.argv[1:]]
    main(*(arguments + [100_000, 0][len(arguments) :]))
