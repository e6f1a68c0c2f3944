"""QuestionnaireResponses against their Questionnaires. https://hl7.org/fhir/R4/questionnaireresponse.html

§10.18.3: the response's items are the questionnaire's, by linkId, nested as they are there and in their
order; an answer has the type of its question; a required question that is enabled is answered once the
response is completed; what is not enabled has no answer. Extensions of a question (minValue, maxSize, …)
limit its answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from fhir_adapter.validation.bindings import in_value_set
from fhir_adapter.validation.datatypes import value_of
from fhir_adapter.validation.fhirpath.errors import CannotEvaluate
from fhir_adapter.validation.fhirpath.regex import pattern
from fhir_adapter.validation.model import model
from fhir_adapter.validation.run import Path, Run, Scope
from fhir_adapter.validation.terminology import code_system
from fhir_adapter.validation.values import same

__all__ = ["check", "check_questions"]

Json = Mapping[str, Any]

_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
_SDC: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"

_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "boolean": ("boolean",), "decimal": ("decimal",), "integer": ("integer",), "date": ("date",),
    "dateTime": ("dateTime",), "time": ("time",), "string": ("string",), "text": ("string",), "url": ("uri",),
    "choice": ("Coding", "date", "time", "integer", "string"),
    "open-choice": ("Coding", "date", "time", "integer", "string"),
    "attachment": ("Attachment",), "reference": ("Reference",), "quantity": ("Quantity",),
}  # fmt: skip
"""Type of a question → types of its answers. https://hl7.org/fhir/R4/codesystem-item-type.html"""

_NUMBERS: Final = (int, Decimal, float)


def check(scope: Scope, run: Run) -> None:
    """A QuestionnaireResponse as a whole, after its elements."""
    canonical = scope.resource.get("questionnaire")
    if not isinstance(canonical, str):
        return
    found = _questionnaire(scope, run, canonical)
    if found is None:
        path = (scope.path, "questionnaire", -1)
        run.warning(
            path, "questionnaire-unknown", "is not known here, so the answers were not checked", "not-found"
        )
        return
    one = _Response(scope, run, found)
    one.items(_list(found, "item"), [(scope.resource, scope.path)], [scope.resource])


def check_questions(scope: Scope, run: Run) -> None:
    """Questionnaire.item.enableWhen.question: the linkId of another question, "whose answer … governs"."""
    known = {str(item.get("linkId")) for item in _all_items(scope.resource)}
    left = [(item, (scope.path, "item", index)) for index, item in _numbered(scope.resource, "item")]
    while left:
        item, path = left.pop()
        for condition in _list(item, "enableWhen"):
            question = condition.get("question")
            if isinstance(question, str) and question not in known:
                message = "hangs on a question that is none of the questionnaire"
                run.error(path, "questionnaire-link", message, "not-found")
            elif isinstance(question, str) and question == item.get("linkId"):
                run.error(path, "questionnaire-link", "hangs on its own answer", "business-rule")
        left += [(inner, (path, "item", index)) for index, inner in _numbered(item, "item")]


def _questionnaire(scope: Scope, run: Run, canonical: str) -> Json | None:
    if canonical.startswith("#"):
        for one in _list(scope.resource, "contained"):
            if one.get("id") == canonical[1:] and one.get("resourceType") == "Questionnaire":
                return one
        return None
    found = run.definitions.whole("Questionnaire", canonical)
    if found is None:
        named = re.search(r"Questionnaire/[A-Za-z0-9.-]{1,64}$", canonical)
        found = run.definitions.by_id(named[0]) if named and "url" not in canonical else None
        if found is not None and found.get("url") not in (None, canonical):
            found = None
    return found


