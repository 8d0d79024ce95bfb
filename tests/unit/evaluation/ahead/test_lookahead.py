"""Looking ahead: which rollouts fly before their test, what they are made with, and what the test gets of them."""

from __future__ import annotations

import contextlib
import threading
import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from support.background import wait_until

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.concurrency.limits.limiter import Limiter
from pytest_pitcheval.concurrency.pool import Pool
from pytest_pitcheval.concurrency.slots import LocalSlots
from pytest_pitcheval.concurrency.upcoming import Upcoming
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.evaluation.ahead.coming_tests import ComingTests
from pytest_pitcheval.evaluation.ahead.lookahead import LookAhead
from pytest_pitcheval.evaluation.running_test import RunningTest
from pytest_pitcheval.rollouts.program_and_metric import Generator, Judge
from pytest_pitcheval.rollouts.rollouts import Rollouts
from pytest_pitcheval.rollouts.spending import Spending
from pytest_pitcheval.settings.budgets import Cap
from pytest_pitcheval.settings.settings import read_settings

PATIENCE = 30.0
"""Seconds until a test gives up what never comes."""


class Asked:
    """A program that counts whom it was asked by; it needs no LM."""

    def __init__(self) -> None:
        self.threads: dict[str, list[int]] = {}
        self.changed = threading.Condition()

    def __call__(self, question: str) -> str:
        with self.changed:
            self.threads.setdefault(question, []).append(threading.get_ident())
            self.changed.notify_all()
        return f"answer to {question}"

    def wait_for(self, *questions: str) -> None:
        """Return once all of them have been asked."""
        with self.changed:
            assert self.changed.wait_for(lambda: set(questions) <= set(self.threads), PATIENCE), self.threads

    @property
    def counts(self) -> Counter[str]:
        return Counter({question: len(threads) for question, threads in self.threads.items()})


def length(example: Any, prediction: str) -> float:
    return float(len(prediction))


class House:
    """Five tests of one function, and what looks ahead in them."""

    def __init__(self, request: pytest.FixtureRequest, options: dict[str, Any]) -> None:
        self.said: list[str] = []
        self.noted: list[tuple[str, str]] = []
        self.alone: RunningTest | None = None
        self.items = [self._item(request, number) for number in range(5)]
        self.rollouts = Rollouts(Limiter((), None, lambda: False), contextlib.nullcontext, Spending.uncapped())
        self.pool = Pool(LocalSlots(options.get("concurrency", 8)))
        self.upcoming = Upcoming(self.items)
        settings = read_settings(request.config)
        if "cap" in options:
            settings = settings._replace(cap=options["cap"], concurrency=options["concurrency"])
        self.coming = ComingTests(self.upcoming, settings, "20261126T000000.000000Z", None)
        self.ahead = LookAhead(self.rollouts, self.pool, self.coming, self, options.get("window", 8))

    @staticmethod
    def _item(request: pytest.FixtureRequest, number: int) -> pytest.Item:
        def test(score: float) -> None: ...

        item = pytest.Function.from_parent(request.node.parent, name=f"test_qa[e{number}]", callobj=test)
        row = Row(f"e{number}", {"question": f"{number}?"}, ("question",))
        item.callspec = types.SimpleNamespace(params={"example": row})  # type: ignore[assignment]
        return item

    # What look-ahead tells

    def say(self, text: str) -> None:
        self.said.append(text)

    def tick(self) -> None: ...

    def note(self, what: str, nodeid: str) -> None:
        self.noted.append((what, nodeid))

    def is_alone(self, test: RunningTest) -> bool:
        return test is self.alone

    # What pytest and the fixtures do

    def start(self, number: int) -> RunningTest:
        following = self.items[number + 1] if number + 1 < len(self.items) else None
        self.upcoming.starts(following)
        test = self.coming.start(self.items[number])
        self.rollouts.begin(test.first)
        return test

    def predict(self, test: RunningTest, generator: Generator) -> Any:
        test.compiled(generator.program)
        test.predicted_with(generator, test.make_example(), {})
        prediction = self.ahead.predict(test, generator)
        test.predicted(prediction)
        return prediction

    def judge(self, test: RunningTest, judge: Judge) -> list[float]:
        verdicts = self.ahead.judge(test, judge, test.example, test.prediction)
        return [verdict.score for verdict in verdicts]


