"""Code systems and value sets of the package: every code comes from ``trial``, so a code stands once."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.conduct.names import CRITERIA
from fhir_adapter.mapping.hospital import CONSENTS, CONTACTS, ROUTES, VACCINES
from fhir_adapter.mapping.profiles.resource import HL7, Json, canonical_url, resource
from fhir_adapter.mapping.statement import ASKED
from fhir_adapter.trial.components import COMPONENTS, FINDINGS, LEVELS
from fhir_adapter.trial.drugs import DRUGS, Drug
from fhir_adapter.trial.items import (
    CATEGORIES,
    ESSDAI_DOMAINS,
    ESSPRI_SCALES,
    EYES,
    HOCEVAR_COMPONENTS,
    HOCEVAR_GLANDS,
    ITEMS,
    NOT_USED,
    OUTCOMES,
    REASONS,
    RESULTS,
    SITED,
    Item,
    Kind,
)

OBSERVATION_STATUS = f"{HL7}/observation-status"


def _concepts(displays: Mapping[str, str]) -> list[Json]:
    return [{"code": code, "display": display} for code, display in displays.items()]


def _names(drugs: Mapping[str, Drug]) -> dict[str, str]:
    return {code: drug.display for code, drug in drugs.items()}


def _item_concept(item: Item) -> Json:
    """An item's concept; the definition tells those who map a hospital's codes which units are read."""
    concept = {"code": item.code, "display": item.display}
    if item.kind is Kind.LEVEL:
        first, *_, last = item.levels
        steps = ", ".join(map(str, item.levels)) if len(item.levels) < 5 else f"{first} to {last}"
        concept["definition"] = f"A whole number: {steps}."
    elif item.kind is Kind.FINDING:
        concept["definition"] = "Positive, negative or indeterminate."
    elif item.kind is Kind.TITRE:
        concept["definition"] = "A dilution 1:n, kept as n."
    else:
        concept["definition"] = f"Kept in {item.unit}; read from {', '.join(item.factors)}."
    return concept


def _sited_concepts() -> list[Json]:
    concepts = []
    for group, members in SITED.items():
        site, item = next(iter(members.items()))
        display = ITEMS[item].display.replace(site.replace("-", " "), "one")
        definition = f"The body site says which: {', '.join(members.values())}."
        concepts.append({"code": group, "display": display, "definition": definition})
    return concepts


def sites() -> dict[str, str]:
    """The body sites by code, with their names."""
    codes = dict.fromkeys(site for sites in SITED.values() for site in sites)
    return {
        site: f"{site.capitalize()} eye" if site in EYES else f"{site.replace('-', ' ').capitalize()} gland"
        for site in codes
    }


def terminology() -> list[Json]:
    """Every CodeSystem and ValueSet of the package."""
    not_used = {NOT_USED: "Known, and not used by the trial"}
    systems: list[tuple[str, str, str, list[Json]]] = [
        (
            "items",
            "Items",
            "What is measured, rated or asked; the targets of a hospital's code lists.",
            [*map(_item_concept, ASKED.values()), *_sited_concepts(), *_concepts(not_used)],
        ),
        (
            "outcomes",
            "Outcomes",
            "What is computed and written back.",
            _concepts({code.value: display for code, (display, _) in OUTCOMES.items()}),
        ),
        (
            "components",
            "Components of outcomes",
            "Parts, intermediate answers and alternative readings of an outcome.",
            _concepts(COMPONENTS),
        ),
        (
            "criteria",
            "Criteria",
            "Criteria of entry and gates of a drug, each with its readings and parts.",
            _concepts(CRITERIA),
        ),
        (
            "results",
            "Results",
            "Whether a participant responded, or a criterion is satisfied.",
            _concepts(RESULTS),
        ),
        ("reasons", "Reasons", "Why an outcome or a component has no value.", _concepts(REASONS)),
        (
            "categories",
            "Categories of activity",
            "Categories of ESSDAI and ClinESSDAI: below 5, 5 to 13, 14 and more.",
            _concepts(CATEGORIES),
        ),
        ("sites", "Body sites", "The eyes and glands that items are told apart by.", _concepts(sites())),
        (
            "levels",
            "Levels",
            "The whole number that a coded answer stands for: an ESSDAI level, a grade or a class.",
            _concepts({str(level): display for level, display in LEVELS.items()}),
        ),
        ("findings", "Findings", "What a coded laboratory finding says.", _concepts(FINDINGS)),
        (
            "drugs",
            "Drugs",
            "The drugs that a trial asks about: its own, and those of a participant's history.",
            _concepts({**_names(DRUGS), **not_used}),
        ),
        ("routes", "Routes", "How a drug was given, as far as a criterion asks.", _concepts(ROUTES)),
        ("contacts", "Contacts", "Whether a contact with the hospital was a stay.", _concepts(CONTACTS)),
        ("vaccines", "Vaccines", "Whether a vaccine is live.", _concepts({**VACCINES, **not_used})),
        ("consents", "Consents", "What a consent is about.", _concepts({**CONSENTS, **not_used})),
    ]
    made = [_code_system(*system) for system in systems]
    made += [
        _value_set(name, title, description, [{"system": canonical_url("CodeSystem", name)}])
        for name, title, description, _ in systems
    ]
    made.append(
        _value_set(
            "component-codes",
            "What a component of an outcome speaks of",
            "A part or a reading of an outcome, or a criterion.",
            [{"system": canonical_url("CodeSystem", name)} for name in ("components", "criteria")],
        )
    )
    for name, title, codes in (
        ("essdai-domains", "ESSDAI domains", [f"essdai-{domain}" for domain in ESSDAI_DOMAINS]),
        ("esspri-scales", "ESSPRI scales", [f"esspri-{scale}" for scale in ESSPRI_SCALES]),
        (
            "hocevar-grades",
            "Hočevar grades",
            [f"hocevar-{gland}-{component}" for gland in HOCEVAR_GLANDS for component in HOCEVAR_COMPONENTS],
        ),
    ):
        concepts = _concepts({code: ITEMS[code].display for code in codes})
        include = {"system": canonical_url("CodeSystem", "items"), "concept": concepts}
        made.append(_value_set(name, title, f"{title}: the items that the total is made of.", [include]))
    made.append(
        _value_set(
            "coded-values",
            "Coded values of components",
            "A result, a category of activity, or why a result is open.",
            [{"system": canonical_url("CodeSystem", name)} for name in ("results", "categories", "reasons")],
        )
    )
    statuses = [{"code": "final"}, {"code": "entered-in-error"}]
    made.append(
        _value_set(
            "outcome-status",
            "Statuses of an outcome",
            "A computed outcome stands, or is withdrawn; it is never preliminary.",
            [{"system": OBSERVATION_STATUS, "concept": statuses}],
        )
    )
    return made


def _code_system(name: str, title: str, description: str, concepts: list[Json]) -> Json:
    return {
        **resource("CodeSystem", name, title, description),
        "caseSensitive": True,
        "valueSet": canonical_url("ValueSet", name),
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def _value_set(name: str, title: str, description: str, include: list[Json]) -> Json:
    return {**resource("ValueSet", name, title, description), "compose": {"include": include}}
