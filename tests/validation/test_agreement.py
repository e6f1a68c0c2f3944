"""Our verdicts beside those of HL7's validator; see ``agreement``."""

from __future__ import annotations

import pytest

from tests.validation.agreement import (
    KEPT,
    PAGE,
    SETS,
    WHY,
    Case,
    Figures,
    cases,
    figures,
    folder,
    in_folder,
    packed,
    page,
    run,
)

LEFT_OUT = (
    "the cases of HL7's validator are not on this machine (FHIR_TEST_CASES): agreement on {} is left out"
)


def good_enough(figure: Figures) -> bool:
    """What is asked for of each set."""
    return (
        figure.verdict >= 0.98
        and min(figure.valid, figure.invalid) >= 0.95
        and figure.located >= 0.90
        and figure.extra <= 0.10
    )


@pytest.mark.parametrize("name", ["mutants", "mutants-extra", KEPT])
def test_what_is_kept_here(name: str) -> None:
    found = figures([run(given) for given in packed(name)])
    assert found.cases > 100
    assert good_enough(found), found


@pytest.mark.parametrize("name", SETS)
def test_shared_sets(name: str) -> None:
    base = folder()
    if base is None:
        pytest.skip(LEFT_OUT.format(name))
    found = figures([run(given) for given in in_folder(base / name)])
    assert good_enough(found), found


def test_the_page_is_as_it_would_be_written_and_gives_a_reason_for_each_difference() -> None:
    base = folder()
    if base is None:
        pytest.skip(LEFT_OUT.format("all sets"))
    sets: dict[str, list[Case]] = {
        name: [run(given) for given in cases(name, base)] for name in (*SETS, KEPT)
    }
    assert PAGE.read_text(encoding="utf-8") == page(sets)
    differing = {case.given.name for found in sets.values() for case in found if not case.agrees}
    assert differing == WHY.keys()


def test_what_is_packed_here_is_what_is_shared() -> None:
    base = folder()
    if base is None:
        pytest.skip(LEFT_OUT.format("what is packed"))
    for name in ("mutants", "mutants-extra"):
        shared = [(given.name, given.text, given.profiles) for given in in_folder(base / name)]
        assert [(given.name, given.text, given.profiles) for given in packed(name)] == shared
