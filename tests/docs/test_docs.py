"""The documentation says what the program does: nothing in it is stale, and its commands run."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from fhir_adapter.cli.main import COMMANDS, cli
from fhir_adapter.study import read_study
from fhir_adapter.trial.types import QueryKind
from tests.docs import console, generate
from tests.docs.hospital import write_folder

README = console.ROOT / "README.md"
PAGES = [README, console.ROOT / "CHANGELOG.md", *sorted(generate.DOCS.glob("*.md"))]
TEXTS = {path.relative_to(console.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_RUN = re.compile(r"^<!-- run: ([0-9 ]+) -->\n```sh\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
WITHIN = 120.0


@pytest.mark.parametrize("name", generate.PAGES)
def test_what_is_generated_is_not_stale(name: str) -> None:
    assert generate.stale(name) is None, f"docs/{name} is stale: python -m tests.docs.generate"


@pytest.mark.parametrize(
    ("heading", "told"),
    [
        ("The first run", ("XJ9907", "no-unit", "refused", "not due", "330 new", "exit code 1")),
        ("Once more", ("0 new, 0 rewritten, 0 retracted; 330 unchanged",)),
        ("A result is corrected", ("1 new or changed", "3 rewritten", "JSS-01 star", "JSS-01 response")),
        ("Why?", ("18.2 g/L ← hospital: ", "B-cell activity: no", "also:")),
        ("Who may enter?", ("E11", "Body height (physician)", "ckid-u25: undetermined")),
        ("A data query is answered", ("3 rewritten", "Q-")),
        ("Which reading decides?", ("more-than-three", "anchor-first-belimumab")),
        (
            "Change a threshold",
            ("> threshold = 4", "rewritten", "outcomes.response.threshold", "exit code 2"),
        ),
        ("Check what was written", ("nothing found", "Not checked: ")),
    ],
)
def test_the_tutorial_shows_what_its_words_say(heading: str, told: tuple[str, ...]) -> None:
    section = TEXTS["docs/tutorial.md"].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    printed = "".join(body for kind, body in _FENCE.findall(section) if kind == "console")
    assert [each for each in told if each not in printed] == []


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    page = "```console\n$ echo now\nbefore\n$ date -u +%Y-%m-%dT%H:%M:%SZ\n2001-01-01T00:00:00Z\n```\n"
    assert not console.same(page, console.refreshed(page, tmp_path))
    fresh = page.replace("before", "now")
    assert console.refreshed(fresh, tmp_path) == fresh


def test_a_failing_command_shows_its_exit_code(tmp_path: Path) -> None:
    assert console.outputs(["sh -c 'exit 3'", "echo $?"], tmp_path) == ["", "3\n"]


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """The folder in which a reader follows the README: the export lies in ``trial/``, no study file yet."""
    write_folder(tmp_path / "trial")
    (tmp_path / "trial/study.toml").unlink()
    return tmp_path


def study_of_readme() -> str:
    """The study file that the README shows."""
    (text,) = (body for kind, body in _FENCE.findall(TEXTS["README.md"]) if kind == "toml")
    assert isinstance(text, str)
    return text


def test_commands_of_the_readme_run_as_told(trial: Path) -> None:
    fences = _RUN.findall(TEXTS["README.md"])
    assert len(fences) == 2, "init, and what comes after the study file was edited"
    for codes, body in fences:
        commands = body.splitlines()
        done = [_exit_code(command, trial) for command in commands]
        assert list(map(int, codes.split())) == done, list(zip(commands, done, strict=True))
        # What the reader does between the fences; what init wrote has the same parts.
        written = trial / "trial/study.toml"
        parts = tomllib.loads(written.read_text(encoding="utf-8"))
        assert set(parts) == set(tomllib.loads(study_of_readme()))
        written.write_text(study_of_readme(), encoding="utf-8")
    assert (trial / "trial/outcomes/Observation.ndjson").stat().st_size


def _exit_code(command: str, folder: Path) -> int:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=console.environment(), capture_output=True, timeout=WITHIN
    )
    assert b"Traceback" not in done.stderr
    return done.returncode


def test_every_shell_fence_of_the_readme_runs_or_says_why_not() -> None:
    fences = TEXTS["README.md"].count("```sh\n")
    assert fences == TEXTS["README.md"].count("<!-- run: ") + TEXTS["README.md"].count("<!-- not run: ")


def test_the_study_file_of_the_readme_can_name_servers(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    text = study_of_readme()
    server = 'server = "https://fhir.hospital.example/r4"\ntoken_env = "HOSPITAL_TOKEN" #'
    for line in server.removesuffix(" #").splitlines():
        assert line in TEXTS["README.md"]
    path.write_text(text.replace('folder = "hospital"', server), encoding="utf-8")
    assert read_study(path).sources[0].place.server == "https://fhir.hospital.example/r4"


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert re.findall(r"^## ([a-z]+)$", TEXTS["docs/commands.md"], re.M) == list(COMMANDS)
    for name, text in TEXTS.items():
        assert {command for command, _ in _invoked(text)} <= set(COMMANDS), name


def _invoked(text: str) -> list[tuple[str, str]]:
    """The commands that the code in a text names, each with what follows on its line."""
    code = "\n".join(body for _, body in _FENCE.findall(text)) + "\n"
    code += "\n".join(_INLINE.findall(_FENCE.sub("", text)))
    return re.findall(r"^(?:\$ )?fhir-adapter ([a-z]+)([^|#\n]*)", code, re.M)


def test_options_in_the_docs_exist() -> None:
    context = click.Context(cli)
    for name, text in TEXTS.items():
        for command, rest in _invoked(text):
            found = cli.get_command(context, command)
            assert found is not None
            known = {each for option in found.params for each in (*option.opts, *option.secondary_opts)}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known | {"--help"}, f"{name}: {command}{rest}"


def test_every_command_has_help_and_an_example() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert re.search(rf"\x08\n *Example:\n *fhir-adapter {name} ", command.help or ""), name
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


def test_make_targets_in_the_docs_exist() -> None:
    makefile = (console.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    for name, text in TEXTS.items():
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.M)) <= targets, name


def test_every_kind_of_query_has_its_remedy() -> None:
    _, _, section = TEXTS["docs/how-it-works.md"].partition("## Data queries")
    rows = re.findall(r"^\| `([a-z-]+)` \| .+ \| .+ \|$", section.partition("\n## ")[0], re.M)
    assert rows == [kind.value for kind in QueryKind]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), link
        if anchor:
            assert anchor in {_anchor(each) for each in _HEADING.findall(there.read_text("utf-8"))}, link


def _anchor(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_folders_of_the_readme_exist() -> None:
    for row in re.findall(r"^\| (`[^|]+) \|", TEXTS["README.md"], re.M):
        for name in re.findall(r"`([^`]+)`", row):
            assert any((console.ROOT / top / name).exists() for top in ("", "fhir_adapter")), name


def test_the_house_of_the_readme_is_whole() -> None:
    package = console.ROOT / "fhir_adapter"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    house = TEXTS["README.md"].partition("## The house")[2]
    assert rooms <= set(re.findall(r"`fhir_adapter/([a-z]+)/`", house))


def test_docs_name_no_machine() -> None:
    for name, text in TEXTS.items():
        assert not re.search(r"(?<![\w/])/(work|root|home)/", text), name


def test_generator_names_what_is_stale(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(generate, "PAGES", {"commands.md": lambda _: "other"})
    assert generate.main(check=True) == 1
    assert capsys.readouterr().out == "docs/commands.md is stale\n"
