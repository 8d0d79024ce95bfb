"""Compiling a program once: over all tests, all workers, and later sessions."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest

from pytest_pitcheval import storage
from pytest_pitcheval.errors import CompileFailed, PitchevalError
from pytest_pitcheval.evaluation import one_line
from pytest_pitcheval.fingerprints import fingerprint
from pytest_pitcheval.language_models import describe_lm
from pytest_pitcheval.methods import BASELINE, Optimization
from pytest_pitcheval.optimization import Ingredients, compile_program
from pytest_pitcheval.records import plain
from pytest_pitcheval.scopes import Scope

if TYPE_CHECKING:
    from pytest_pitcheval.session import Session

_TICK = 10.0
"""Seconds between lines of progress."""


class Compiler:
    """This process's compiled programs, and the store that it shares with others."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._compiled: dict[str, Any] = {}
        self._fingerprints: dict[tuple[Any, ...], tuple[str, object]] = {}

    def get(
        self, optimization: Optimization, ingredients: Ingredients, nodeid: str, say: Callable[[str], None]
    ) -> tuple[Any, Path]:
        """The compiled program and where it is stored (if it can be); made by whichever process comes first.

        Raises:
            CompileFailed: the optimizer raised, here and now, in the test ``nodeid``.
            pytest.skip.Exception: it raised before, and another test reports that.
        """
        mark = self._fingerprint(optimization, ingredients)
        if mark not in self._compiled:
            with self._locked(mark):
                self._check_failed(mark, optimization)
                self._compiled[mark] = self._load(mark, ingredients) or self._compile(
                    mark, optimization, ingredients, nodeid, say
                )
        return self._compiled[mark], self._path(mark)

    def _fingerprint(self, optimization: Optimization, ingredients: Ingredients) -> str:
        """Looked up by identity first, because taking it costs milliseconds and every test asks."""
        parts = tuple(vars(ingredients).values())
        key = (str(optimization), repr(optimization.settings), *map(id, parts))
        if key not in self._fingerprints:
            if len(self._fingerprints) >= 64:  # a function-scoped program is a new object for every test
                self._fingerprints.clear()
            mark = fingerprint({**vars(ingredients), "optimization": vars(optimization), "dspy": version("dspy")})
            self._fingerprints[key] = (mark, parts)  # holding the parts keeps their ids taken
        return self._fingerprints[key][0]

    @contextlib.contextmanager
    def _locked(self, mark: str) -> Iterator[None]:
        programs = storage.make_directory(self._session.settings.directory) / "programs"
        programs.mkdir(exist_ok=True)
        with filelock.FileLock(programs / f"{mark}.lock"):
            yield

    def _path(self, mark: str) -> Path:
        return self._session.settings.directory / "programs" / f"{mark}.json"

    def _failure_path(self, mark: str) -> Path:
        return self._session.runtime_dir / f"{mark}.failed.json"

    def _check_failed(self, mark: str, optimization: Optimization) -> None:
        path = self._failure_path(mark)
        if path.exists():
            pytest.skip(f"compiling with {optimization} failed: see {storage.read_json(path)['nodeid']}")

    def _load(self, mark: str, ingredients: Ingredients) -> Any:
        """The stored program, or None: not there, or to be compiled again."""
        try:
            state = storage.read_json(self._path(mark))
            provenance = state["metadata"]["pitcheval"]
        except (PitchevalError, KeyError, TypeError):
            return None  # a file that is not ours is written anew
        if self._session.settings.recompile and provenance["run_id"] != self._session.run_id:
            return None
        return load_program(ingredients.program, state)

    def _compile(
        self,
        mark: str,
        optimization: Optimization,
        ingredients: Ingredients,
        nodeid: str,
        say: Callable[[str], None],
    ) -> Any:
        scope, start = Scope(), time.monotonic()
        name = f"{type(ingredients.program).__name__} with {optimization}"
        say(f"compiling {name} on {len(ingredients.trainset)} examples")
        with _ticking(scope, lambda text: say(f"compiling {name}: {text}")):
            try:
                program = compile_program(optimization, ingredients, self._session.rollouts, scope)
            except Exception as error:
                self._session.make_runtime_dir()
                storage.write_json(self._failure_path(mark), {"nodeid": nodeid, "error": one_line(error)})
                reason = str(error) if isinstance(error, PitchevalError) else one_line(error)
                raise CompileFailed(f"compiling {name} failed: {reason}") from error
        seconds = time.monotonic() - start
        say(f"compiled {name} in {seconds:.0f} s, {_calls(scope)}")
        if is_storable(program, ingredients.program):
            storage.write_json(self._path(mark), self._state(program, mark, optimization, ingredients, scope, seconds))
        return program

    def _state(
        self,
        program: Any,
        mark: str,
        optimization: Optimization,
        ingredients: Ingredients,
        scope: Scope,
        seconds: float,
    ) -> dict[str, Any]:
        provenance = {
            "fingerprint": mark,
            "run_id": self._session.run_id,
            "optimization": optimization.method,
            "settings": plain(optimization.all_settings),
            "trainset_size": len(ingredients.trainset),
            "seed": self._session.settings.seed,
            "generator": plain(describe_lm(ingredients.generator_lm)),
            "evaluator": plain(describe_lm(ingredients.evaluator_lm)),
            "seconds": seconds,
            **scope.total.to_dict(),
        }
        return program_state(program, provenance)


def save_program(path: Path, program: Any, stored: Path | None, optimization: Optimization, run_id: str) -> None:
    """Write a program to ``path`` as DSPy JSON with its provenance; a ``stored`` one as it was stored."""
    if stored is not None and stored.exists():
        storage.write_atomically(path, stored.read_text(encoding="utf-8"))
    elif optimization.method == BASELINE:
        storage.write_json(path, program_state(program, {"run_id": run_id, "optimization": BASELINE}))
    else:
        raise PitchevalError(
            f"--save-program: DSPy's JSON cannot hold a program compiled with {optimization.method!r}; "
            "expected a method that changes demos or instructions"
        )


def is_storable(compiled: Any, student: Any) -> bool:
    """Whether the compiled program is the student with another state; KNNFewShot's has another ``forward``."""
    names = [[name for name, _ in program.named_parameters()] for program in (compiled, student)]
    return type(compiled) is type(student) and "forward" not in vars(compiled) and names[0] == names[1]


def program_state(program: Any, provenance: dict[str, Any]) -> dict[str, Any]:
    """What ``dspy.Module.load`` reads: the state of every predictor, and metadata with our provenance in it."""
    state: dict[str, Any] = plain(program.dump_state())
    versions = {name: version(name) for name in ("dspy", "cloudpickle")}
    python = ".".join(map(str, sys.version_info[:2]))
    state["metadata"] = {"dependency_versions": {"python": python, **versions}, "pitcheval": provenance}
    return state


def load_program(student: Any, state: dict[str, Any]) -> Any:
    """A copy of ``student`` with ``state``; its predictors keep LMs of their own, which a file cannot hold."""
    program = student.deepcopy()
    lms = {name: predictor.lm for name, predictor in program.named_predictors()}
    parameters = {name: dict(value) for name, value in json.loads(json.dumps(state)).items() if name != "metadata"}
    for name in lms:
        parameters[name]["lm"] = None
    program.load_state(parameters)
    for name, predictor in program.named_predictors():
        predictor.lm = lms[name]
    program._compiled = True
    return program


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
    return f"{usage.fresh} LM calls ({usage.cached} from the cache)"
