from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_pitcheval.rollouts.threads import environment

NAME = "PYTEST_CURRENT_TEST"


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize(("environ", "name"), [(os.environ, NAME), (os.environb, NAME.encode())], ids=["text", "bytes"])
def test_a_thread_that_was_told_the_name_finds_a_value(
    environ: Any, name: Any, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with environment.whole():
        assert thread.submit(lambda: environ[name]).result() == environ[name]
        monkeypatch.delenv(NAME)
        assert thread.submit(lambda: environ[name]).result() == type(name)()
        assert not thread.submit(lambda: environ.pop(name, None)).result()
        with pytest.raises(KeyError):
            thread.submit(lambda: environ[2 * name]).result()
        with pytest.raises(KeyError):
            thread.submit(lambda: environ.pop(2 * name)).result()
    with pytest.raises(KeyError):
        thread.submit(lambda: environ[name]).result()


def test_pytest_itself_finds_what_it_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME)
    with environment.whole():
        assert NAME not in os.environ
        os.environ[NAME] = "test_x (call)"
        assert os.environ.pop(NAME) == "test_x (call)"
        assert os.environ.pop(NAME, None) is None
        with pytest.raises(KeyError):
            del os.environ[NAME]


@pytest.mark.parametrize(
    "go_through", [lambda: list(os.environ.items()), lambda: dict(os.environ), lambda: os.environ.copy()]
)
def test_going_through_it_meanwhile(
    go_through: Callable[[], object], thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name is followed by a test's end, as it happens once in a while."""
    decode: Any = os.environ.decodekey

    def end_of_a_test(key: bytes) -> str:
        os.environ.pop(NAME, None)
        return str(decode(key))

    monkeypatch.setenv(NAME, "test_x (call)")
    monkeypatch.setattr(os.environ, "decodekey", end_of_a_test)
    with environment.whole():
        assert thread.submit(go_through).result()


def test_an_environment_of_another_kind_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with environment.whole():
        assert NAME in os.environ
