"""Threads that a program starts inherit its scope, and other libraries' patches of threading stay."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.rollouts.thread_scopes import handed_on, inherited


def in_thread(work: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def test_a_thread_and_the_work_of_a_pool_inherit_the_scope_of_their_starter() -> None:
    scope = Scope()
    with handed_on(lambda: scope), ThreadPoolExecutor(1) as pool:
        assert in_thread(inherited) is scope
        assert pool.submit(inherited).result() is scope
    assert in_thread(inherited) is None


def test_afterwards_threading_is_as_it_was() -> None:
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with handed_on(lambda: None):
        assert threading.Thread.start is not start
    assert threading.Thread.start is start
    assert ThreadPoolExecutor.submit is submit


def test_what_another_library_has_wrapped_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    scope, seen = Scope(), []
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # put back after the test
    with handed_on(lambda: scope):
        ours = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            seen.append(thread)
            ours(thread)

        threading.Thread.start = start  # type: ignore[method-assign, assignment]
    assert threading.Thread.start is start
    assert in_thread(inherited) is None  # ours is below it, and does nothing any more
    assert len(seen) == 1
