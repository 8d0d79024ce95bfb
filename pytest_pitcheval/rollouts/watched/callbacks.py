"""The plugin's callback stays where a program names callbacks of its own.

``dspy.context(callbacks=[...])`` takes the place of those that are there, and ``dspy.streamify`` brings back those of
the moment when it was called. An LM call that nobody saw fail would be a bad answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from pytest_pitcheval.rollouts.threads.replacing import replaced


@contextlib.contextmanager
def kept(callback: BaseCallback, current: Callable[[], object | None]) -> Iterator[None]:
    """Within it, ``callback`` is among DSPy's wherever ``current`` says that there is a scope."""
    kind = type(dspy.settings)
    get = kind.get

    def get_with_ours(self: Any, key: str, default: Any = None) -> Any:
        value = get(self, key, default)
        if key != "callbacks" or callback in (value or ()) or current() is None:
            return value
        return [*(value or ()), callback]

    with replaced(kind, "get", get_with_ours):
        yield