class _Response:
    """One response under examination."""

    def __init__(self, scope: Scope, run: Run, questionnaire: Json) -> None:
        self.run = run
        self.response = scope.resource
        self.questionnaire = questionnaire
        self.is_complete = scope.resource.get("status") in ("completed", "amended")
        self.link_ids = {str(item.get("linkId")) for item in _all_items(questionnaire)}

    def items(
        self, questions: Sequence[Json], holders: Sequence[tuple[Json, Path]], around: Sequence[Json]
    ) -> None:
        """The items in each holder (the response, an item, an answer) against the questions that belong
        there.

        ``around`` are the holders from the outermost to this one, where enableWhen finds its questions.
        """
        run = self.run
        known = {str(question.get("linkId")): index for index, question in enumerate(questions)}
        for holder, path in holders:
            by_id: dict[str, list[tuple[Json, Path]]] = {}
            last = -1
            for index, item in _numbered(holder, "item"):
                here = (path, "item", index)
                link = item.get("linkId")
                if not isinstance(link, str):
                    run.error(
                        path,
                        "questionnaire-link",
                        "an item has no linkId, so it cannot be checked",
                        "required",
                    )
                    continue
                position = known.get(link)
                if position is None:
                    if link in self.link_ids:
                        run.error(
                            path, "questionnaire-place", "an item is not where its question is", "structure"
                        )
                    else:
                        run.error(
                            path,
                            "questionnaire-link",
                            "an item's linkId is none of the questionnaire",
                            "not-found",
                        )
                    continue
                if position < last:
                    run.error(
                        path,
                        "questionnaire-order",
                        "items are not in the order of the questions",
                        "structure",
                    )
                last = max(last, position)
                by_id.setdefault(link, []).append((item, here))
            for question in questions:
                self.question(question, by_id.get(str(question.get("linkId")), []), path, [*around])

    def question(
        self, question: Json, found: list[tuple[Json, Path]], path: Path, around: list[Json]
    ) -> None:
        """One question with the response's items for it."""
        run, link, kind = self.run, str(question.get("linkId")), question.get("type")
        is_enabled = self.enabled(question, around)
        if not found:
            if question.get("required") is True and is_enabled:
                self.missing(path, link)
            return
        if len(found) > 1 and not (kind == "group" and question.get("repeats") is True):
            message = f"has {len(found)} items with the linkId {link}; expected one"
            run.error(path, "questionnaire-repeats", message, "invalid")
        for item, here in found:
            if not is_enabled and ("answer" in item or "item" in item):
                run.error(
                    here,
                    "questionnaire-enabled",
                    f"{link} is not enabled, and yet has an answer",
                    "invariant",
                )
            self.item(question, item, here, [*around, item], is_enabled)

    def missing(self, path: Path, link: str) -> None:
        severity: Any = "error" if self.is_complete else "warning"
        self.run.say(
            severity, path, "questionnaire-required", f"the required item {link} has no answer", "required"
        )

    def item(self, question: Json, item: Json, path: Path, around: list[Json], is_enabled: bool) -> None:
        run, link, kind = self.run, str(question.get("linkId")), str(question.get("type"))
        text = item.get("text")
        if isinstance(text, str) and isinstance(question.get("text"), str) and text != question["text"]:
            run.error(path, "questionnaire-text", f"text is not the questionnaire's for {link}", "invalid")
        answers = _numbered(item, "answer")
        questions = _list(question, "item")
        if kind == "display":
            if "answer" in item:
                run.error(
                    path, "questionnaire-type", "an item of the type display has no answers", "structure"
                )
            if "item" in item:
                run.error(path, "questionnaire-type", "an item of the type display has no items", "structure")
            return
        if kind == "group":
            if answers:
                run.error(path, "questionnaire-type", "an item of the type group has no answers", "structure")
            self.items(questions, [(item, path)], around)
            return
        if not answers and question.get("required") is True and is_enabled:
            self.missing(path, link)
        if len(answers) > 1 and question.get("repeats") is not True:
            run.error(
                path, "questionnaire-repeats", f"{link} has {len(answers)} answers; expected one", "invalid"
            )
        self.count(question, len(answers), path)
        if "item" in item:
            run.error(path, "questionnaire-type", "items of a question stand in its answers", "structure")
        for index, answer in answers:
            here = (path, "answer", index)
            self.answer(question, kind, answer, here, len(answers), path)
            self.items(questions, [(answer, here)], [*around, answer])

    def count(self, question: Json, number: int, path: Path) -> None:
        """http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs and -maxOccurs."""
        least, most = (
            _extension(question, "questionnaire-minOccurs"),
            _extension(question, "questionnaire-maxOccurs"),
        )
        if isinstance(least, int) and number < least:
            self.run.error(
                path, "questionnaire-repeats", f"has {number} answers; at least {least}", "invalid"
            )
        if isinstance(most, int) and number > most:
            self.run.error(path, "questionnaire-repeats", f"has {number} answers; at most {most}", "invalid")

    def answer(self, question: Json, kind: str, answer: Json, path: Path, number: int, outer: Path) -> None:
        run = self.run
        found = _value(answer)
        if kind not in _TYPES:
            if found is not None:
                run.error(
                    outer,
                    "questionnaire-type",
                    f"an item of the type {kind[:20]} has no answers",
                    "structure",
                )
            return
        if found is None:
            return
        type, value = found
        here = (path, f"value.ofType({type})", -1)
        if isinstance(value, dict) != type[0].isupper() or isinstance(value, list) or value is None:
            return  # it has not the form of its type, and that is said already
        if type not in _TYPES[kind]:
            run.error(
                here, "questionnaire-type", f"is {type}; expected {' or '.join(_TYPES[kind])}", "invariant"
            )
            return
        if isinstance(value, str):
            self.string(question, type, value, here)
        if type in ("integer", "decimal", "date", "dateTime", "time"):
            self.limits(question, value, here)
        if type == "Attachment":
            self.attachment(question, value, path)
        elif type == "Quantity":
            self.quantity(question, value, here)
        self.options(question, kind, type, value, path, number)

    def string(self, question: Json, type: str, value: str, path: Path) -> None:
        """Questionnaire.item.maxLength; the extensions minLength and regex."""
        if type not in ("string", "uri"):
            return
        limit, least = question.get("maxLength"), _extension(question, "minLength")
        if isinstance(limit, int) and len(value) > limit:
            self.run.error(
                path, "questionnaire-length", f"has {len(value)} characters; at most {limit}", "invariant"
            )
        if isinstance(least, int) and len(value) < least:
            self.run.error(
                path, "questionnaire-length", f"has {len(value)} characters; at least {least}", "invariant"
            )
        expected = _extension(question, "regex")
        if isinstance(expected, str):
            try:
                fits = pattern(expected).fullmatch(value)
            except CannotEvaluate:
                self.run.warning(
                    path, "questionnaire-regex", "its question has a pattern that cannot be used"
                )
                return
            if not fits:
                shape = _extension(question, "entryFormat")
                like = f", such as {shape}" if isinstance(shape, str) else ""
                message = f"has not the form that is expected{like}"
                self.run.error(path, "questionnaire-regex", message, "invariant")

    def limits(self, question: Json, value: Any, path: Path) -> None:
        """Extensions minValue, maxValue and maxDecimalPlaces. A partial date is compared as it is written."""
        for name, word in (("minValue", "least"), ("maxValue", "most")):
            limit = _extension(question, name)
            both_numbers = isinstance(value, _NUMBERS) and isinstance(limit, _NUMBERS)
            if not both_numbers and not (isinstance(value, str) and isinstance(limit, str)):
                continue
            if value < limit if name == "minValue" else value > limit:
                self.run.error(path, "questionnaire-limit", f"is not allowed; at {word} {limit}", "invariant")
        places = _extension(question, "maxDecimalPlaces")
        if isinstance(places, int) and isinstance(value, Decimal):
            exponent = value.as_tuple().exponent
            if isinstance(exponent, int) and -exponent > places:
                self.run.error(
                    path, "questionnaire-limit", f"has more than {places} decimal places", "invariant"
                )

    def attachment(self, question: Json, value: Json, path: Path) -> None:
        """The extensions mimeType and maxSize."""
        kinds = [one for one in _extensions(question, "mimeType") if isinstance(one, str)]
        kind, size = value.get("contentType"), value.get("size")
        if kinds and isinstance(kind, str) and kind not in kinds:
            self.run.error(
                path, "questionnaire-attachment", f"contentType is none of {', '.join(kinds)}", "invalid"
            )
        most = _extension(question, "maxSize")
        if isinstance(most, _NUMBERS) and isinstance(size, int) and size > most:
            self.run.error(path, "questionnaire-attachment", f"has {size} bytes; at most {most}", "invalid")

    def quantity(self, question: Json, value: Json, path: Path) -> None:
        """The extensions unitOption, unitValueSet, and SDC's minQuantity and maxQuantity."""
        run = self.run
        options = [one for one in _extensions(question, "questionnaire-unitOption") if isinstance(one, dict)]
        unit = (value.get("system"), value.get("code"))
        if options and unit not in [(one.get("system"), one.get("code")) for one in options]:
            names = ", ".join(str(one.get("code")) for one in options)
            run.error(path, "questionnaire-unit", f"its unit is none of {names}", "invalid")
        value_set = _extension(question, "questionnaire-unitValueSet")
        if isinstance(value_set, str) and (
            unit[1] is None or in_value_set(run, value_set, dict(value)) is False
        ):
            run.error(path, "questionnaire-unit", f"its unit is not in {value_set}", "invalid")
        for name, word in (("minQuantity", "least"), ("maxQuantity", "most")):
            limit = _extension(question, f"sdc-questionnaire-{name}", _SDC)
            if not isinstance(limit, dict):
                continue
            pair = None if value.get("code") is None or limit.get("code") is None else value_of(value, limit)
            if pair is None:
                unit = limit.get("code", "without a code")
                message = f"cannot be compared with the limit of {limit.get('value')} {unit}"
                run.error(path, "questionnaire-limit", message, "invariant")
            elif pair[0] < pair[1] if name == "minQuantity" else pair[0] > pair[1]:
                message = f"is not allowed; at {word} {limit.get('value')} {limit.get('code')}"
                run.error(path, "questionnaire-limit", message, "invariant")

    def options(self, question: Json, kind: str, type: str, value: Any, path: Path, number: int) -> None:
        """Questionnaire.item.answerOption and .answerValueSet; of an open choice a string may be any."""
        run = self.run
        options = [
            (one, pair) for one in _list(question, "answerOption") if (pair := _value(one)) is not None
        ]
        value_set = question.get("answerValueSet")
        is_open = kind == "open-choice" and type == "string"
        if options and not is_open:
            same_type = [(one, held) for one, (of, held) in options if of == type]
            chosen = [one for one, held in same_type if _same_option(held, value)]
            if not same_type and kind != "open-choice":
                run.error(
                    path, "questionnaire-option", f"none of the options is of the type {type}", "invariant"
                )
            elif not chosen:
                run.error(path, "questionnaire-option", "is none of the options", "code-invalid")
            for one in chosen:
                if _extension(one, "questionnaire-optionExclusive") is True and number > 1:
                    message = "is an option that excludes all others, and there are others"
                    run.error(path, "questionnaire-option", message, "business-rule")
        elif isinstance(value_set, str) and type == "Coding" and not options:
            self.from_value_set(value_set, value, path)

    def from_value_set(self, value_set: str, value: Json, path: Path) -> None:
        run, code = self.run, value.get("code")
        if not isinstance(code, str):
            return
        if value_set.startswith("#"):
            return  # a value set that the questionnaire contains
        system = value.get("system")
        answer = in_value_set(run, value_set, dict(value) if isinstance(system, str) else code)
        if answer is False:
            run.error(path, "questionnaire-option", f"its code is not in {value_set}", "code-invalid")
        known = code_system(run.definitions, system) if isinstance(system, str) else None
        display = value.get("display")
        if answer and known and isinstance(display, str) and code in known["concept"]:
            name, _, others = known["concept"][code]
            names = {name.lower(), *(text.lower() for _, text in others)} - {""}
            if names and display.lower() not in names:
                run.error(
                    path,
                    "questionnaire-option",
                    f"its display is not that of {code} in {system}",
                    "code-invalid",
                )

    def enabled(self, question: Json, around: list[Json]) -> bool:
        """Questionnaire.item.enableWhen and .enableBehavior."""
        conditions = _list(question, "enableWhen")
        if not conditions:
            return True
        answers = [self.fulfilled(condition, around) for condition in conditions]
        return all(answers) if question.get("enableBehavior") == "all" else any(answers)

    def fulfilled(self, condition: Json, around: list[Json]) -> bool:
        """Whether a condition holds of the nearest item that it asks for."""
        link, operator = condition.get("question"), condition.get("operator")
        answers: list[tuple[str, Any]] = []
        for holder in reversed(around):
            items = [item for item in _all_items(holder) if item.get("linkId") == link]
            if items:
                answers = [
                    found
                    for item in items
                    for answer in _list(item, "answer")
                    if (found := _value(answer)) is not None
                ]
                break
        wanted = next((value for name, value in condition.items() if name.startswith("answer")), None)
        if operator == "exists":
            return bool(answers) == (wanted is not False)
        return any(_compares(value, operator, wanted) for _, value in answers)


