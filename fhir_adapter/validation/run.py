"""What one validation carries along: the issues found, and where in which resource it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fhir_adapter.validation.alike import Faultless
from fhir_adapter.validation.definitions.store import Definitions
from fhir_adapter.validation.issue import Issue, Severity

__all__ = ["Path", "Run", "Scope", "Settings", "render"]

Path = tuple[Any, str, int]
"""The way to an element: the path of the element around it, its name there, its index or -1."""

Element = dict[str, Any]

Enter = Callable[["Run", Any, Path, str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How strictly a validation goes about what the specification leaves to the place where it is used.

    ``best_practice``: whether rules that are marked as best practice are checked, too.
    ``rest_references``: whether ``Patient/1`` is taken at its word that it leads to a Patient.
    ``fetch``: finds the resource that a reference outside leads to, if it can; without it references that
    leave the resource or Bundle are checked for their form alone.
    ``examples``: whether URLs of example.org and acme.com may stand for what need not exist.
    ``html``: whether strings may hold what looks like tags of HTML, which some programs would show as such.
    ``contained``: whether contained resources are looked into.
    """

    best_practice: bool = False
    rest_references: bool = False
    fetch: Callable[[str], Mapping[str, Any] | None] | None = None
    examples: bool = True
    html: bool = True
    contained: bool = True


USUAL: Final = Settings()


class Scope(NamedTuple):
    """A resource that is being checked: its content, type and place, and the resource around it.

    ``role`` is what it is there: ``root``, ``entry``, ``contained``, ``parameter``, ``outcome``, or
    ``target`` for one that a reference outside leads to.
    """

    resource: Element
    type: str
    path: Path
    outer: Scope | None
    role: str

    @property
    def container(self) -> Scope:
        """The resource that holds the contained ones: itself, unless it is contained."""
        return self.outer if self.role == "contained" and self.outer is not None else self

    @property
    def bundle(self) -> Scope | None:
        """The Bundle nearest around it, not itself."""
        scope = self.outer
        while scope is not None and scope.type != "Bundle":
            scope = scope.outer
        return scope

    @property
    def root(self) -> Scope:
        """The outermost resource."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope


class Run:
    """The state of one validation. ``scope`` is the resource that is being looked at."""

    __slots__ = (
        "around", "definitions", "enter", "faultless", "issues", "memo", "scope", "settings", "surroundings",
    )  # fmt: skip

    def __init__(self, definitions: Definitions, settings: Settings, enter: Enter) -> None:
        self.definitions = definitions
        self.settings = settings
        self.enter = enter
        """Checks a resource inside another: its value, path and role."""
        self.issues: list[Issue] = []
        self.scope: Scope
        self.surroundings: tuple[Any, Any] | None = None
        """The resource for which FHIRPath's environment was made last, and that."""
        usual = settings is USUAL or settings == USUAL
        kept = definitions.cache("faultless") if usual else {}
        self.faultless: Faultless = kept.get("") or kept.setdefault("", Faultless())
        """Parts of resources in which nothing was found; see ``alike``."""
        self.around = 0
        """How often an answer hung on what stands around the part of the resource that was asked about."""
        self.memo: dict[Any, Any] = {}
        """What was worked out for one resource or element already, by its identity."""

    def say(
        self,
        severity: Severity,
        path: Path,
        rule: str,
        message: str,
        code: str = "invalid",
        property: str = "",
    ) -> None:
        """Add an issue."""
        self.issues.append(Issue(severity, render(path), rule, message, code, property))

    def error(self, path: Path, rule: str, message: str, code: str = "invalid", property: str = "") -> None:
        """Add an error."""
        self.issues.append(Issue("error", render(path), rule, message, code, property))

    def warning(self, path: Path, rule: str, message: str, code: str = "invalid") -> None:
        """Add a warning."""
        self.issues.append(Issue("warning", render(path), rule, message, code))

    def tried(self, check: Callable[[], None]) -> bool:
        """Whether ``check`` finds no error; what it finds is dropped."""
        kept, self.issues = self.issues, []
        try:
            check()
            return not any(issue.severity == "error" for issue in self.issues)
        finally:
            self.issues = kept


def render(path: Path | None) -> str:
    """``Observation.component[1].code``."""
    steps = []
    while path is not None:
        above, name, index = path
        steps.append(name if index < 0 else f"{name}[{index}]")
        path = above
    return ".".join(reversed(steps))
