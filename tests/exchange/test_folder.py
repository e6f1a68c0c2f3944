from __future__ import annotations

import gzip
import os
import random
import re
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.errors import Conflict, FileFault, Finding
from fhir_adapter.exchange.folder import Folder
from fhir_adapter.exchange.resource import Received, decode
from fhir_adapter.exchange.transaction import Entry

OBSERVATIONS = {"Observation"}


def line(id: str, rest: str = "") -> bytes:
    return f'{{"resourceType":"Observation","id":"{id}"{rest}}}'.encode()


def folder(path: Path, **files: bytes) -> Folder:
    for name, content in files.items():
        (path / name.replace("__", ".")).write_bytes(content)
    return Folder(path, name="site-a")


def read(source: Folder, types: set[str] = OBSERVATIONS) -> tuple[list[Received], list[Finding]]:
    found = list(source.resources(types))
    return [f for f in found if isinstance(f, Received)], [f for f in found if isinstance(f, Finding)]


# -- reading -------------------------------------------------------------------------------------


def test_a_line_comes_byte_for_byte(tmp_path: Path) -> None:
    body = line("a", ', "meta":{"versionId":"4","lastUpdated":"2026-01-02T03:04:05Z"},  "value":1.50')
    (received,), findings = read(folder(tmp_path, x__ndjson=body + b"\n"))
    assert received == Received("Observation", "a", "4", "2026-01-02T03:04:05Z", "Observation/a", body)
    assert decode(received.body)["value"].as_tuple() == Decimal("1.50").as_tuple()
    assert not findings


def test_without_a_version_the_hash_of_the_bytes_is_one(tmp_path: Path) -> None:
    (one, other), _ = read(folder(tmp_path, x__ndjson=line("a") + b"\n" + line("a", ',"status":"final"')))
    assert one.version.startswith("sha256:")
    assert len(one.version) == 7 + 64
    assert one.version != other.version


def test_the_resource_type_decides_not_the_name_of_the_file(tmp_path: Path) -> None:
    patient = b'{"resourceType":"Patient","id":"p"}'
    (received,), findings = read(folder(tmp_path, Patient__ndjson=patient + b"\n" + line("a")))
    assert received.id == "a"
    assert not findings


def test_a_file_without_the_type_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = b'{"resourceType":"Patient","id":"p"}'
    source = folder(tmp_path, a__ndjson=patient, b__ndjson=line("a") + b"\n" + patient)
    assert len(read(source, {"Patient"})[0]) == 2
    opened = []
    really = Path.open

    def spied(path: Path, *how: Any, **also: Any) -> Any:
        opened.append(path.name)
        return really(path, *how, **also)

    monkeypatch.setattr(Path, "open", spied)
    assert [each.id for each in read(source)[0]] == ["a"]
    assert opened == ["b.ndjson"]


def test_a_file_that_changed_is_opened_again(tmp_path: Path) -> None:
    source = folder(tmp_path, a__ndjson=b'{"resourceType":"Patient","id":"p"}')
    assert read(source) == ([], [])
    (tmp_path / "a.ndjson").write_bytes(line("a"))
    assert [each.id for each in read(source)[0]] == ["a"]


