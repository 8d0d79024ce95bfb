"""A rollout in a thread of the pool: begun before its test, or beside it."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_pitcheval.rollouts import program_and_metric

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.pool import Pool, Task
    from pytest_pitcheval.rollouts.program_and_metric import Generator, Judge
    from pytest_pitcheval.rollouts.rollout import Rollout
    from pytest_pitcheval.rollouts.rollouts import Rollouts
    from pytest_pitcheval.rollouts.verdicts import Verdict

T = TypeVar("T")


class JudgeToCome:
    """What scores the predictions of one lane, as soon as that is `known`; thread-safe.

    A `Future` would keep all that have waited for it, with their pictures.
    """

    def __init__(self) -> None:
        self.known: Judge | None = None
        self._waiting: list[Callable[[Judge], None]] = []
        self._mutex = threading.Lock()

    def then(self, do: Callable[[Judge], None]) -> None:
        """Have this done with it; now, if it is known."""
        with self._mutex:
            if self.known is None:
                self._waiting.append(do)
                return
        do(self.known)

    def open(self, judge: Judge) -> None:
        """It is ``judge``: what waits for it is done."""
        with self._mutex:
            self.known = judge
            waiting, self._waiting = self._waiting, []
        for do in waiting:
            do(judge)


class Shared(NamedTuple):
    """What the flights of one lane have in common.

    Attributes:
        generator: what makes the predictions.
        judge: what scores them, as soon as that is known.
        context: the context variables as they are around a test's program.
    """

    generator: Generator
    judge: JudgeToCome
    context: contextvars.Context


class Flight:
    """One rollout: ``predicted`` and ``judged`` are done once its threads have come so far.

    ``example`` gives what it is made of; ``order`` is its place in the queue; ``noted`` is entered with the rollout
    around the work of each thread. Of a further verdict on a prediction, ``judged_again`` is what another flight
    predicts.
    """

    def __init__(
        self,
        rollout: Rollout,
        example: Callable[[], Any],
        shared: Shared,
        order: tuple[int, ...],
        noted: Callable[[Rollout], AbstractContextManager[None]],
        judged_again: Future[Any] | None = None,
    ) -> None:
        self.rollout = rollout
        self.predicted: Future[Any] = judged_again or Future()
        self.judged: Future[Verdict] = Future()
        self._example = example
        self._made: Any = None
        self._shared = shared
        self._order = order
        self._noted = noted
        self._predicts = judged_again is None
        self._leaves_judging = False
        self._task: Task | None = None
        self._began: float | None = None

    def launch(self, pool: Pool, rollouts: Rollouts, is_scored: bool) -> None:
        """Queue the program, and if it is scored the metric after it, as soon as that is known."""

        def judge(known: Judge) -> None:
            if not self._leaves_judging:
                self._submit(pool, lambda: self._judge(rollouts, known))

        def judge_again(predicted: Future[Any]) -> None:
            if predicted.exception() is None:
                self._shared.judge.then(judge)

        if not self._predicts:
            self.predicted.add_done_callback(judge_again)
            return

        def work() -> None:
            if not self._predict(rollouts):
                return
            if not is_scored:
                self.rollout.forget_media()
                return
            if self._shared.judge.known is not None:
                self._judge(rollouts, self._shared.judge.known)
            else:
                self._shared.judge.then(judge)

        self._submit(pool, work)

    def leave_judging(self) -> None:
        """Let the test judge the prediction itself, if the metric has not begun."""
        self._leaves_judging = True

    def cancel(self) -> bool:
        """Whether its queued work will never begin."""
        return self._task is not None and self._task.cancel()

    def is_over(self, seconds: float) -> bool:
        """Whether nothing goes on in it after ``seconds`` at the latest; what is queued never begins."""
        self.leave_judging()
        return self._task is None or self._task.is_over(seconds)

    @property
    def has_begun(self) -> bool:
        """Whether some of its work has."""
        return self._began is not None

    def give_up(self) -> None:
        """Let another have its slot."""
        if self._task is not None:
            self._task.give_up()

    @property
    def seconds(self) -> float:
        """How long it has been at work, without waiting for the rate limit."""
        if self._began is None:
            return 0.0
        return time.monotonic() - self._began - self.rollout.waited

    def _submit(self, pool: Pool, work: Callable[[], object]) -> None:
        def fly() -> None:
            self._began = time.monotonic() - self.rollout.waited
            with self._noted(self.rollout):
                self._shared.context.copy().run(work)
            self._made = None  # it may be large, and predictions wait for their tests

        self._task = pool.submit(self._order, fly)

    def _make_example(self) -> Any:
        """The same object as long as a thread is at work."""
        if self._made is None:
            self._made = self._example()
        return self._made

    def _predict(self, rollouts: Rollouts) -> bool:
        def predict() -> Any:
            __tracebackhide__ = True
            return program_and_metric.predict(rollouts, self.rollout, self._shared.generator, self._make_example())

        return _settle(self.predicted, predict)

    def _judge(self, rollouts: Rollouts, judge: Judge) -> None:
        def verdict() -> Verdict:
            __tracebackhide__ = True
            example, prediction = self._make_example(), self.predicted.result()
            try:
                return program_and_metric.judge(rollouts, self.rollout, judge, example, prediction)
            finally:
                self.rollout.forget_media()

        _settle(self.judged, verdict)


def _settle(future: Future[T], make: Callable[[], T]) -> bool:
    """Leave what ``make`` returns or raises (``pytest.skip`` as well) in ``future``; whether it returned."""
    __tracebackhide__ = True
    try:
        result = make()
    except BaseException as error:
        future.set_exception(error)
        return False
    future.set_result(result)
    return True


def outcome(future: Future[T]) -> T:
    """What a flight has left in ``future``; raises with the traceback of where it was raised, and no frame of ours."""
    __tracebackhide__ = True
    error = future.exception()
    if error is not None:
        raise error
    return future.result()
