"""Codes against code systems and value sets. https://hl7.org/fhir/R4/terminologies.html

§4.1.4: a code of a required binding SHALL be from its value set, an error; of an extensible one it SHALL be
if any of the set fits, which only a person can judge, so a warning; preferred and example ones are not
checked. A code that its own code system does not define is an error whatever the binding is, and so is a
display that the code system does not give it (§4.1.2: "SHALL be one of"). What the definitions at hand cannot
decide is said as information.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fhir_adapter.validation.issue import Severity, quoted, suggestion
from fhir_adapter.validation.model import Binding
from fhir_adapter.validation.run import Path, Run
from fhir_adapter.validation.terminology import Answer, Members, code_system, has_code, members

__all__ = ["bound_check", "check_coding", "in_value_set"]

Check = Callable[[Any, Path, Run], None]

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_UCUM = "http://unitsofmeasure.org"
_LIMIT_SHOWN = 12


def bound_check(binding: Binding, code: str) -> Check | None:
    """The check of an element of the type ``code`` against ``binding``; ``None`` if there is nothing to
    check.

    Types that can be bound: https://hl7.org/fhir/R4/terminologies.html#4.1.3.
    """
    if binding.strength in ("required", "extensible"):
        if code in ("code", "string", "uri", "url", "canonical"):
            return _of_code(binding)
        if code == "Coding":
            return _of_coding(binding)
        if code in ("CodeableConcept", "CodeableReference"):
            return _of_concept(binding)
        if code in ("Quantity", "Age", "Distance", "Duration", "Count", "MoneyQuantity", "SimpleQuantity"):
            return _of_quantity(binding)
        return None
    if binding.limit and code in ("code", "string"):
        return _of_code(Binding("required", binding.limit))
    return None


def in_value_set(run: Run, value_set: str, value: Any) -> Answer:
    """Whether a code, Coding, CodeableConcept (any of its codings) or Quantity is in a value set."""
    found = members(run.definitions, value_set)
    if found is None:
        return None
    if isinstance(value, str):
        return found.holds(None, value)
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("coding"), list):
        answers = [in_value_set(run, value_set, one) for one in value["coding"] if isinstance(one, dict)]
        return True if True in answers else None if None in answers else False
    code, system = value.get("code"), value.get("system")
    if not isinstance(code, str):
        return False
    return found.holds(system if isinstance(system, str) else "", code)


def check_coding(value: dict[str, Any], path: Path, run: Run) -> None:
    """A Coding against its own code system. https://hl7.org/fhir/R4/datatypes.html#Coding"""
    system, code = value.get("system"), value.get("code")
    if isinstance(system, str) and system and not _ABSOLUTE.match(system):
        severity: Any = "warning" if path[1] == "coding" else "error"
        run.say(
            severity,
            path,
            "coding-system",
            "system is a relative URL; expected an absolute one",
            "code-invalid",
        )
        return
    if not isinstance(code, str) or not isinstance(system, str) or not code:
        return
    memo, display = run.memo, value.get("display")
    if not isinstance(display, str):
        display = None
    key = (system, code, display)
    problem = memo.get(key, memo)
    if problem is memo:
        problem = memo[key] = _coding_problem(run, system, code, display)
    if problem is not None:
        where, rule, message, severity = problem
        run.say(severity, (path, where, -1), rule, message, "code-invalid")


def _coding_problem(run: Run, system: str, code: str, display: object) -> tuple[str, str, str, Any] | None:
    known = has_code(run.definitions, system, code)
    found = code_system(run.definitions, system)
    if known is False:
        if found is None:
            # A system with a grammar, such as UCUM: HL7's validator leaves these to a terminology server.
            return "code", "unknown-code", f"{quoted(code)} is no code of {system}", "warning"
        near = suggestion(code, found["concept"])
        return (
            "code",
            "unknown-code",
            f"{quoted(code)} is no code of the code system {system}.{near}",
            "error",
        )
    if known and found is not None and isinstance(display, str) and code in found["concept"]:
        name, _, designations = found["concept"][code]
        names = {name, *(text for _, text in designations)} - {""}
        if names and _plain(display) not in {_plain(one) for one in names}:
            message = f'is not a display that {system} gives "{code}"; expected "{name}"'
            return "display", "display", message, "error"
    return None


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _judge(binding: Binding) -> Callable[[Answer, str, Members | None, Path, Run], None]:
    """Says what follows from whether a code is in the value set."""
    strength, value_set = binding.strength, binding.value_set
    severity: Severity = "error" if strength == "required" else "warning"

    def judged(answer: Answer, code: str, found: Members | None, path: Path, run: Run) -> None:
        if answer is False:
            run.say(severity, path, "binding", _outside([code], value_set, found, strength), "code-invalid")
        elif answer is None:
            _undecided(path, run, value_set, found)

    return judged


