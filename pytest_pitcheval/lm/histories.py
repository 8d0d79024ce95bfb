"""DSPy's histories of LM calls without the pictures of calls long past: a process would keep all that it has sent.

An LM, the modules that ask it and DSPy itself keep ten thousand calls each, as the same objects.
"""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Iterable
from typing import Any

import dspy
from pydantic import BaseModel

WHOLE = 16
"""How many of the calls with media stay as they are."""
_LONG = 20_000
"""Characters from which on base64 counts; so many are looked at."""
_LAST = 64
"""Among how many entries of an LM's history that of a call is looked for; others ask it at the same time."""
_BASE64 = re.compile(r"(data:[\w.+-]+/[\w.+-]+;base64,)?[A-Za-z0-9+/=]*")
_DEEPEST = 12
"""Levels that are looked through: messages have six; who contains itself has no end."""
_KEYS = ("messages", "prompt", "request")


class Histories:
    """Looks after what LMs remember; ``whole`` of the calls with media stay as they are, the last ones."""

    def __init__(self, whole: int = WHOLE) -> None:
        self._whole: deque[dict[str, Any]] = deque()
        self._most = whole

    def answered(self, lm: Any, asked: Any, outputs: Any) -> None:
        """``lm`` was ``asked`` this, and returned this very ``outputs`` object."""
        if not _is_large(asked):
            return
        forget_formatted()
        last = list(getattr(lm, "history", None) or ())[-_LAST:]
        entry = next((one for one in reversed(last) if one.get("outputs") is outputs), None)
        if entry is None:
            return
        self._whole.append(entry)
        while len(self._whole) > self._most:
            old = self._whole.popleft()
            old.update({key: without_media(old[key]) for key in _KEYS if key in old})


def forget_formatted() -> None:
    """DSPy keeps the last 32 pictures that were put into a prompt, in case that one is again."""
    forget = getattr(getattr(dspy.Image, "format", None), "cache_clear", None)
    if forget is not None:
        forget()


def _is_large(value: Any, depth: int = _DEEPEST) -> bool:
    """Whether there is base64 of some length in it: in messages of OpenAI's form, or in an object of DSPy's."""
    if isinstance(value, str):
        return len(value) >= _LONG and _BASE64.fullmatch(value, 0, _LONG) is not None
    return depth > 0 and any(_is_large(part, depth - 1) for part in _parts(value))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple)):
        return value
    return vars(value).values() if isinstance(value, BaseModel) else ()


def without_media(value: Any, depth: int = _DEEPEST) -> Any:
    """``value`` with a note in place of long base64; a new object where there was some."""
    if not _is_large(value, depth):
        return value
    if isinstance(value, str):
        kind = value[5:65].partition(";")[0] if value.startswith("data:") else "base64"
        return f"[{kind}, {len(value):,} characters]"
    if isinstance(value, dict):
        return {name: without_media(part, depth - 1) for name, part in value.items()}
    if isinstance(value, BaseModel):
        made = copy.copy(value)
        for name, part in vars(value).items():
            vars(made)[name] = without_media(part, depth - 1)  # past what a frozen one forbids
        return made
    parts = [without_media(part, depth - 1) for part in value]
    return tuple(parts) if type(value) is tuple else parts
