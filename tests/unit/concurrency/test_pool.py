from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_pitcheval.concurrency.pool import Closed, Pool
from pytest_pitcheval.concurrency.slots import LocalSlots

PATIENCE = 30


class Work:
    """Pieces of work that go on until they are told to end, and what is known of them."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.changed = threading.Condition()
        self._ends = {number: threading.Event() for number in range(20)}

    def piece(self, number: int) -> None:
        with self.changed:
            self.begun.append(number)
            self.changed.notify_all()
        assert self._ends[number].wait(PATIENCE)

    def end(self, *numbers: int) -> None:
        for number in numbers:
            self._ends[number].set()

    def wait_for(self, *begun: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.begun == list(begun), PATIENCE), self.begun


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.end(*range(20))


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(LocalSlots(2))
    yield made
    made.close()


def submit(pool: Pool, work: Work, *numbers: int) -> None:
    for number in numbers:
        pool.submit((number,), lambda number=number: work.piece(number))  # type: ignore[misc]


def test_as_many_at_once_as_there_are_slots_the_first_in_order_first(pool: Pool, work: Work) -> None:
    submit(pool, work, 8, 9)
    work.wait_for(8, 9)
    submit(pool, work, 5, 3, 4)
    assert (pool.in_flight, pool.queued) == (2, 3)
    work.end(8)
    work.wait_for(8, 9, 3)
    work.end(9, 3)
    with work.changed:
        assert work.changed.wait_for(lambda: sorted(work.begun[3:]) == [4, 5], PATIENCE)


def test_what_was_cancelled_never_begins(pool: Pool, work: Work) -> None:
    submit(pool, work, 1, 2)
    work.wait_for(1, 2)
    task = pool.submit((3,), lambda: work.piece(3))
    submit(pool, work, 4)
    assert task.cancel()
    work.end(1)
    work.wait_for(1, 2, 4)
    assert not task.begun


def test_what_has_begun_cannot_be_cancelled_but_can_give_its_slot_up(pool: Pool, work: Work) -> None:
    task = pool.submit((1,), lambda: work.piece(1))
    submit(pool, work, 2, 3)
    work.wait_for(1, 2)
    assert not task.cancel()
    task.give_up()
    work.wait_for(1, 2, 3)
    work.end(1)  # which gives no second slot back
    submit(pool, work, 4)
    work.end(2)
    work.wait_for(1, 2, 3, 4)
    assert pool.in_flight == 2


def test_a_caller_gets_a_slot_in_its_turn(pool: Pool, work: Work) -> None:
    submit(pool, work, 1, 2, 4)
    work.wait_for(1, 2)
    waiting = threading.Thread(target=call, args=(pool, work, 3))
    waiting.start()
    wait_until(lambda: pool.queued == 2)
    work.end(1)
    work.wait_for(1, 2, 3)
    submit(pool, work, 5)
    assert pool.in_flight == 2
    work.end(3)
    waiting.join(PATIENCE)
    work.wait_for(1, 2, 3, 4)


def call(pool: Pool, work: Work, number: int) -> None:
    """Do a piece of work in the calling thread."""
    with pool.slot((number,)):
        work.piece(number)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_free_slot_is_taken_at_once_unless_somebody_waits(pool: Pool, work: Work) -> None:
    with contextlib.ExitStack() as stack:
        assert pool.try_slot(stack)
        assert pool.try_slot(stack)
        assert not pool.try_slot(stack)
        assert pool.in_flight == 2
    assert pool.in_flight == 0


def test_holding_lets_only_the_caller_go_on(pool: Pool, work: Work) -> None:
    submit(pool, work, 1)
    work.wait_for(1)
    work.end(1)
    pool.hold(PATIENCE)
    submit(pool, work, 2)
    with contextlib.ExitStack() as stack:
        assert pool.try_slot(stack)
        assert pool.in_flight == 1
    with pool.slot((9,)):
        assert work.begun == [1]
    pool.go_on()
    work.wait_for(1, 2)


def test_after_closing_nothing_begins(pool: Pool, work: Work) -> None:
    submit(pool, work, 1, 2, 3)
    work.wait_for(1, 2)
    pool.close()
    work.end(1, 2)
    task = pool.submit((4,), lambda: work.piece(4))
    assert task.cancel()
    with pytest.raises(Closed), pool.slot((5,)):
        pass
    assert work.begun == [1, 2]


def test_it_closes_when_the_session_was_stopped_elsewhere(work: Work) -> None:
    stopped = threading.Event()
    pool = Pool(LocalSlots(1), stopped.is_set)
    submit(pool, work, 1, 2)
    work.wait_for(1)
    stopped.set()
    work.end(1)
    with pytest.raises(Closed), pool.slot((3,)):
        pass
    assert work.begun == [1]


def test_a_thousand_pieces(pool: Pool) -> None:
    done: list[int] = []
    ended = threading.Event()

    def piece(number: int) -> None:
        done.append(number)
        if len(done) == 1000:
            ended.set()

    for number in range(1000):
        pool.submit((number,), lambda number=number: piece(number))  # type: ignore[misc]
    assert ended.wait(PATIENCE)
    assert sorted(done) == list(range(1000))


def test_closing_ends_its_threads(work: Work) -> None:
    before = set(threading.enumerate())
    pool = Pool(LocalSlots(4))
    submit(pool, work, 1, 2, 3)
    work.end(1, 2, 3)
    with work.changed:
        assert work.changed.wait_for(lambda: len(work.begun) == 3, PATIENCE)
    threads = set(threading.enumerate()) - before
    assert threads
    pool.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
