"""What an expression is true without: most invariants are about an element that is rarely there."""

from __future__ import annotations

from fhir_adapter.validation.fhirpath.syntax import Binary, Call, Member, Syntax

__all__ = ["true_without"]


def true_without(part: Syntax) -> tuple[str, ...]:
    """Names of children: without any that goes by one of them ``part`` is true, whatever else there is.

    Found from ``a.empty() or …`` and ``a.exists() implies …``, with any path from ``a`` on; from several
    ``or`` as long as nothing stands before it that could fail.
    """
    match part:
        case Call(target, "empty", ()):
            return _first(target)
        case Binary("implies", Call(target, "exists", ()), _):
            return _first(target)
        case Binary("or", left, right):
            return true_without(left) + (true_without(right) if _of_empty(left) else ())
        case _:
            return ()


def _of_empty(part: Syntax) -> bool:
    """Whether ``part`` asks only whether paths are empty, which cannot fail."""
    match part:
        case Call(Member(None, _), "empty", ()):
            return True
        case Binary("or", left, right):
            return _of_empty(left) and _of_empty(right)
        case _:
            return False


def _first(path: Syntax | None) -> tuple[str, ...]:
    """The first step of a path that leads nowhere where its first step does."""
    match path:
        case Member(None, name):
            return (name,)
        case Member(target, _) | Call(target, "where" | "intersect", _):
            return _first(target)
        case _:
            return ()
