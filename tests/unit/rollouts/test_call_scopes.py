"""Whose an LM call is, told by the thread that it comes from."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest

from pytest_pitcheval.errors import Ambiguous
from pytest_pitcheval.rollouts.call_scopes import SCOPE, CallScopes
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Scope


def rollout(number: int) -> Rollout:
    return Rollout(RolloutId("20261126T000000.000000Z", f"test_qa.py::test_qa[e{number}]"))


class Stray:
    """A thread that was there before any rollout, and does what it is told."""

    def __init__(self) -> None:
        self._work: Callable[[], Any] | None = None
        self._told, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._result: Any = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._told.acquire()
            if self._work is None:
                return
            try:
                self._result = self._work()
            except Exception as error:
                self._result = error
            self._done.release()

    def do(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns, or raises, in that thread."""
        self._work = work
        self._told.release()
        self._done.acquire()
        return self._result

    def end(self) -> None:
        self._work = None
        self._told.release()


@pytest.fixture
def stray() -> Iterator[Stray]:
    thread = Stray()
    yield thread
    thread.end()


@pytest.fixture
def scopes() -> CallScopes:
    return CallScopes(contextlib.nullcontext)


def test_nobody_calls_before_a_test_has_begun(scopes: CallScopes, stray: Stray) -> None:
    assert scopes.current() is None
    assert stray.do(scopes.current) is None


def test_a_running_test_has_the_calls_of_its_thread_and_of_strays(scopes: CallScopes, stray: Stray) -> None:
    scope = Scope()
    scopes.begin(scope)
    assert scopes.current() is scope
    assert stray.do(scopes.current) is scope
    scopes.begin(None)
    assert scopes.current() is None


def test_what_a_thread_was_given_comes_first(scopes: CallScopes) -> None:
    scopes.begin(Scope())
    given = Scope()
    with dspy.context(**{SCOPE: given}):
        assert scopes.own() is given
        assert scopes.current() is given
    assert scopes.own() is None


def test_outside_it_is_nobodys_call(scopes: CallScopes, stray: Stray) -> None:
    scope = Scope()
    scopes.begin(scope)
    with dspy.context(**{SCOPE: scope}), scopes.outside():
        assert scopes.current() is None
        assert stray.do(scopes.current) is None
    assert scopes.current() is scope


def test_a_stray_works_for_the_one_rollout_that_is_waited_for(scopes: CallScopes, stray: Stray) -> None:
    scopes.begin(Scope())
    flying = rollout(0)
    with scopes.flying(flying):
        assert stray.do(scopes.current) is not flying
        with scopes.awaited():
            assert stray.do(scopes.current) is flying
    assert scopes.in_flight == ()


def test_while_a_test_waits_its_own_thread_is_still_its_own(scopes: CallScopes) -> None:
    scope = Scope()
    scopes.begin(scope)
    with scopes.flying(rollout(0)), scopes.flying(rollout(1)), scopes.awaited():
        assert scopes.current() is scope


def test_a_stray_that_may_work_for_several_is_a_problem_of_each(scopes: CallScopes, stray: Stray) -> None:
    scopes.begin(Scope())
    one, two = rollout(0), rollout(1)
    with scopes.flying(one), scopes.flying(two), scopes.awaited():
        error = stray.do(scopes.current)
    assert isinstance(error, Ambiguous)
    for flying in (one, two):
        with pytest.raises(Ambiguous, match="--eval-concurrency=1"):
            flying.check()


def test_waiting_is_counted_and_charged_to_nobody(stray: Stray) -> None:
    stopped: list[str] = []

    @contextlib.contextmanager
    def clock() -> Iterator[None]:
        stopped.append("stopped")
        yield
        stopped.append("on")

    scopes, scope = CallScopes(clock), Scope()
    scopes.begin(scope)
    with scopes.waiting():
        assert (scopes.calls_waiting, stopped) == (1, ["stopped"])
        before = scope.waited
    assert (scopes.calls_waiting, stopped) == (0, ["stopped", "on"])
    assert scope.waited >= before >= 0


def test_a_thread_that_waits_leaves_the_tests_clock_alone(stray: Stray) -> None:
    def clock() -> contextlib.AbstractContextManager[object]:
        raise AssertionError

    scopes = CallScopes(clock)
    scopes.begin(Scope())

    def wait() -> int:
        with scopes.waiting():
            return scopes.calls_waiting

    assert stray.do(wait) == 1
