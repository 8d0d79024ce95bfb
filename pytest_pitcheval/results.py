"""The controller's end of a session: records in, summaries, gates and the run file out."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_pitcheval import gates, junit, storage, summaries
from pytest_pitcheval.gates import GateResult
from pytest_pitcheval.records import Collected, plain, redact
from pytest_pitcheval.session import Session
from pytest_pitcheval.summaries import Missing, Summary

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
    """What a session came to; ``paths`` are the run files that were written, ``problems`` what could not be written."""

    summaries: list[Summary]
    gates: list[GateResult]
    missing: dict[str, Missing]
    paths: list[Path] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def bad(self) -> bool:
        """Whether the session must not end as a good one, whatever its tests say."""
        return bool(self.problems) or any(gate.status == "failed" for gate in self.gates)


def conclude(session: Session) -> Results:
    """Sum the session up and write its run file."""
    collected = session.collected or _collected_by_workers(session)
    missing = summaries.find_missing(collected, session.records, session.lost)
    found = summaries.summarize(collected, session.records, missing)
    results = Results(found, gates.decide(found), missing)
    _write(session, results, _document(session, results, collected))
    return results


def _write(session: Session, results: Results, document: dict[str, Any]) -> None:
    settings = session.settings
    for path in (storage.run_path(settings.directory, session.run_id), settings.json_path):
        try:
            if path is not None:
                storage.make_directory(settings.directory)
                storage.write_json(path, document)
                results.paths.append(path)
        except OSError as error:
            results.problems.append(f"the run file could not be written: {error}")


def amend_junit(session: Session, results: Results, path: Path) -> None:
    """Add totals and failed gates to pytest's XML file at ``path``."""
    decided = [GateResult(**redact(plain(gate.to_dict()), session.secrets)) for gate in results.gates]
    try:
        junit.amend(path, session.run_id, session.records.values(), decided)
    except (OSError, ElementTree.ParseError) as error:
        results.problems.append(f"the JUnit file {path} could not be amended: {error}")


def _collected_by_workers(session: Session) -> list[Collected]:
    path = session.runtime_dir / "collected.json"
    return [Collected.from_dict(one) for one in storage.read_json(path)] if path.exists() else []


def _document(session: Session, results: Results, collected: list[Collected]) -> dict[str, Any]:
    order = {one.nodeid: position for position, one in enumerate(collected)}
    tests = sorted(session.records.values(), key=lambda record: order.get(record.nodeid, len(order)))
    document = {
        "schema_version": storage.SCHEMA_VERSION,
        "run": describe_run(session),
        "tests": [record.to_dict() for record in tests],
        "summary": [summary.to_dict() for summary in results.summaries],
        "gates": [gate.to_dict() for gate in results.gates],
        "missing": [dataclasses.asdict(one) for one in results.missing.values()],
    }
    plain_document: dict[str, Any] = redact(plain(document), session.secrets)
    return plain_document


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
        "replay_of": session.timestamp if settings.replay else None,
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
