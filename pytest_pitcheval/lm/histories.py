"""DSPy's histories of LM calls without the pictures of calls long past: a process would keep all that it has sent.

An LM, the modules that ask it and DSPy itself keep ten thousand calls each, as the same objects.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

WHOLE = 16
"""How many of the calls with media stay as they are."""
_LONG = 20_000
"""Characters from which on base64 counts."""
_LAST = 64
"""Among how many entries of an LM's history that of a call is looked for; others ask it at the same time."""
_BASE64 = re.compile(r"(data:[\w.+-]+/[\w.+-]+;base64,)?[A-Za-z0-9+/=]*")
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
        last = list(getattr(lm, "history", None) or ())[-_LAST:]
        entry = next((one for one in reversed(last) if one.get("outputs") is outputs), None)
        if entry is None:
            return
        self._whole.append(entry)
        while len(self._whole) > self._most:
            old = self._whole.popleft()
            old.update({key: without_media(old[key]) for key in _KEYS if key in old})


def _is_large(value: Any) -> bool:
    """Whether there is base64 of some length in messages, in OpenAI's form."""
    if isinstance(value, str):
        return len(value) >= _LONG and _BASE64.fullmatch(value) is not None
    if isinstance(value, dict):
        return any(map(_is_large, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_is_large, value))


def without_media(value: Any) -> Any:
    """``value`` with a note in place of long base64; a new object where there was some."""
    if isinstance(value, str) and _is_large(value):
        kind = value[5:65].partition(";")[0] if value.startswith("data:") else "base64"
        return f"[{kind}, {len(value):,} characters]"
    if isinstance(value, dict) and _is_large(value):
        return {name: without_media(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)) and _is_large(value):
        return [without_media(part) for part in value]
    return value
