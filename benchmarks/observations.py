"""Lines of Observations as a hospital's bulk export has them: about 1 kB each, most of them not the trial's.

They speak the codes of the mapping folder ``example-cn``. One line in four is of an item of the trial; the
others have codes that are known and not used, or that nobody knows. Labels come as they are, in full-width
forms, and with ``\\u`` escapes; some lines have blanks and tabs between all their tokens.
"""

from __future__ import annotations

import random
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from fhir_adapter import shipped
from fhir_adapter.exchange.resource import encode
from fhir_adapter.mapping.hospital import TEXT, UCUM, Hospital, hospital, listed
from fhir_adapter.study import MappingFolder, read_mapping
from fhir_adapter.trial.items import CANONICAL, ITEMS, NOT_USED, Kind

Resource = dict[str, Any]

SHARE = 4
"""One line in so many is of the trial."""

_LAB = "urn:example-cn:lab"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_OWN_UNITS = {"g/L": "克/升", "mm/h": "mm/小时", "[IU]/mL": "IU/ml", "10*9/L": "×10^9/L", "/uL": "个/μL"}
_STATUSES = {"final": 96, "corrected": 2, "preliminary": 1, "entered-in-error": 1}
_WORDS = ("阴性", "阳性", "弱阳性", "阴性(-)")
_EYES = ("右眼", "左眼")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")|([,:])')


def example_hospital() -> Hospital:
    """The look-ups of the mapping folder whose codes the lines have."""
    folder = _folder()
    return hospital(folder.concept_maps, folder.settings, folder.path.name)


def _folder() -> MappingFolder:
    return read_mapping(shipped.MAPPINGS / "example-cn")


def lines(count: int, *, participants: int, seed: int = 1) -> list[bytes]:
    """So many lines of NDJSON without line ends, shuffled; the same seed gives the same lines.

    They are about ``Patient/p0`` up to ``Patient/p<participants - 1>``.
    """
    writer = Writer(random.Random(seed))
    made = [writer.line(number, participants) for number in range(count)]
    writer.rng.shuffle(made)
    return made


def write_files(made: list[bytes], folder: Path, files: int = 4) -> list[Path]:
    """Spread the lines over the files ``Observation.<n>.ndjson``."""
    paths = [folder / f"Observation.{number}.ndjson" for number in range(files)]
    for number, path in enumerate(paths):
        path.write_bytes(b"".join(line + b"\n" for line in made[number::files]))
    return paths


