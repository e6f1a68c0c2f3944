"""E1 to E9: who may not enter. Biologics, kidneys, infections, vaccines, diagnoses, what a physician says.

Each is judged on day 0 (dossier §8). Events of which there is no record: satisfied if their type of
resource was pulled, else open (§14.14). What only a person can answer stays open until answered; the
records alone can only violate it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction

from msgspec.structs import replace

from fhir_adapter.conduct.answers import (
    Answer,
    Judged,
    Missing,
    Piece,
    Supplier,
    by_reading,
    deciding,
    listed,
    shown,
    unique,
)
from fhir_adapter.conduct.egfr import estimate, years
from fhir_adapter.conduct.record import (
    ORDERS,
    Days,
    Record,
    agreed,
    ask,
    ask_laboratory,
    diagnosed,
    ever,
    has_code,
    inside,
    latest,
    not_pulled,
    overlaps,
    said,
)
from fhir_adapter.conduct.rules import (
    BiologicsRule,
    DaysRule,
    DiagnosisRule,
    EgfrRule,
    InfectionRule,
    KidneyRule,
    MonthsRule,
    StatementRule,
    StayRule,
    SteroidRule,
    SuppressionRule,
)
from fhir_adapter.scores.branches import value_of
from fhir_adapter.scores.response import months_before
from fhir_adapter.trial.drugs import Group, of_group
from fhir_adapter.trial.history import Diagnosis, Order, Stay
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.types import Measurement
from fhir_adapter.trial.values import Interval, Truth, all_of, any_of, negation


def _events(
    code: str, judged: Sequence[Judged], record: Record, types: tuple[str, ...], question: str
) -> Answer:
    """The answer of a criterion that an event violates; ``judged`` are the events of its kind."""
    present = shown(judged)
    if present is not False:
        missing = (Missing(Supplier.PHYSICIAN, question),) if present is None else ()
        return Answer(code, negation(present), evidence=deciding(judged), missing=missing)
    if not record.has(*types):
        return Answer(code, None, evidence=deciding(judged), missing=(not_pulled(*types),))
    return Answer(code, True, evidence=deciding(judged), remarks=() if judged else ("no-record",))


# ------------------------------------------------------------------------------------------ biologics


def biologics(record: Record, rule: BiologicsRule, days: Days) -> Answer:
    """E1: the drug with a washout in the months before day 0; any other biologic at any time before."""
    start, end = months_before(days.zero, rule.months), days.zero - timedelta(days=1)
    kinds = of_group(Group.BIOLOGIC)
    judged: list[Judged] = [
        (dose, dose.drug != rule.washout or start <= dose.day)
        for dose in record.doses
        if dose.given and dose.drug in kinds and dose.day <= end
    ]
    judged += [
        (order, all_of((_treated(order, rule, start, end), order.certain or None)))
        for order in record.orders
        if order.drug in kinds and not _of_the_study(order, rule, days)
    ]
    answer = _events(rule.code, judged, record, ORDERS, "When biologics were given before")
    if answer.holds and days.begun and days.consent is None:
        # Which dose began the study, and which were before it, only the day of consent tells (§14.5).
        return replace(answer, holds=None, missing=(Missing(Supplier.FORM, "Day of consent"),), remarks=())
    return answer


def _of_the_study(order: Order, rule: BiologicsRule, days: Days) -> bool:
    """What is ordered of the study drugs from consent on is the study's own (§14.5)."""
    since = days.consent or days.zero
    return order.drug in rule.study_drugs and order.first is not None and order.first >= since


def _treated(order: Order, rule: BiologicsRule, start: date, end: date) -> Truth:
    if order.drug != rule.washout:
        return overlaps(order, date.min, end)
    if order.last is None:
        # A course of infusions has an end: an order that states none does not say when the last one was.
        begun_inside = order.first is not None and start <= order.first <= end
        return True if begun_inside else False if order.first and order.first > end else None
    if start <= order.last <= end:
        return True
    return overlaps(order, start, end)


# ---------------------------------------------------------------------------------- a person's answer


def stated(record: Record, rule: StatementRule, days: Days) -> Answer:
    """E2, E5e, E8: what only a person can say."""
    answer, facts = said(record, rule.statement, days.zero)
    missing = (ask(rule.statement),) if answer is None else ()
    return Answer(rule.code, negation(answer), evidence=deciding(facts), missing=missing)


def _person_or_orders(
    code: str, statement: str, orders: Sequence[Judged], record: Record, days: Days
) -> Answer:
    """A criterion that an order may violate and only a person can clear."""
    told, facts = said(record, statement, days.zero)
    ordered = shown(orders) or None
    present, remarks = agreed(told, ordered)
    missing = (ask(statement),) if present is None else ()
    return Answer(
        code,
        negation(present),
        evidence=deciding([*facts, *orders]) if not remarks else unique(p for p, _ in [*facts, *orders]),
        missing=missing,
        remarks=remarks,
    )


