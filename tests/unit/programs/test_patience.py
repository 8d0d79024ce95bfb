"""Compiling is given up where nothing moves any more, and waited for as long as something does."""

from __future__ import annotations

import contextvars
import os
import threading
from pathlib import Path

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.programs.patience import Compiling, SignsOfLife, done_apart
from pytest_pitcheval.results.records import Usage


def test_work_apart_returns_what_it_returns_and_knows_the_context() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    assert done_apart(lambda: (variable.get(), threading.current_thread().daemon), int, int) == (1, True)


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), KeyboardInterrupt()])
def test_work_apart_raises_what_it_raises(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        done_apart(work, int, int)
    assert raised.value is error


def test_work_that_is_stuck_is_given_up() -> None:
    go_on, given_up = threading.Event(), threading.Event()

    def check() -> None:
        raise TimeoutError("no end")

    with pytest.raises(TimeoutError, match="no end"):
        done_apart(go_on.wait, check, given_up.set)
    assert given_up.is_set()
    go_on.set()


def test_a_call_is_a_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    os.utime(path, ns=(0, 0))
    signs, scope = SignsOfLife(path), Compiling([path])
    assert [signs.idle(10.0), signs.idle(20.0)] == [10.0, 20.0]
    scope.asks_provider("generator")
    assert [signs.idle(30.0), signs.idle(35.0)] == [0.0, 5.0]


def test_what_was_given_up_asks_nobody(tmp_path: Path) -> None:
    scope = Compiling([tmp_path / "not there.lock"])
    scope.asks_provider("generator")
    scope.give_up()
    with pytest.raises(PitchevalError, match="given up"):
        scope.asks_provider("generator")
    assert scope.total == Usage(fresh=1)
