from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from pytest_pitcheval.rollouts.threads import branches, strands
from pytest_pitcheval.rollouts.threads.event_loops import EventLoop


def here() -> str:
    return branches.current()


def nested() -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        return [pool.submit(here).result() for _ in range(2)]


def test_what_does_the_same_is_numbered_as_it_was_started() -> None:
    with strands.handed_on(lambda: "a scope"), branches.counted():
        assert branches.current() == ""
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(here)
            threading.Thread(target=int).start()
            assert [first.result(), pool.submit(here).result()] == ["here 1", "here 2"]
            assert pool.submit(nested).result() == ["nested 1 / here 1", "nested 1 / here 2"]


def test_what_is_not_counted_is_no_branch() -> None:
    with strands.handed_on(lambda: "a scope"), branches.counted(), ThreadPoolExecutor(2) as pool:
        with branches.uncounted():
            assert pool.submit(here).result() == ""
        assert pool.submit(here).result() == "here 1"


def test_tasks_are_branches_whichever_is_faster() -> None:
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return branches.current().rpartition(" / ")[2].rpartition(".")[2]

    async def both() -> list[str]:
        return list(await asyncio.gather(slow(0.01), slow(0)))

    loop = EventLoop()
    try:
        with branches.counted():
            assert loop.run(both()) == ["slow 1", "slow 2"]
            loop.shared = True
            assert loop.run(both()) == ["slow 1", "slow 2"]
    finally:
        loop.close()
