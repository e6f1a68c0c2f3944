"""The one place that turns errors into a sentence on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from fhir_adapter.errors import AdapterError, WrongUse

DONE = 0
"""What was asked for is done, and there is nothing that a person should look at."""
FINDINGS = 1
"""It is done, and there is something to look at: a data query, an unknown code, a line that could not be
read, an outcome that was not written. Apart from 0, so that a scheduled run can call somebody."""
WRONG_USE = 2
"""The command or a file that the user wrote cannot be meant: the same again will fail again. It is also
what click answers to an unknown option."""
CANNOT = 3
"""What was asked for is meant, but the world does not let us, or this program has a fault: nothing that was
stored before is lost, and the same again may succeed."""

DEBUG = "FHIR_ADAPTER_DEBUG"
"""The environment variable that asks for the traceback."""


def guarded(command: Callable[[], object]) -> int:
    """Run a command; its own exit code, or that of what went wrong, told in one sentence."""
    try:
        code = command()
        sys.stdout.flush()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise  # click's own: usage errors and --help
    except AdapterError as fault:
        return _told(str(fault), WRONG_USE if isinstance(fault, WrongUse) else CANNOT)
    except KeyboardInterrupt:
        return _told("Stopped. What was stored before stays; run it again to go on.", CANNOT)
    except BrokenPipeError:
        return _reader_gone()
    except OSError as fault:
        place = f"{fault.filename}: " if fault.filename else ""
        return _told(f"{place}{fault.strerror or type(fault).__name__}.", CANNOT)
    except Exception as fault:
        return _told(_of_a_bug(fault), CANNOT)
    return code if isinstance(code, int) else DONE


def _told(sentence: str, code: int) -> int:
    click.echo(f"fhir-adapter: {sentence}", err=True)
    if os.environ.get(DEBUG):
        traceback.print_exc()
    return code


def _of_a_bug(fault: Exception) -> str:
    """Where a bug is, without its message: that could quote what was being read."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    return (
        f"This is a fault of fhir-adapter itself ({type(fault).__name__} in {Path(last.filename).name},"
        f" line {last.lineno}); nothing that was stored before is lost. Please report it;"
        f" {DEBUG}=1 shows more."
    )


def _reader_gone() -> int:
    """The reader of our output has seen enough, as ``| head`` does: no fault of anybody.

    Standard output leads nowhere from here on, or Python would complain when it closes it.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
