"""The controller's end of a session: records in, summaries, gates and the run file out."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_pitcheval import files
from pytest_pitcheval.credentials import redact
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation.outcomes import how_to_repeat
from pytest_pitcheval.reports import junit
from pytest_pitcheval.results import summaries
from pytest_pitcheval.results.baselines import Key, measure
from pytest_pitcheval.results.decisions import Decision, Outcome, Terms, decide
from pytest_pitcheval.results.gates import GateResult
from pytest_pitcheval.results.records import Collected, function_of
from pytest_pitcheval.results.summaries import Missing
from pytest_pitcheval.rollouts.rollout_id import session_timestamp
from pytest_pitcheval.session.session import Session
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import baseline_files, run_files
from pytest_pitcheval.storage.baseline_files import Update

_PACKAGES = (
    "pytest-pitcheval",
    "dspy",
    "litellm",
    "mlflow",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "xllamacpp",
)


@dataclasses.dataclass(frozen=True)
class Results:
    """What a session came to.

    Attributes:
        missing: by node ID, the tests that left no record.
        baseline: the name of what scores were compared with, or None.
        update: what was written to the baseline file, or None.
        paths: the run files that were written.
        problems: what could not be written or read at the end, a line each.
        document: the run file's, without credentials.
        reports: what was written for people to read.
        logged: what came of logging to MLflow, a line each, and whether it is bad news; it never makes a run fail.
    """

    decision: Decision
    missing: Mapping[str, Missing]
    baseline: str | None = None
    update: Update | None = None
    paths: list[Path] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    document: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reports: list[Path] = dataclasses.field(default_factory=list)
    logged: list[tuple[str, bool]] = dataclasses.field(default_factory=list)

    @property
    def gates(self) -> list[GateResult]:
        """The gates as they may be shown, without credentials."""
        return [GateResult(**gate) for gate in self.document["gates"]]

    @property
    def bad(self) -> bool:
        """Whether the session must not end as a good one, whatever its tests say."""
        return bool(self.problems) or any(gate.status == "failed" for gate in self.decision.gates)


def conclude(session: Session) -> Results:
    """Sum the session up, write its run file, and the baseline if that was asked for."""
    outcome, settings = _outcome(session), session.settings
    measured = session.baseline.measured if session.baseline else None
    decision = decide(outcome, measured, terms_of(settings), gated=not settings.baseline.update)
    results = Results(decision, outcome.missing, session.baseline.name if session.baseline else None)
    run = {**describe_run(session), "baseline": results.baseline}
    document = redact(run_files.to_document(run, outcome, decision), session.secrets)
    results = dataclasses.replace(results, document=document)
    _write(session, results)
    _wait_for_tracker(session, results)
    if settings.baseline.update:
        results = dataclasses.replace(results, update=update_baseline(settings, outcome, results.problems))
    return results


def terms_of(settings: Settings) -> Terms:
    """What the options and the ini file hold a run to; a test's own limits stand between them."""

    def limit(gate: str, own: float | None) -> float | None:
        return settings.limits[gate].made(own)

    return Terms(limit, settings.strict, settings.allowed)


def _outcome(session: Session) -> Outcome:
    collected, datasets = session.collected, session.datasets
    if not collected and session.collected_path.exists():  # by workers
        left = files.read_json(session.collected_path)
        collected, datasets = [Collected.from_dict(one) for one in left["tests"]], left["datasets"]
    missing = summaries.find_missing(collected, session.records, session.lost)
    outcome = Outcome(collected, session.records, missing)
    not_run = {
        key: [one for one in datasets.get(function_of(key[0]), ()) if one not in scope.collected]
        for key, scope in outcome.scopes().items()
    }
    return dataclasses.replace(outcome, not_run=not_run)


def _write(session: Session, results: Results) -> None:
    settings = session.settings
    for path in (run_files.run_path(settings.directory, session.run_id), settings.json_path):
        try:
            if path is not None:
                files.make_directory(settings.directory)
                files.write_rows(path, results.document)
                results.paths.append(path)
        except OSError as error:
            results.problems.append(f"the run file could not be written: {error}")
    written = run_files.run_path(settings.directory, session.run_id) in results.paths
    session.outbox.journal.close(remove=written)
    if session.outbox.journal.problem and not written:
        results.problems.append(session.outbox.journal.problem)


def amend_junit(session: Session, results: Results, path: Path) -> None:
    """Add totals and failed gates to pytest's XML file at ``path``."""
    try:
        junit.amend(path, session.run_id, session.records.values(), results.gates)
    except (OSError, ElementTree.ParseError) as error:
        results.problems.append(f"the JUnit file {path} could not be amended: {error}")


def _wait_for_tracker(session: Session, results: Results) -> None:
    """The run waits to be logged, before anything is tried; its run file is there, or there is nothing to log."""
    path = run_files.run_path(session.settings.directory, session.run_id)
    tracker = session.outbox.tracker
    if tracker is None or path not in results.paths:
        return
    programs = dict.fromkeys(record.program_file for record in session.records.values() if record.program_file)
    try:
        tracker.wait_for(session.run_id, path, [session.settings.directory / program for program in programs])
    except OSError as error:
        results.logged.append((f"mlflow: the run was not logged: {error}", True))


def update_baseline(settings: Settings, outcome: Outcome, problems: list[str]) -> Update | None:
    """Write what was measured to the baseline file; if that fails, why is added to ``problems``."""
    scopes = outcome.scopes()

    def gone(key: Key, example_id: str) -> bool:
        scope = scopes[key]
        return bool(example_id) and example_id not in scope.collected and example_id not in scope.not_run

    try:
        files.make_directory(settings.directory)
        measured = measure(outcome.records.values())
        return baseline_files.update(settings.baseline.path, settings.directory / "locks", measured, gone)
    except (OSError, PitchevalError) as error:
        problems.append(f"the baseline could not be written: {error}")
        return None


def describe_run(session: Session) -> dict[str, Any]:
    """What was run, with what, and on which commit."""
    settings = session.settings
    return {
        "id": session.run_id,
        "timestamp": session.timestamp,
        "argv": list(session.config.invocation_params.args),
        "git": git_state(session.config.rootpath),
        "versions": _versions(),
        "generator_model": settings.generator.model,
        "evaluator_model": settings.evaluator.model,
        "generator_temperature": settings.generator.temperature,
        "evaluator_temperature": settings.evaluator.temperature,
        "train_size": settings.train_size,
        "test_size": settings.test_size,
        "seed": settings.seed,
        "rollouts": max((len(record.samples) for record in session.records.values()), default=0),
        "finished": session_timestamp(),
        "replay_of": session.timestamp if settings.replay else None,
        "resume_of": session.timestamp if settings.resume else None,
        "repeat": how_to_repeat(session.config),
    }


def _versions() -> Mapping[str, str]:
    import platform

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any]:
    """Commit, branch and whether there are uncommitted changes in ``folder``; None each where git cannot say."""
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git(folder, "rev-parse", "HEAD"),
        "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "dirty": None if status is None else bool(status),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
