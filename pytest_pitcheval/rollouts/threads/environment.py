"""pytest sets ``PYTEST_CURRENT_TEST`` for each test and takes it away again, while rollouts are in flight.

Whoever goes through ``os.environ`` just then, as HTTP clients do in search of proxies, finds a name without a value.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

_NAMES = ("PYTEST_CURRENT_TEST", b"PYTEST_CURRENT_TEST")
"""In ``os.environ``, and in ``os.environb``."""


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """Within it, the variable is empty in threads beside the main one while pytest has taken it away."""
    kind: Any = type(os.environ)
    if kind is dict:  # somebody put that in its place: going through it is Python's own affair
        yield
        return
    originals = kind.__getitem__, kind.__delitem__

    def get(environ: Any, name: Any) -> Any:
        try:
            return originals[0](environ, name)
        except KeyError:
            if _is_in_order(name):
                return type(name)()
            raise

    def delete(environ: Any, name: Any) -> None:
        try:
            originals[1](environ, name)
        except KeyError:
            if not _is_in_order(name):
                raise

    kind.__getitem__, kind.__delitem__ = get, delete
    try:
        yield
    finally:
        if (kind.__getitem__, kind.__delitem__) == (get, delete):
            kind.__getitem__, kind.__delitem__ = originals


def _is_in_order(name: Any) -> bool:
    """Whether it is pytest's doing that there is no such name."""
    return name in _NAMES and threading.current_thread() is not threading.main_thread()
