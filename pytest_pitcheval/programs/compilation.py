"""Compiling a program once: over all tests, all workers, and later sessions."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval import files
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.errors import CompileFailed, PitchevalError, PitchevalWarning, one_line
from pytest_pitcheval.programs.attributes import describe_lm
from pytest_pitcheval.programs.effect import ALWAYS_CHANGE, WatchedMetric, check_metric, check_trainset, idleness
from pytest_pitcheval.programs.fingerprints import fingerprint
from pytest_pitcheval.programs.optimization import Ingredients, compile_program, optimizer_if_any
from pytest_pitcheval.programs.patience import Compiling, SignsOfLife, done_apart
from pytest_pitcheval.programs.program_files import is_storable, load_program, program_state, read_stored
from pytest_pitcheval.programs.trainsets import Trainsets
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.storage.answers.answer import COMPILING, Place
from pytest_pitcheval.storage.answers.layout import program_name

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.rollouts import Rollouts

_TICK = 10.0  # seconds between lines of progress


class Compiler:
    """This process's compiled programs, and the store that it shares with others.

    ``apart``: compiling is done in a thread of its own, which can be given up. ``trainsets`` are those that optimizers
    get.
    """

    def __init__(self, process: Process, rollouts: Rollouts, apart: bool = True) -> None:
        self._process = process
        self._rollouts = rollouts
        self._apart = apart
        self._compiled: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self.trainsets = Trainsets(process.settings.train_size, process.settings.seed)
        self._refused: dict[str, PitchevalError] = {}
        self._fingerprints: dict[tuple[Any, ...], tuple[str, object]] = {}

    def get(
        self, optimization: Optimization, ingredients: Ingredients, nodeid: str, say: Callable[[str], None]
    ) -> tuple[Any, Path]:
        """The compiled program and where it is stored (if it can be); made by whichever process comes first.

        Raises:
            CompileFailed: the optimizer raised, here and now, in the test ``nodeid``.
            BudgetReached: not all of its LM calls could be paid for.
            pytest.skip.Exception: it raised before, and another test reports that.
        """
        mark = self._fingerprint(optimization, ingredients)
        if mark not in self._compiled:
            with self._locked(mark, say):
                self._check_failed(mark, optimization)
                if mark in self._refused:
                    raise self._refused[mark]
                self._compiled[mark] = self._load(mark, ingredients) or self._compile(
                    mark, optimization, ingredients, nodeid, say
                )
        return self._compiled[mark], self._path(mark)

    def stored_before(self, optimization: Optimization, ingredients: Ingredients) -> Any:
        """The compiled program that an earlier session has stored; None where that must be compiled in this one."""
        mark = self._fingerprint(optimization, ingredients)
        if mark not in self._before:
            self._before[mark] = self._load(mark, ingredients, of_this_session=False)
        return self._before[mark]

    def _fingerprint(self, optimization: Optimization, ingredients: Ingredients) -> str:
        """Looked up by identity first, because taking it costs milliseconds and every test asks."""
        parts = tuple(vars(ingredients).values())
        key = (str(optimization), repr(optimization.settings), *map(id, parts))
        if key not in self._fingerprints:
            if len(self._fingerprints) >= 64:  # a function-scoped program is a new object for every test
                self._fingerprints.clear()
            decisive = [optimization.method, optimization.all_settings, optimizer_if_any(optimization), version("dspy")]
            mark = fingerprint({**vars(ingredients), "optimization": decisive})
            self._fingerprints[key] = (mark, parts)  # holding the parts keeps their ids taken
        return self._fingerprints[key][0]

    @contextlib.contextmanager
    def _locked(self, mark: str, say: Callable[[str], None]) -> Iterator[None]:
        directory = self._process.settings.directory
        with self._process.noting("compiled programs are not kept"):
            files.make_directory(directory)

        def waiting(seconds: float) -> None:
            say(f"waiting for another process that compiles the same program: {seconds:.0f} s")

        with contextlib.ExitStack() as stack:
            for path in self._locks(mark):
                lock = files.locked(path, self._process.notes.add, waiting, self._patience, SignsOfLife(path).idle)
                try:
                    stack.enter_context(lock)
                except TimeoutError:
                    self._process.notes.add(
                        f"compiled beside another process, which has made no LM call for {self._patience:g} s "
                        f"(--eval-timeout) and holds {path}"
                    )
                else:
                    break
            yield

    @property
    def _patience(self) -> float:
        """Seconds that one LM call may take."""
        return self._process.settings.timeout

    def _locks(self, mark: str) -> Iterator[Path]:
        """The lock of those who compile a program; others where whoever holds it is stuck."""
        return (self._folder / f"{mark}{f'-{number}' if number else ''}.lock" for number in itertools.count())

    @property
    def _folder(self) -> Path:
        """Where compiled programs are: those of recorded answers are this session's alone."""
        process = self._process
        return (process.settings.directory if process.settings.answers is None else process.runtime_dir) / "programs"

    def _path(self, mark: str) -> Path:
        return self._folder / f"{mark}.json"

    def _take_recorded(self, mark: str) -> bool:
        """Whether the program was recorded with the answers that are replayed; then it is where it is looked for."""
        book, path = self._rollouts.book, self._path(mark)
        if (text := None if book is None else book.program(program_name(mark))) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomically(path, text)
        return text is not None

    def _failure_path(self, mark: str) -> Path:
        return self._process.runtime_dir / f"{mark}.failed.json"

    def _check_failed(self, mark: str, optimization: Optimization) -> None:
        path = self._failure_path(mark)
        if path.exists():
            pytest.skip(f"compiling with {optimization} failed: see {files.read_json(path)['nodeid']}")

    def _load(self, mark: str, ingredients: Ingredients, of_this_session: bool = True) -> Any:
        """The stored program, or None: not there, or to be compiled again."""
        path, recorded = self._path(mark), self._take_recorded(mark)
        if not path.exists():
            return None
        try:
            stored = read_stored(path, mark, ingredients.program)
            if not (of_this_session or recorded) and stored.run_id == self._process.run_id:
                return None
            incomplete = stored.failed_calls > 0 and not recorded  # good for the session that has paid for it
            if (self._process.settings.recompile or incomplete) and stored.run_id != self._process.run_id:
                return None
            program = load_program(ingredients.program, stored.state)
        except (PitchevalError, LookupError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
            self._process.notes.add(f"a stored program is compiled again: {one_line(error)}")
            return None
        if stored.note:
            self._process.notes.add(stored.note)
        return program

    def _compile(
        self,
        mark: str,
        optimization: Optimization,
        ingredients: Ingredients,
        nodeid: str,
        say: Callable[[str], None],
    ) -> Any:
        name, start = f"{type(ingredients.program).__name__} with {optimization}", time.monotonic()
        scope = Compiling(self._locks(mark), Place(f"{COMPILING}{name}", since=time.time_ns()))
        say(f"compiling {name} on {len(ingredients.trainset)} examples")
        try:
            with _ticking(scope, lambda text: say(f"compiling {name}: {text}")):
                program = self._optimize(optimization, ingredients, scope)
        except Exception as error:
            if scope.refusal is not None:
                self._refused[mark] = scope.refusal
                raise scope.refusal from None
            self._process.make_runtime_dir()
            with self._process.noting("other workers compile again what failed"):
                files.write_json(self._failure_path(mark), {"nodeid": nodeid})
            raise CompileFailed(f"compiling {name} failed: {_reason(error, scope)}") from error
        seconds = time.monotonic() - start
        idle = idleness(optimization, program, ingredients.program)
        say(f"compiled {name} in {seconds:.0f} s, {_calls(scope)}{f'; {idle}' if idle else ''}")
        if failed := scope.total.failed:
            _warn_of_failed(name, failed)
        note = f"compiling {name}: {idle}" if idle and optimization.method in ALWAYS_CHANGE else None
        if note:
            self._process.notes.add(note)
        if not is_storable(program, ingredients.program):
            return program
        provenance = self._provenance(mark, optimization, ingredients, scope, seconds) | {"note": note}
        state = program_state(program, provenance, (ingredients.generator_lm, ingredients.evaluator_lm))
        with self._process.noting("the compiled program is not kept, and compiled again by others"):
            files.write_json(self._path(mark), state)
        # As every other process gets it: optimizers drop the LMs that predictors have of their own.
        return load_program(ingredients.program, state)

    def _until_stuck(self, work: Callable[[], Any], scope: Compiling) -> Any:
        """What ``work`` returns; it is given up where an LM call has no end, of an LM of the user's own, say."""
        if not self._apart:
            return work()
        self._rollouts.install()  # here: DSPy takes the first thread that configures it for its main one
        return done_apart(work, lambda: self._rollouts.calls.check_ends(scope, self._patience), scope.give_up)

    def _optimize(self, optimization: Optimization, ingredients: Ingredients, scope: Compiling) -> Any:
        """The compiled program; raises where the optimizer had nothing to work with, and did not say so."""
        check_trainset(optimization, ingredients)
        metric = None if ingredients.metric is None else WatchedMetric(ingredients.metric)
        watched = dataclasses.replace(ingredients, metric=metric)
        program = self._until_stuck(lambda: compile_program(optimization, watched, self._rollouts, scope), scope)
        if scope.refusal is not None:
            raise scope.refusal  # what it has made of refused calls is no compiled program
        _check_calls(scope)
        if metric is not None:
            check_metric(optimization, metric)
        return program

    def _provenance(
        self, mark: str, optimization: Optimization, ingredients: Ingredients, scope: Scope, seconds: float
    ) -> dict[str, Any]:
        return {
            "fingerprint": mark,
            "run_id": self._process.run_id,
            "optimization": optimization.method,
            "settings": plain(optimization.all_settings),
            "trainset_size": len(ingredients.trainset),
            "seed": self._process.settings.seed,
            "generator": plain(describe_lm(ingredients.generator_lm)),
            "evaluator": plain(describe_lm(ingredients.evaluator_lm)),
            "seconds": seconds,
            **scope.total.to_dict(),
        }


def _reason(error: Exception, scope: Scope) -> str:
    reason = str(error) if isinstance(error, PitchevalError) else one_line(error)
    failure = scope.failure(forgiving=True)
    if failure is not None and one_line(failure) not in reason:
        reason += f" (its last LM call failed with {one_line(failure)})"
    return reason


def _warn_of_failed(name: str, failed: int) -> None:
    text = f"compiling {name}: {failed} LM calls failed: the program may be a worse one, no later session gets it"
    warnings.warn(PitchevalWarning(text), stacklevel=1)


def _check_calls(scope: Scope) -> None:
    """Optimizers go on when calls fail; a program that no call has shaped is not an optimized one."""
    usage = scope.total
    if usage.failed and usage.failed == usage.fresh + usage.cached:
        raise PitchevalError(f"each of its {usage.failed} LM calls failed, the last with {one_line(scope.failure())}")


@contextlib.contextmanager
def _ticking(scope: Scope, say: Callable[[str], None]) -> Iterator[None]:
    """Says from time to time how far compiling has come."""
    done, start = threading.Event(), time.monotonic()

    def tick() -> None:
        while not done.wait(_TICK):
            say(f"{time.monotonic() - start:.0f} s, {_calls(scope)}")

    thread = threading.Thread(target=tick, name="pitcheval-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _calls(scope: Scope) -> str:
    usage = scope.total
    parts = [(usage.cached, "cached"), (usage.failed, "failed")]
    more = ", ".join(f"{number} {what}" for number, what in parts if number)
    return formats.count(usage.fresh + usage.cached, "LM call") + (f" ({more})" if more else "")
