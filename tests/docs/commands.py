"""Writes the reference of commands from the commands themselves."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

import click

from fhir_adapter.cli import errors
from fhir_adapter.cli.main import COMMANDS, cli

_HEAD = """\
<!-- Written by `python -m tests.docs.generate`; a test fails when it is stale. -->

# Commands

`fhir-adapter COMMAND --help` says the same on the screen. `fhir-adapter --version` shows the version.

STUDY, where a command takes it, is a study file, a folder with a `study.toml`, or a folder of NDJSON without
one. It is the current folder unless given.

## Exit codes

| code | name | when |
|---|---|---|
"""


def reference() -> str:
    """The page."""
    text = _HEAD
    for name, meaning in _codes().items():
        text += f"| {getattr(errors, name)} | {name.lower().replace('_', ' ')} | {meaning} |\n"
    text += f"\n`{errors.DEBUG}=1` in the environment shows the traceback of an error too.\n"
    context = click.Context(cli, info_name="fhir-adapter")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        text += _section(command, click.Context(command, info_name=name, parent=context))
    return text


def _codes() -> dict[str, str]:
    """The exit codes with the sentence that stands below each in the code."""
    body = ast.parse(inspect.getsource(errors)).body
    found = {}
    for before, after in pairwise(body):
        match before, after:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int())), ast.Expr(
                value=ast.Constant(value=str(meaning))
            ):
                found[name] = " ".join(meaning.split())
    return found


def _section(command: click.Command, context: click.Context) -> str:
    words, _, example = inspect.cleandoc(command.help or "").partition("\b\nExample:\n")
    text = f"\n## {context.info_name}\n\n```\n{_usage(context)}\n```\n\n{words.strip()}\n"
    rows = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and "--help" not in parameter.opts
        and (record := parameter.get_help_record(context))
    ]
    text += "\n| option | |\n|---|---|\n" if rows else ""
    text += "".join(f"| `{names}` | {meaning} |\n" for names, meaning in rows)
    return text + f"\nExample:\n\n```\n{inspect.cleandoc(example)}\n```\n"


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return " ".join((context.command_path, *pieces))
