"""Async programs share one event loop, and each gets what its own coroutine returns or raises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from pytest_pitcheval.rollouts.threads.event_loops import EventLoop

_name: ContextVar[str] = ContextVar("name", default="nobody")


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

    hanging = threading.Thread(target=lambda: shared.run(block()))
    hanging.start()
    begun.wait()
    shared.leave_behind()
    assert shared.run(here())
    go_on.set()
    hanging.join()


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
