"""Which process of a session this is, and the folder that its processes share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from pytest_pitcheval import files
from pytest_pitcheval.concurrency import leftovers
from pytest_pitcheval.concurrency.limits.budget import Budget
from pytest_pitcheval.concurrency.limits.ledger import NOTHING, Spent
from pytest_pitcheval.concurrency.notes import Notes
from pytest_pitcheval.concurrency.standings import Standings
from pytest_pitcheval.credentials.addresses import in_uri
from pytest_pitcheval.credentials.known import secrets
from pytest_pitcheval.results.exams.exam import Conditions
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.settings.settings import Settings

if TYPE_CHECKING:
    import filelock

    from pytest_pitcheval.results.baselines import Baseline, Measurements

KEY = "pitcheval"
"""Where xdist's ``workerinput`` and ``workeroutput`` have what is ours."""


_PLACES = "places-"
"""What files begin with that say which rows workers have."""


class Worker(NamedTuple):
    """One xdist worker.

    Attributes:
        number: from 0, of ``total`` workers.
        planned: whether the controller's plan will tell it which tests are its own.
        apart: whether it may be on another machine than the others, so that it shares no folder with them.
    """

    name: str
    number: int
    total: int
    planned: bool
    apart: bool


@dataclasses.dataclass(frozen=True)
class Process:
    """One process of one session: xdist's controller, one of its workers, or pytest on its own.

    Attributes:
        settings: what the options ask for; of a worker that is apart, its share of the limits.
        run_id: the run's own ID: its time stamp.
        timestamp: that of the rollouts: the run's, or that of the run that is replayed or resumed.
        owner_pid: the process whose end is that of the LM servers: the controller, or a worker that is apart.
        runtime_dir: what the processes share; made by whichever needs it first.
        worker: None in the controller, and where there is no xdist.
        notes: what has been given up, here and in workers that have ended.
        standings: which tests are left out.
        spent_before: what the run had spent that is continued.
        before: what the baseline has, where only the examples are asked that have changed since.
        exams: by test and judge, the conditions of the judges' exams that the baseline has.
        held: these exams themselves, in the controller: the file may be another one when the session ends.
    """

    settings: Settings
    run_id: str
    timestamp: str
    owner_pid: int
    runtime_dir: Path
    worker: Worker | None = None
    notes: Notes = dataclasses.field(default_factory=Notes)
    standings: Standings = dataclasses.field(default_factory=Standings)
    spent_before: Spent = NOTHING
    before: Baseline | None = None
    exams: dict[Key, Conditions] = dataclasses.field(default_factory=dict)
    held: dict[Key, Measurements] = dataclasses.field(default_factory=dict)
    _held: list[filelock.BaseFileLock] = dataclasses.field(default_factory=list)
    _told: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def first(cls, settings: Settings, run_id: str, timestamp: str, spent_before: Spent = NOTHING) -> Process:
        """The process that begins a session."""
        folder = Path(tempfile.gettempdir(), leftovers.name(os.getpid()))  # made only when it is needed
        return cls(settings, run_id, timestamp, os.getpid(), folder, spent_before=spent_before)

    @classmethod
    def of_worker(cls, settings: Settings, config: pytest.Config) -> Process | None:
        """The xdist worker that this process is, None in another process.

        Workers that share no folder are all told the same, but each has a folder of its own, and ends its own LM
        servers.
        """
        workerinput: Mapping[str, Any] = getattr(config, "workerinput", {})
        if KEY not in workerinput:
            return None
        told, worker = workerinput[KEY], _worker(workerinput)
        folder, owner = told["runtime_dir"], told["owner_pid"]
        if worker.apart:
            settings = settings.part(worker.total)
            folder, owner = os.path.join(tempfile.gettempdir(), leftovers.name(os.getpid())), os.getpid()
        answers, record = (path and Path(path) for path in told["answers"])
        settings = settings._replace(answers=answers, record=record)
        before = Spent(*told["spent_before"])
        exams = {Key(*key): Conditions(*conditions) for key, conditions in told["exams"]}
        ids = told["run_id"], told["timestamp"]
        return cls(settings, *ids, owner, Path(folder), worker, spent_before=before, exams=exams)

    def told_to_workers(self, planned: bool, transports: Iterable[str]) -> dict[str, Any]:
        """What an xdist worker must know, as execnet can send it.

        ``planned`` says that a plan will tell workers their tests; ``transports`` are those of xdist's ``--tx``.
        """
        return {
            "run_id": self.run_id,
            "timestamp": self.timestamp,
            "owner_pid": self.owner_pid,
            "runtime_dir": str(self.runtime_dir),
            "planned": planned,
            "apart": are_apart(transports),
            "spent_before": list(self.spent_before),
            "exams": [[list(key), list(conditions)] for key, conditions in self.exams.items()],
            "answers": [path and str(path) for path in (self.settings.answers, self.settings.record)],
        }

    @functools.cached_property
    def budget(self) -> Budget:
        """What the session may spend, and has spent."""
        shares = self.worker is not None and not self.worker.apart
        folder = self.make_runtime_dir() if shares and self.settings.cap.is_set else self.runtime_dir
        processes = self.worker.total if self.worker and shares else 1
        return Budget(self.settings.cap, folder / "spent", shares, processes, self.spent_before, self.notes.add)

    @property
    def owns_folder(self) -> bool:
        """Whether the shared folder ends with this process."""
        return self.owner_pid == os.getpid()

    def make_runtime_dir(self) -> Path:
        """The shared folder, for this user only; it may not be there where the disk is full."""
        with self.noting("the workers tell each other nothing"):
            self.runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._held:
                self._held.append(leftovers.hold(self.runtime_dir))
        return self.runtime_dir

    def remove_runtime_dir(self) -> None:
        """The session is over: its folder goes, and those of sessions that were killed."""
        for lock in self._held:
            lock.release()
        self._held.clear()
        shutil.rmtree(self.runtime_dir, ignore_errors=True)
        leftovers.clear(Path(tempfile.gettempdir()))

    def secrets(self, seen: Iterable[str]) -> tuple[str, ...]:
        """The credentials of the environment, of the settings, and those ``seen`` in use, longest first."""
        models = (self.settings.generator.arguments, self.settings.evaluator.arguments)
        return secrets(models, {*seen, *in_uri(self.settings.mlflow.uri)})

    @contextlib.contextmanager
    def noting(self, missing: str) -> Iterator[None]:
        """Within it, what cannot be written is given up, and noted as ``missing``."""
        try:
            yield
        except OSError as error:
            self.notes.add(f"{missing}: {error}")

    @property
    def stop_path(self) -> Path:
        """The file whose presence says that the session is being ended: nothing more is to begin."""
        return self.runtime_dir / "stop"

    def tell_standings(self) -> None:
        """Tell the workers, if there are any, which tests' gates are decided."""
        if self.has_collected:
            with self.noting("the workers leave no example out"):
                self.standings.write(self._standings_path)

    def hear_standings(self) -> None:
        """In a worker: be told."""
        if self.worker is not None:
            self.standings.look(self._standings_path)

    @property
    def _standings_path(self) -> Path:
        return self.runtime_dir / "standings.json"

    @property
    def has_collected(self) -> bool:
        """Whether a worker has put down the evaluation tests that it has collected."""
        return bool(self._told) or self._collected_path.exists()

    def put_collected(self, tests: Mapping[str, Any]) -> bool:
        """Put down what a worker has collected, for the controller: ``tests`` (a list) and ``datasets``.

        Returns:
            Whether other processes find it; this one does in any case.
        """
        with self.noting("the workers look no further ahead than one test"):
            self.make_runtime_dir()
            files.write_json(self._collected_path, tests, indent=None)
            return True
        self._told.update(tests)
        return False

    def read_collected(self) -> dict[str, Any]:
        """What `put_collected` was given; nothing where it was not called."""
        collected: dict[str, Any] = {"tests": [], "datasets": {}}
        if self._told or not self.has_collected:
            return {**collected, **self._told}
        return cast(dict[str, Any], files.read_json(self._collected_path))

    def put_places(self, places: Mapping[str, Mapping[str, list[str]]]) -> None:
        """Put down where this worker's datasets have which row: by test function and digits of the row, its IDs."""
        text = json.dumps(places, sort_keys=True)
        digits = hashlib.sha256(text.encode()).hexdigest()[:16]  # workers that have the same write the same file
        with self.noting("nobody looks whether all workers have the same rows"):
            self.make_runtime_dir()
            files.write_atomically(self.runtime_dir / f"{_PLACES}{digits}.json", text)

    def read_places(self) -> list[dict[str, dict[str, list[str]]]]:
        """What workers have put down by `put_places`, as far as it differs."""
        return [files.read_json(path) for path in sorted(self.runtime_dir.glob(f"{_PLACES}*.json"))]

    @property
    def _collected_path(self) -> Path:
        return self.runtime_dir / "collected.json"


def _worker(workerinput: Mapping[str, Any]) -> Worker:
    name, total = workerinput["workerid"], int(workerinput.get("workercount", 1))
    digits = "".join(filter(str.isdigit, name))
    told = workerinput[KEY]
    return Worker(name, int(digits or 0) % total, total, told["planned"], told["apart"])


def are_apart(transports: Iterable[str]) -> bool:
    """Whether xdist's ``--tx`` names workers elsewhere than on this machine: then they share no folder."""
    return any("popen" not in re.split(r"\*|//", transport) for transport in transports)
