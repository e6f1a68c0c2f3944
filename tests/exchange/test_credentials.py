from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fhir_adapter.errors import FileFault, WrongUse
from fhir_adapter.exchange.credentials import Credentials


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        ("me:hushhush", "Basic " + base64.b64encode(b"me:hushhush").decode()),
        (
            "me:hushhush: é with blanks",
            "Basic " + base64.b64encode("me:hushhush: é with blanks".encode()).decode(),
        ),
        ("xyzzy.def-123==", "Bearer xyzzy.def-123=="),
        ("Bearer xyzzy", "Bearer xyzzy"),
    ],
)
def test_a_secret_is_basic_or_bearer(
    secret: str, header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", f" {secret}\n")
    (tmp_path / "token").write_text(f"{secret}\n", encoding="utf-8")
    for credentials in (Credentials.from_env("TOKEN"), Credentials.from_file(tmp_path / "token")):
        assert credentials.header() == header
        assert "hush" not in repr(credentials) + str(credentials)
        assert "xyzzy" not in repr(credentials) + str(credentials)


def test_an_unset_variable_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(WrongUse, match=r"TOKEN is not set.* Set it to"):
        Credentials.from_env("TOKEN")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="cannot be read"):
        Credentials.from_file(tmp_path / "none")


@pytest.mark.parametrize("secret", ["", "a\nb", "two words", "tökén", "Bearer "])
def test_what_is_no_secret_is_refused_without_quoting_it(secret: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(secret, encoding="utf-8")
    with pytest.raises(WrongUse) as caught:
        Credentials.from_file(tmp_path / "token")
    assert not secret or secret not in str(caught.value).removeprefix(str(tmp_path / "token"))
