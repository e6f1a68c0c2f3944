"""``fhir-adapter``: registers the commands. A command's module is loaded when the command is named."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from fhir_adapter.cli import errors

COMMANDS = (
    "init", "doctor", "run", "pull", "score", "push", "report", "eligibility", "queries", "explain", "runs",
    "validate",
)  # fmt: skip
"""The commands in the order in which a study needs them; each is ``command`` of the module of its name."""


class Program(click.Group):
    """The group whose every error becomes a sentence and an exit code."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"fhir_adapter.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it returns is the exit code."""
        ctx.exit(errors.guarded(lambda: super(Program, self).invoke(ctx)))


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fhir-adapter", message="fhir-adapter %(version)s")
def cli() -> None:
    """Take a clinical trial's data from FHIR servers or folders, score its outcomes, write them back.

    \b
    Start here:
      fhir-adapter init          write a study file and read its comments
      fhir-adapter run           pull, score, check and push
      fhir-adapter report        look at the participants and the response rate

    Exit codes: 0 done, 1 done with findings, 2 wrong use, 3 could not be done.
    """


def main() -> None:
    """The entry point of the installed program."""
    cli(prog_name="fhir-adapter")