def test_a_file_with_a_damaged_line_is_opened_again(tmp_path: Path) -> None:
    source = folder(tmp_path, a__ndjson=b'{"resourceType":"Patient","id":"p"}\n{"resourceTy')
    assert [len(each) for each in read(source)] == [0, 1]
    assert [len(each) for each in read(source)] == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + line("a") + b"\n",
        b"\r\n\r\n" + line("a") + b"\r\n\r\n",
        b"\n  \n\t" + line("a") + b"  ",
        b'{ "id" : "a" ,\t"resourceType" : "Observation" }',
        b'{"resource\\u0054ype":"Ob\\u0073ervation","\\u0069d":"\\u0061"}',
        b'{"contained":[{"resourceType":"Patient","id":"x"}],"resourceType":"Observation","id":"a"}',
    ],
    ids=["BOM", "CRLF", "blank lines", "odd spacing", "escapes", "contained first"],
)
def test_odd_spelling_is_read(tmp_path: Path, text: bytes) -> None:
    (received,), findings = read(folder(tmp_path, x__ndjson=text))
    assert (received.type, received.id) == ("Observation", "a")
    assert received.body == text.removeprefix(b"\xef\xbb\xbf").strip()
    assert not findings


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"{nonsense}", "not JSON"),
        (line("b")[:-9], "cut off"),
        (b'{"id":"b"}', "no resourceType"),
        (b'{"resourceType":"Observation"}', "no id"),
        (b'{"resourceType":"Observation","id":"../b"}', "no id"),
        (b'{"resourceType":"Observation","id":7}', r"shape: Expected `str`, got `int` - at `\$\.id`"),
        (b'{"resourceType":"Observation","id":"b","meta":[]}', "shape"),
        (b'{"resourceType":7,"id":"b"}', "shape"),
        (b"[1, 2]", "shape"),
        (b'{"resourceType":"Observation","id":"b","note":"\xff"}', "not UTF-8"),
        (b'{"resourceType":"Observation","id":"b","note":"\\ud800"}', "cut off|not JSON"),
        (b'{"a":' * 100_000, "deep|cut off"),
    ],
)
def test_a_bad_line_is_named_and_the_others_go_on(tmp_path: Path, bad: bytes, what: str) -> None:
    received, (finding,) = read(folder(tmp_path, x__ndjson=line("a") + b"\n" + bad + b"\n" + line("c")))
    assert [r.id for r in received] == ["a", "c"]
    assert (finding.source, finding.resource) == ("site-a", "x.ndjson:2")
    assert re.search(what, finding.what)


@pytest.mark.parametrize(
    "unwanted",
    [
        b'{"resourceType":"OperationOutcome"}',
        b'{"resourceType":"Patient","id":7}',
        b'{"resourceType":"Patient","meta":[]}',
    ],
)
def test_what_nobody_asked_for_is_skipped_silently(tmp_path: Path, unwanted: bytes) -> None:
    assert read(folder(tmp_path, x__ndjson=unwanted)) == ([], [])


def test_json_files_are_read_too(tmp_path: Path) -> None:
    source = folder(
        tmp_path,
        one__json=b'{\n  "resourceType": "Observation",\n  "id": "a",\n  "value": 1.50\n}\n',
        two__json=b'{"resourceType":"Bundle","entry":[{"fullUrl":"https://h/Observation/b","resource": '
        + line("b", ',"meta":{"versionId":"2"},"v":1.50')
        + b'},{"resource":{"resourceType":"Patient","id":"p"}},{"request":{"method":"DELETE"}},'
        b'{"resource":{"resourceType":"Observation"}}, {"resource":7}]}',
        other__txt=b"nothing",
    )
    (a, b), (no_id, no_resource) = read(source)
    assert b"1.50" in a.body
    assert b.body == line("b", ',"meta":{"versionId":"2"},"v":1.50')
    assert b.url == "https://h/Observation/b/_history/2"
    assert no_id.resource == "two.json entry[3]"
    assert no_resource.resource == "two.json entry[4]"


def test_packed_files_are_read_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(line(f"a{n}") + b"\n" for n in range(5)))
    cut = gzip.compress(random.Random(1).randbytes(50_000))[:20_000]
    received, findings = read(folder(tmp_path, a__ndjson__gz=whole, b__ndjson__gz=cut, c__ndjson=line("z")))
    assert [r.id for r in received] == ["a0", "a1", "a2", "a3", "a4", "z"]
    assert "damaged or cut off" in findings[-1].what
    assert findings[-1].resource == "b.ndjson.gz"


