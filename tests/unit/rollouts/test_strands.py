"""What a program does side by side, told apart."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from pytest_pitcheval.rollouts import strands
from pytest_pitcheval.rollouts.strands import Moment, Strand
from pytest_pitcheval.rollouts.thread_scopes import handed_on


def test_a_rollout_by_itself_is_no_strand() -> None:
    assert strands.current() is None


def test_work_of_a_pool_and_threads_are_strands() -> None:
    seen: list[Strand | None] = []
    with handed_on(lambda: "a scope"), ThreadPoolExecutor(1) as pool:
        first, second = (pool.submit(strands.current).result() for _ in range(2))
        thread = threading.Thread(target=lambda: seen.append(strands.current()))
        thread.start()
        thread.join()
    assert None not in (first, second, *seen)
    assert len({first, second, *seen}) == 3


def test_tasks_are_strands_and_what_they_await_is_theirs() -> None:
    async def inner() -> Strand | None:
        return strands.current()

    async def outer() -> tuple[Strand | None, Strand | None]:
        await asyncio.sleep(0)
        return strands.current(), await inner()

    async def both() -> tuple[tuple[Strand | None, Strand | None], tuple[Strand | None, Strand | None]]:
        return await asyncio.gather(outer(), outer())

    (one, inside), (two, _) = asyncio.run(both())
    assert one is inside
    assert one is not two


def test_what_may_follow() -> None:
    one, two = Strand(), Strand()
    failed = Moment(strands.tick(), one)
    later = strands.tick()
    assert Moment(later, one).may_follow(failed)
    assert Moment(later, None).may_follow(failed)
    assert Moment(strands.tick(), Strand()).may_follow(failed)
    assert not Moment(later, two).may_follow(failed)
    assert not Moment(failed.tick - 1, one).may_follow(failed)
