"""What is wrong at some elements of resources, where the others do not matter.

For who uses a part of what others send: an error at an element that is not used is no concern of theirs, and
neither are profiles, extensions and what only a terminology server knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from fhir_adapter.validation.definitions import Definitions
from fhir_adapter.validation.issue import Issue
from fhir_adapter.validation.plan import Plans
from fhir_adapter.validation.primitives import FORMS
from fhir_adapter.validation.run import USUAL, Path, Run, Scope

__all__ = ["Parts"]

_IGNORED: Final = frozenset({"display"})
"""Another text than the code system's, as in another language, does not change what a code says."""


class Parts:
    """The elements that are looked at, by resource type, backbone element and datatype.

    ``elements`` gives the names under each as in R4's definitions, without ``[x]``:
    ``{"Observation": ("status", "value"), "Quantity": ("value", "unit")}``. Of a type that is not in it
    nothing is looked at. With ``local_times`` a time may lack its zone.
    """

    def __init__(self, elements: Mapping[str, Collection[str]], *, local_times: bool = False) -> None:
        self._elements = elements
        self._plans = Plans(elements, _LOCAL if local_times else FORMS)
        self._definitions = Definitions()

    def errors(self, resource: Mapping[str, Any]) -> list[Issue]:
        """What is wrong there, against R4 alone; no warnings. Never raises, whatever the object holds.

        ``resource`` is a decoded JSON object, as for ``validate``.
        """
        kind = resource.get("resourceType")
        if type(kind) is not str or kind not in self._elements:
            return []
        run = Run(self._definitions, USUAL, self._contained)
        root: Path = (None, kind, -1)
        whole: Any = resource
        run.scope = Scope(whole, kind, root, None, "root")
        try:
            self._plans(kind).check(resource, root, run)
        except RecursionError:
            run.error(root, "too-deep", "is nested too deeply to be checked", "too-long")
        if not run.issues:
            return []
        errors = (each for each in run.issues if each.severity == "error" and each.rule not in _IGNORED)
        return list(dict.fromkeys(errors))

    def _contained(self, run: Run, value: Any, path: Path, role: str) -> None:
        kind = value.get("resourceType") if isinstance(value, dict) else None
        if type(kind) is not str or kind not in self._elements:
            return
        outer = run.scope
        run.scope = Scope(value, kind, path, outer, role)
        try:
            self._plans(kind).check(value, path, run)
        finally:
            run.scope = outer


def _local(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: form(value) or (type(value) is str and "T" in value and form(f"{value}Z"))


_LOCAL: Final = {**FORMS, **{name: _local(FORMS[name]) for name in ("dateTime", "instant")}}