def suppression(record: Record, rule: SuppressionRule, days: Days) -> Answer:
    """E5a: an anti-infective on day 0 for a chronic infection."""
    judged = [
        (order, all_of((_current(order, days.zero), True if order.indication else None)))
        for order in record.orders
        if order.drug in of_group(Group.ANTI_INFECTIVE)
        and (not order.indication or has_code(order.indication, rule.infections))
        and _current(order, days.zero) is not False
    ]
    return _person_or_orders(rule.code, rule.statement, judged, record, days)


def steroid(record: Record, rule: SteroidRule, days: Days) -> Answer:
    """E9: a glucocorticoid on day 0 for something else."""
    judged = [
        (order, all_of((_current(order, days.zero), True if order.indication else None)))
        for order in record.orders
        if order.drug in of_group(Group.GLUCOCORTICOID)
        and not (order.indication and all(has_code((code,), rule.related) for code in order.indication))
        and _current(order, days.zero) is not False
    ]
    return _person_or_orders(rule.code, rule.statement, judged, record, days)


def _current(order: Order, day: date) -> Truth:
    return overlaps(order, day, day)


# -------------------------------------------------------------------------------------------- kidneys


def kidney(record: Record, rule: KidneyRule, egfr: EgfrRule, days: Days) -> Answer:
    """E3: eGFR from the latest creatinine and height."""
    creatinine = latest(record, "creatinine", days.zero - timedelta(days=rule.creatinine_days), days.zero)
    height = latest(record, "height", days.zero - timedelta(days=rule.height_days), days.zero)
    person = record.person
    born = person.born if person else None
    day = creatinine.at.first if creatinine else days.zero
    age = Interval(years(born[1], day), years(born[0], day)) if born else None
    found = estimate(age, person.sex if person else None, value_of(height), value_of(creatinine), egfr)
    holds, readings = by_reading(
        rule.formula_reading,
        {
            "by-age": _enough(found.value, rule.least),
            "bedside-schwartz": _enough(found.schwartz, rule.least),
            "ckid-u25": _enough(found.u25, rule.least),
        },
    )
    missing: list[Missing] = []
    if holds is None:
        if value_of(creatinine) is None or found.value is not None:
            missing += ask_laboratory("creatinine")
        if value_of(height) is None:
            missing.append(Missing(Supplier.PHYSICIAN, ITEMS["height"].display))
        if born is None:
            missing.append(Missing(Supplier.RECORDS, "Date of birth"))
    pieces: list[Piece] = [each for each in (creatinine, height, person) if each is not None]
    return Answer(
        rule.code,
        holds,
        readings,
        evidence=unique(pieces),
        missing=listed(missing),
        remarks=tuple(flag for flag in found.flags if flag == f"formulas-disagree-about-{rule.least}"),
        numbers={
            f"egfr-{formula}": value
            for formula, value in (("bedside-schwartz", found.schwartz), ("ckid-u25", found.u25))
            if value is not None
        },
    )


def _enough(value: Interval | None, least: Fraction) -> Truth:
    return value.at_least(least) if value else None


# ----------------------------------------------------------------------------------------- infections


def infection(record: Record, rule: InfectionRule, days: Days) -> Answer:
    """E4: hepatitis B and C, HIV ever, active tuberculosis; satisfied only when each is (§14.15)."""
    end = days.zero
    hbv, hbv_facts, remarks = _hepatitis_b(record, rule, end)
    hcv, hcv_facts = ever(record, "hcv-ab", end)
    hiv, hiv_facts = _with_diagnoses(*ever(record, "hiv", end), record, rule.hiv, end)
    tb, tb_facts, tb_missing, tb_remarks = _tuberculosis(record, rule, end)
    present = {"hbv": hbv, "hcv": hcv, "hiv": hiv, "tb": tb}
    parts = {name: negation(each) for name, each in present.items()}
    holds = all_of(parts.values())
    missing: list[Missing] = []
    if holds is None:
        items = {"hbv": ("hbsag", "hbsab", "hbcab"), "hcv": ("hcv-ab",), "hiv": ("hiv",)}
        for name, tests in items.items():
            if present[name] is None:
                missing += ask_laboratory(*(test for test in tests if not _clear(record, test, rule, end)))
        missing += tb_missing
    facts = [*hbv_facts, *hcv_facts, *hiv_facts, *tb_facts]
    return Answer(rule.code, holds, {}, parts, deciding(facts), listed(missing), (*remarks, *tb_remarks))


def _hepatitis_b(
    record: Record, rule: InfectionRule, end: date
) -> tuple[Truth, list[Judged], tuple[str, ...]]:
    """Surface antigen, or both antibodies; surface antibody alone is a vaccination, core alone a flag."""
    antigen, antigen_facts = ever(record, "hbsag", end)
    surface, surface_facts = ever(record, "hbsab", end, lambda each: _surface(each, rule))
    core, core_facts = ever(record, "hbcab", end)
    both = all_of((surface, core))
    facts: list[Judged] = [
        *antigen_facts, *((piece, both) for piece, _ in (*surface_facts, *core_facts)),
    ]  # fmt: skip
    alone = core is True and surface is False and antigen is False
    return any_of((antigen, both)), facts, (("core-antibody-alone",) if alone else ())


