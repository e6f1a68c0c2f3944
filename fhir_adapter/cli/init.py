"""``init``: write a commented study file."""

from __future__ import annotations

from pathlib import Path

import click

from fhir_adapter.cli.options import holds_export
from fhir_adapter.errors import FileFault, WrongUse


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def command(folder: Path) -> None:
    """Write a study.toml into FOLDER, with a comment beside every key.

    FOLDER is the current one unless given. Where it holds a bulk export already, the file names it as the
    source. A study file that is there is never overwritten.

    \b
    Example:
      fhir-adapter init trial
    """
    from fhir_adapter.cli.template import source_template, template
    from fhir_adapter.study import STUDY_FILE

    path = folder / STUDY_FILE
    if path.exists():
        raise WrongUse("There is one already.", where=str(path), remedy="It is left as it is.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = source_template(folder, folder) if holds_export(folder) else template("export")
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise FileFault(f"The study file cannot be written: {fault.strerror}.", where=str(path)) from None
    click.echo(f"Wrote {path}. Read its comments, then: fhir-adapter run {folder}")
