"""A run: pull, score, check, push; recorded from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version as installed_version
from typing import Any

from fhir_adapter.errors import StudyFileError
from fhir_adapter.pipeline.places import Mappings, mappings
from fhir_adapter.pipeline.processes import written
from fhir_adapter.pipeline.pull import Pulled, pull
from fhir_adapter.pipeline.push import NO_CHOICES, Choices, PushReport, push, user
from fhir_adapter.pipeline.score import Scored, ScoredOne, Scoring
from fhir_adapter.study import Study
from fhir_adapter.workspace import StoredOutcome, Workspace

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did; a step that was not asked for is None."""

    as_of: date
    pulled: list[Pulled] | None = None
    scored: Scored | None = None
    changed: tuple[int, int] = (0, 0)
    pushed: PushReport | None = None

    @property
    def findings(self) -> bool:
        """Whether there is something that a person should look at."""
        pulled = any(each.findings for each in self.pulled or ())
        scored = self.scored is not None and bool(
            self.scored.queries
            or self.scored.unknown_codes
            or self.scored.findings
            or not self.scored.subjects
        )
        pushed = self.pushed is not None and bool(
            self.pushed.clashes or self.pushed.invalid or self.pushed.differing
        )
        return pulled or scored or pushed


def today(study: Study) -> date:
    """The day of now in the study's time zone."""
    return datetime.now(study.timezone).date()


def rules_of(study: Study, found: Mappings) -> list[str]:
    """The URIs that say by which rules an outcome was made: protocol, mappings, study, with digests."""
    protocol = study.protocol
    return [
        f"urn:fhir-adapter:protocol:{protocol.id}:sha256:{protocol.digest}",
        *(f"urn:fhir-adapter:mapping:{name}:sha256:{digest}" for name, digest in found.digests.items()),
    ]


def run(
    study: Study,
    steps: frozenset[str],
    as_of: date | None = None,
    *,
    full: bool = False,
    choices: Choices = NO_CHOICES,
    dry_run: bool = False,
    verify: bool = False,
    jobs: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Do the ``steps`` out of pull, score and push, in that order; score by so many processes.

    The workspace keeps who ran what, when, as of which day, with which software and rules. Raises
    AdapterError; what was stored before stays.
    """
    day = as_of or today(study)
    found = mappings(study)
    hospitals = dict(found.hospitals)
    pulled, scored, pushed, changed = None, None, None, (0, 0)
    with Workspace(study.workspace) as workspace:
        last = _last_run(study, workspace)
        if last is not None and "score" not in steps:
            # The day is that of the outcomes: a pull or a push alone does not move it.
            day = date.fromisoformat(last["as_of"])
        id = workspace.start_run(_about(study, found, day, steps))
        if "pull" in steps:
            pulled = pull(study, hospitals, workspace, id, full=full, progress=progress)
        if "score" in steps:
            progress("scoring")
            scoring = Scoring(study, hospitals, workspace, day)
            kept: list[ScoredOne] = []
            outcomes = _documents(scoring, rules_of(study, found), jobs, kept)
            changed = workspace.save_outcomes(id, outcomes)
            scored = scoring.scored(kept)
            workspace.save_queries(id, scored.queries)
        if "push" in steps:
            pushed = push(
                study,
                workspace,
                id,
                rules_of(study, found),
                choices=choices,
                dry_run=dry_run,
                verify=verify,
                progress=progress,
            )
        report = Report(day, pulled, scored, changed, pushed)
        workspace.finish_run(id, _summary(report))
    return report


def _documents(
    scoring: Scoring, rules: Sequence[str], jobs: int | None, kept: list[ScoredOne]
) -> Iterator[StoredOutcome]:
    """The outcomes of one participant after another; kept of each is what a run tells."""
    for one, documents in written(scoring, rules, jobs):
        yield from documents
        kept.append(one)


@contextmanager
def rescoring(study: Study, as_of: date | None = None) -> Iterator[Scoring]:
    """Scores again what the workspace has, without changing it: for explaining and reporting.

    As of the day of the last run, unless another is given.
    """
    found = mappings(study)
    with Workspace(study.workspace) as workspace:
        last = _last_run(study, workspace)
        day = as_of or (date.fromisoformat(last["as_of"]) if last else today(study))
        yield Scoring(study, dict(found.hospitals), workspace, day)


def rescored(study: Study, as_of: date | None = None, only: str | None = None) -> Report:
    """As ``rescoring``, with all evidence at once: of everybody, or of ``only`` one participant."""
    with rescoring(study, as_of) as scoring:
        return Report(scoring.as_of, scored=scoring.scored(list(scoring.participants(only))))


def _last_run(study: Study, workspace: Workspace) -> dict[str, Any] | None:
    """What the last run was about. Raises StudyFileError where the workspace is of another study."""
    owner = workspace.identifier()
    if owner not in (None, "|".join(study.identifier)):
        raise StudyFileError(
            f"The workspace {study.workspace} belongs to the study {owner}.",
            where=f"{study.path}: study.workspace",
            remedy="Name another file: a workspace is of one study.",
        )
    return workspace.last_run()


def _about(study: Study, found: Mappings, day: date, steps: frozenset[str]) -> dict[str, Any]:
    return {
        "as_of": day.isoformat(),
        "identifier": "|".join(study.identifier),
        "steps": sorted(steps),
        "user": user(),
        "software": installed_version("fhir-adapter"),
        "study": study.digest,
        "protocol": study.protocol.digest,
        "mappings": dict(found.digests),
    }


def _summary(report: Report) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    if report.pulled is not None:
        summary["pulled"] = {
            each.source: {
                "resources": dict(each.counts),
                "new": each.new,
                "gone": each.gone,
                "findings": len(each.findings),
                "requests": each.requests,
                "retries": each.retries,
            }
            for each in report.pulled
        }
    if report.scored is not None:
        summary["outcomes"] = {"changed": report.changed[0], "gone": report.changed[1]}
        summary["queries"] = len(report.scored.queries)
    if report.pushed is not None:
        pushed = report.pushed
        summary["pushed"] = {
            "rung": pushed.rung.number, "transactions": pushed.transactions,
            "created": len(pushed.created), "updated": len(pushed.updated),
            "retracted": len(pushed.retracted), "repaired": len(pushed.repaired),
            "unchanged": pushed.unchanged, "left to the server": len(pushed.left),
            "conflicts": len(pushed.clashes), "invalid": len(pushed.invalid),
            "requests": pushed.requests, "retries": pushed.retries,
        }  # fmt: skip
    return summary
