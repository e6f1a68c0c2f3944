"""The wheel carries everything: in an environment and a folder of its own it does its work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.cli.folders import DAY, one_export

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; the folder of its programs.

    What the wheel depends on comes from this environment, so that no network is needed. Only the folder is
    put on the path: the ``.pth`` of an editable install in it is not read, so that the checkout is not.
    """
    folder = tmp_path_factory.mktemp("wheel")
    _done(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, TOP, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    home = folder / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    _done(
        sys.executable,
        "-m",
        "pip",
        f"--python={python}",
        "install",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=folder,
    )
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return home / "bin"


def _done(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """What a command printed; it must end with ``code``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == code, f"{done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_the_package_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    asked = "import fhir_adapter, fhir_adapter.shipped as s; print(fhir_adapter.__file__); print(s.PROFILES)"
    places = _done(installed / "python", "-c", asked, cwd=tmp_path).splitlines()
    assert all(Path(place).is_relative_to(installed.parent) for place in places)


def test_profiles_mappings_protocols_and_schemas_travel_inside(installed: Path, tmp_path: Path) -> None:
    asked = (
        "import json, fhir_adapter.shipped as s\n"
        "print(json.dumps({name: sorted(str(path.relative_to(getattr(s, name)))"
        " for path in getattr(s, name).rglob('*') if path.is_file() and path.suffix != '.pyc')"
        " for name in ('PROFILES', 'MAPPINGS', 'PROTOCOLS', 'SCHEMAS')}))"
    )
    found = json.loads(_done(installed / "python", "-c", asked, cwd=tmp_path))
    here = {
        "PROFILES": TOP / "profiles",
        "MAPPINGS": TOP / "mappings",
        "PROTOCOLS": TOP / "fhir_adapter" / "trial" / "protocols",
        "SCHEMAS": TOP / "fhir_adapter" / "schemas",
    }
    for name, folder in here.items():
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        assert found[name] == files
        assert files, name


def test_init_run_and_validate_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    program, here = installed / "fhir-adapter", tmp_path / "empty"
    here.mkdir()
    export = one_export(tmp_path / "export", 2)
    first = json.loads(_done(program, "run", export, *DAY, "--json", cwd=here))
    assert [each["response"] for each in first["participants"]] == ["undetermined", "undetermined"]
    assert len(first["pushed"]["created"]) == 2 * 22
    second = json.loads(_done(program, "run", export, *DAY, "--json", cwd=here))
    assert (second["pushed"]["created"], second["pushed"]["unchanged"]) == ([], 2 * 22)
    assert "88 resources in 2 files: nothing found." in _done(program, "validate", "outcomes", cwd=here)

    _done(program, "init", export, cwd=here)
    third = json.loads(_done(program, "run", export, *DAY, "--json", cwd=here))
    assert third["participants"] == first["participants"]
    assert (export / "study.sqlite").is_file()
    assert "STAR, systemic item met: yes" in _done(program, "explain", "JSS-01", "star", export, cwd=here)
