"""The program as a whole: its help, what it loads, its list of commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fhir_adapter.cli
from fhir_adapter.cli.main import COMMANDS
from tests.cli.folders import command

HEAVY = (
    "fhir.resources",
    "fhir_adapter.pipeline",
    "jsonschema",
    "msgspec",
    "pydantic",
    "requests",
    "rich",
    "scipy",
)


def test_every_command_is_a_module_of_its_own() -> None:
    folder = Path(fhir_adapter.cli.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text("utf-8")}
    assert modules == set(COMMANDS)


def test_the_help_lists_the_commands_in_the_order_of_their_use() -> None:
    result = command("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example(name: str) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert f"  fhir-adapter {name}" in result.stdout.partition("Example:")[2]


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert command("--version").stdout == f"fhir-adapter {version('fhir-adapter')}\n"


@pytest.mark.parametrize("arguments", [(), ("--nope",), ("nope",), ("run", "--nope"), ("explain",)])
def test_wrong_use_is_exit_2(arguments: tuple[str, ...]) -> None:
    assert command(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    asked = (
        "import sys, atexit\n"
        f"heavy = {HEAVY!r}\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))\n"
        f"sys.argv = ['fhir-adapter', *{arguments!r}]\n"
        "from fhir_adapter.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
