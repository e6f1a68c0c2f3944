"""Outcome → Observation → outcome: equal at four decimals, with everything that it says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fhir_adapter.conduct.names import CRITERIA
from fhir_adapter.exchange.resource import decode, encode
from fhir_adapter.mapping import outcome as mapping
from fhir_adapter.mapping import provenance
from fhir_adapter.trial.components import BOUNDS, COMPONENTS, REASON
from fhir_adapter.trial.items import CATEGORIES, FLAGS, OUTCOMES, REASONS, RESULTS, OutcomeCode
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Component, Outcome
from fhir_adapter.trial.values import Interval, rounded

TARGET = mapping.Target(
    ("https://clinicaltrials.gov", "NCT06410833"),
    "urn:example:trial-participant",
    {"JSS-01": {"reference": "Patient/p1"}},
)

numbers = st.fractions(min_value=-200, max_value=200, max_denominator=1000)
days = st.dates(date(2024, 1, 1), date(2026, 12, 31))
reasons = st.sampled_from(sorted(REASONS))
NAMES = sorted({*COMPONENTS, *CRITERIA} - {BOUNDS, REASON})
texts = st.sampled_from(("", "E3", "missing: Creatinine (laboratory)"))


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, high = sorted((draw(numbers), draw(numbers)))
    kept = draw(st.sampled_from(("both", "low", "high")))
    return Interval(low if kept != "high" else None, high if kept != "low" else None)


@st.composite
def components(draw: st.DrawFn, name: str) -> Component:
    match draw(st.sampled_from(("number", "answer", "code", "day", "reason"))):
        case "number":
            return Component(name, number=draw(numbers), unit=draw(st.sampled_from(("mm", "%", "mL/min"))))
        case "answer":
            return Component(name, answer=draw(st.booleans()))
        case "code":
            code = draw(st.sampled_from(sorted((*RESULTS, *CATEGORIES))))
            return Component(name, code=code, label=draw(texts), detail=draw(texts))
        case "day":
            return Component(name, day=draw(days))
        case _:
            return Component(name, reason=draw(reasons), label=draw(texts), detail=draw(texts))


@st.composite
def origins(draw: st.DrawFn) -> Origin:
    kind = draw(st.sampled_from(("Observation", "QuestionnaireResponse")))
    id, version = draw(st.sampled_from(("a1", "b-2", "c.3"))), str(draw(st.integers(1, 9)))
    return Origin("", kind, id, version, f"https://fhir.example/r4/{kind}/{id}/_history/{version}")


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    code = draw(st.sampled_from(OutcomeCode))
    value = draw(st.sampled_from(("number", "result", "day", "reason")))
    first, last = sorted((draw(days), draw(days)))
    open_result = value == "result" and draw(st.booleans())
    explained = value == "reason" or open_result
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=6))
    return Outcome(
        subject="JSS-01",
        visit=draw(st.sampled_from(("baseline", "week-28", "study"))),
        code=code,
        number=draw(numbers) if value == "number" else None,
        unit=OUTCOMES[code][1] or "{score}",
        result=draw(st.sampled_from(sorted(RESULTS))) if value == "result" else None,
        day=draw(days) if value == "day" else None,
        reason=draw(reasons) if explained else None,
        detail=draw(st.sampled_from(("", "missing: pns"))) if explained else "",
        bounds=draw(st.none() | intervals()) if value == "reason" else None,
        components=tuple(draw(components(name)) for name in names),
        flags=tuple(draw(st.lists(st.sampled_from(sorted(FLAGS)), unique=True, max_size=3))),
        effective=draw(st.sampled_from((None, (first, last), (first, first)))),
        origins=tuple(sorted(draw(st.sets(origins(), max_size=3)))),
    )


def at_four_decimals(outcome: Outcome) -> Outcome:
    def cut(value: Fraction | None) -> Fraction | None:
        return None if value is None else Fraction(rounded(value))

    bounds = outcome.bounds
    return replace(
        outcome,
        number=cut(outcome.number),
        unit=OUTCOMES[OutcomeCode(outcome.code)][1],
        bounds=Interval(cut(bounds.low), cut(bounds.high)) if bounds else None,
        components=tuple(
            replace(
                each,
                number=cut(each.number),
                unit=each.unit if each.number is not None else "{score}",
            )
            for each in outcome.components
        ),
    )


@given(outcomes())
def test_round_trip(outcome: Outcome) -> None:
    document = decode(mapping.write(outcome, TARGET).body)
    assert mapping.read(document) == at_four_decimals(outcome)


@given(st.lists(outcomes(), min_size=1, max_size=3))
def test_parts_that_were_encoded_before_change_no_digest(several: list[Outcome]) -> None:
    for outcome in several:
        found = mapping.write(outcome, TARGET)
        document = decode(found.body)
        assert document["id"] == found.id
        assert mapping.digest(document) == found.digest


@given(outcomes())
def test_what_is_written_is_an_r4_observation(outcome: Outcome) -> None:
    document = {**decode(mapping.write(outcome, TARGET).body), "issued": "2026-03-01T00:00:00Z"}
    Observation.model_validate_json(encode(document))


@given(outcomes())
def test_the_same_outcome_has_the_same_bytes_and_id(outcome: Outcome) -> None:
    assert mapping.write(outcome, TARGET) == mapping.write(replace(outcome), TARGET)


def as_a_server_gives_it(value: Any) -> Any:
    """Numbers as floats, keys in another order."""
    if isinstance(value, dict):
        return {key: as_a_server_gives_it(value[key]) for key in sorted(value, reverse=True)}
    if isinstance(value, list):
        return [as_a_server_gives_it(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


@given(outcomes())
def test_a_server_may_respell_but_not_change(outcome: Outcome) -> None:
    document = decode(mapping.write(outcome, TARGET).body)
    returned = as_a_server_gives_it(document)
    returned["meta"] = {"versionId": "3", "lastUpdated": "2026-03-01T00:00:00Z", "tag": [{"code": "x"}]}
    returned["issued"] = "2026-03-01T00:00:00Z"
    assert mapping.digest(returned) == mapping.digest(document)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "entered-in-error"},
        {"subject": {"reference": "Patient/p2"}},
        {"note": [{"text": "checked by hand"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_by_hand_is_seen(change: dict[str, Any]) -> None:
    document = decode(mapping.write(Outcome("JSS-01", "week-28", "essdai", number=Fraction(3)), TARGET).body)
    assert mapping.digest({**document, **change}) != mapping.digest(document)


def test_the_id_is_of_study_subject_visit_and_outcome() -> None:
    study = TARGET.study
    ids = {
        mapping.outcome_id(study, "JSS-01", "week-28", "essdai"),
        mapping.outcome_id(study, "JSS-02", "week-28", "essdai"),
        mapping.outcome_id(study, "JSS-01", "baseline", "essdai"),
        mapping.outcome_id(study, "JSS-01", "week-28", "esspri"),
        mapping.outcome_id(("https://clinicaltrials.gov", "NCT00000000"), "JSS-01", "week-28", "essdai"),
    }
    assert len(ids) == 5
    assert mapping.outcome_id(study, "JSS-01", "week-28", "essdai") in ids


def test_a_provenance_names_every_source_and_has_an_id_of_its_content() -> None:
    document = decode(mapping.write(Outcome("JSS-01", "week-28", "essdai", number=Fraction(3)), TARGET).body)
    dose = Origin(
        "h",
        "MedicationAdministration",
        "m1",
        "2",
        "https://fhir.example/r4/MedicationAdministration/m1/_history/2",
    )
    proof = provenance.write(
        document,
        [dose],
        content=mapping.digest(document),
        operation="CREATE",
        recorded="2026-03-01T00:00:00Z",
        software="0.1.0",
        rules=["urn:x:y"],
    )
    (entity,) = proof["entity"]
    assert entity["what"] == {
        "type": "MedicationAdministration",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": dose.url},
    }
    assert proof["target"] == [{"reference": f"Observation/{document['id']}"}]
    later = provenance.write(
        document,
        [dose],
        content=mapping.digest(document),
        operation="UPDATE",
        recorded="2027-01-01T00:00:00Z",
        software="9.9",
        rules=[],
    )
    assert later["id"] == proof["id"]
    other = {**document, "status": "entered-in-error"}
    withdrawn = provenance.write(
        other,
        [dose],
        content=mapping.digest(other),
        operation="NULLIFY",
        recorded="2027-01-01T00:00:00Z",
        software="9.9",
        rules=[],
    )
    assert withdrawn["id"] != proof["id"]
    assert provenance.names_digest(proof, mapping.digest(document))
    assert not provenance.names_digest(withdrawn, mapping.digest(document))
