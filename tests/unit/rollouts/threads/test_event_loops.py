"""Async programs share one event loop, and each gets what its own coroutine returns or raises."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from pytest_pitcheval.rollouts.threads.event_loops import EventLoop

_name: ContextVar[str] = ContextVar("name", default="nobody")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread, and no loop for the garbage collector to complain of."""
    before = set(threading.enumerate())
    gc.collect()
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in told] == []


@pytest.fixture(params=[True, False], ids=["shared", "one by one"])
def loop(request: pytest.FixtureRequest) -> Iterator[EventLoop]:
    made = EventLoop()
    made.shared = request.param
    yield made
    made.close()


@pytest.fixture
def shared() -> Iterator[EventLoop]:
    made = EventLoop()
    made.shared = True
    yield made
    made.close()


def cancelled(run: Callable[[Any], object], coroutine: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(CancelledError):
        run(coroutine)


async def here() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_the_loop_is_the_same_each_time(loop: EventLoop) -> None:
    assert loop.run(here()) is loop.run(here())


def test_what_was_used_in_turn_is_shared_later(loop: EventLoop) -> None:
    """As where a program is compiled before anything flies ahead: what a metric keeps stays in its loop."""
    loop.shared = False
    before = loop.run(here())
    loop.shared = True
    assert loop.run(here()) is before


def test_threads_take_turns(loop: EventLoop) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: loop.run(here()), range(20))) == {loop.run(here())}


def test_a_background_task_lives_on(loop: EventLoop) -> None:
    async def start() -> asyncio.Task[str]:
        async def later() -> str:
            await asyncio.sleep(0)
            return "done"

        return asyncio.create_task(later())

    async def finish(task: asyncio.Task[str]) -> str:
        return await task

    assert loop.run(finish(loop.run(start()))) == "done"


def test_what_is_raised_is_raised_for_the_caller(loop: EventLoop) -> None:
    async def fail() -> None:
        raise KeyError("mine")

    async def skip() -> None:
        pytest.skip("not now")

    with pytest.raises(KeyError, match="mine"):
        loop.run(fail())
    with pytest.raises(pytest.skip.Exception, match="not now"):
        loop.run(skip())
    assert loop.run(here())


def test_the_context_is_that_of_the_caller(loop: EventLoop) -> None:
    async def name() -> str:
        return _name.get()

    token = _name.set("me")
    assert loop.run(name()) == "me"
    _name.reset(token)
    assert loop.run(name()) == "nobody"


def test_threads_meet_in_the_shared_loop(shared: EventLoop) -> None:
    async def meet() -> asyncio.AbstractEventLoop:
        meeting.append(threading.get_ident())
        while len(meeting) < 3:
            await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    meeting: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        loops = list(pool.map(lambda _: shared.run(meet()), range(3)))
    assert len(set(loops)) == 1
    assert len(set(meeting)) == 1
    assert threading.get_ident() not in meeting


def test_what_begins_after_one_that_hangs_gets_another_loop(shared: EventLoop) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        go_on.wait()

    hanging = threading.Thread(target=cancelled, args=[shared.run, block()])
    hanging.start()
    begun.wait()
    shared.leave_behind()
    assert shared.run(here())
    shared.close()  # does not wait for it
    hanging.join()  # nor does who waited
    go_on.set()


def test_nothing_goes_on_after_the_end(loop: EventLoop) -> None:
    ended: list[str] = []

    async def start() -> asyncio.Task[None]:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        return task

    loop.run(start())
    loop.close()
    assert ended == ["cancelled"]


def test_what_was_left_behind_ends_with_the_rest(shared: EventLoop) -> None:
    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    begun = threading.Event()
    hanging = threading.Thread(target=cancelled, args=[shared.run, forever()])
    hanging.start()
    begun.wait()
    shared.leave_behind()
    shared.run(here())
    shared.close()
    hanging.join()


def test_what_is_late_is_not_run(loop: EventLoop) -> None:
    """As the program of a rollout that nobody waits for any more: no loop is made that nobody closes."""
    loop.run(here())
    loop.close()
    cancelled(loop.run, here())
    loop.close()
    never_used = EventLoop()
    never_used.close()
    cancelled(never_used.run, here())


def test_who_runs_it_at_the_end_ends_it(loop: EventLoop) -> None:
    """As a thread that compiles on, though the session has given it up: it may be in an async metric just then."""
    begun, go_on = threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        go_on.wait()
        await asyncio.Event().wait()

    blocked = threading.Thread(target=cancelled, args=[loop.run, block()])
    waiting = threading.Thread(target=cancelled, args=[loop.run, asyncio.Event().wait()])
    blocked.start()
    begun.wait()
    waiting.start()
    loop.close()
    go_on.set()
    blocked.join()
    waiting.join()


def test_one_that_ends_just_then_leaves_what_it_returned() -> None:
    loop, begun, go_on = EventLoop(), threading.Event(), threading.Event()

    async def last() -> str:
        begun.set()
        go_on.wait()
        return "done"

    with ThreadPoolExecutor(1) as pool:
        returned = pool.submit(loop.run, last())
        begun.wait()
        loop.close()
        go_on.set()
        assert returned.result() == "done"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_would_end_the_thread_ends_nothing_else(shared: EventLoop, error: BaseException) -> None:
    async def leave() -> None:
        raise error

    async def beside() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    async def let_go() -> None:
        go_on.set()

    go_on, begun = asyncio.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(shared.run, beside())
        begun.wait()
        with pytest.raises(type(error)):
            shared.run(leave())
        shared.run(let_go())
        assert other.result() == "done"


def test_waiting_lets_go_on_what_was_begun(loop: EventLoop) -> None:
    """Whatever else goes on there for ever, as a client's connection does."""
    steps: list[int] = []

    async def count() -> None:
        while True:
            steps.append(len(steps))
            await asyncio.sleep(0)

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(count())

    task = loop.run(start())
    loop.wait_until(lambda: len(steps) > 5)
    assert not task.done()


def test_waiting_makes_no_loop() -> None:
    loop, looks = EventLoop(), iter([False, False, True])
    loop.wait_until(lambda: next(looks))
    loop.close()
    assert next(looks, None) is None