@pytest.fixture
def house(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Takes its ``concurrency``, ``window`` and ``cap`` from a parameter, if there is one."""
    monkeypatch.setattr(dspy, "cache", dspy.cache)
    made = House(request, getattr(request, "param", {}))
    yield made
    made.pool.close()
    made.rollouts.uninstall()


def small(window: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("house", [{"window": window}], indirect=True)


def test_the_following_tests_are_begun_and_each_is_asked_once(house: House) -> None:
    program = Asked()
    generator = Generator(program, None)
    first = house.start(0)
    assert house.predict(first, generator) == "answer to 0?"
    program.wait_for("1?", "2?", "3?", "4?")
    for number in range(1, 5):
        assert house.predict(house.start(number), generator) == f"answer to {number}?"
    assert set(program.counts.values()) == {1}
    assert all(threading.get_ident() not in threads for threads in program.threads.values())


@small(window=2)
def test_no_more_tests_than_the_window_has_are_prepared(house: House) -> None:
    program = Asked()
    generator = Generator(program, None)
    house.predict(house.start(0), generator)
    program.wait_for("1?", "2?")
    assert len(program.counts) == 3
    house.predict(house.start(1), generator)
    program.wait_for("3?")
    assert len(program.counts) == 4


@pytest.mark.parametrize("house", [{"concurrency": 2, "cap": Cap(cost=1.0)}], indirect=True)
def test_under_a_cap_few_are_predicted_before_it_is_known_how_they_are_judged(house: House) -> None:
    program = Asked()
    first = house.start(0)
    house.predict(first, Generator(program, None))
    wait_until(lambda: not house.pool.queued and not house.pool.in_flight)
    assert set(program.counts) == {"0?", "1?", "2?"}
    house.judge(first, Judge(length, None))
    house.predict(house.start(1), Generator(program, None))
    program.wait_for("3?", "4?")


def test_the_last_test_is_run_in_its_own_thread(house: House) -> None:
    program = Asked()
    house.predict(house.start(4), Generator(program, None))
    assert program.threads == {"4?": [threading.get_ident()]}
    assert house.noted == []


def test_a_test_that_is_to_be_alone_begins_no_other(house: House) -> None:
    program = Asked()
    house.alone = house.start(0)
    house.predict(house.alone, Generator(program, None))
    assert program.threads == {"0?": [threading.get_ident()]}


def test_a_fixture_for_one_test_alone_is_said_and_ends_looking_ahead(house: House) -> None:
    program = Asked()
    generator = Generator(program, None)
    for number in range(2):
        test = house.start(number)
        test.set_up("database")
        house.predict(test, generator)
    assert program.counts == {"0?": 1, "1?": 1}
    [line] = house.said
    assert "'database'" in line


def test_a_program_of_the_users_own_is_not_looked_ahead_with(house: House) -> None:
    program, test = Asked(), house.start(0)
    generator = Generator(program, None)
    test.predicted_with(generator, test.make_example(), {})  # and no compiled program of the plugin's
    house.ahead.predict(test, generator)
    assert program.counts == {"0?": 1}


def test_what_was_begun_with_another_program_is_thrown_away(house: House) -> None:
    old, new = Asked(), Asked()
    house.predict(house.start(0), Generator(old, None))
    old.wait_for("1?", "2?", "3?", "4?")
    second = house.start(1)
    before = second.first
    assert house.predict(second, Generator(new, None)) == "answer to 1?"
    assert new.counts["1?"] == 1
    assert second.first is not before


def test_fixtures_that_others_add_while_a_test_is_set_up_make_no_difference(house: House) -> None:
    """As pytest-asyncio does it with the event loop of an async test."""
    program = Asked()
    generator = Generator(program, None)
    for number in range(5):
        test = house.start(number)
        test.item.fixturenames.append("runner")  # type: ignore[attr-defined]
        house.predict(test, generator)
    assert set(program.counts.values()) == {1}


def test_the_calls_of_what_was_thrown_away_stay_in_the_record(house: House) -> None:
    from pytest_pitcheval.names import GENERATOR

    old = Asked()
    house.predict(house.start(0), Generator(old, None))
    old.wait_for("1?")
    second = house.start(1)
    second.first.asks_provider(GENERATOR)
    house.predict(second, Generator(Asked(), None))
    assert second.record().generator.fresh == 1


def test_what_the_program_raises_ahead_is_raised_in_its_test(house: House) -> None:
    seen = threading.Event()

    def program(question: str) -> str:
        if question == "1?":
            seen.set()
            raise KeyError(question)
        if question == "2?":
            pytest.skip("no second one")
        return question

    generator = Generator(program, None)
    house.predict(house.start(0), generator)
    assert seen.wait(PATIENCE)
    with pytest.raises(KeyError) as raised:
        house.predict(house.start(1), generator)
    assert raised.traceback[-1].name == "program"
    with pytest.raises(pytest.skip.Exception, match="no second one"):
        house.predict(house.start(2), generator)
    assert house.predict(house.start(3), generator) == "3?"


def test_once_the_judge_is_known_what_waits_for_it_is_judged(house: House) -> None:
    program, judged = Asked(), Asked()

    def metric(example: Any, prediction: str) -> float:
        judged(example.question)
        return length(example, prediction)

    generator, judge = Generator(program, None), Judge(metric, None)
    first = house.start(0)
    house.predict(first, generator)
    program.wait_for("1?", "2?", "3?", "4?")
    assert judged.counts == {}
    assert house.judge(first, judge) == [12.0]
    judged.wait_for("1?", "2?", "3?", "4?")
    second = house.start(1)
    house.predict(second, generator)
    assert house.judge(second, judge) == [12.0]
    assert set(judged.counts.values()) == {1}


def test_a_test_with_another_judge_asks_that_itself(house: House) -> None:
    generator = Generator(Asked(), None)
    first, second = house.start(0), None
    house.predict(first, generator)
    house.judge(first, Judge(length, None))
    second = house.start(1)
    house.predict(second, generator)
    threads: list[int] = []

    def other(example: Any, prediction: str) -> float:
        threads.append(threading.get_ident())
        return 1.0

    assert house.judge(second, Judge(other, None)) == [1.0]
    assert threads == [threading.get_ident()]


def test_further_rollouts_fly_and_come_in_order(house: House) -> None:
    answers = iter(range(100))
    mutex = threading.Lock()

    def program(question: str) -> int:
        with mutex:
            return next(answers)

    def metric(example: Any, prediction: int) -> float:
        return float(prediction)

    generator, test = Generator(program, None), house.start(3)
    test.rollout_count = 4
    first = house.predict(test, generator)
    scores = house.judge(test, Judge(metric, None))
    assert scores[0] == first
    assert len(set(scores)) == 4
    assert [str(rollout.rollout_id)[-2:] for rollout in test.rollouts[1:]] == ["#1", "#2", "#3"]


@pytest.mark.parametrize("house", [{}, {"concurrency": 1}], indirect=True)
def test_further_verdicts_are_on_the_same_prediction_and_beside_each_other(house: House) -> None:
    answers, program = iter(range(100)), threading.Lock()
    judged: list[int] = []

    def predict(question: str) -> int:
        with program:
            return next(answers)

    def metric(example: Any, prediction: int) -> float:
        judged.append(prediction)
        return float(prediction)

    generator, test = Generator(predict, None), house.start(4)
    test.rollout_count, test.judge_rollouts = 2, 3
    first = house.predict(test, generator)
    scores = house.judge(test, Judge(metric, None))
    assert scores == [first] * 3 + [1 - first] * 3
    assert Counter(judged) == {0: 3, 1: 3}
    told = [str(rollout.rollout_id).partition("]")[2] for rollout in test.rollouts]
    assert told == ["", "@1", "@2", "#1", "#1@1", "#1@2"]
    assert [later["prediction"] for later in test.record().later_rollouts] == [{"value": 1 - first}]


def test_a_prediction_that_failed_is_judged_by_nobody(house: House) -> None:
    def program(question: str) -> str:
        raise ValueError("no answer")

    test = house.start(4)
    test.judge_rollouts = 3
    with pytest.raises(ValueError, match="no answer"):
        house.predict(test, Generator(program, None))


def test_another_attempt_at_a_test_is_asked_anew(house: House) -> None:
    program = Asked()
    generator = Generator(program, None)
    house.predict(house.start(0), generator)
    program.wait_for("1?")
    for _ in range(2):
        house.predict(house.start(1), generator)
    assert program.counts["1?"] == 2


def test_flights_are_noted_when_they_begin_and_when_they_end(house: House) -> None:
    generator = Generator(Asked(), None)
    for number in range(5):
        house.predict(house.start(number), generator)
    house.pool.hold(PATIENCE)  # until nothing is in flight
    noted = Counter(house.noted)
    assert noted == Counter((what, item.nodeid) for what in ("begun", "landed") for item in house.items)


@pytest.mark.parametrize("house", [{"concurrency": 1}], indirect=True)
def test_what_has_not_begun_when_the_session_stops_is_an_error(house: House) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def program(question: str) -> str:
        if question == "0?":
            begun.set()
            go_on.wait(PATIENCE)
        return question

    def stop() -> None:
        begun.wait(PATIENCE)
        house.pool.close()
        go_on.set()

    stopping = threading.Thread(target=stop)
    stopping.start()
    generator = Generator(program, None)
    assert house.predict(house.start(0), generator) == "0?"
    stopping.join()
    with pytest.raises(PitchevalError, match="being stopped"):
        house.predict(house.start(4), generator)
