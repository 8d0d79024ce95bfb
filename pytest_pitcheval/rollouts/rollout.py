"""One rollout of one example: the program, then the metric, in whichever thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.failures import is_race
from pytest_pitcheval.lm.language_models import dspy_settings
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.rollouts import program_and_metric
from pytest_pitcheval.rollouts.program_and_metric import Verdict

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.cache import Rollouts
    from pytest_pitcheval.rollouts.scopes import RolloutScope

T = TypeVar("T")

_RACES = 10
"""How often a race is run again: a second one in the same rollout is most unlikely."""


class Generator(NamedTuple):
    """What makes predictions: the compiled program, and the LM that it runs with."""

    program: Any
    lm: Any

    def is_same(self, other: Generator) -> bool:
        """Whether it is made of the very same objects."""
        return self.program is other.program and self.lm is other.lm


class Judge(NamedTuple):
    """What scores predictions: the metric, and the LM that it runs with."""

    metric: Any
    lm: Any

    def is_same(self, other: Judge) -> bool:
        """Whether it is made of the very same objects."""
        return self.metric is other.metric and self.lm is other.lm


class Result(Generic[T]):
    """What one thread leaves for another: a value, or the exception there was instead."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether it is there."""
        return self._done.is_set()

    def compute(self, make: Callable[[], T]) -> bool:
        """Leave what ``make`` returns or raises (``pytest.skip`` as well); whether it returned."""
        __tracebackhide__ = True
        try:
            self._value = make()
        except BaseException as error:
            self._error = error
        self._done.set()
        return self._error is None

    def wait(self, seconds: float) -> bool:
        """Whether it is there within ``seconds``."""
        return self._done.wait(seconds)

    def get(self) -> T:
        """The value; raises the exception, with the traceback that it has."""
        __tracebackhide__ = True
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


class RolloutRun:
    """The work of one rollout, and what came of it.

    Attributes:
        seconds: what program and metric took; waiting for the rate limit is not in it.
        program_raised: what the program raised that was its own fault.
    """

    def __init__(self, scope: RolloutScope) -> None:
        self.scope = scope
        self.seconds = 0.0
        self.program_raised: BaseException | None = None

    def predict(self, rollouts: Rollouts, generator: Generator, example: Any) -> Any:
        """The program's answer to the example. Raises as `program_and_metric.predict`."""
        __tracebackhide__ = True
        settings = dspy_settings(generator.lm)
        inputs = dict(example.inputs().items(include_dspy=True))  # toDict would make dicts of pydantic models
        with self._timed(), rollouts.entered(self.scope, GENERATOR, **settings):
            try:
                return _past_races(lambda: program_and_metric.predict(generator.program, inputs, self.scope))
            except PitchevalError:
                raise
            except Exception as error:
                self.program_raised = error
                raise

    def judge(self, rollouts: Rollouts, judge: Judge, example: Any, prediction: Any) -> Verdict:
        """The metric's verdict on the prediction. Raises as `program_and_metric.judge`."""
        __tracebackhide__ = True
        with self._timed(), rollouts.entered(self.scope, JUDGE, **dspy_settings(judge.lm)):
            return _past_races(lambda: program_and_metric.judge(judge.metric, example, prediction, self.scope))

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        start, waited = time.perf_counter(), self.scope.waited
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start - (self.scope.waited - waited)


def _past_races(make: Callable[[], T]) -> T:
    """``make``, again where an LM call failed only because of `is_race`; what it had asked answers from the cache."""
    __tracebackhide__ = True
    for _ in range(_RACES):
        try:
            return make()
        except Exception as error:
            if not is_race(error):
                raise
    return make()
