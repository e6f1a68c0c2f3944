"""QuestionnaireResponse → ratings and statements: forms such as ESSDAI, also with nested groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_adapter.mapping import form_score, when
from fhir_adapter.mapping.context import Context, Mapped, dated, query, said_status
from fhir_adapter.mapping.hospital import UnknownCode, listed
from fhir_adapter.mapping.observation import keep, measured
from fhir_adapter.mapping.statement import ASKED
from fhir_adapter.trial.items import NOT_USED
from fhir_adapter.trial.types import QueryKind
from fhir_adapter.trial.values import Moment

COUNTING = ("completed", "amended")
"""Forms with these statuses count."""
STATUSES = (*COUNTING, "in-progress", "stopped", "entered-in-error")
"""QuestionnaireResponse.status of R4."""


def read(resource: Mapping[str, Any], context: Context) -> Mapped:
    """The ratings and statements of one filled-in form.

    The ConceptMap group whose source is the Questionnaire's canonical URL says which item a linkId is, or
    which score. An unanswered item is no rating; an answer to an unknown linkId is an unknown code. A score
    that the form calculated is held against its answers.
    """
    mapped = Mapped()
    status = resource.get("status")
    if status == "entered-in-error":
        return mapped
    form = str(resource.get("questionnaire", "")).split("|")[0]
    at, kind = _authored(resource, context)
    shown: list[tuple[str, list[dict[str, Any]]]] = []
    for entry in _answered(resource):
        answers = listed(entry, "answer")
        code = (form, str(entry.get("linkId", "")))
        if code in context.hospital.codes["outcomes"]:
            shown.append((context.hospital.codes["outcomes"][code], answers))
            continue
        try:
            name, _ = context.hospital.match("items", {"system": form, "code": code[1]})
        except UnknownCode as unknown:
            mapped.unknown_codes.append(unknown.code)
            continue
        if name == NOT_USED:
            continue
        if name not in ASKED:
            text = "The question is mapped to a test of two sides; map it to the item of one side."
            mapped.queries.append(dated(query(context, name, QueryKind.NO_BODY_SITE, text), at))
            continue
        if status not in COUNTING:
            text = f"The form has {said_status(status, STATUSES)} and does not count."
            mapped.queries.append(dated(query(context, name, QueryKind.NOT_FINAL, text), at))
            continue
        if at is None:
            text = "The form has no date that can be read (authored), so it belongs to no visit."
            mapped.queries.append(query(context, name, kind, text))
            continue
        # Several answers to one question are no answer: which of them is meant must be asked.
        element = answers[0] if len(answers) == 1 else {"valueString": "several answers"}
        keep(measured(resource, element, ASKED[name], at, context, ""), mapped)
    for score, answers in shown:
        if at is not None and len(answers) == 1:
            asked = form_score.disagreement(score, answers[0], mapped.measurements, at, context)
            mapped.queries += [asked] if asked else []
    return mapped


def _authored(resource: Mapping[str, Any], context: Context) -> tuple[Moment | None, QueryKind]:
    text = resource.get("authored")
    try:
        if isinstance(text, str):
            return when.moment(text, context.zone, context.hospital.timezone), QueryKind.NO_DATE
    except when.NoTimeZone:
        return None, QueryKind.NO_TIME_ZONE
    except when.NoDate:
        pass
    return None, QueryKind.NO_DATE


def _answered(parent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every answered item, at any depth: groups nest items, and answers may nest further items."""
    stack = list(reversed(listed(parent, "item")))
    while stack:
        entry = stack.pop()
        answers = listed(entry, "answer")
        if answers:
            yield entry
        nested = [child for answer in answers for child in listed(answer, "item")]
        stack.extend(reversed([*listed(entry, "item"), *nested]))
