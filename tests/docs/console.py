"""Runs the commands of a document, in order and in one shell, and puts what they print below them.

A command is a line that begins with ``$`` in a ``console`` fence. A ``setup`` comment holds commands that the
reader has done already. Standard output and error are shown as they come.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```console\n(?P<block>.*?)^```$|^<!-- setup\n(?P<setup>.*?)^-->$", re.M | re.S)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z")
"""Times of a run: the only thing that differs from one run of the same commands to the next."""
_MARK = "\x1e"
WITHIN = 120.0


def same(left: str, right: str) -> bool:
    """Whether two texts are equal but for the times of runs."""
    return _TIME.sub("", left) == _TIME.sub("", right)


def environment() -> dict[str, str]:
    """What a reader has: the program on the path, and the modules of the repository."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("COV_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "COLUMNS": "80",
    }


def outputs(commands: list[str], folder: Path) -> list[str]:
    """What each command prints, run one after the other in one shell that starts in ``folder``.

    ``$?`` is the exit code of the command before. Raises RuntimeError where the shell ends before the last.
    """
    script = "code=0\n"
    for command in commands:
        script += f"(exit $code)\n{command}\ncode=$?\nprintf '\\036'\n"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=WITHIN,
        check=False,
    )
    printed = done.stdout.decode().split(_MARK)
    if len(printed) != len(commands) + 1:
        raise RuntimeError(f"The shell ended early: {printed[-1]}")
    return printed[:-1]


def refreshed(document: str, folder: Path) -> str:
    """The document with what its commands print now; a fence whose times alone differ is left as it is."""
    fences = list(_FENCE.finditer(document))
    commands = [_commands(fence) for fence in fences]
    printed = iter(outputs([each for group in commands for each in group], folder))
    new, end = "", 0
    for fence, group in zip(fences, commands, strict=True):
        shown = "".join(f"$ {each}\n{_ended(next(printed))}" for each in group)
        new += document[end : fence.start()]
        old = fence["block"]
        new += fence[0] if old is None or same(old, shown) else f"```console\n{shown}```"
        end = fence.end()
    return new + document[end:]


def _commands(fence: re.Match[str]) -> list[str]:
    if fence["block"] is None:
        return [line for line in fence["setup"].splitlines() if line]
    return [line[2:] for line in fence["block"].splitlines() if line.startswith("$ ")]


def _ended(text: str) -> str:
    """The output without spaces at its end, closed by a line break if there is any."""
    text = text.rstrip()
    return f"{text}\n" if text else ""
