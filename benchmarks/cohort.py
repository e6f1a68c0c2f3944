"""Many participants of the trial as a hospital's bulk export, and their results by plain arithmetic.

Each has two visits of 25 results, and as many again that must change nothing: codes that the trial does not
use or that nobody knows, results entered in error or long before, results that were corrected later. What a
visit found is held in whole numbers, and the results that follow are counted from them, a few lines each,
without any code of the package: they are what the program's answers are compared with.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.observations import Writer
from fhir_adapter.exchange.resource import encode

Resource = dict[str, Any]

AS_OF = date(2025, 6, 1)
"""The day on which every visit is past."""
OBSERVATIONS = 100
"""Observations of each participant; half of them are noise."""

WEIGHTS = (3, 4, 2, 2, 3, 5, 5, 6, 5, 5, 2, 1)
"""ESSDAI: Seror ARD 2010;69:1103-9, Table 3."""
LEVELS = (
    (0, 1, 2), (0, 1, 2, 3), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3),
    (0, 1, 2, 3), (0, 2, 3), (0, 1, 2, 3), (0, 1, 2),
)  # fmt: skip
ESR_LIMIT, RF_LIMIT = 20, 20
"""The upper limits that the laboratory prints, in mm/h and IU/mL."""

Number = int | None
"""A whole number, or that the result is missing."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit found, in whole numbers; None was not measured.

    ``physician`` in mm, ``esr`` in mm/h, ``igg`` in hundredths of g/L, ``rf`` in IU/mL, ``tears`` of both
    eyes in mm, ``flow`` in tenths of mL in 15 minutes.
    """

    levels: tuple[Number, ...]
    scales: tuple[Number, ...]
    physician: Number
    esr: Number
    igg: Number
    rf: Number
    tears: tuple[Number, Number]
    staining: tuple[Number, Number]
    flow: Number
    ultrasound: Number


@dataclass(frozen=True, slots=True)
class Expected:
    """The results of a participant: both changes (None where a part is missing), and the response."""

    essdai_change: int | None
    esspri_change: Fraction | None
    response: str


def expected(before: Visit, after: Visit) -> Expected:
    """The results that follow from two visits."""
    first, second = weighted(before.levels), weighted(after.levels)
    essdai = None if first is None or second is None else second - first
    scales = (*before.scales, *after.scales)
    esspri = None if None in scales else Fraction(_sum(after.scales) - _sum(before.scales), 3)
    indicators = [
        # From 0 nothing can be said of it (dossier §14.11).
        _fell(before.physician or None, after.physician, 30),
        _any([_fell(before.esr, after.esr, 30), _normalised(before.esr, after.esr)]),
        _any(_markers(before, after)),
        _wetter(before.tears, after.tears),
        _any([_more_saliva(before.flow, after.flow), _fell(before.ultrasound, after.ultrasound, 25)]),
    ]
    met, open_ones = indicators.count(True), indicators.count(None)
    response = "responder" if met >= 3 else "non-responder" if met + open_ones < 3 else "undetermined"
    return Expected(essdai, esspri, response)


def weighted(levels: tuple[Number, ...]) -> int | None:
    """The ESSDAI of twelve levels."""
    if None in levels:
        return None
    return sum(weight * (level or 0) for weight, level in zip(WEIGHTS, levels, strict=True))


def _sum(numbers: Iterable[Number]) -> int:
    return sum(number or 0 for number in numbers)


def _any(answers: list[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers or not answers else False


def _fell(before: Number, after: Number, percent: int) -> bool | None:
    if before is None or after is None:
        return None
    return after < before and 100 * (before - after) >= percent * before


def _normalised(before: Number, after: Number) -> bool | None:
    raised = None if before is None else before > ESR_LIMIT
    within = None if after is None else after <= ESR_LIMIT
    return False if False in (raised, within) else None if None in (raised, within) else True


def _markers(before: Visit, after: Visit) -> list[bool | None]:
    igg = _fell(before.igg, after.igg, 25)
    negative = before.rf is not None and before.rf < RF_LIMIT
    return [igg] if negative else [igg, _fell(before.rf, after.rf, 25)]


def _wetter(before: tuple[Number, Number], after: tuple[Number, Number]) -> bool | None:
    rises = [
        second - first
        for first, second in zip(before, after, strict=True)
        if first is not None and second is not None
    ]
    return sum(rises) >= 5 * len(rises) if rises else None


def _more_saliva(before: Number, after: Number) -> bool | None:
    if before is None or after is None:
        return None
    return 4 * after >= 5 * before if before else after > 0


@dataclass(frozen=True, slots=True)
class Participant:
    """One participant: who it is, the day of the first dose, and what both visits found."""

    number: int
    start: date
    before: Visit
    after: Visit

    @property
    def id(self) -> str:
        """The study's number."""
        return f"S-{self.number:05d}"