def _surface(measurement: Measurement, rule: InfectionRule) -> Truth:
    if not measurement.usable:
        return None
    if measurement.value is None:
        return measurement.found
    return measurement.value.at_least(rule.surface_antibody_from)


def _clear(record: Record, item: str, rule: InfectionRule, end: date) -> bool:
    """Whether a test has a result that can be used."""
    if item == "hbsab":
        return ever(record, item, end, lambda each: _surface(each, rule))[0] is not None
    return ever(record, item, end)[0] is not None


def _with_diagnoses(
    answer: Truth, facts: Sequence[Judged], record: Record, codes: Sequence[str], end: date
) -> tuple[Truth, list[Judged]]:
    """A test's answer, or a diagnosis that shows the same: it can only add."""
    diagnosed = [pair for pair in _diagnosed(record, codes, end) if pair[1] is not False]
    return any_of((answer, *(truth for _, truth in diagnosed))), [*facts, *diagnosed]


def _tuberculosis(
    record: Record, rule: InfectionRule, end: date
) -> tuple[Truth, list[Judged], list[Missing], tuple[str, ...]]:
    """A physician's answer and diagnoses; without them a negative IGRA clears. A positive one is latent."""
    told, facts = said(record, "active-tuberculosis", end)
    current: list[Judged] = [
        (each, None if each.over and each.until is None else truth)
        for each, truth in _diagnosed(record, rule.tuberculosis, end)
        if truth is not False and not (each.until and each.until < end)
    ]
    answer, remarks = agreed(told, shown(current) or None)
    igra, tests = ever(record, "igra", end)
    if igra:
        remarks = (*remarks, "igra-positive")
    if told is None and not current and igra is False and record.has("Condition"):
        answer = False
    missing: list[Missing] = []
    if answer is None:
        if igra is None and not facts:
            missing += ask_laboratory("igra")
        if igra or current or facts:
            missing.append(ask("active-tuberculosis"))
        if igra is False and not record.has("Condition"):
            missing.append(not_pulled("Condition"))
    return answer, [*facts, *current, *((piece, answer) for piece, _ in tests)], missing, remarks


def _diagnosed(record: Record, codes: Sequence[str], end: date) -> list[tuple[Diagnosis, Truth]]:
    """The diagnoses of a list, and whether each was there by a day."""
    return [(each, diagnosed(each, end)) for each in record.diagnoses if has_code(each.codes, codes)]


# --------------------------------------------------------------------------------------------- events


def stay(record: Record, rule: StayRule, days: Days) -> Answer:
    """E5b: a stay for an infection that touches the days up to day 0; discharge inside counts."""
    start = days.zero - timedelta(days=rule.days)
    judged: list[Judged] = [
        (each, all_of((overlaps(each, start, days.zero), for_infection(each, rule)))) for each in record.stays
    ]
    return _events(rule.code, judged, record, ("Encounter",), "Whether the stay was for an infection")


def for_infection(stay: Stay, rule: StayRule) -> Truth:
    """Yes where a leading reason is an infection; open where only another one is, or one is not known."""
    leading = [_infection(each.codes, rule) for each in stay.reasons if each.leads]
    lesser = [_infection(each.codes, rule) for each in stay.reasons if not each.leads]
    infection: Truth = True if True in leading else False if {*leading, *lesser} == {False} else None
    return all_of((stay.admitted, infection))


def _infection(codes: tuple[str, ...], rule: StayRule) -> Truth:
    if has_code(codes, rule.infections):
        return True
    return None if not codes or has_code(codes, rule.perhaps_infections) else False


def anti_infective(record: Record, rule: DaysRule, days: Days) -> Answer:
    """E5c: an anti-infective into vein or muscle; by mouth does not count."""
    start = days.zero - timedelta(days=rule.days)
    judged: list[Judged] = [
        (each, all_of((overlaps(each, start, days.zero), each.parenteral)))
        for each in record.orders
        if each.drug in of_group(Group.ANTI_INFECTIVE)
    ]
    return _events(rule.code, judged, record, ORDERS, "Days and route of anti-infectives")


def vaccine(record: Record, rule: MonthsRule, days: Days) -> Answer:
    """E5d: a live vaccine in the calendar months before day 0, the boundary day included."""
    start = months_before(days.zero, rule.months)
    judged: list[Judged] = [
        (each, all_of((inside(each.at, start, days.zero), each.live))) for each in record.vaccinations
    ]
    return _events(rule.code, judged, record, ("Immunization",), "Which vaccine was given, and when")


def diagnosis(record: Record, rule: DiagnosisRule, days: Days) -> Answer:
    """E6, E7: a diagnosis at any time up to day 0."""
    judged = _diagnosed(record, rule.codes, days.zero)
    return _events(rule.code, judged, record, ("Condition",), "Since when the diagnosis stands")
