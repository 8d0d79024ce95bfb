"""What was run, with what and on which commit: ``run`` of a run file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.expenses import Expenses
from pytest_pitcheval.storage.replays import Replayed


@dataclasses.dataclass(frozen=True)
class GitState:
    """The commit that was run, its branch, and whether files were changed; None each where git could not say."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


@dataclasses.dataclass(frozen=True)
class Repeat:
    """How a test of the run is run again: the options that made a difference, and the root directory as seen from
    the folder that pytest was started in."""

    folder: str = "."
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which tests a run was asked for.

    Attributes:
        paths: files and folders that it looked in, relative to the root directory.
        narrowed_by: options and node IDs with which it may have left out tests that are there.
    """

    paths: tuple[str, ...] = ()
    narrowed_by: tuple[str, ...] = ()

    def covers(self, nodeid: str) -> bool:
        """Whether it would have found the test ``nodeid``, if that were there."""
        file = PurePosixPath(nodeid.partition("::")[0])
        return any(path == "." or file.is_relative_to(path) for path in self.paths)


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What an older file does not tell is None or empty.

    Attributes:
        id: the run's own: its time stamp (UTC), as `timestamps.session_timestamp` writes it.
        timestamp: that of the rollouts: the run's, or that of the run that was replayed or resumed.
        argv: pytest's arguments.
        versions: by package, and of Python.
        generator_temperature, evaluator_temperature: those of the options; the LMs may be the user's own.
        train_size, test_size: numbers of examples, None for all.
        rollouts: the most that an example had.
        finished: when, as a time stamp.
        replay_of, resume_of: the time stamp of the run that was replayed or resumed.
        baseline: the name of what the run was compared with.
        merged_from: the IDs of the runs that it was put together of.
        selection: which tests it was asked for.
        affected: whether only the examples were to be asked that have changed since the baseline (``--eval-affected``).
        unchanged_since: the name of that baseline; None where there was none.
        stopped: whether examples were left out once their test's gates were decided (``--eval-stop``).
        budget: what was spent, where there was a cap.
        replayed: the recorded answers that it was made of, if it was.
    """

    id: str
    timestamp: str
    argv: tuple[str, ...] = ()
    git: GitState = GitState()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    generator_model: str | None = None
    evaluator_model: str | None = None
    generator_temperature: float | None = None
    evaluator_temperature: float | None = None
    train_size: int | None = None
    test_size: int | None = None
    seed: int | None = None
    rollouts: int | None = None
    finished: str | None = None
    replay_of: str | None = None
    resume_of: str | None = None
    repeat: Repeat = Repeat()
    baseline: str | None = None
    merged_from: tuple[str, ...] = ()
    selection: Selection | None = None
    stopped: bool = False
    affected: bool = False
    unchanged_since: str | None = None
    budget: Expenses | None = None
    replayed: Replayed | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Any, name: str) -> RunInfo:
        """The ``run`` of a run file or journal; what a newer version has put there is left out.

        Raises:
            PitchevalError: one line that begins with ``name``: it is none.
        """
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("id", "timestamp")):
            raise PitchevalError(f"{name}: not a run file: expected run.id and run.timestamp in it")
        return files.validated(cls, _known(cls, data), f"{name}: run")

    @property
    def looks(self) -> int | None:
        """The seed of the order in which its examples were looked at; None where that was done at the end only."""
        return (self.seed or 0) if self.stopped else None

    @property
    def times(self) -> tuple[datetime, timedelta] | None:
        """When the run began, and how long it took; None where its file does not tell."""
        try:
            began, ended = _moment(self.id), _moment(self.finished or "")
        except ValueError:  # it was killed, or its ID is none of ours
            return None
        return began, ended - began


def _known(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the dataclass ``kind`` that ``data`` has."""
    parts = {"git": GitState, "repeat": Repeat, "selection": Selection, "budget": Expenses, "replayed": Replayed}
    known = {field.name: data[field.name] for field in dataclasses.fields(kind) if field.name in data}
    return {
        name: _known(parts[name], value) if name in parts and isinstance(value, dict) else value
        for name, value in known.items()
    }


def _moment(timestamp: str) -> datetime:
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
