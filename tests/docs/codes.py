"""Writes the page of the codes that a mapping folder may lead to, from the trial's own lists."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fhir_adapter import shipped
from fhir_adapter.mapping.hospital import SHOWN
from fhir_adapter.trial.items import ITEMS, NOT_USED, OUTCOMES, SITED, Item, Kind, OutcomeCode

_HEAD = """\
<!-- Written by `python -m tests.docs.generate`; a test fails when it is stale. -->

# Codes

What a hospital's own codes lead to: the targets of the ConceptMaps in its mapping folder. [Map a
hospital](map-a-hospital.md) says how. Where a target does not exist, the error names the nearest that does.

The same codes travel with the program as FHIR CodeSystems. Of an installed package this prints their folder:

```sh
python3 -c "from fhir_adapter import shipped; print(shipped.PROFILES)"
```

"""

_ITEMS = """\
## items

Results, ratings and findings. A number counts in any of the units that stand beside it, also in another
spelling if the hospital's settings know it; the first one is that of the trial. The questions that only a
person can answer are items too: [their codes](eligibility.md#answer-an-undetermined-criterion).

"""

_SITED = """
Where the side stands apart, in `bodySite`, the code leads to the group:

"""

_SHOWN = """
## outcomes

A score that a form calculated. It is held against the form's answers, and not used.

"""

_TABLES = (
    "sites", "levels", "findings", "drugs", "routes", "contacts", "vaccines", "consents",
)  # fmt: skip


def page() -> str:
    """The page."""
    text = _HEAD + _ITEMS + _rows(("code", "what it is", "value"), map(_item, ITEMS.values()))
    text += f"\n`{NOT_USED}` is the target of a code that is known, and that the trial does not need.\n"
    groups = ((f"`{code}`", ", ".join(f"`{site}`" for site in sites)) for code, sites in SITED.items())
    text += _SITED + _rows(("group", "sites"), groups)
    text += "".join(map(_table, _TABLES)) + _SHOWN
    return text + _rows(
        ("code", "what it is"), ((f"`{code}`", OUTCOMES[OutcomeCode(code)][0]) for code in SHOWN)
    )


def _item(item: Item) -> tuple[str, str, str]:
    return f"`{item.code}`", item.display, _value(item)


def _value(item: Item) -> str:
    match item.kind:
        case Kind.LEVEL:
            first, *_, last = item.levels
            whole = item.levels == tuple(range(first, last + 1)) and len(item.levels) > 2
            return f"{first} to {last}" if whole else ", ".join(map(str, item.levels))
        case Kind.FINDING:
            return "positive or negative"
        case Kind.TITRE:
            return "1:n"
        case _:
            units = ", ".join(f"`{unit}`" for unit in dict.fromkeys((item.unit, *item.factors)))
            return f"{units}; or positive or negative" if item.worded else units


def _table(name: str) -> str:
    """A code system as the package has it."""
    system = json.loads((shipped.PROFILES / f"CodeSystem-{name}.json").read_text(encoding="utf-8"))
    rows = ((f"`{each['code']}`", each["display"]) for each in system["concept"])
    return f"\n## {name}\n\n{system['description']}\n\n" + _rows(("code", "what it is"), rows)


def _rows(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    text = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    return text + "".join(f"| {' | '.join(row)} |\n" for row in rows)