@pytest.mark.parametrize("make", [False, True], ids=["missing", "empty"])
def test_a_folder_without_resources_is_a_fault_with_a_remedy(tmp_path: Path, make: bool) -> None:
    path = tmp_path / "export"
    if make:
        path.mkdir()
    with pytest.raises(FileFault) as caught:
        Folder(path, name="a").resources(OBSERVATIONS)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    source = folder(tmp_path, x__ndjson=line("a"))
    (tmp_path / "x.ndjson").chmod(0)
    with pytest.raises(FileFault, match="cannot be read"):
        list(source.resources(OBSERVATIONS))


def test_read_many_finds_the_last_of_each_id(tmp_path: Path) -> None:
    source = folder(tmp_path, x__ndjson=line("a") + b"\n" + line("b") + b"\n" + line("a", ',"n":2'))
    found = source.read_many("Observation", ["a", "c"])
    assert {id: r.body for id, r in found.items()} == {"a": line("a", ',"n":2')}


def test_read_many_of_a_folder_that_is_not_there_finds_nothing(tmp_path: Path) -> None:
    assert Folder(tmp_path / "none", name="a").read_many("Observation", ["a"]) == {}


lines = st.lists(
    st.sampled_from(
        [
            line("a"),
            line("b"),
            line("b", ',"n":1.50'),
            b'{"resourceType":"Patient","id":"p"}',
            b"{broken",
            b"",
            line("c") + b"\r",
        ]
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(lines, st.integers(1, 3), st.randoms())
def test_the_order_of_files_and_lines_does_not_matter(
    content: list[bytes], files: int, chance: random.Random
) -> None:
    def yielded(content: list[bytes]) -> list[bytes]:
        with TemporaryDirectory() as path:
            for number in range(files):
                (Path(path) / f"{number}.ndjson").write_bytes(b"\n".join(content[number::files]))
            found = Folder(Path(path), name="a").resources(OBSERVATIONS)
            return sorted(f.body if isinstance(f, Received) else f.what.encode() for f in found)

    mixed = list(content)
    chance.shuffle(mixed)
    assert yielded(mixed) == yielded(content)


@settings(max_examples=200)
@given(st.data())
def test_whatever_the_bytes_are_reading_them_ends_in_findings(data: st.DataObject) -> None:
    bundle = b'{"resourceType":"Bundle","entry":[{"fullUrl":"u","resource":' + line("b") + b"}]}"
    text = bytearray(line("a", ',"meta":{"versionId":"1"}') + b"\n" + bundle + b"\n")
    for _ in range(data.draw(st.integers(0, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as path:
        source = folder(Path(path), x__ndjson=bytes(text))
        for found in source.resources(OBSERVATIONS):
            if isinstance(found, Received):
                assert decode(found.body)["id"] == found.id
        source.write([entry("a")])
        assert len(source.read_many("Observation", ["a"])) == 1


# -- writing -------------------------------------------------------------------------------------


def entry(id: str, if_match: str | None = None, **rest: Any) -> Entry:
    resource = {"resourceType": "Observation", "id": id, **rest}
    return Entry("PUT", f"Observation/{id}", resource, f"urn:test:{id}", if_match)


def test_a_new_resource_is_version_1(tmp_path: Path) -> None:
    out = Folder(tmp_path / "out", name="out")
    (answer,) = out.write([entry("a", value=Decimal("1.50"))])
    assert (answer.status, answer.version, answer.url, answer.outcome) == (201, "1", "Observation/a", "")
    text = (tmp_path / "out" / "Observation.ndjson").read_bytes()
    assert text == b'{"resourceType":"Observation","id":"a","meta":{"versionId":"1"},"value":1.50}\n'
    (received,), _ = read(out)
    assert received.version == "1"


def test_other_lines_stay_byte_for_byte(tmp_path: Path) -> None:
    kept = [
        b'{ "resourceType":"Observation", "id":"x" , "v":1.50}\r\n',
        b"{broken\n",
        b"\n",
        line("y") + b"\n",
    ]
    out = folder(tmp_path, Observation__ndjson=kept[0] + line("a") + b"\n" + b"".join(kept[1:]) + line("z"))
    out.write([entry("a", status="final"), entry("new")])
    written = (tmp_path / "Observation.ndjson").read_bytes().splitlines(keepends=True)
    assert [written[0], *written[2:5]] == kept
    assert (
        written[1] == b'{"resourceType":"Observation","id":"a","meta":{"versionId":"1"},"status":"final"}\n'
    )
    assert written[5] == line("z") + b"\n"
    assert b'"id":"new"' in written[6]


def test_versions_count_up_and_writing_the_same_twice_is_writing_once(tmp_path: Path) -> None:
    out = Folder(tmp_path, name="out")
    versions = [
        out.write([entry("a", status=status, meta={"profile": ["p"]})])[0].version
        for status in ("preliminary", "final", "final", "amended")
    ]
    assert versions == ["1", "2", "2", "3"]
    assert len((tmp_path / "Observation.ndjson").read_bytes().splitlines()) == 1


def test_several_lines_of_one_id_become_one(tmp_path: Path) -> None:
    out = folder(
        tmp_path, Observation__ndjson=line("a") + b"\n" + line("b") + b"\n" + line("a", ',"n":2') + b"\n"
    )
    out.write([entry("a", status="final")])
    assert [r.id for r in read(out)[0]] == ["a", "b"]


@pytest.mark.parametrize("if_match", ["2", "sha256:00"])
def test_a_version_that_does_not_fit_is_a_conflict_and_nothing_is_written(
    tmp_path: Path, if_match: str
) -> None:
    out = Folder(tmp_path, name="out")
    out.write([entry("a"), entry("b")])
    before = (tmp_path / "Observation.ndjson").read_bytes()
    device = Entry("PUT", "Device/d", {"resourceType": "Device", "id": "d"}, "urn:d")
    with pytest.raises(Conflict, match=r"Observation/b.*Read it again"):
        out.write([device, entry("a", status="final"), entry("b", if_match, status="final")])
    assert (tmp_path / "Observation.ndjson").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Observation.ndjson"]


def test_a_version_to_replace_that_is_not_there_is_a_conflict(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="none stands there"):
        Folder(tmp_path, name="out").write([entry("a", "1")])


def test_the_version_that_was_read_can_be_replaced(tmp_path: Path) -> None:
    out = folder(tmp_path, Observation__ndjson=line("a"))
    version = out.read_many("Observation", ["a"])["a"].version
    assert version.startswith("sha256:")
    out.write([entry("a", version, status="final")])
    (answer,) = out.write([entry("a", "1", status="amended")])
    assert answer.version == "2"


def test_answers_stand_in_the_order_of_the_entries(tmp_path: Path) -> None:
    device = Entry("PUT", "Device/d", {"resourceType": "Device", "id": "d"}, "urn:d")
    answers = Folder(tmp_path, name="out").write([entry("b"), device, entry("a")])
    assert [a.url for a in answers] == ["Observation/b", "Device/d", "Observation/a"]


def test_a_crash_before_the_rename_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Folder(tmp_path, name="out")
    out.write([entry("a")])
    before = (tmp_path / "Observation.ndjson").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(FileFault, match="No space left"):
            out.write([entry("a", status="final")])
    assert (tmp_path / "Observation.ndjson").read_bytes() == before
    assert [r.body for r in read(out)[0]] == [before.strip()]
    out.write([entry("a", status="final")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Observation.ndjson"]


@pytest.mark.parametrize(
    "wrong",
    [
        Entry("POST", "Observation/a", {"resourceType": "Observation", "id": "a"}, "urn:a"),
        Entry("PUT", "Observation/b", {"resourceType": "Observation", "id": "a"}, "urn:a"),
        Entry("PUT", "../a", {"resourceType": "..", "id": "a"}, "urn:a"),
    ],
)
def test_what_is_no_put_of_its_own_resource_is_a_mistake(tmp_path: Path, wrong: Entry) -> None:
    with pytest.raises(ValueError):
        Folder(tmp_path, name="out").write([wrong])


def test_a_resource_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        Folder(tmp_path, name="out").write([entry("a"), entry("a")])
