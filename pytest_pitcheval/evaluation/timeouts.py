"""pytest-timeout: a default for evaluation tests, and a stopped clock while a program is compiled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

_SETTINGS = pytest.StashKey[Any]()


def add_default(item: pytest.Item, seconds: float) -> None:
    """Give ``item`` a timeout, unless it or the session has one or pytest-timeout is not loaded."""
    if not item.config.pluginmanager.hasplugin("timeout") or item.get_closest_marker("timeout"):
        return
    if not _session_has_timeout(item.config):
        item.add_marker(pytest.mark.timeout(seconds, func_only=False))


def _session_has_timeout(config: pytest.Config) -> bool:
    given = config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT"), config.getini("timeout")
    return any(value not in (None, "") for value in given)


def note_set(item: pytest.Item, settings: Any) -> None:
    """pytest-timeout starts the clock of ``item`` with these settings of its own."""
    item.stash[_SETTINGS] = settings


def note_cancelled(item: pytest.Item) -> None:
    """pytest-timeout stops the clock of ``item``."""
    item.stash[_SETTINGS] = None


@contextlib.contextmanager
def stopped(item: pytest.Item) -> Iterator[float | None]:
    """Time within it is not charged to the test; afterwards its clock starts anew.

    Gives the seconds that the clock was set to, None where none is running.
    """
    settings = item.stash.get(_SETTINGS, None)
    if settings is None:
        yield None
        return
    item.config.hook.pytest_timeout_cancel_timer(item=item)
    try:
        yield settings.timeout
    finally:
        item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)


def left_of_session(config: pytest.Config, passed: float, seconds: float) -> float:
    """``seconds``, or what pytest-timeout's session timeout leaves of them after ``passed`` seconds of the session."""
    if not config.pluginmanager.hasplugin("timeout"):
        return seconds
    limit = config.getoption("session_timeout", None) or config.getini("session_timeout")
    return max(0.0, min(seconds, float(limit) - passed)) if limit else seconds
