"""The proposals of one visit, from what was measured and what physicians said within its window.

Of several values of an item the visit's own choice counts; what the worst value of the window would give
stands beside it as ``worst-value`` (dossier §1.5.7). Items that the trial does not collect are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from fhir_adapter.conduct.answers import Piece, unique
from fhir_adapter.conduct.derived.biological import biological
from fhir_adapter.conduct.derived.constitutional import constitutional
from fhir_adapter.conduct.derived.haematological import LINEAGES, haematological
from fhir_adapter.conduct.derived.muscular import muscular
from fhir_adapter.conduct.derived.proposal import Bounds, Proposal, worst
from fhir_adapter.conduct.derived.pulmonary import pulmonary
from fhir_adapter.conduct.derived.renal import renal
from fhir_adapter.conduct.egfr import estimate, quotient, years
from fhir_adapter.conduct.record import Record, results, said
from fhir_adapter.conduct.rules import DerivedRule, EgfrRule
from fhir_adapter.scores.branches import value_of
from fhir_adapter.trial.types import Measurement, Visit
from fhir_adapter.trial.values import Interval, Truth, any_of
from fhir_adapter.trial.windows import Evidence, first_day

ITEMS: Mapping[str, tuple[str, ...]] = {
    "biological": ("igg", "c3", "c4", "ch50", "cryoglobulin", "monoclonal-protein"),
    "haematological": tuple(LINEAGES),
    "renal": ("urine-protein-24h", "upcr", "creatinine", "height"),
    "muscular": ("ck", "weakest-muscle"),
    "pulmonary": ("dlco", "fvc", "nyha"),
    "constitutional": ("temperature", "weight"),
}
"""Domain → the items that it looks at."""


def proposals(record: Record, evidence: Evidence, rule: DerivedRule, egfr: EgfrRule) -> tuple[Proposal, ...]:
    """What the laboratory proposes at a visit for each domain that something is known of.

    Nothing before its window has closed.
    """
    if evidence.window is None or not evidence.due:
        return ()
    view = _View(record, evidence, evidence.window, rule, egfr)
    found = (
        _proposed(name, view) for name, items in ITEMS.items() if record.statements or evidence.of(items)
    )
    return tuple(each for each in found if each.evidence)


def _proposed(domain: str, view: _View) -> Proposal:
    view.used.clear()
    found = _DOMAINS[domain](view)
    evidence = unique((*view.evidence.of(ITEMS[domain]), *view.used))
    alternatives = {**found.alternatives, "worst-value": _worst(domain, view, (found.lower, found.upper))}
    return replace(found, alternatives=alternatives, evidence=evidence)


def _worst(domain: str, view: _View, chosen: Bounds) -> Bounds:
    """The bounds with any one value of the window for the chosen: a level is the worst of its items."""
    window = view.window
    levels = [chosen]
    for item in ITEMS[domain]:
        now = view.evidence.at(item)
        others = [
            each
            for each in results(view.record, item, first_day(window, item), window.last)
            if each.usable and each is not now
        ]
        for each in others if now else ():
            changed = replace(view.evidence, chosen={**view.evidence.chosen, item: each})
            found = _DOMAINS[domain](replace(view, evidence=changed))
            levels.append((found.lower, found.upper))
    return worst(levels)


class _View(Struct, frozen=True, gc=False):
    """One visit, by item and by statement; ``used`` are the statements and the person that were looked at."""

    record: Record
    evidence: Evidence
    window: Visit
    rule: DerivedRule
    egfr: EgfrRule
    used: list[Piece] = field(default_factory=list)

    def value(self, item: str) -> Interval | None:
        return value_of(self.evidence.at(item))

    def found(self, item: str) -> Truth:
        measurement = self.evidence.at(item)
        return measurement.found if measurement and measurement.usable else None

    def said(self, code: str) -> Truth:
        answer, facts = said(self.record, code, self.window.last, self.window.first)
        self.used.extend(piece for piece, _ in facts)
        return answer

    def earlier(self, item: str, days: int) -> list[Measurement]:
        """The results of an item in so many days before the one of the visit."""
        now = self.evidence.at(item)
        if now is None:
            return []
        first = now.at.first
        return results(self.record, item, first - timedelta(days=days), first - timedelta(days=1))


def _biological(view: _View) -> Proposal:
    low = [_below_own_limit(view.evidence.at(item)) for item in ("c3", "c4", "ch50")]
    return biological(
        igg=view.value("igg"),
        low_complement=any_of(low),
        clonal_component=view.found("monoclonal-protein"),
        cryoglobulin=view.found("cryoglobulin"),
        recent_fall=_recent_fall(view),
        drug_caused=view.said("low-igg-drug-caused"),
        rule=view.rule.biological,
    )


def _below_own_limit(measurement: Measurement | None) -> Truth:
    value = value_of(measurement)
    if measurement is None or value is None or measurement.normal is None or measurement.normal.low is None:
        return None
    return value.below(measurement.normal.low)


def _recent_fall(view: _View) -> Truth:
    """Whether IgG was not yet so low a short time before; None where it was not measured then."""
    rule = view.rule.biological
    earlier = [value_of(each) for each in view.earlier("igg", rule.recent_days)]
    if not earlier:
        return None
    return any_of(value.at_least(rule.igg_fall_below) if value else None for value in earlier)


def _haematological(view: _View) -> Proposal:
    return haematological(
        {item: view.value(item) for item in LINEAGES},
        {item: view.said(statement) for item, statement in LINEAGES.items()},
        view.rule.haematological,
        {
            item: measurement.normal
            for item in LINEAGES
            if (measurement := view.evidence.at(item)) is not None and measurement.normal is not None
        },
    )


def _renal(view: _View) -> Proposal:
    protein, ratio = view.value("urine-protein-24h"), view.value("upcr")
    from_ratio = view.evidence.at("urine-protein-24h") is None and ratio is not None
    person, creatinine = view.record.person, view.evidence.at("creatinine")
    age = None
    if person and person.born and creatinine:
        day = creatinine.at.first
        age = Interval(years(person.born[1], day), years(person.born[0], day))
        view.used.append(person)
    gfr = estimate(age, person.sex if person else None, view.value("height"), value_of(creatinine), view.egfr)
    biopsies = {"membranous": "biopsy-membranous", "proliferative": "biopsy-proliferative"}
    seen = [name for name, statement in biopsies.items() if view.said(statement)]
    found = renal(
        proteinuria=ratio if from_ratio else protein,
        haematuria=view.said("glomerular-haematuria"),
        gfr=gfr.value,
        tubular_acidosis=view.said("tubular-acidosis"),
        glomerular=view.said("glomerular-disease"),
        active=view.said("renal-active"),
        histology=seen[-1] if seen else None,
        rule=view.rule.renal,
    )
    flags = (*found.flags, *gfr.flags, *(("proteinuria-from-ratio",) if from_ratio else ()))
    return replace(found, flags=flags)


def _muscular(view: _View) -> Proposal:
    measurement, value = view.evidence.at("ck"), view.value("ck")
    limit = measurement.normal.high if measurement and measurement.normal else None
    return muscular(
        proven=view.said("myositis-proven"),
        ck_multiple=value.scaled(1 / limit) if value and limit else None,
        weakest=view.value("weakest-muscle"),
        rule=view.rule.muscular,
    )


def _pulmonary(view: _View) -> Proposal:
    return pulmonary(
        interstitial=view.said("interstitial-lung-active"),
        dlco=view.value("dlco"),
        fvc=view.value("fvc"),
        nyha=view.value("nyha"),
        cough=view.said("bronchial-cough"),
        rule=view.rule.pulmonary,
    )


def _constitutional(view: _View) -> Proposal:
    return constitutional(
        temperature=view.value("temperature"),
        weight_loss=_weight_loss(view),
        night_sweats=view.said("night-sweats"),
        from_disease=view.said("constitutional-from-disease"),
        rule=view.rule.constitutional,
    )


def _weight_loss(view: _View) -> Interval | None:
    """The loss in % of the highest weight of the time before; children are held against themselves."""
    now = view.value("weight")
    before = [
        value.exact
        for each in view.earlier("weight", view.rule.constitutional.previous_weight_days)
        if (value := value_of(each)) is not None and value.exact
    ]
    if now is None or not before:
        return None
    share = quotient(now, Interval(max(before), max(before)))
    return Interval(
        None if share.high is None else 100 * (1 - share.high),
        None if share.low is None else 100 * (1 - share.low),
        share.high_open,
        share.low_open,
    )


_DOMAINS: Mapping[str, Callable[[_View], Proposal]] = {
    "biological": _biological,
    "haematological": _haematological,
    "renal": _renal,
    "muscular": _muscular,
    "pulmonary": _pulmonary,
    "constitutional": _constitutional,
}
