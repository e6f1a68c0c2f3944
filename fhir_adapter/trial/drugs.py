"""The drugs of a participant's history, by code: what each is called and which criteria look at it.

An ``Order.drug`` or a ``Dose.drug`` is one of these codes. Groups: dossier §8 I3a, E1, E5a, E5c, E9. The ATC
codes of rituximab and belimumab were seen in public files, old and new; all others are from memory (§9) and
are prefixes for a mapping to start from, not a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """What a drug is to the criteria."""

    IMMUNOSUPPRESSANT = "immunosuppressant"
    HYDROXYCHLOROQUINE = "hydroxychloroquine"
    """Alone in its group: whether it counts as an immunosuppressant is a reading (§8 I3a, §11.14)."""
    GLUCOCORTICOID = "glucocorticoid"
    BIOLOGIC = "biologic"
    ANTI_INFECTIVE = "anti-infective"
    IMMUNOGLOBULIN = "immunoglobulin"
    """No criterion looks at it; its doses make an IgG unusable (§6.2 c)."""


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug or a class of drugs; ``atc`` are prefixes of ATC codes, current and former."""

    code: str
    display: str
    group: Group
    atc: tuple[str, ...] = ()


def _all(group: Group, drugs: Mapping[str, tuple[str, ...]]) -> list[Drug]:
    return [Drug(code, code.replace("-", " ").capitalize(), group, atc) for code, atc in drugs.items()]


DRUGS: Mapping[str, Drug] = {
    drug.code: drug
    for drug in (
        *_all(
            Group.IMMUNOSUPPRESSANT,
            {
                "methotrexate": ("L04AX03", "L01BA01"),
                "azathioprine": ("L04AX01",),
                "mycophenolate": ("L04AA06",),
                "ciclosporin": ("L04AD01",),
                "tacrolimus": ("L04AD02",),
                "leflunomide": ("L04AK01", "L04AA13"),
                "cyclophosphamide": ("L01AA01",),
                "sirolimus": ("L04AH01", "L04AA10"),
                "tofacitinib": ("L04AF01", "L04AA29"),
                "baricitinib": ("L04AF02", "L04AA37"),
                "upadacitinib": ("L04AF03", "L04AA44"),
                "thalidomide": ("L04AX02",),
                "iguratimod": (),
                "tripterygium": (),
            },
        ),
        *_all(Group.HYDROXYCHLOROQUINE, {"hydroxychloroquine": ("P01BA02",)}),
        *_all(
            Group.GLUCOCORTICOID,
            {
                "prednisone": ("H02AB07",),
                "prednisolone": ("H02AB06",),
                "methylprednisolone": ("H02AB04",),
                "dexamethasone": ("H02AB02",),
                "betamethasone": ("H02AB01",),
                "hydrocortisone": ("H02AB09",),
            },
        ),
        *_all(
            Group.BIOLOGIC,
            {
                "rituximab": ("L01FA01", "L01XC02"),
                "belimumab": ("L04AG04", "L04AA26"),
                "telitacicept": (),
                "tocilizumab": ("L04AC07",),
                "abatacept": ("L04AA24",),
                "adalimumab": ("L04AB04",),
                "etanercept": ("L04AB01",),
                "infliximab": ("L04AB02",),
                "anifrolumab": ("L04AG11",),
                "other-biologic": (),
            },
        ),
        *_all(
            Group.ANTI_INFECTIVE,
            {
                "antibacterial": ("J01",),
                "antifungal": ("J02",),
                "antimycobacterial": ("J04",),
                "antiviral": ("J05",),
                "antiparasitic": ("P01", "P02"),
            },
        ),
        Drug("immunoglobulin", "Intravenous immunoglobulin", Group.IMMUNOGLOBULIN, ("J06BA02",)),
    )
}
"""Every drug by its code. The longest ATC prefix decides: P01BA02 is hydroxychloroquine, not P01."""


ORDERED: Mapping[str, Drug] = {
    code: drug for code, drug in DRUGS.items() if drug.group is not Group.IMMUNOGLOBULIN
}
"""The drugs whose orders and consents a criterion looks at."""

STUDY_DRUGS: Mapping[str, str] = {
    code: drug.display.lower()
    for code, drug in DRUGS.items()
    if drug.group is not Group.ANTI_INFECTIVE and code != "other-biologic"
}
"""The drugs that a protocol may name as its own, with their names: single drugs, not classes."""


def of_group(*groups: Group) -> frozenset[str]:
    """The codes of these groups."""
    return frozenset(code for code, drug in DRUGS.items() if drug.group in groups)
