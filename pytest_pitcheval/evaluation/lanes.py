"""Which tests share the fixtures that a rollout needs, so that one may use what another was given.

pytest does not tell which fixture a coming test will get. But two tests of one class or module that ask for the same
fixture names and have the same parameters get the same ones, unless a fixture is made anew for each test; that is seen
when the first of them is set up.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.rollouts.rollout import Generator, Judge

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.flights import Flight
    from pytest_pitcheval.evaluation.running_test import RunningTest

OURS = frozenset(
    {
        *("_pitcheval_test", "_dspy_settings", "rollout_id", "optimization", "example"),
        *("compiled_program", "prediction", "score", "record_score"),
    }
)
"""The plugin's own fixtures of function scope."""

_HARMLESS = frozenset(
    {
        *("cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "capteesys", "doctest_namespace"),
        *("monkeypatch", "pytestconfig", "record_property", "record_testsuite_property", "record_xml_attribute"),
        *("recwarn", "request", "subtests", "testrun_uid", "tmp_path", "tmpdir", "worker_id"),
    }
)
"""Fixtures of pytest and xdist that change nothing for a program by being set up."""

Key = tuple[Any, ...]


def lane_key(item: pytest.Item, optimization: object) -> Key:
    """The same for tests whose fixtures of wider scope are the same."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    own = tuple((name, id(value)) for name, value in params.items() if name not in ("example", "optimization"))
    return (id(item.parent), tuple(getattr(item, "fixturenames", ())), own, repr(optimization))


def obstacle(function_fixtures: Sequence[str]) -> str | None:
    """The first of these set-ups of function fixtures that may make a difference to the program, or None.

    That is a fixture of the user's own, or one of ours that was overridden by one that asks for it.
    """
    for position, name in enumerate(function_fixtures):
        if name in OURS and name in function_fixtures[:position]:
            return name
        if name not in OURS and name not in _HARMLESS:
            return name
    return None


class Lane:
    """Tests with the same key, and the very objects that they share.

    Attributes:
        judge: what scores predictions, once it is known that it is shared too.
        context: the context variables as they are around a test's program.
        place: up to where in the order of tests the lane has looked.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.judge: Judge | None = None
        self.context = contextvars.copy_context()
        self.place = 0
        self.ahead: list[RunningTest] = []
        self._parked: list[Flight] = []
        self._mutex = threading.Lock()

    def judge_for(self, flight: Flight) -> Judge | None:
        """The judge; None where it is not known yet: the flight is kept for `open`."""
        with self._mutex:
            if self.judge is None:
                self._parked.append(flight)
            return self.judge

    def forget(self, flights: Sequence[Flight]) -> None:
        """Keep these for nobody: their test judges them itself."""
        with self._mutex:
            self._parked = [one for one in self._parked if one not in flights]

    def open(self, judge: Judge) -> list[Flight]:
        """From now on ``judge`` is known; returns the flights that waited for it."""
        with self._mutex:
            self.judge = judge
            parked, self._parked = self._parked, []
            return parked
