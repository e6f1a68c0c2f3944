"""Whether a language tag is one of BCP 47 (RFC 5646), by its grammar and the languages of ISO 639-1."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_language"]

_TAG: Final = re.compile(
    r"(?P<language>[A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}|[A-Za-z]{4}|[A-Za-z]{5,8})"
    r"(-[A-Za-z]{4})?"  # script
    r"(-([A-Za-z]{2}|[0-9]{3}))?"  # region
    r"(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"  # variants
    r"(-[0-9A-WY-Za-wy-z](-[A-Za-z0-9]{2,8})+)*"  # extensions
    r"(-x(-[A-Za-z0-9]{1,8})+)?|x(-[A-Za-z0-9]{1,8})+"  # private use
)

_TWO_LETTERS: Final = frozenset(
    (  # noqa: SIM905
        "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de "
        "dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id "
        "ie ig ii ik in io is it iu iw ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li "
        "ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa "
        "pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th "
        "ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
    ).split()
)


def is_language(tag: str) -> bool | None:
    """Whether ``tag`` is a language tag; ``None`` where its language is in no list here."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return False
    language = found["language"]
    if language is None:
        return True
    first = language.partition("-")[0].lower()
    if len(first) == 2:
        return first in _TWO_LETTERS
    return None if len(first) == 3 else False
