"""Everything that a run writes passes HL7's own validator against ``profiles/``."""

from __future__ import annotations

from pathlib import Path

from fhir_adapter import shipped
from fhir_adapter.pipeline.run import run
from fhir_adapter.study import read_study
from tests import reference
from tests.hospital import generator
from tests.hospital.study import AS_OF, write_study


def test_what_is_written_is_valid(tmp_path: Path) -> None:
    reference.require_java("HL7's validator was not asked about what a run writes.")
    generator.write_ndjson(generator.hospital(), tmp_path)
    path = write_study(tmp_path, hospital="hospital", ratings="ratings", target="outcomes")
    report = run(read_study(path), frozenset(("pull", "score", "push")), AS_OF)
    assert report.pushed is not None
    assert report.pushed.written == len(list((tmp_path / "outcomes" / "Observation.ndjson").open("rb")))
    written = [tmp_path / "outcomes" / name for name in ("Observation.ndjson", "Provenance.ndjson")]
    issues = reference.validate(written, [shipped.PROFILES])
    assert reference.errors(issues) == []
