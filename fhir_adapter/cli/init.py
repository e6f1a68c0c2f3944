"""``init``: write a commented study file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from fhir_adapter.cli.options import holds_export
from fhir_adapter.errors import FileFault, WrongUse


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--protocol",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Name this protocol file in it. Where there is none yet, a copy of the one that ships is put there.",
)
@click.option(
    "--mapping",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Name this mapping folder in it. Where there is none yet, a copy is put there: of the one that ships"
    " under its name, else of `international`.",
)
def command(folder: Path, protocol: Path | None, mapping: Path | None) -> None:
    """Write a study.toml into FOLDER, with a comment beside every key.

    FOLDER is the current one unless given. Where it holds a bulk export already, the file names it as the
    source. The study is that of the protocol file. Nothing that is there is ever overwritten. To change the
    rules or to map a hospital's own codes, let --protocol and --mapping make copies to edit; their paths are
    taken from the current folder.

    \b
    Example:
      fhir-adapter init trial --protocol trial/protocol.toml --mapping trial/our-hospital
    """
    from fhir_adapter import shipped
    from fhir_adapter.cli.template import MAPPING, PROTOCOL, source_template, template
    from fhir_adapter.study import STUDY_FILE, read_conduct, read_protocol

    path = folder / STUDY_FILE
    if path.exists():
        raise WrongUse("There is one already.", where=str(path), remedy="It is left as it is.")
    try:
        named = {}
        if protocol:
            named["protocol"] = os.path.relpath(protocol, folder)
            _copied(shipped.PROTOCOLS / f"{PROTOCOL}.toml", protocol)
            trial, _ = read_protocol(protocol), read_conduct(protocol)
            named["identifier"] = f"{trial.registry}|{trial.id}"
        if mapping:
            named["mapping"] = os.path.relpath(mapping, folder)
            alike = shipped.MAPPINGS / mapping.name
            _copied(alike if alike.is_dir() else shipped.MAPPINGS / MAPPING, mapping)
        folder.mkdir(parents=True, exist_ok=True)
        exported = holds_export(folder)
        text = source_template(folder, folder, **named) if exported else template("export", **named)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        where, why = str(fault.filename or path), fault.strerror or "not every file could be copied"
        raise FileFault(f"It cannot be written: {why}.", where=where) from None
    click.echo(f"Wrote {path}. Read its comments, then: fhir-adapter run {folder}")


def _copied(shipped: Path, wanted: Path) -> None:
    """Put a copy of a file or folder that ships there, unless something is there."""
    if wanted.exists():
        return
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if shipped.is_dir():
        shutil.copytree(shipped, wanted, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(shipped, wanted)
    click.echo(f"Wrote {wanted}, a copy to edit.")
