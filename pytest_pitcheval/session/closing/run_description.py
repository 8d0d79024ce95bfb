"""What the run file says of its session: when, with what, of which commit and how to repeat it."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.credentials.known import argument_secrets
from pytest_pitcheval.reports.repeating import how_to_repeat
from pytest_pitcheval.session.closing.recorded_answers import replayed
from pytest_pitcheval.session.closing.selection import selection
from pytest_pitcheval.session.controller import Controller
from pytest_pitcheval.storage.run_info import GitState, RunInfo
from pytest_pitcheval.timestamps import session_timestamp

_GIT_SECONDS = 5
"""How long git may take for one answer."""
_LONGEST_NAME = 250
"""Characters of a branch's name, which is a file's."""
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


def describe_run(controller: Controller, secrets: Sequence[str]) -> RunInfo:
    """What was run, with what, and on which commit; without credentials."""
    process, settings, config = controller.process, controller.process.settings, controller.config
    repeat = how_to_repeat(config)
    secrets = [*argument_secrets(config.invocation_params.args), *secrets]
    return RunInfo(
        id=process.run_id,
        timestamp=process.timestamp,
        argv=_redacted(config.invocation_params.args, secrets),
        git=_git_state(config.rootpath, controller.process.notes.add),
        versions=_versions(),
        generator_model=settings.models[0],
        evaluator_model=settings.models[1],
        generator_temperature=_temperature(one.temperature for one in settings.generators),
        evaluator_temperature=_temperature(one.temperature for one in settings.evaluators),
        train_size=settings.train_size,
        test_size=settings.test_size,
        seed=settings.seed,
        rollouts=max((len(one.samples) for one in controller.records.values() if one.score is not None), default=0),
        finished=session_timestamp(),
        replay_of=process.timestamp if settings.replay else None,
        resume_of=process.timestamp if settings.resume else None,
        stopped=settings.stop,
        affected=settings.baseline.affected and not settings.replay,
        unchanged_since=_known_before(controller, secrets),
        budget=controller.expenses,
        replayed=replayed(controller),
        repeat=dataclasses.replace(repeat, options=_redacted(repeat.options, secrets)),
        baseline=redact(controller.baseline.name, secrets) if controller.baseline else None,
        selection=selection(config),
    )


def _temperature(temperatures: Iterable[float | None]) -> float | None:
    """That of all models; None where they have different ones."""
    found = set(temperatures)
    return found.pop() if len(found) == 1 else None


def _known_before(controller: Controller, secrets: Sequence[str]) -> str | None:
    """What the run was to tell unchanged examples by."""
    if controller.process.before is None:
        return None
    name = controller.baseline.name if controller.baseline else controller.process.settings.baseline.reference
    return str(redact(name, secrets))


def _redacted(texts: Iterable[str], secrets: Sequence[str]) -> tuple[str, ...]:
    return tuple(redact(text, secrets) for text in texts)


def _versions() -> Mapping[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git_state(folder: Path, note: Callable[[str], object]) -> GitState:
    """Commit, branch and whether there are uncommitted changes in ``folder``; None each where git cannot say.

    ``note`` is told where git does not answer.
    """
    try:
        status = _git(folder, "status", "--porcelain", "--untracked-files=no")
        commit, branch = _git(folder, "rev-parse", "HEAD"), _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    except subprocess.TimeoutExpired:
        note(f"the run file has no commit and no branch: git does not answer within {_GIT_SECONDS} s")
        return GitState(commit=None, branch=None, dirty=None)
    return GitState(commit=commit, branch=branch, dirty=None if status is None else bool(status))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # the name of a branch is bytes
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()[:_LONGEST_NAME]
