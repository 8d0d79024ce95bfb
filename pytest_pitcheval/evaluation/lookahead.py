"""Looking ahead: while one test waits for its rollouts, those of the following ones are in flight."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_pitcheval.concurrency.pool import Pool
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.evaluation.flights import Flight
from pytest_pitcheval.evaluation.in_turn import STOPPED, InTurn
from pytest_pitcheval.evaluation.lanes import Key, Lane, obstacle
from pytest_pitcheval.rollouts.program_and_metric import Verdict
from pytest_pitcheval.rollouts.rollout import Generator, Judge, Result

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.upcoming import Upcoming
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.rollouts.cache import Rollouts
    from pytest_pitcheval.rollouts.scopes import RolloutScope

T = TypeVar("T")

_TICK = 0.25
"""Seconds after which a waiting test says how far the session is, and looks at its timeout."""
_SOON = 0.02
"""Seconds after which a worker looks again for its plan."""


class TimedOut(PitchevalError):
    """A rollout took longer than its test may."""


class LookAhead(InTurn):
    """Keeps up to ``window`` tests prepared; how many rollouts are in flight is the pool's business.

    ``key`` says which tests share a lane; ``prepare`` makes the `RunningTest` of a test that is still to come, or None
    if that must not be begun; ``note`` is told which test's flight has ``begun`` or ``landed``.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        pool: Pool,
        upcoming: Upcoming,
        key: Callable[[pytest.Item], Key],
        prepare: Callable[[pytest.Item], RunningTest | None],
        window: int,
        say: Callable[[str], None],
        tick: Callable[[], None],
        note: Callable[[str, str], None],
    ) -> None:
        super().__init__(rollouts, pool)
        self._upcoming = upcoming
        self._key = key
        self._prepare = prepare
        self._window = window
        self._say = say
        self._tick = tick
        self._note = note
        self._lanes: dict[Key, Lane | None] = {}
        rollouts.look_ahead()

    def predict(self, test: RunningTest, generator: Generator) -> Any:
        __tracebackhide__ = True
        lane = None if test.alone else self._lane(test, generator)
        if lane is not None:
            self._extend(lane, test)
            many = test.asks_for_score and test.rollout_count > 1
            if not test.flights and (lane.ahead or many or self._upcoming.expects_more):
                self._launch(lane, test, 0)
        if not test.flights:  # there is nothing to do meanwhile
            return super().predict(test, generator)
        return self._landed(test, test.flights[0], test.flights[0].predicted)

    def judge(self, test: RunningTest, judge: Judge, prediction: Any, count: int) -> list[Verdict]:
        __tracebackhide__ = True
        lane = test.lane
        if lane is None or not test.flights or not self._is_shared(lane, test, judge, prediction):
            if lane is not None:
                lane.forget(test.flights)
            return super().judge(test, judge, prediction, count)
        self._open(lane, judge)
        for number in range(len(test.flights), count):
            self._launch(lane, test, number)
        return [self._verdict(test, number) for number in range(count)]

    # Lanes

    def _lane(self, test: RunningTest, generator: Generator) -> Lane | None:
        """The lane of ``test``, None where it cannot share; a new one where its fixtures turn out to be others."""
        key = self._key(test.item)
        lane = self._lanes.get(key)
        if lane is not None and not lane.generator.is_same(generator):
            lane = None
        if lane is None and (key not in self._lanes or self._lanes[key] is not None) and self._can_share(test):
            lane = Lane(generator)
        self._lanes[key] = test.lane = lane
        if test.flights and test.flights[0].lane is not lane:
            test.restart()
        return lane

    def _can_share(self, test: RunningTest) -> bool:
        name = obstacle(test.function_fixtures)
        if name is not None:
            self._say(
                f"{test.about.test}: one example at a time, as its fixture {name!r} is made anew for each test "
                "and might make a difference to the program"
            )
        return name is None and test.has_own_fixtures

    def _is_shared(self, lane: Lane, test: RunningTest, judge: Judge, prediction: Any) -> bool:
        """Whether the tests of the lane are all judged in this way."""
        if not test.asks_for_score or prediction is not test.prediction:
            return False
        if lane.judge is not None:
            return lane.judge.is_same(judge)
        return obstacle(test.function_fixtures) is None

    def _open(self, lane: Lane, judge: Judge) -> None:
        """The judge is known: what waits for it goes on, and further rollouts begin."""
        if lane.judge is not None:
            return
        for flight in lane.open(judge):
            flight.launch_judge(self._pool, self._rollouts, judge)
        for test in lane.ahead:
            self._launch_all(lane, test)

    # Flights

    def _extend(self, lane: Lane, test: RunningTest) -> None:
        """Begin with following tests of the lane, until the window is full."""
        lane.ahead = [one for one in lane.ahead if one.order > test.order]
        free = self._window - len(lane.ahead)
        if free <= 0 or self._pool.closed:
            return
        key = self._key(test.item)
        for place, item in self._upcoming.after(test.item, lane.place):
            lane.place = place + 1
            of_lane = item.parent is test.item.parent and self._key(item) == key
            if of_lane and (one := self._prepare(item)) is not None:
                lane.ahead.append(one)
                self._launch_all(lane, one)
                free -= 1
                if not free:
                    return

    def _launch_all(self, lane: Lane, test: RunningTest) -> None:
        count = test.rollout_count if lane.judge is not None and test.asks_for_score else 1
        for number in range(len(test.flights), count):
            self._launch(lane, test, number)

    def _launch(self, lane: Lane, test: RunningTest, number: int) -> None:
        order = (*test.order, number)
        flight = Flight(test.run(number), test.example, lane, order, test.asks_for_score, self._flying)
        test.flights.append(flight)
        flight.launch(self._pool, self._rollouts)

    @contextlib.contextmanager
    def _flying(self, scope: RolloutScope) -> Iterator[None]:
        nodeid = scope.rollout_id.nodeid
        self._note("begun", nodeid)
        with self._rollouts.flying(scope):
            yield
        self._note("landed", nodeid)

    # Landing

    def _verdict(self, test: RunningTest, number: int) -> Verdict:
        __tracebackhide__ = True
        flight = test.flights[number]
        prediction = self._landed(test, flight, flight.predicted)  # where it raised, there is no verdict
        verdict = self._landed(test, flight, flight.judged)
        if number:
            test.note_later(prediction, verdict.feedback)
        return verdict

    def _landed(self, test: RunningTest, flight: Flight, result: Result[T]) -> T:
        """The result, as soon as it is there; its timeout is counted from when it was begun."""
        __tracebackhide__ = True
        if not result.done:
            with self._rollouts.awaited(), timeouts.stopped(test.item) as limit:
                self._tick()
                while not result.wait(_SOON if self._upcoming.expects_more else _TICK):
                    self._tick()
                    self._check(flight, limit)
                    self._upcoming.look()
                    self._extend(flight.lane, test)
        return result.get()

    def _check(self, flight: Flight, limit: float | None) -> None:
        __tracebackhide__ = True
        if self._pool.closed and flight.cancel():
            raise PitchevalError(STOPPED)
        if limit is not None and flight.seconds > limit:
            flight.give_up()
            raise TimedOut(f"Timeout (>{limit:.1f}s): no end of rollout {flight.run.scope.rollout_id}")
