"""What the ``fhir.resources.R4B`` models say: required primitives, days that no calendar has, and the like.

R4B (4.3.0) is R4 but for a few resources; of those the models say nothing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel, ValidationError

from fhir_adapter.validation.issue import Issue, expression
from fhir_adapter.validation.schema import definition_at

# Written anew in R4B.
_OTHERS: Final = frozenset({"Evidence", "EvidenceVariable"})

_SAID: Final = {
    "model_field_validation.missing": ("required", "is required, and missing"),
    "extra_forbidden": ("unknown-element", "is no element of R4 at this place"),
    "date_from_datetime_parsing": ("calendar", "is no day of the calendar"),
    "date_parsing": ("calendar", "is no day of the calendar"),
    "datetime_from_date_parsing": ("calendar", "is no day or time of the calendar"),
    "datetime_parsing": ("calendar", "is no day or time of the calendar"),
    "time_parsing": ("calendar", "is no time of the day"),
}
"""Kinds of error → rule and message. Their own messages may quote values."""


def check(resource: dict[str, Any], place: str) -> Iterator[Issue]:
    """What the models say of ``resource``, which stands at ``place``; resources inside it are passed over."""
    model = _model(resource["resourceType"])
    if model is None:
        return
    try:
        model.model_validate(_alone(resource))
    except ValidationError as errors:
        for error in errors.errors(include_url=False, include_context=False, include_input=False):
            # Where a structure is expected and something else stands, the models add a step of their own.
            path = tuple(step for step in error["loc"] if step != "root")
            if error["type"] in _SAID:
                yield Issue("error", expression(place, path), *_SAID[error["type"]])
            else:
                yield from _other(resource, place, path)
    except RecursionError:
        raise
    except Exception:
        # The models are others' code, and stumble over some wrong shapes instead of naming them.
        yield Issue("error", place, "model", "has a shape that the R4B models cannot read")


@cache
def _model(kind: str) -> type[BaseModel] | None:
    if kind in _OTHERS:
        return None
    try:
        found: type[BaseModel] = get_fhir_model_class(kind)
    except (ValueError, KeyError):  # a resource that R4B no longer has
        return None
    return found


def _alone(element: dict[str, Any]) -> dict[str, Any]:
    """``element`` without the resources that it contains, which are checked by themselves."""
    return {name: _without(value) for name, value in element.items() if not _is_nested(name, value)}


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return _alone(value)
    if isinstance(value, list):
        return [_without(item) for item in value]
    return value


def _is_nested(name: str, value: object) -> bool:
    return name == "contained" or (
        name in {"resource", "outcome"} and isinstance(value, dict) and "resourceType" in value
    )


def _other(resource: dict[str, Any], place: str, path: tuple[str | int, ...]) -> Iterator[Issue]:
    found: Any = resource
    for step in path:
        try:
            found = found[step]
        except (LookupError, TypeError):
            found = None
    if not isinstance(found, dict):
        yield Issue(
            "error", expression(place, path), "model", "does not have the form that its type asks for"
        )
        return
    # Of a structure as a whole the models say one thing: that it lacks a choice of types, or has two of one.
    kind = definition_at(resource["resourceType"], path)
    missing = [stem for stem, names in _demanded(kind).items() if not names & found.keys()]
    for stem in missing:
        yield Issue("error", expression(place, (*path, stem)), "required", "is required, in one of its types")
    if not missing:
        yield Issue("error", expression(place, path), "model", "is refused by its R4B model")


@cache
def _demanded(kind: str) -> dict[str, frozenset[str]]:
    """The choices of types of which ``kind`` must have one: stem → names."""
    model = _model(kind.replace("_", "")) if kind else None
    found: defaultdict[str, set[str]] = defaultdict(set)
    for field in model.model_fields.values() if model else ():
        told = field.json_schema_extra
        if isinstance(told, dict) and told.get("one_of_many_required") and field.alias:
            found[str(told["one_of_many"])] |= {field.alias, f"_{field.alias}"}
    return {stem: frozenset(names) for stem, names in found.items()}