def _of_code(binding: Binding) -> Check:
    value_set, judged = binding.value_set, _judge(binding)

    def check(value: Any, path: Path, run: Run) -> None:
        cache = run.definitions.cache("codes").get(value_set)
        if cache is None:
            found = members(run.definitions, value_set)
            cache = run.definitions.cache("codes")[value_set] = (
                found,
                frozenset(found.codes()) if found is not None else frozenset(),
            )
        found, known = cache
        if value in known or type(value) is not str or value == "":
            return
        answer = found.holds(None, value) if found is not None else None
        judged(answer, value, found, path, run)

    return check


def _of_coding(binding: Binding) -> Check:
    strength, value_set, judged = binding.strength, binding.value_set, _judge(binding)

    def check(value: Any, path: Path, run: Run) -> None:
        found = members(run.definitions, value_set)
        code, system = value.get("code"), value.get("system")
        if not isinstance(code, str):
            if strength == "required":
                run.error(path, "binding", f"has no code; expected one of {value_set}", "code-invalid")
            return
        answer = found.holds(system if isinstance(system, str) else "", code) if found else None
        judged(answer, code, found, path, run)

    return check


def _of_concept(binding: Binding) -> Check:
    strength, value_set = binding.strength, binding.value_set
    severity: Any = "error" if strength == "required" else "warning"

    def check(value: Any, path: Path, run: Run) -> None:
        codings = value.get("coding")
        codings = [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []
        if not codings:
            if strength == "required":
                run.error(path, "binding", f"has no coding; expected one of {value_set}", "code-invalid")
            elif "text" not in value and "extension" not in value:
                run.warning(
                    path,
                    "binding",
                    f"has neither coding nor text; expected one of {value_set}",
                    "code-invalid",
                )
            return
        answer = in_value_set(run, value_set, value)
        if answer is False:
            found = members(run.definitions, value_set)
            codes = [one["code"] for one in codings if isinstance(one.get("code"), str)]
            message = (
                _outside(codes, value_set, found, strength)
                if codes
                else (f"has no code; expected one of {value_set}")
            )
            run.say(severity, path, "binding", message, "code-invalid")
        elif answer is None:
            _undecided(path, run, value_set, members(run.definitions, value_set))

    return check


def _of_quantity(binding: Binding) -> Check:
    """The unit of a Quantity: its code is bound. https://hl7.org/fhir/R4/datatypes.html#Quantity"""
    strength, value_set = binding.strength, binding.value_set

    def check(value: Any, path: Path, run: Run) -> None:
        code, system = value.get("code"), value.get("system")
        if not isinstance(code, str):
            return
        found = members(run.definitions, value_set)
        answer = found.holds(system if isinstance(system, str) else "", code) if found else None
        if answer is False:
            severity: Any = "error" if strength == "required" and system != _UCUM else "warning"
            run.say(severity, path, "binding", _outside([code], value_set, found, strength), "code-invalid")

    return check


def _outside(given: list[str], value_set: str, found: Members | None, strength: str) -> str:
    codes = sorted(found.codes()) if found else []
    wanted = "expected" if strength == "required" else "expected, if one fits,"
    listed = f" ({', '.join(codes)})" if 0 < len(codes) <= _LIMIT_SHOWN else ""
    near = suggestion(given[0], codes)
    named = ", ".join(map(quoted, given))
    verb = "is" if len(given) == 1 else "are"
    return (
        f"{named} {verb} not in the value set; {wanted} one of {value_set.partition('|')[0]}{listed}.{near}"
    )


def _undecided(path: Path, run: Run, value_set: str, found: Members | None) -> None:
    why = "the value set is not known here" if found is None else "its codes are not known here"
    run.say(
        "information", path, "binding-unchecked", f"was not checked against {value_set}: {why}", "not-found"
    )
