"""What holds a session up, told to Python's logging at the level DEBUG, which ``pytest --log-level=DEBUG`` shows.

And the clock that waits go by.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

_LOGGER = logging.getLogger("pytest_pitcheval")
_WORTH_TELLING = 0.05
"""Seconds."""


def note(what: str, began: float) -> None:
    """``what`` was waited for since ``began``, a time of `time.monotonic`."""
    seconds = time.monotonic() - began
    if seconds >= _WORTH_TELLING:
        _LOGGER.debug("waited %.2f s for %s", seconds, what)


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Within it, ``what`` is waited for."""
    began = time.monotonic()
    try:
        yield
    finally:
        note(what, began)


_BY_THE_CLOCK = ["pytest_pitcheval", "pyrate_limiter", "filelock"]
"""The packages that wait for times."""


def keep_time() -> None:
    """Where freezegun stops the clock for tests, ours goes on: else a wait until some time would have no end."""
    if freezegun := sys.modules.get("freezegun"):
        freezegun.configure(extend_ignore_list=_BY_THE_CLOCK)