class Writer:
    """Writes Observations in the hospital's codes and spellings, as ``rng`` decides."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names: dict[str, str] = {}
        self.labels: dict[str, list[str]] = {}
        self.used: list[tuple[str, str]] = []
        self.unused: list[str] = []
        for concept_map in _folder().concept_maps:
            for group in listed(concept_map, "group"):
                if group["target"] == f"{CANONICAL}/CodeSystem/items" and group["source"] in (_LAB, TEXT):
                    for element in group["element"]:
                        self._learn(group["source"], element)
        self.panel = [(code, item) for code, item in self.used if _is_quantity(item)]

    def _learn(self, system: str, element: Resource) -> None:
        """Remember a code of the laboratory, or a name that stands for one."""
        code, item = element["code"], element["target"][0]["code"]
        if system == TEXT:
            self.labels.setdefault(item, []).append(code)
            return
        self.names[code] = element["display"]
        if item == NOT_USED:
            self.unused.append(code)
        elif item == "schirmer" or (item in ITEMS and ITEMS[item].kind is not Kind.TITRE):
            self.used.append((code, item))

    def line(self, number: int, participants: int) -> bytes:
        """One Observation on any day of 2024 of any of the participants."""
        rng = self.rng
        day = f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        at = f"{day}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"
        status = rng.choices(list(_STATUSES), list(_STATUSES.values()))[0]
        patient, zone = f"Patient/p{rng.randrange(participants)}", rng.choice(["+08:00", "Z"])
        content = self._of_the_trial() if number % SHARE == 0 else self.noise()
        return self.result(number, patient, at, content, status=status, zone=zone)

    def result(
        self,
        number: int,
        patient: str,
        at: str,
        content: Resource,
        *,
        status: str = "final",
        zone: str = "+08:00",
    ) -> bytes:
        """One Observation of a minute (``2024-03-31T08:10``), in one of the spellings that JSON allows."""
        resource = {
            "resourceType": "Observation",
            "id": f"lab-{number:08d}",
            "meta": {"versionId": str(self.rng.randint(1, 3)), "lastUpdated": f"{at}:59.123+08:00"},
            "identifier": [
                {"use": "official", "system": "urn:example-cn:report", "value": f"R{number:010d}"}
            ],
            "status": status,
            "category": [_concept(f"{_TERMINOLOGY}/observation-category", "laboratory", "Laboratory")],
            "subject": {"reference": patient},
            "effectiveDateTime": f"{at}:00{zone}",
            "issued": f"{at}:59.123+08:00",
            "performer": [{"display": "检验科"}],
            "specimen": {"reference": f"Specimen/s{number // 5}"},
            **content,
        }  # fmt: skip
        text = encode(resource).decode()
        style = self.rng.random()
        if style < 0.3:
            text = re.sub(r"[^\x00-\x7f]", lambda found: f"\\u{ord(found[0]):04x}", text)
        if 0.25 < style < 0.35:
            text = _TOKEN.sub(lambda found: found[1] or f" {found[2]}\t", text)
        return text.encode()

    def _of_the_trial(self) -> Resource:
        code, name = self.rng.choice(self.used)
        named = {"code": self._code(code, name)}
        if name == "schirmer":
            return named | {"bodySite": {"text": self.rng.choice(_EYES)}} | self._quantity(name)
        item, style = ITEMS[name], self.rng.random()
        if item.kind is Kind.LEVEL:
            return named | {"valueInteger": self.rng.choice(item.levels)}
        if item.kind is Kind.FINDING:
            return named | {"valueString": self.rng.choice(_WORDS)}
        if style < 0.05:
            parts = self.rng.sample(self.panel, 3)
            return {
                "code": {"text": "组合检验"},
                "component": [
                    {"code": self._code(code, name)} | self._quantity(name) for code, name in parts
                ],
            }
        if style < 0.15:
            return named | {"valueString": f"＜{self.rng.randint(1, 20)} {item.unit}"}
        return named | self._quantity(name)

    def noise(self) -> Resource:
        """The code and the value of a result that the trial does not ask for."""
        if self.rng.random() < 0.1:
            code = f"QT{self.rng.randint(100, 999)}"
            name = f"院内项目{code}"
            return {"code": _concept(_LAB, code, name) | {"text": name}} | self._quantity(None)
        return {"code": self._code(self.rng.choice(self.unused), NOT_USED)} | self._quantity(None)

    def _code(self, code: str, item: str) -> Resource:
        """A concept as the laboratory sends it: its code, maybe beside another system's, or a name alone."""
        style, label = self.rng.random(), self.names[code]
        if item != NOT_USED:
            label = self.rng.choice(self.labels.get(item, [label]))
        if self.rng.random() < 0.1:
            label = label.translate(_FULL_WIDTH)
        if style < 0.1:
            return {"text": f" {label} "}
        concept = _concept(_LAB, code, self.names[code]) | {"text": label}
        if style < 0.4:
            concept["coding"].insert(0, {"system": "http://loinc.org", "code": "99999-9"})
        return concept

    def _quantity(self, name: str | None) -> Resource:
        """A value with its printed range, of an item or of something that the trial does not use."""
        item = ITEMS.get(name or "")
        unit = item.unit if item else "mm" if name else "mmol/L"
        low, high = (item.low, item.high) if item else (None, None)
        tenths = self.rng.randint(int((low or Fraction(1)) * 10), int((high or Fraction(40)) * 10))
        value = Decimal(tenths).scaleb(-1)
        spelled: Resource = {"unit": unit, "system": UCUM, "code": unit}
        if unit in _OWN_UNITS and self.rng.random() < 0.5:
            spelled = {"unit": _OWN_UNITS[unit]}
        limits = {"low": {"value": Decimal("7.0")} | spelled, "high": {"value": Decimal("16.00")} | spelled}
        flag = "H" if value > 16 else "N"
        return {
            "valueQuantity": {"value": value} | spelled,
            "interpretation": [_concept(f"{_TERMINOLOGY}/v3-ObservationInterpretation", flag)],
            "referenceRange": [limits | {"text": "7.0-16.00"}],
        }


def _concept(system: str, code: str, display: str = "") -> Resource:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]}


def _is_quantity(item: str) -> bool:
    return item in ITEMS and ITEMS[item].kind is Kind.QUANTITY