def _compares(value: Any, operator: object, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(value, dict):
        pair = value_of(value, wanted) if "value" in wanted else None
        if pair is None:
            equal = _same_option(value, wanted)
            return equal if operator == "=" else not equal if operator == "!=" else False
        value, wanted = pair
    if operator == "=":
        return same(value, wanted)
    if operator == "!=":
        return not same(value, wanted)
    numbers = isinstance(value, _NUMBERS) and isinstance(wanted, _NUMBERS)
    if not numbers and not (isinstance(value, str) and isinstance(wanted, str)):
        return False
    if operator == ">":
        return bool(value > wanted)
    if operator == "<":
        return bool(value < wanted)
    if operator == ">=":
        return bool(value >= wanted)
    return operator == "<=" and bool(value <= wanted)


def _same_option(one: Any, other: Any) -> bool:
    """Codings are the same by system and code, other values by themselves."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = (
            ("system", "code")
            if "code" in one or "code" in other
            else ("reference", "value", "unit", "display")
        )
        return all(one.get(name) == other.get(name) for name in names)
    return same(one, other)


def _value(holder: Json) -> tuple[str, Any] | None:
    """The type and the value of an answer or an option."""
    described = model("QuestionnaireResponse.item.answer")
    for name, value in holder.items():
        if name.startswith("value") and described is not None and name in described.keys:
            return described.keys[name][1].code, value
    return None


def _extensions(element: Json, name: str, base: str = _EXTENSION) -> list[Any]:
    return [
        value
        for one in _list(element, "extension")
        if one.get("url") == base + name
        for key, value in one.items()
        if key.startswith("value")
    ]


def _extension(element: Json, name: str, base: str = _EXTENSION) -> Any:
    found = _extensions(element, name, base)
    return found[0] if found else None


def _list(holder: Json, name: str) -> list[Json]:
    value = holder.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _numbered(holder: Json, name: str) -> list[tuple[int, Json]]:
    value = holder.get(name)
    return (
        [(index, one) for index, one in enumerate(value) if isinstance(one, dict)]
        if isinstance(value, list)
        else []
    )


def _all_items(holder: Json) -> Iterator[Json]:
    """The items in a questionnaire, a response, an item or an answer, at any depth."""
    left = [holder]
    while left:
        one = left.pop()
        for name in ("item", "answer"):
            for inner in _list(one, name):
                if name == "item":
                    yield inner
                left.append(inner)
