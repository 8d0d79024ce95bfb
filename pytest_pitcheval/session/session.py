"""The state of one pytest process, reached through `state.get_session`."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval import garbage
from pytest_pitcheval.concurrency.workers import are_apart, told_by_controller
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.rollouts.rollout_id import session_timestamp
from pytest_pitcheval.settings.settings import Settings, read_settings
from pytest_pitcheval.storage import references

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.runner import Runner
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.programs.compilation import Compiler
    from pytest_pitcheval.programs.identities import Identities
    from pytest_pitcheval.programs.trainsets import Trainsets
    from pytest_pitcheval.results.records import Collected, Record
    from pytest_pitcheval.rollouts.cache import Rollouts
    from pytest_pitcheval.session.conclusion import Results
    from pytest_pitcheval.session.display import Display
    from pytest_pitcheval.session.outbox import Outbox
    from pytest_pitcheval.storage.references import LoadedBaseline

RUNNING: pytest.StashKey[RunningTest] = pytest.StashKey()


class Session:
    """One process of one session: the controller, one of its xdist workers, or pytest on its own.

    Attributes:
        run_id: this run's own; its time stamp.
        timestamp: that of the rollouts: the run's, or that of the one that is replayed or resumed.
        is_apart: a worker that shares no folder with the others, as they are on several machines.
        owner_pid: the process whose end is that of the LM servers: the controller, or this one if it is apart.
        started: when this process began it, monotonic, in seconds.
        runtime_dir: what the processes of this session share; made by whoever needs it first.
        baseline: what scores are compared with, or None; not in workers.
        collected: the evaluation tests of this process.
        datasets: by test function, the IDs of all examples, sampled or not.
        records: by node ID, what came of them; not in workers.
        lost: by node ID, why one that was begun left no record.
        runner: what is known of the running tests; None where none of them has to do with LMs, and in the controller.
    """

    def __init__(self, config: pytest.Config, started: float) -> None:
        self.config = config
        self.settings: Settings = read_settings(config)
        shared = told_by_controller(config)
        self.is_worker = shared is not None
        self.baseline: LoadedBaseline | None = None
        self._shared = shared = shared or self._new_session(config)
        self.run_id: str = shared["run_id"]
        self.timestamp: str = shared["timestamp"]
        self.owner_pid: int = shared["owner_pid"]
        self.runtime_dir = Path(shared["runtime_dir"])
        self.is_apart: bool = self.is_worker and shared["apart"]
        if self.is_apart:
            self.settings = self.settings.part(shared["workers"])
        self.collected: list[Collected] = []
        self.datasets: dict[str, list[str]] = {}
        self.records: dict[str, Record] = {}
        self.lost: dict[str, str] = {}
        self.results: Results | None = None
        self.runner: Runner | None = None
        self.started = started
        self._outbox: Outbox | None = None
        self._display: Display | None = None
        self._watching = False
        self._has_evaluations = False
        self._rollouts: Rollouts | None = None

    def _new_session(self, config: pytest.Config) -> dict[str, Any]:
        run_id, repeated = session_timestamp(), references.repeated_run(self.settings)
        self.baseline = references.load_baseline(self.settings, config.rootpath)
        # The folder is made only when it is needed, so the name has to be one that nobody can guess.
        name = f"pitcheval-{os.getpid()}-{os.urandom(8).hex()}"
        return {
            "run_id": run_id,
            "timestamp": repeated["timestamp"] if repeated else run_id,
            "owner_pid": os.getpid(),
            "runtime_dir": os.path.join(tempfile.gettempdir(), name),
            "apart": are_apart(config.getoption("tx", None) or ()),
        }

    def for_worker(self, planned: bool) -> dict[str, Any]:
        """What an xdist worker of this session must know; ``planned`` says that it will be told its tests."""
        return {**self._shared, "planned": planned}

    # Collection

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make the tests of one function; note its whole dataset."""
        from pytest_pitcheval.collection.parametrization import parametrize

        self.datasets[metafunc.definition.nodeid] = parametrize(metafunc, self.settings)

    def collect(self, items: Sequence[pytest.Item]) -> None:
        """Watch the tests, of which one at least is to be watched; a worker tells the controller of evaluations."""
        from pytest_pitcheval.evaluation.runner import Runner

        self.runner = Runner(self, items)
        self.watch_tests()
        ours = [item for item in items if is_ours(item)]
        if not ours:
            return
        from pytest_pitcheval.evaluation import timeouts
        from pytest_pitcheval.evaluation.running_test import collected

        for item in ours:
            timeouts.add_default(item, self.settings.timeout)
        self.collected = [collected(item, self.settings) for item in ours]
        garbage.freeze()
        if self.is_worker and not self.collected_path.exists():
            found = {"tests": [one.to_dict() for one in self.collected], "datasets": self.datasets}
            if self.is_apart:
                self.config.workeroutput["pitcheval"] = found  # type: ignore[attr-defined]
            else:
                self.keep_collected(found)

    def keep_collected(self, found: Mapping[str, Any]) -> None:
        """Put down what a worker has collected, for the controller to find."""
        from pytest_pitcheval import files

        self.make_runtime_dir()
        files.write_json(self.collected_path, found, indent=None)

    @property
    def collected_path(self) -> Path:
        """Where it is put down what workers have collected."""
        return self.runtime_dir / "collected.json"

    def watch_tests(self) -> None:
        """From now on see single tests run."""
        if not self._watching:
            from pytest_pitcheval.evaluation.hooks import MarkerHooks, RunningHooks

            self._watching = True
            self.config.pluginmanager.register(RunningHooks(self), "pitcheval-running")
            self.config.pluginmanager.register(MarkerHooks(), "pitcheval-markers")

    @property
    def has_evaluations(self) -> bool:
        """Whether evaluation tests were collected, here or by workers."""
        if not self._has_evaluations:
            self._has_evaluations = bool(self.collected) or self.collected_path.exists()
        return self._has_evaluations

    # What tests use

    @property
    def rollouts(self) -> Rollouts:
        """This process's rollouts; the first use imports DSPy."""
        if self._rollouts is None:
            os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")  # else LiteLLM fetches a price list
            from pytest_pitcheval.concurrency.limiter import Limiter
            from pytest_pitcheval.rollouts.cache import Rollouts

            folder = self.make_runtime_dir() if self.is_worker else None
            limiter = Limiter(self.settings.rate_limits, folder, lambda: bool(self.runner and self.runner.pool.closed))
            self._rollouts = Rollouts(limiter, self.clock_stopped)
        return self._rollouts

    @functools.cached_property
    def compiler(self) -> Compiler:
        """This process's compiler of programs."""
        from pytest_pitcheval.programs.compilation import Compiler

        return Compiler(self)

    @functools.cached_property
    def trainsets(self) -> Trainsets:
        """The trainsets that optimizers get in this process."""
        from pytest_pitcheval.programs.trainsets import Trainsets

        return Trainsets(self.settings.train_size, self.settings.seed)

    @functools.cached_property
    def identities(self) -> Identities:
        """The fingerprints of this process's fixtures."""
        from pytest_pitcheval.programs.identities import Identities

        return Identities()

    def clock_stopped(self) -> AbstractContextManager[object]:
        """Within it, time is not charged to the running test."""
        from pytest_pitcheval.evaluation import timeouts

        running = self.runner.running if self.runner else None
        return timeouts.stopped(running.item) if running else contextlib.nullcontext()

    def make_lm(self, role: str) -> Any:
        """The LM that the options name for the ``generator`` or the ``evaluator``."""
        from pytest_pitcheval.lm import language_models

        settings = self.settings.generator if role == "generator" else self.settings.evaluator
        return language_models.make_lm(settings, role, self)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials that must appear in no report and no file, longest first."""
        from pytest_pitcheval import credentials

        of_tracker = credentials.in_uri(self.settings.mlflow.uri)
        seen = {*(self._rollouts.callback.keys if self._rollouts else ()), *of_tracker}
        models = (self.settings.generator.arguments, self.settings.evaluator.arguments)
        return credentials.secrets(models, seen)

    @property
    def outbox(self) -> Outbox:
        """What leaves the controller."""
        if self._outbox is None:
            from pytest_pitcheval.session.outbox import Outbox

            self._outbox = Outbox(self)
        return self._outbox

    @property
    def display(self) -> Display:
        """What says how far the session has come; not in workers."""
        if self._display is None:
            from pytest_pitcheval.session.display import Display

            self._display = Display(self)
        return self._display

    def keep(self, nodeid: str, record: Mapping[str, Any]) -> None:
        """A record has arrived, without credentials; ``nodeid`` is the test's own, which may have one in it."""
        from pytest_pitcheval.results.records import Record

        self.records[nodeid] = Record.from_dict(record)
        self.display.add(self.records[nodeid])
        self.outbox.add(record)

    def make_runtime_dir(self) -> Path:
        """The session's shared folder, for this user only."""
        self.runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.runtime_dir

    # The end

    def stop(self) -> None:
        """Begin no rollout that has not begun; what is in flight is not waited for."""
        if self.runner is not None:
            self.runner.pool.close()
        elif self.runtime_dir.exists():
            from pytest_pitcheval.concurrency.workers import stop_path

            stop_path(self.runtime_dir).touch()

    def conclude(self) -> Results | None:
        """Sum the session up and write its run file; None in a worker, and where no evaluation test was run."""
        self.stop()
        if self._display is not None:
            self._display.erase()
        if self.is_worker or not (self.records or (self.lost and self.has_evaluations)):
            return None
        from pytest_pitcheval.session.conclusion import conclude

        if self.runner is not None and self.runner.running is not None:
            self.lost[self.runner.running.about.nodeid] = "interrupted"
        self.results = conclude(self)
        return self.results

    def publish(self) -> None:
        """Once pytest has written its own files: complete them, and log the run."""
        if self.results is not None:
            self.outbox.publish(self.results)

    def close(self) -> None:
        """Give back what this process took; the controller also ends the session's servers."""
        if self._outbox is not None:
            self._outbox.close()
        if self.runner is not None:
            self.runner.close()
        if self._rollouts is not None:
            self._rollouts.uninstall()
        if (self.is_apart or not self.is_worker) and self.runtime_dir.exists():
            import shutil

            from pytest_pitcheval.lm import local_lm

            local_lm.stop(self.runtime_dir)
            shutil.rmtree(self.runtime_dir, ignore_errors=True)
