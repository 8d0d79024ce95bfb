"""A rollout in a thread of the pool: begun before its test, or beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_pitcheval.evaluation import Verdict
from pytest_pitcheval.pool import Pool, Task
from pytest_pitcheval.rollout_runs import Judge, Result, RolloutRun

if TYPE_CHECKING:
    from pytest_pitcheval.lanes import Lane
    from pytest_pitcheval.rollout_cache import Rollouts

T = TypeVar("T")


class Torn(Exception):
    """It cannot be said which LM calls were those of this rollout."""


class Flight:
    """One rollout: ``predicted`` and ``judged`` are there once its threads have come so far.

    ``order`` is its place in the queue; ``scored`` says whether its test asks for a score.
    """

    def __init__(self, run: RolloutRun, example: Any, lane: Lane, order: tuple[int, int], scored: bool) -> None:
        self.run = run
        self.lane = lane
        self.predicted: Result[Any] = Result()
        self.judged: Result[Verdict] = Result()
        self._example = example
        self._order = order
        self._scored = scored
        self._task: Task | None = None
        self._began: float | None = None

    def launch(self, pool: Pool, rollouts: Rollouts) -> None:
        """Queue the program, and the metric after it, as soon as that is known."""
        self._submit(pool, rollouts, lambda: self._predict(rollouts))

    def launch_judge(self, pool: Pool, rollouts: Rollouts, judge: Judge) -> None:
        """Queue the metric for a prediction that is there."""
        self._submit(pool, rollouts, lambda: self._judge(rollouts, judge))

    def cancel(self) -> bool:
        """Whether its queued work will never begin."""
        return self._task is not None and self._task.cancel()

    def give_up(self) -> None:
        """Let another have its slot."""
        if self._task is not None:
            self._task.give_up()

    @property
    def seconds(self) -> float:
        """How long it has been at work, without waiting for the rate limit."""
        if self._began is None:
            return 0.0
        return time.monotonic() - self._began - self.run.scope.waited

    def _submit(self, pool: Pool, rollouts: Rollouts, work: Callable[[], None]) -> None:
        def fly() -> None:
            self._began = time.monotonic() - self.run.scope.waited
            with rollouts.flying(self.run.scope):
                self.lane.context.copy().run(work)

        self._task = pool.submit(self._order, fly)

    def _predict(self, rollouts: Rollouts) -> None:
        lane = self.lane
        predicted = self.predicted.compute(
            self._whole(lambda: self.run.predict(rollouts, lane.generator, self._example))
        )
        if predicted and self._scored and (judge := lane.judge_for(self)):
            self._judge(rollouts, judge)

    def _judge(self, rollouts: Rollouts, judge: Judge) -> None:
        prediction = self.predicted.get()
        self.judged.compute(self._whole(lambda: self.run.judge(rollouts, judge, self._example, prediction)))

    def _whole(self, make: Callable[[], T]) -> Callable[[], T]:
        """``make``, that raises Torn whenever its calls were mixed up with others'."""

        def made() -> T:
            __tracebackhide__ = True
            try:
                value = make()
            except BaseException:
                if self.run.scope.torn:
                    raise Torn from None
                raise
            if self.run.scope.torn:
                raise Torn
            return value

        return made
