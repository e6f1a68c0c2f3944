"""What an answer rests on, as people read it: each fact with its title, its days and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from fhir_adapter.conduct.statements import STATEMENTS
from fhir_adapter.report import show
from fhir_adapter.trial.components import COMPONENTS
from fhir_adapter.trial.drugs import DRUGS
from fhir_adapter.trial.history import (
    Agreement,
    Diagnosis,
    History,
    Order,
    Person,
    Statement,
    Stay,
    Vaccination,
)
from fhir_adapter.trial.items import ITEMS
from fhir_adapter.trial.origin import Origin
from fhir_adapter.trial.types import Dose, Measurement
from fhir_adapter.trial.values import Interval, Moment, Truth, exactly, rounded


@dataclass(frozen=True, slots=True)
class Source:
    """Exactly one version of one resource."""

    source: str
    resource: str
    version: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A measurement, a dose or a fact of the history: as sent, as the trial reads it, when, where it stands.

    ``value`` is in the item's own unit, empty where the value could not be used; ``problem`` says why.
    """

    item: str
    title: str
    visit: str
    day: str
    sent: str
    value: str
    problem: str | None
    flags: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def said(self) -> str:
        """The fact in one line."""
        visit = f", {self.visit}" if self.visit else ""
        day = f", {self.day}" if self.day else ""
        what = " = ".join(dict.fromkeys(each for each in (self.sent, self.value) if each))
        said = f": {what}" if what else ""
        problem = f", not used: {self.problem}" if self.problem else ""
        flags = f" [{'; '.join(self.flags)}]" if self.flags else ""
        return f"{self.title}{visit}{day}{said}{problem}{flags}"


def measured(piece: Measurement, visit: str = "") -> Fact:
    """A measurement, with the visit that chose it."""
    return Fact(
        piece.item,
        ITEMS[piece.item].display,
        visit,
        _day(piece.at),
        piece.sent,
        show.measurement(piece),
        piece.problem.value if piece.problem else None,
        piece.flags,
        sources(piece.origins),
    )


def computed(name: str, value: Interval) -> Fact:
    """A filtration rate that is judged, to four decimals, by the name of its component."""
    low, high = value.low, value.high
    if low is not None and high is not None and rounded(low) == rounded(high):
        # A power is enclosed by many digits.
        value = exactly(rounded(low))
    return Fact(name, COMPONENTS[name], "", "", "", f"{show.interval(value)} mL/min/1.73 m²", None, (), ())


def given(dose: Dose) -> Fact:
    """A dose of a study drug."""
    amount = "" if dose.amount is None else f"{rounded(dose.amount):f} {dose.unit}".strip()
    status = dose.status.value + (f" ({dose.reason})" if dose.reason else "")
    return Fact(
        dose.drug, _drug(dose.drug), "", _day(dose.at), amount, status, None, (), sources(dose.origins)
    )


def fact(piece: Measurement | Dose | History) -> Fact:
    """Any fact."""
    if isinstance(piece, Measurement):
        return measured(piece)
    if isinstance(piece, Dose):
        return given(piece)
    item, title, day, said = _history(piece)
    return Fact(item, title, "", day, said, said, None, (), sources(piece.origins))


def _history(piece: History) -> tuple[str, str, str, str]:
    """Kind, title, days, words."""
    match piece:
        case Person():
            born = "" if piece.born is None else f"born {_span(*piece.born, between=True)}"
            return "person", "Participant", "", ", ".join(each for each in (born, piece.sex or "") if each)
        case Diagnosis():
            since = _day(piece.since) if piece.since else "since when is not known"
            until = f"until {piece.until}" if piece.until else "over" if piece.over else ""
            sure = "" if piece.confirmed else "not confirmed"
            said = ", ".join(each for each in (until, sure) if each)
            return "diagnosis", f"Diagnosis {' '.join(piece.codes)}", since, said
        case Order():
            way = {True: "into vein or muscle", False: "not into vein or muscle", None: "route not known"}
            why = f", for {' '.join(piece.indication)}" if piece.indication else ""
            span = _span(piece.first, piece.last, over=piece.over)
            sure = "" if piece.certain else ", not known whether it was given"
            return "order", _drug(piece.drug), span, way[piece.parenteral] + why + sure
        case Stay():
            return "stay", "Stay in hospital", _span(piece.first, piece.last, over=piece.over), _why(piece)
        case Vaccination():
            live = _truth(piece.live, "live vaccine", "not a live vaccine", "vaccine not known")
            return "vaccination", "Vaccination", _day(piece.at), live
        case Agreement():
            drugs = ", ".join(sorted(piece.drugs))
            answer = "given" if piece.given else "refused"
            return "agreement", f"Consent to {drugs}", _span(piece.since, piece.until), answer
        case Statement():
            answer = _truth(piece.answer, "yes", "no", "not sure")
            return piece.code, STATEMENTS[piece.code][0], _day(piece.at), answer
        case _:
            return "focus-score", "Biopsy, focus score", _day(piece.at), show.interval(piece.value)


def _why(stay: Stay) -> str:
    """What a stay was for, by its codes."""
    leading = [" ".join(each.codes) for each in stay.reasons if each.leads]
    named = [each for each in leading if each]
    unknown = ["a reason that is not known"] if "" in leading else []
    said = [f"for {' and '.join((*named, *unknown))}" if named else "reason not known"]
    besides = " ".join(code for each in stay.reasons if not each.leads for code in each.codes)
    if besides:
        said.append(f"also {besides}")
    if stay.admitted is None:
        said.append("not known whether admitted")
    return ", ".join(said)


def _truth(answer: Truth, yes: str, no: str, open_: str) -> str:
    return open_ if answer is None else yes if answer else no


def _drug(code: str) -> str:
    return DRUGS[code].display if code in DRUGS else code.capitalize()


def _span(first: date | None, last: date | None, *, over: bool = False, between: bool = False) -> str:
    """From when until when; a span that may lie anywhere says so."""
    if first == last and first is not None:
        return first.isoformat()
    if between:
        return f"between {first} and {last}"
    begun = f"from {first}" if first else "begun on a day that is not known"
    ended = f"to {last}" if last else "over, since when is not known" if over else "not ended"
    return f"{begun} {ended}" if first and last else f"{begun}, {ended}"


def _day(at: Moment) -> str:
    if at.first == date.min:
        return f"on or before {at.last}" if at.last < date.max else "on a day that is not known"
    return at.first.isoformat() if at.first == at.last else f"{at.first} to {at.last}"


def sources(origins: tuple[Origin, ...]) -> tuple[Source, ...]:
    """The resources, each in its version."""
    return tuple(
        Source(origin.source, f"{origin.type}/{origin.id}", origin.version, origin.url) for origin in origins
    )
