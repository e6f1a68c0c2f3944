"""Haematological domain, levels 0 to 3: the worst of four blood cells, each only when autoimmune.

Published limits, whatever the age: low below, moderate at or below, high below; lymphocytes are never
high. Whether a low count is autoimmune is a physician's answer for each; until then the level may be 0.
Dossier §1.3, §1.5.4, §1.5.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.conduct.derived.proposal import Proposal, attributed, bounds, open_attribution, worst
from fhir_adapter.conduct.rules import LineageRule
from fhir_adapter.trial.values import Interval, Truth

LINEAGES: Mapping[str, str] = {
    "neutrophils": "neutropenia-autoimmune",
    "haemoglobin": "anaemia-autoimmune",
    "platelets": "thrombocytopenia-autoimmune",
    "lymphocytes": "lymphopenia-autoimmune",
}
"""Item → the statement that it is low because of the disease."""


def haematological(
    counts: Mapping[str, Interval | None],
    autoimmune: Mapping[str, Truth],
    rules: Mapping[str, LineageRule],
    normal: Mapping[str, Interval] | None = None,
) -> Proposal:
    """The proposal from the counts that are looked at; None is one that was not measured.

    Units: 10*9/L, haemoglobin g/L. ``normal`` are the laboratory's own ranges, for a flag only.
    """
    found = {name: bounds(_steps(value, rules[name])) for name, value in counts.items()}
    causes = {name: autoimmune.get(name) for name in counts}
    flags = [flag for name in counts for flag in open_attribution(found[name], causes[name])]
    for name, value in counts.items():
        low = (normal or {}).get(name)
        if value and low and low.low is not None and found[name][0] and value.at_least(low.low):
            flags.append("within-laboratory-range")
    return Proposal(
        "haematological",
        *worst(attributed(found[name], causes[name]) for name in counts),
        tuple(dict.fromkeys(flags)),
    )


def _steps(value: Interval | None, rule: LineageRule) -> list[Truth]:
    if value is None:
        return [None, None, *(() if rule.high_below is None else (None,))]
    steps = [value.below(rule.low_below), value.at_most(rule.moderate_at_most)]
    return steps if rule.high_below is None else [*steps, value.below(rule.high_below)]
