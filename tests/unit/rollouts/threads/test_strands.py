"""What a program does side by side is told apart, inherits its context, and leaves others' patches alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from pytest_pitcheval.rollouts.threads import strands
from pytest_pitcheval.rollouts.threads.strands import OWN_THREADS, Moment, Strand, handed_on

_scope: ContextVar[str | None] = ContextVar("scope", default=None)


@pytest.fixture
def scope() -> Iterator[str]:
    """The scope of the test's own thread."""
    token = _scope.set("mine")
    yield "mine"
    _scope.reset(token)


def in_thread(work: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def test_a_thread_and_the_work_of_a_pool_inherit_the_context_of_their_starter(scope: str) -> None:
    with handed_on(_scope.get), ThreadPoolExecutor(1) as pool:
        assert in_thread(_scope.get) == scope
        assert pool.submit(_scope.get).result() == scope
        assert list(pool.map(lambda _: _scope.get(), range(2))) == [scope, scope]
    assert in_thread(_scope.get) is None


def test_what_a_pool_is_given_by_others_does_not_inherit_from_who_was_first(scope: str) -> None:
    """The thread of the pool is started by the first work, and stays for that of others."""
    with handed_on(_scope.get), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_scope.get).result() == scope
        token = _scope.set(None)
        assert pool.submit(_scope.get).result() is None
        _scope.reset(token)


def test_what_work_sets_stays_with_it(scope: str) -> None:
    with handed_on(_scope.get), ThreadPoolExecutor(1) as pool:
        pool.submit(_scope.set, "changed").result()
        assert pool.submit(_scope.get).result() == scope


def test_the_plugins_own_threads_inherit_nothing(scope: str) -> None:
    seen: list[str | None] = []
    with handed_on(_scope.get):
        thread = threading.Thread(target=lambda: seen.append(_scope.get()), name=f"{OWN_THREADS}rollout")
        thread.start()
        thread.join()
    assert seen == [None]


def test_afterwards_threading_is_as_it_was() -> None:
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with handed_on(lambda: None):
        assert threading.Thread.start is not start
    assert threading.Thread.start is start
    assert ThreadPoolExecutor.submit is submit


def test_what_another_library_has_wrapped_meanwhile_stays(scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # put back after the test
    with handed_on(_scope.get):
        ours = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            seen.append(thread)
            ours(thread)

        threading.Thread.start = start  # type: ignore[method-assign, assignment]
    assert threading.Thread.start is start
    assert in_thread(_scope.get) is None  # ours is below it, and does nothing any more
    assert len(seen) == 1


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
