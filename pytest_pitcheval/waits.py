"""What holds a session up, told to Python's logging at the level DEBUG, which ``pytest --log-level=DEBUG`` shows."""

from __future__ import annotations

import contextlib
import logging
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