def participants(count: int, seed: int = 1) -> Iterator[Participant]:
    """So many participants; the same seed gives the same ones, each by itself."""
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        before = _visit(rng)
        after = _near(rng, before)
        if rng.random() < 0.1:
            before = _with_a_gap(rng, before)
        if rng.random() < 0.1:
            after = _with_a_gap(rng, after)
        yield Participant(number, date(2023, 1, 1) + timedelta(days=rng.randrange(500)), before, after)


def _visit(rng: random.Random) -> Visit:
    return Visit(
        tuple(rng.choice(allowed) for allowed in LEVELS),
        tuple(rng.randint(0, 10) for _ in range(3)),
        10 * rng.randint(0, 10),
        rng.randint(5, 80),
        100 * rng.randint(6, 30),
        4 * rng.randint(3, 50),
        (rng.randint(0, 15), rng.randint(0, 15)),
        (rng.randint(0, 12), rng.randint(0, 12)),
        rng.randint(0, 20),
        rng.randint(0, 48),
    )


def _near(rng: random.Random, before: Visit) -> Visit:
    """A later visit, often exactly at a limit: 30 % or 25 % less, 5 mm or 25 % more."""

    def share(number: Number, *percents: int) -> int:
        return (number or 0) * rng.choice(percents) // 100

    return Visit(
        tuple(
            level if rng.random() < 0.5 else rng.choice(allowed)
            for level, allowed in zip(before.levels, LEVELS, strict=True)
        ),
        tuple(max(0, (scale or 0) - rng.randint(-1, 2)) % 11 for scale in before.scales),
        share(before.physician, 50, 70, 70, 71, 100),
        share(before.esr, 30, 70, 70, 90, 110),
        share(before.igg, 60, 75, 75, 76, 100),
        share(before.rf, 50, 75, 75, 80, 100),
        (min(35, (before.tears[0] or 0) + rng.randint(3, 7)), min(35, (before.tears[1] or 0) + 5)),
        before.staining,
        share(before.flow, 100, 120, 125, 125, 150) if before.flow else rng.randint(0, 1),
        share(before.ultrasound, 50, 75, 75, 80, 100),
    )


def _with_a_gap(rng: random.Random, visit: Visit) -> Visit:
    name = rng.choice([each.name for each in fields(Visit)])
    value: Any = getattr(visit, name)
    less: Any = None
    if isinstance(value, tuple):
        gap = rng.randrange(len(value))
        less = tuple(None if at == gap else each for at, each in enumerate(value))
    return replace(visit, **{name: less})


