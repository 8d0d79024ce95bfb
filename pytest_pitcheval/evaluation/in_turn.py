"""Rollouts one after the other, each when its test asks for it, in the test's own thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.pool import Closed, Pool
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.rollouts.program_and_metric import Verdict
from pytest_pitcheval.rollouts.rollout import Generator, Judge

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.rollouts.cache import Rollouts


STOPPED = "the session is being stopped: nothing more is asked"


class InTurn:
    """Makes the rollouts of tests that share nothing with others, or of all where one may be in flight at a time."""

    def __init__(self, rollouts: Rollouts, pool: Pool) -> None:
        self._rollouts = rollouts
        self._pool = pool

    def predict(self, test: RunningTest, generator: Generator) -> Any:
        """The prediction of the first rollout."""
        __tracebackhide__ = True
        with self._slot(test):
            return test.runs[0].predict(self._rollouts, generator, test.example)

    def judge(self, test: RunningTest, judge: Judge, prediction: Any, count: int) -> list[Verdict]:
        """The verdicts on ``count`` rollouts: ``prediction`` is that of the first."""
        __tracebackhide__ = True
        return [self._judge(test, number, judge, prediction) for number in range(count)]

    def _judge(self, test: RunningTest, number: int, judge: Judge, prediction: Any) -> Verdict:
        __tracebackhide__ = True
        run = test.run(number)
        with self._slot(test):
            if number:
                prediction = run.predict(self._rollouts, _generator(test), test.example)
            verdict = run.judge(self._rollouts, judge, test.example, prediction)
        if number:
            test.note_later(prediction, verdict.feedback)
        return verdict

    @contextlib.contextmanager
    def _slot(self, test: RunningTest) -> Iterator[None]:
        """A slot; waiting for it is not charged to the test."""
        try:
            with contextlib.ExitStack() as stack:
                if not self._pool.try_slot(stack):
                    with timeouts.stopped(test.item):
                        stack.enter_context(self._pool.slot(test.order))
                yield
        except Closed:
            raise PitchevalError(STOPPED) from None


def _generator(test: RunningTest) -> Generator:
    if test.generator is None:
        raise PitchevalError(
            "rollouts: a prediction fixture of your own gives one prediction; expected rollouts=1 or the plugin's own"
        )
    return test.generator
