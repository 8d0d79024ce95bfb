"""Looking ahead: while one test waits for its rollouts, those of the following ones are in flight."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.evaluation.ahead.flights import Flight, outcome
from pytest_pitcheval.evaluation.ahead.lanes import Lane, LaneKey, obstacle
from pytest_pitcheval.evaluation.in_turn import STOPPED, InTurn
from pytest_pitcheval.lm.language_models import answers_in_order
from pytest_pitcheval.ownership import Turn

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.pool import Pool
    from pytest_pitcheval.evaluation.ahead.coming_tests import ComingTests
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.rollouts.program_and_metric import Generator, Judge
    from pytest_pitcheval.rollouts.rollout import Rollout
    from pytest_pitcheval.rollouts.rollouts import Rollouts
    from pytest_pitcheval.rollouts.verdicts import Verdict

T = TypeVar("T")

_TICK = 0.25
"""Seconds after which a waiting test says how far the session is, and looks at its timeout."""
_SOON = 0.02
"""The same at first, and while a worker looks for its plan."""


class TimedOut(PitchevalError):
    """A rollout took longer than its test may."""


class Watch(Protocol):
    """Who hears of what look-ahead does."""

    def say(self, text: str) -> None:
        """Tell the user a line."""

    def tick(self) -> None:
        """Time passes while a test waits."""

    def note(self, what: str, nodeid: str) -> None:
        """A flight of the test ``nodeid`` has ``begun`` or ``landed``."""

    def is_alone(self, test: RunningTest) -> bool:
        """Whether nothing else may be in flight while ``test`` runs."""


def _why_in_turn(test: RunningTest, generator: Generator) -> str | None:
    """Why nothing may be asked before ``test`` asks for it, None where it may."""
    if (name := obstacle(test.function_fixtures)) is not None:
        return f"its fixture {name!r} is made anew for each test and might make a difference to the program"
    if any(map(answers_in_order, generator.lms)):
        return "its DummyLM has a list of answers, and gives the next one to whoever asks"
    return None


@dataclasses.dataclass
class _Ahead:
    """A test with the lane that it shares, None where it shares nothing, and those of its rollouts that fly."""

    test: RunningTest
    lane: Lane | None
    flights: list[Flight] = dataclasses.field(default_factory=list)


class LookAhead(InTurn):
    """Keeps up to ``window`` of the ``coming`` tests prepared; how many rollouts are in flight is the pool's business.

    ``watch`` hears what is done.
    """

    def __init__(self, rollouts: Rollouts, pool: Pool, coming: ComingTests, watch: Watch, window: int) -> None:
        super().__init__(rollouts, pool)
        self._coming = coming
        self._watch = watch
        self._window = window
        self._lanes: dict[LaneKey, Lane | None] = {}
        self._ahead: dict[str, _Ahead] = {}
        rollouts.loop.shared = True

    def predict(self, test: RunningTest, generator: Generator) -> Any:
        __tracebackhide__ = True
        self._forget_before(test)
        ahead = self._entry(test)
        self._enter_lane(ahead, None if self._watch.is_alone(test) else self._lane(test, generator))
        if ahead.lane is not None:
            self._extend(ahead.lane, test)
            many = test.asks_for_score and test.verdicts > 1
            if not ahead.flights and (self._after(ahead.lane, test) or many or self._coming.expects_more):
                self._launch(ahead, ahead.lane, 0)
        if not ahead.flights:  # there is nothing to do meanwhile
            return super().predict(test, generator)
        with self._all_landed(ahead):
            return self._landed(ahead, ahead.flights[0], ahead.flights[0].predicted)

    def judge(self, test: RunningTest, judge: Judge, example: Any, prediction: Any) -> list[Verdict]:
        __tracebackhide__ = True
        ahead = self._entry(test)
        lane = ahead.lane
        if lane is None or not ahead.flights or not self._is_shared(lane, test, judge, example, prediction):
            self._await_all(ahead)
            return super().judge(test, judge, example, prediction)
        if lane.judge is None:  # what waits for it goes on, and further rollouts begin
            lane.open(judge)
            for later in self._after(lane, test):
                self._launch_all(later, lane)
        for number in range(len(ahead.flights), test.verdicts):
            self._launch(ahead, lane, number)
        with self._all_landed(ahead):
            return [self._verdict(ahead, number) for number in range(test.verdicts)]

    def cancel(self, nodeid: str) -> bool:
        ahead = self._ahead.get(nodeid)
        if ahead is None or not ahead.flights:
            return True
        if ahead.flights[0].has_begun or not ahead.flights[0].cancel():
            return False  # its further rollouts follow, so that it has a score
        for flight in self._ahead.pop(nodeid).flights:
            flight.cancel()
        return True

    def leave_out(self, running: RunningTest | None) -> None:
        for nodeid, ahead in list(self._ahead.items()):
            if ahead.test is not running and self._coming.is_left_out(ahead.test.item):
                self.cancel(nodeid)

    # Tests and lanes

    def _entry(self, test: RunningTest) -> _Ahead:
        """What is kept of ``test``; another attempt at the same test begins anew."""
        ahead = self._ahead.get(test.rollout_id.nodeid)
        if ahead is None or ahead.test is not test:
            ahead = self._ahead[test.rollout_id.nodeid] = _Ahead(test, None)
        return ahead

    def _forget_before(self, test: RunningTest) -> None:
        """Tests are prepared in their order; one that is tried again waits until those before it are gone."""
        while self._ahead and next(iter(self._ahead.values())).test.order < test.order:
            del self._ahead[next(iter(self._ahead))]

    def _after(self, lane: Lane, test: RunningTest) -> list[_Ahead]:
        """The tests of the lane that are prepared, and come after ``test``."""
        return [ahead for ahead in self._ahead.values() if ahead.lane is lane and ahead.test.order > test.order]

    def _lane(self, test: RunningTest, generator: Generator) -> Lane | None:
        """The lane of ``test``, None where it cannot share; a new one where its fixtures turn out to be others."""
        key = self._coming.lane_key(test.item)
        lane = self._lanes.get(key)
        if lane is not None and not lane.generator.is_same(generator):
            lane = None
        if (
            lane is None
            and (key not in self._lanes or self._lanes[key] is not None)
            and self._can_share(test, generator)
        ):
            lane = Lane(generator)
        self._lanes[key] = lane
        return lane

    def _enter_lane(self, ahead: _Ahead, lane: Lane | None) -> None:
        """``lane`` is the one for the test; what was begun in another one has used other fixtures than the test has.

        What is in the air lands first: where the test asks the same again, the answer is in the cache then.
        """
        if ahead.flights and ahead.lane is not lane:
            self._await_all(ahead)
            ahead.flights.clear()
            ahead.test.restart()
        ahead.lane = lane

    def _await_all(self, ahead: _Ahead) -> None:
        """Until what is in the air of the test has landed; what has not begun never does."""
        with self._rollouts.scopes.awaited(), timeouts.stopped(ahead.test.item) as limit:
            for flight in ahead.flights:
                while not flight.is_over(_TICK) and (limit is None or flight.seconds <= limit):
                    self._watch.tick()

    @contextlib.contextmanager
    def _all_landed(self, ahead: _Ahead) -> Iterator[None]:
        """Where a rollout fails within it, the others of the test land first: what they take is on its record, too."""
        __tracebackhide__ = True
        try:
            yield
        except TimedOut:
            raise
        except Exception:
            if not self._pool.closed:
                self._await_all(ahead)
            raise

    def _can_share(self, test: RunningTest, generator: Generator) -> bool:
        reason = _why_in_turn(test, generator)
        if reason is not None:
            self._watch.say(f"{test.about.test}: one example at a time, as {reason}")
        return reason is None and test.is_own(generator.program, test.example)

    @staticmethod
    def _is_shared(lane: Lane, test: RunningTest, judge: Judge, example: Any, prediction: Any) -> bool:
        """Whether the tests of the lane are all judged in this way."""
        if not test.asks_for_score or example is not test.example or prediction is not test.prediction:
            return False
        if lane.judge is not None:
            return lane.judge.is_same(judge)
        return obstacle(test.function_fixtures) is None and not answers_in_order(judge.lm)

    # Flights

    def _extend(self, lane: Lane, test: RunningTest) -> None:
        """Begin with following tests of the lane, until the window is full."""
        is_unjudged = lane.judge is None and test.asks_for_score
        window = min(self._window, self._coming.most_unjudged) if is_unjudged else self._window
        free = window - len(self._after(lane, test))
        if free <= 0 or self._pool.closed:
            return
        key, turn = self._coming.lane_key(test.item), Turn(test.item)
        for place, item in self._coming.after(test.item, lane.place):
            if not turn.has(item):
                return  # there fixtures that the tests share are torn down, and then made anew
            of_lane = item.parent is test.item.parent and self._coming.lane_key(item) == key
            if of_lane and self._coming.is_held(item):
                return
            lane.place = place + 1
            if of_lane and (prepared := self._coming.prepare(item, test)) is not None:
                self._ahead[item.nodeid] = ahead = _Ahead(prepared, lane)
                self._launch_all(ahead, lane)
                free -= 1
                if not free:
                    return

    def _launch_all(self, ahead: _Ahead, lane: Lane) -> None:
        count = ahead.test.verdicts if lane.judge is not None and ahead.test.asks_for_score else 1
        for number in range(len(ahead.flights), count):
            self._launch(ahead, lane, number)

    def _launch(self, ahead: _Ahead, lane: Lane, number: int) -> None:
        test, again = ahead.test, number % ahead.test.judge_rollouts
        judged = ahead.flights[number - again].predicted if again else None
        order, example = (*test.order, number), functools.partial(_example_of, test)
        flight = Flight(test.rollout(number), example, lane.shared, order, self._flying, judged)
        ahead.flights.append(flight)
        flight.launch(self._pool, self._rollouts, test.asks_for_score)

    @contextlib.contextmanager
    def _flying(self, rollout: Rollout) -> Iterator[None]:
        nodeid = rollout.rollout_id.nodeid
        self._watch.note("begun", nodeid)
        with self._rollouts.scopes.flying(rollout):
            yield
        self._watch.note("landed", nodeid)

    # Landing

    def _verdict(self, ahead: _Ahead, number: int) -> Verdict:
        __tracebackhide__ = True
        flight = ahead.flights[number]
        prediction = self._landed(ahead, flight, flight.predicted)  # where it raised, there is no verdict
        verdict = self._landed(ahead, flight, flight.judged)
        if number and number % ahead.test.judge_rollouts == 0:
            ahead.test.judged_later(prediction, verdict.feedback)
        return verdict

    def _landed(self, ahead: _Ahead, flight: Flight, future: Future[T]) -> T:
        """What the flight leaves, as soon as it is there; its timeout is counted from when it was begun."""
        __tracebackhide__ = True
        if not future.done():
            with self._rollouts.scopes.awaited(), timeouts.stopped(ahead.test.item) as limit:
                self._watch.tick()
                seconds = _SOON
                while not wait([future], seconds).done:
                    seconds = _SOON if self._coming.expects_more else min(2 * seconds, _TICK)
                    self._watch.tick()
                    self._check(flight, limit)
                    self._coming.look()
                    if ahead.lane is not None:
                        self._extend(ahead.lane, ahead.test)
        return outcome(future)

    def _check(self, flight: Flight, limit: float | None) -> None:
        __tracebackhide__ = True
        if self._pool.closed and flight.cancel():
            raise PitchevalError(STOPPED)
        if limit is not None and flight.seconds > limit:
            flight.give_up()
            self._rollouts.loop.leave_behind()
            raise TimedOut(f"Timeout (>{limit:.1f}s): no end of rollout {flight.rollout.rollout_id}")


def _example_of(test: RunningTest) -> Any:
    """What a rollout of ``test`` is made of; a large one is read when that begins, while the test still waits."""
    return test.own_example.for_flight() if test.example is None else test.example
