"""A rollout in a thread of the pool: begun before its test, or beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.pool import Pool, Task
from pytest_pitcheval.rollouts.program_and_metric import Verdict
from pytest_pitcheval.rollouts.rollout import Judge, Result, RolloutRun

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.lanes import Lane
    from pytest_pitcheval.rollouts.cache import Rollouts
    from pytest_pitcheval.rollouts.scopes import RolloutScope


class Flight:
    """One rollout: ``predicted`` and ``judged`` are there once its threads have come so far.

    ``order`` is its place in the queue; ``scored`` says whether its test asks for a score; ``noted`` is entered
    with its scope around the work of each thread.
    """

    def __init__(
        self,
        run: RolloutRun,
        example: Any,
        lane: Lane,
        order: tuple[int, ...],
        scored: bool,
        noted: Callable[[RolloutScope], AbstractContextManager[None]],
    ) -> None:
        self.run = run
        self.lane = lane
        self._noted = noted
        self.predicted: Result[Any] = Result()
        self.judged: Result[Verdict] = Result()
        self._example = example
        self._order = order
        self._scored = scored
        self._task: Task | None = None
        self._began: float | None = None

    def launch(self, pool: Pool, rollouts: Rollouts) -> None:
        """Queue the program, and the metric after it, as soon as that is known."""
        self._submit(pool, lambda: self._predict(rollouts))

    def launch_judge(self, pool: Pool, rollouts: Rollouts, judge: Judge) -> None:
        """Queue the metric for a prediction that is there."""
        self._submit(pool, lambda: self._judge(rollouts, judge))

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

    def _submit(self, pool: Pool, work: Callable[[], None]) -> None:
        def fly() -> None:
            self._began = time.monotonic() - self.run.scope.waited
            with self._noted(self.run.scope):
                self.lane.context.copy().run(work)

        self._task = pool.submit(self._order, fly)

    def _predict(self, rollouts: Rollouts) -> None:
        lane = self.lane

        def predict() -> Any:
            __tracebackhide__ = True
            return self.run.predict(rollouts, lane.generator, self._example)

        if self.predicted.compute(predict) and self._scored and (judge := lane.judge_for(self)):
            self._judge(rollouts, judge)

    def _judge(self, rollouts: Rollouts, judge: Judge) -> None:
        prediction = self.predicted.get()

        def verdict() -> Verdict:
            __tracebackhide__ = True
            return self.run.judge(rollouts, judge, self._example, prediction)

        self.judged.compute(verdict)
