"""What a protocol file says, as types. ``study.py`` reads the file; nothing here has a default of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Reading:
    """One sentence of the record that can be read in several ways."""

    sentence: str
    default: str
    alternatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VisitRule:
    """A visit: its target day counted from the anchor, and the days before and after that still count.

    ``before_by_item`` gives items that keep longer another number of days before.
    """

    name: str
    sentence: str
    day: int
    before: int
    after: int
    before_by_item: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EssdaiRule:
    """ESSDAI and ClinESSDAI: low below ``low_below``, high from ``high_from``, improved by ``mcii``."""

    sentence: str
    visits: tuple[str, ...]
    low_below: Fraction
    high_from: Fraction
    mcii: Fraction


@dataclass(frozen=True, slots=True)
class EsspriRule:
    """ESSPRI: improved by ``mcii_points`` or by ``mcii_share``; acceptable below ``pass_below``."""

    sentence: str
    visits: tuple[str, ...]
    mcii_points: Fraction
    mcii_share: Fraction
    pass_below: Fraction


@dataclass(frozen=True, slots=True)
class SchirmerRule:
    """Schirmer test: abnormal below so many mm; the strip ends at ``strip`` mm."""

    sentence: str
    visits: tuple[str, ...]
    abnormal_below: Fraction
    strip: Fraction


@dataclass(frozen=True, slots=True)
class SalivaryFlowRule:
    """Unstimulated whole salivary flow: abnormal at or below so many mL/min."""

    sentence: str
    visits: tuple[str, ...]
    abnormal_at_most: Fraction


@dataclass(frozen=True, slots=True)
class HocevarRule:
    """Hočevar ultrasound score: when it is taken."""

    sentence: str
    visits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StarRule:
    """STAR: the limits of its five items and of its total."""

    sentence: str
    visits: tuple[str, ...]
    threshold: int
    threshold_reading: Reading
    systemic_reading: Reading
    systemic_fall: Fraction
    patient_points: Fraction
    patient_share: Fraction
    schirmer_abnormal_below: Fraction
    schirmer_rise: Fraction
    staining_abnormal_from: Fraction
    staining_fall: Fraction
    flow_rise_share: Fraction
    ultrasound_fall_share: Fraction
    igg_fall_share: Fraction
    rf_fall_share: Fraction


@dataclass(frozen=True, slots=True)
class ResponseRule:
    """The composite response: limits of its five indicators, how many are asked for, the readings."""

    sentence: str
    visits: tuple[str, ...]
    threshold: int
    threshold_reading: Reading
    physician_fall_share: Fraction
    esr_fall_share: Fraction
    esr_reading: Reading
    marker_fall_share: Fraction
    marker_reading: Reading
    low_igg: Fraction
    immunoglobulin_months: int
    schirmer_rise: Fraction
    schirmer_abnormal_below: Fraction
    schirmer_reading: Reading
    flow_rise_share: Fraction
    ultrasound_fall_share: Fraction
    saliva_reading: Reading


@dataclass(frozen=True, slots=True)
class CourseRule:
    """The drug that is given first: at least and at most so many doses, ``gap`` days apart.

    ``tolerance`` is how many days a dose may lie from its planned one.
    """

    drug: str
    gap: int
    least: int
    most: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class UpkeepRule:
    """The drug that follows: first ``after`` days after the last of the course, then every ``gap`` days."""

    drug: str
    after: int
    gap: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """How the study drugs follow one another; ``last_day`` is that of the last visit."""

    sentence: str
    course: CourseRule
    upkeep: UpkeepRule
    last_day: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """A trial: who it is, its visits, and the rule of each outcome that it asks for (None: not asked for).

    ``drugs`` are the study drugs in the order in which they are given; ``anchor`` reads which of their doses
    week 0 is: the ``first-`` or ``last-`` of a drug. ``endpoint`` is the visit that answers the trial's
    question. ``digest`` is the SHA-256 of the file, for the records of a run.
    """

    id: str
    registry: str
    title: str
    drugs: tuple[str, ...]
    endpoint: str
    anchor: Reading
    visits: Mapping[str, VisitRule]
    counting_statuses: tuple[str, ...]
    essdai: EssdaiRule | None
    esspri: EsspriRule | None
    schirmer: SchirmerRule | None
    salivary_flow: SalivaryFlowRule | None
    hocevar: HocevarRule | None
    star: StarRule | None
    response: ResponseRule | None
    calendar: CalendarRule | None
    digest: str

    @property
    def baseline(self) -> str:
        """The visit that every change is counted from: the first in time."""
        return min(self.visits.values(), key=lambda rule: rule.day).name
