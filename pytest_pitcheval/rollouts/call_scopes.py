"""Whose LM call is it: that of the running test, of a rollout beside it, or of nobody."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import dspy

from pytest_pitcheval.errors import Ambiguous
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.rollouts.scopes import Scope

SCOPE = "pitcheval_scope"
"""DSPy's setting that carries a scope into all threads that DSPy starts."""


class CallScopes:
    """The scopes of one process: the running test's, and those of the rollouts that are made beside it.

    ``clock`` gives what stops the running test's timeout while a call waits for permission.
    """

    def __init__(self, clock: Callable[[], AbstractContextManager[object]]) -> None:
        self._clock = clock
        self._of_test: Scope | None = None
        self._home = threading.get_ident()
        self._flying: list[Rollout] = []
        self._mutex = threading.Lock()
        self._ahead: set[str] = set()
        self._is_awaiting = False
        self.calls_waiting = 0
        """How many LM calls wait for permission now."""

    def begin(self, scope: Scope | None) -> None:
        """From now on ``scope`` is that of the running test; it reaches threads that DSPy's settings do not."""
        self._home = threading.get_ident()
        if isinstance(self._of_test, Rollout) and scope is not self._of_test:
            self._ahead.discard(self._of_test.rollout_id.nodeid)
        self._of_test = scope

    @staticmethod
    def own() -> Scope | None:
        """The scope that the calling thread was given, None where it has none of its own."""
        scope: Scope | None = dspy.settings.get(SCOPE)
        return scope

    def own_or_of_test(self) -> Scope | None:
        """The scope of the calling thread, or that of the running test: for what need not be told apart."""
        return self.own() or self._of_test

    def own_beside_others(self) -> Scope | None:
        """The scope of a thread of a rollout, while others are made beside it; None in pytest's own thread."""
        is_beside = threading.get_ident() != self._home and len(self.in_flight) > 1
        return self.own() if is_beside else None

    def of_coming(self) -> bool:
        """Whether the calling thread is pytest's own, and rollouts of tests that come later have begun."""
        own = self._of_test.rollout_id.nodeid if isinstance(self._of_test, Rollout) else None
        return threading.get_ident() == self._home and bool(self._ahead.difference({own}))

    def current(self) -> Scope | None:
        """The scope of the calling thread, None outside any. Raises Ambiguous where it cannot be told."""
        return self.own() or self._of_stray()

    def _of_stray(self) -> Scope | None:
        """The scope of a thread that was given none, because it was there before the rollouts.

        Such a thread works for the running test; while that one waits for rollouts beside it, for one of these.
        """
        if threading.get_ident() == self._home or not self._is_awaiting:
            return self._of_test
        flying = self.in_flight
        if len(flying) < 2:
            return flying[0] if flying else self._of_test
        problem = Ambiguous(
            f"rollout {flying[0].rollout_id} or another one: an LM call came from a thread that was there before "
            "the rollouts; expected --eval-concurrency=1, or such calls within the context of whom they are for"
        )
        for rollout in flying:
            rollout.report(problem)
        raise problem

    @property
    def in_flight(self) -> tuple[Rollout, ...]:
        """The rollouts that are made beside the running test."""
        with self._mutex:
            return tuple(self._flying)

    @contextlib.contextmanager
    def flying(self, rollout: Rollout) -> Iterator[None]:
        """Within it, ``rollout`` is made beside the running test."""
        with self._mutex:
            self._flying.append(rollout)
            self._ahead.add(rollout.rollout_id.nodeid)
        try:
            yield
        finally:
            with self._mutex:
                self._flying.remove(rollout)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Within it, the running test waits for rollouts that are made beside it."""
        self._is_awaiting = True
        try:
            yield
        finally:
            self._is_awaiting = False

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, the calling thread waits for permission to ask: that is charged to no rollout, and no test."""
        scope = self.own() or self._of_test
        with contextlib.ExitStack() as stack:
            self._count_waiting(1)
            stack.callback(self._count_waiting, -1)
            if scope is not None:
                stack.enter_context(scope.waiting())
            if threading.get_ident() == self._home and not self._is_awaiting:
                stack.enter_context(self._clock())
            yield

    def _count_waiting(self, change: int) -> None:
        with self._mutex:
            self.calls_waiting += change

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Within it, the running test does not count: whatever is called is not part of its rollout.

        As a rule DSPy's settings are left alone: a ``dspy.context`` that is entered within it, by a fixture, goes on.
        """
        of_test, self._of_test = self._of_test, None
        try:
            with dspy.context(**{SCOPE: None}) if self.own() is not None else contextlib.nullcontext():
                yield
        finally:
            self._of_test = of_test