def write(folder: Path, count: int, files: int = 4, seed: int = 1) -> dict[str, Expected]:
    """Write the export of so many participants into ``folder``; returns what is expected of each.

    The Observations are shuffled over several files: first thrown into boxes, then each box by itself, so
    that they need not fit into memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    found: dict[str, Expected] = {}
    boxes = [folder / f".box-{number}" for number in range(max(files, count // 100))]
    open_boxes = [box.open("wb") for box in boxes]
    with (
        (folder / "Patient.ndjson").open("wb") as patients,
        (folder / "ResearchSubject.ndjson").open("wb") as subjects,
        (folder / "MedicationAdministration.ndjson").open("wb") as doses,
    ):
        for participant in participants(count, seed):
            found[participant.id] = expected(participant.before, participant.after)
            patients.write(encode(_patient(participant)) + b"\n")
            subjects.write(encode(_subject(participant)) + b"\n")
            doses.writelines(encode(dose) + b"\n" for dose in _doses(participant))
            for line in _observations(participant, Writer(rng)):
                rng.choice(open_boxes).write(line + b"\n")
    for box in open_boxes:
        box.close()
    (folder / "ResearchStudy.ndjson").write_bytes(encode(_STUDY) + b"\n")
    outs = [(folder / f"Observation.{number}.ndjson").open("wb") for number in range(files)]
    for number, path in enumerate(boxes):
        lines = path.read_bytes().splitlines(keepends=True)
        rng.shuffle(lines)
        outs[number % files].writelines(lines)
        path.unlink()
    for out in outs:
        out.close()
    return found


_STUDY = {
    "resourceType": "ResearchStudy",
    "id": "study",
    "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT06410833"}],
    "status": "active",
}


def _patient(participant: Participant) -> Resource:
    return {
        "resourceType": "Patient",
        "id": f"p{participant.number}",
        "identifier": [{"system": "urn:example:mrn", "value": f"M{participant.number:07d}"}],
        "gender": "female",
        "birthDate": "2010-05-05",
    }


def _subject(participant: Participant) -> Resource:
    return {
        "resourceType": "ResearchSubject",
        "id": f"rs{participant.number}",
        "identifier": [{"system": "urn:example:trial-participant", "value": participant.id}],
        "status": "on-study",
        "period": {"start": str(participant.start - timedelta(days=30))},
        "study": {"reference": "ResearchStudy/study"},
        "individual": {"reference": f"Patient/p{participant.number}"},
    }


def _doses(participant: Participant) -> Iterator[Resource]:
    """Two of rituximab, then belimumab every four weeks up to week 28."""
    days = [(0, "RTX01", 500), (7, "RTX01", 500), *((day, "BEL01", 400) for day in range(35, 197, 28))]
    for number, (day, code, amount) in enumerate(days):
        yield {
            "resourceType": "MedicationAdministration",
            "id": f"dose-{participant.number}-{number}",
            "meta": {"versionId": "1", "lastUpdated": "2025-01-01T00:00:00+08:00"},
            "status": "completed",
            "medicationCodeableConcept": {"coding": [{"system": "urn:example-cn:drug", "code": code}]},
            "subject": {"reference": f"Patient/p{participant.number}"},
            "effectiveDateTime": f"{participant.start + timedelta(days=day)}T10:00:00+08:00",
            "dosage": {"dose": {"value": amount, "unit": "mg"}},
        }


def _observations(participant: Participant, writer: Writer) -> Iterator[bytes]:
    rng = writer.rng
    patient = f"Patient/p{participant.number}"
    number = participant.number * OBSERVATIONS
    last = number + OBSERVATIONS

    def line(day: date, content: Resource, status: str = "final") -> bytes:
        nonlocal number
        number += 1
        at = f"{day}T{rng.randint(8, 17):02d}:{rng.randint(0, 59):02d}"
        return writer.result(number, patient, at, content, status=status)

    early = participant.start - timedelta(days=rng.randint(1, 27))
    late = participant.start + timedelta(days=196 + rng.randint(-13, 13))
    for visit, day in ((participant.before, early), (participant.after, late)):
        results = _results(visit, rng)
        corrected = rng.choice(results)
        for content in results:
            if content is corrected:
                yield line(day, _other(rng, content))
                wrong = {"derivedFrom": [{"reference": f"Observation/lab-{number:08d}"}]}
                yield line(day, content | wrong, "corrected")
            else:
                yield line(day, content)
        yield line(day, _other(rng, rng.choice(results)), "entered-in-error")
        # Between the visits: in no window, whichever dose they are counted from.
        yield line(participant.start + timedelta(days=100), _other(rng, rng.choice(results)))
    while number < last:
        yield line(participant.start + timedelta(days=rng.randint(-90, 250)), writer.noise())


def _other(rng: random.Random, content: Resource) -> Resource:
    """The same result with another value."""
    if "valueInteger" in content:
        return content | {"valueInteger": 1 - min(1, content["valueInteger"])}
    return content | {"valueQuantity": content["valueQuantity"] | {"value": rng.randint(1, 5)}}


def _results(visit: Visit, rng: random.Random) -> list[Resource]:
    """What a visit found as the hospital sends it: code and value."""
    eyes = ("右眼", "左眼")
    rated = [
        *((_code("form:essdai", str(at)), level) for at, level in enumerate(visit.levels, 1)),
        *((_code("form:esspri", str(at)), scale) for at, scale in enumerate(visit.scales, 1)),
        (_code("lab", "HOC06", "超声总分"), visit.ultrasound),
        *(
            (_code("lab", "OSS01", "眼表染色评分") | {"bodySite": {"text": eye}}, number)
            for eye, number in zip(eyes, visit.staining, strict=True)
        ),
    ]
    measured = [
        *(
            (_code("lab", "SCH01", "泪液分泌试验") | {"bodySite": {"text": eye}}, number, "mm", 0, None)
            for eye, number in zip(eyes, visit.tears, strict=True)
        ),
        (_code("lab", "SAL01", "唾液流率"), visit.flow, "ml/15min", 1, None),
        (_code("lab", "PGA01", "医生总体评估"), visit.physician, "mm", 0, None),
        (_code("lab", "ESR01", "血沉"), visit.esr, rng.choice(["mm/h", "mm/小时"]), 0, ESR_LIMIT),
        (_code("lab", "IGG01", "免疫球蛋白G"), visit.igg, *rng.choice([("克/升", 2), ("mg/dL", 0)]), None),
        (_code("lab", "RF01", "类风湿因子"), visit.rf, "IU/ml", 0, RF_LIMIT),
    ]
    found = [content | {"valueInteger": number} for content, number in rated if number is not None]
    for content, number, unit, places, limit in measured:
        if number is None:
            continue
        value: Resource = {"valueQuantity": {"value": Decimal(number).scaleb(-places), "unit": unit}}
        if limit is not None:
            value["referenceRange"] = [{"high": {"value": limit, "unit": unit}, "text": f"0-{limit}"}]
        found.append(content | value)
    return found


def _code(system: str, code: str, name: str = "") -> Resource:
    coding = {"system": f"urn:example-cn:{system}", "code": code}
    return {"code": {"coding": [coding]} | ({"text": name} if name else {})}
