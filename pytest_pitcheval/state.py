"""Where a pytest process keeps the plugin's state, which is made when something first asks for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_pitcheval import garbage
from pytest_pitcheval.options import registration

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.runner import Runner
    from pytest_pitcheval.session.session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_STARTED = pytest.StashKey[float]()


def begin(config: pytest.Config) -> None:
    """pytest has been configured; whoever uses the plugin is told now what is wrong with its options.

    Raises:
        pytest.UsageError: one line that names the option or ini key, the value, and what was expected.
    """
    garbage.thaw()
    config.stash[_STARTED] = time.monotonic()
    if registration.any_used(config):
        get_session(config)


def get_session(config: pytest.Config) -> Session:
    """The plugin's state in this process."""
    found = existing_session(config)
    if found is None:
        from pytest_pitcheval.session.session import Session

        found = config.stash[_SESSION] = Session(config, config.stash[_STARTED])
    return found


def existing_session(config: pytest.Config) -> Session | None:
    """`get_session` if something has asked for it."""
    return config.stash.get(_SESSION, None)


def get_runner(config: pytest.Config) -> Runner:
    """The running tests of this process. Only fixtures of a test that is ours may ask: then there is one."""
    runner = get_session(config).runner
    assert runner is not None
    return runner
