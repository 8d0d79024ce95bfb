from __future__ import annotations

import contextlib
import io
import locale
import os
import warnings

import pytest

from pytest_pitcheval.rollouts.threads.process_wide import Changes, noted


class Flying:
    """Changes of the rollout that is at work, None while no other one flies."""

    def __init__(self) -> None:
        self.rollout: object | None = "first"
        self.is_ahead = False
        self.said: list[str] = []
        self.changes = Changes(lambda: self.rollout, lambda: self.is_ahead, self.said.append)

    @property
    def what(self) -> list[str]:
        """What was changed, according to the notes."""
        return [line.partition(" changes ")[2].partition(", which all")[0] for line in self.said]


def test_what_is_changed_is_said() -> None:
    flying = Flying()
    with noted(flying.changes):
        os.chdir(os.getcwd())
        locale.setlocale(locale.LC_ALL)
        locale.setlocale(locale.LC_NUMERIC, "C")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            print("somewhere else")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
    assert [text.partition(" (")[0] for text in flying.what] == [
        *("the working directory", "the locale", "sys.stdout", "sys.stderr", "what becomes of warnings"),
    ]


def test_a_variable_is_said_where_two_rollouts_set_it_to_different_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAME", "OTHER"):
        monkeypatch.setenv(name, "")
    flying = Flying()
    with noted(flying.changes):
        os.environ["SAME"] = os.environ["OTHER"] = "1"
        os.environ["OTHER"] = "2"
        flying.rollout = "second"
        os.environ["SAME"] = "1"
        assert flying.said == []
        os.environ["OTHER"] = "3"
    assert flying.what == ["os.environ['OTHER']"]


def test_a_variable_that_tests_set_is_said_where_rollouts_of_later_ones_have_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODE", "")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "")
    flying = Flying()
    flying.rollout = None
    with noted(flying.changes):
        for value, is_ahead in (("a", False), ("b", False), ("a", True)):
            flying.is_ahead = is_ahead
            os.environ["MODE"] = os.environ["PYTEST_CURRENT_TEST"] = value
        assert flying.said == []
        os.environ["MODE"] = os.environ["PYTEST_CURRENT_TEST"] = "b"
    [said] = flying.said
    assert said.startswith("tests, or hooks around them, change os.environ['MODE']")


def test_nothing_is_said_where_nothing_else_flies_or_all_is_over() -> None:
    flying = Flying()
    before = os.chdir, os.putenv, locale.setlocale, warnings.catch_warnings.__init__
    flying.rollout = None
    with noted(flying.changes):
        os.chdir(os.getcwd())
    assert (os.chdir, os.putenv, locale.setlocale, warnings.catch_warnings.__init__) == before
    assert "__enter__" not in vars(contextlib.redirect_stdout)
    flying.rollout = "first"
    os.chdir(os.getcwd())
    assert flying.said == []
