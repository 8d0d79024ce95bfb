"""Rollouts one after the other, each when its test asks for it, in the test's own thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.pool import Closed, Pool
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.rollouts import program_and_metric
from pytest_pitcheval.rollouts.program_and_metric import Generator, Judge
from pytest_pitcheval.rollouts.verdicts import Verdict

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.rollouts.rollouts import Rollouts


ONE_PREDICTION = (
    "rollouts: a prediction fixture of your own gives one prediction; expected rollouts=1 or the plugin's own"
)
STOPPED = "the session is being stopped: nothing more is asked"


class InTurn:
    """Makes a test's rollouts when the test asks for them, one after the other.

    For tests that share no fixtures with others; and for all tests where ``--eval-concurrency`` is 1.
    """

    def __init__(self, rollouts: Rollouts, pool: Pool) -> None:
        self._rollouts = rollouts
        self._pool = pool

    def predict(self, test: RunningTest, generator: Generator) -> Any:
        """The prediction of the first rollout."""
        __tracebackhide__ = True
        with self._slot(test):
            return program_and_metric.predict(self._rollouts, test.first, generator, test.example)

    def judge(self, test: RunningTest, judge: Judge, example: Any, prediction: Any) -> list[Verdict]:
        """All verdicts on ``example``, in the order of `RunningTest.verdicts`: ``prediction`` is the first one."""
        __tracebackhide__ = True
        verdicts = []
        for number in range(test.verdicts):
            is_later = number > 0 and number % test.judge_rollouts == 0
            rollout = test.rollout(number)
            with self._slot(test):
                if is_later:
                    prediction = program_and_metric.predict(self._rollouts, rollout, _generator(test), example)
                verdicts.append(program_and_metric.judge(self._rollouts, rollout, judge, example, prediction))
            if is_later:
                test.judged_later(prediction, verdicts[-1].feedback)
        return verdicts

    def cancel(self, nodeid: str) -> bool:
        """Whether nothing of the coming test ``nodeid`` has begun: then nothing of it is begun ahead any more."""
        return True

    def leave_out(self, running: RunningTest | None) -> None:
        """Cancel what has not begun of tests that are left out; the ``running`` one is not."""

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
        raise PitchevalError(ONE_PREDICTION)
    return test.generator
