"""What a program changes for the whole process, though other rollouts are in flight: it cannot be kept apart.

The working directory, environment variables, standard output, locale and recorded warnings are one for all threads.
"""

from __future__ import annotations

import contextlib
import functools
import locale
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from pytest_pitcheval.rollouts.threads.replacing import replaced

_PYTESTS = "PYTEST_CURRENT_TEST"
"""What pytest itself sets for each phase of each test."""


class Changes:
    """Notes what the rollouts change: ``who`` gives the calling thread's rollout while others fly, else None.

    And what tests change, if not always to the same; ``is_ahead`` says whether rollouts of later tests have begun.
    """

    def __init__(
        self, who: Callable[[], object | None], is_ahead: Callable[[], bool], note: Callable[[str], object]
    ) -> None:
        self._who = who
        self._is_ahead = is_ahead
        self._note = note
        self._variables: dict[Any, tuple[object, Any]] = {}
        self._by_tests: dict[Any, Any] = {}
        self._mutex = threading.Lock()

    def made(self, what: str) -> None:
        """Somebody changes ``what``."""
        if self._who() is not None:
            self._say(what)

    def set_variable(self, name: Any, value: Any) -> None:
        """Somebody sets an environment variable: as long as all set the same there is nothing to say."""
        rollout = self._who()
        if rollout is None:
            self._set_by_test(os.fsdecode(name), value)
            return
        with self._mutex:
            other, before = self._variables.get(name, (rollout, value))
            self._variables[name] = rollout, value
        if other is not rollout and before != value:
            self._say(f"os.environ[{os.fsdecode(name)!r}]")

    def _set_by_test(self, name: str, value: Any) -> None:
        if name != _PYTESTS and self._by_tests.setdefault(name, value) != value and self._is_ahead():
            self._note(
                f"tests, or hooks around them, change os.environ[{name!r}], and rollouts of later tests are made "
                "before that, so their scores may be wrong; expected a fixture of each test that sets it, or "
                "--eval-concurrency=1"
            )

    def _say(self, what: str) -> None:
        self._note(
            f"the program or the metric changes {what}, which all rollouts in flight share, so their scores may be "
            "wrong; expected values that are handed on, or --eval-concurrency=1"
        )


@contextlib.contextmanager
def noted(changes: Changes) -> Iterator[None]:
    """Within it, ``changes`` hears of what is changed for the whole process."""

    def hears(what: str) -> Callable[..., None]:
        return lambda *args, **kwargs: changes.made(what)

    def set_locale(category: object, value: object = None) -> None:
        if value is not None:  # else it is asked for
            changes.made("the locale")

    def catch_warnings(catching: object, *, record: bool = False, **others: object) -> None:
        if record:
            changes.made("what becomes of warnings (catch_warnings)")

    with contextlib.ExitStack() as stack:
        for owner, name, hear in (
            (os, "chdir", hears("the working directory (os.chdir)")),
            (os, "putenv", changes.set_variable),
            (locale, "setlocale", set_locale),
            (contextlib.redirect_stdout, "__enter__", hears("sys.stdout (redirect_stdout)")),
            (contextlib.redirect_stderr, "__enter__", hears("sys.stderr (redirect_stderr)")),
            (warnings.catch_warnings, "__init__", catch_warnings),
        ):
            stack.enter_context(replaced(owner, name, _heard(getattr(owner, name), hear)))
        yield


def _heard(original: Callable[..., Any], hear: Callable[..., object]) -> Callable[..., Any]:
    """``original``, before each call of which ``hear`` is called with its arguments."""

    @functools.wraps(original)
    def heard(*args: Any, **kwargs: Any) -> Any:
        hear(*args, **kwargs)
        return original(*args, **kwargs)

    return heard
