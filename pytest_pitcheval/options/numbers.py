"""Numbers as people, files and headers write them, which is less than what Python reads as one."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""What a number looks like; the time that it takes does not grow faster than the text."""

_WHOLE = re.compile(r"[+-]?\d{1,4000}", re.ASCII)
"""Of as many digits as Python reads."""


def number_in(text: str) -> float | None:
    """The finite number that ``text`` is, spaces around it aside; None where it is none.

    ``float`` takes ``1_000``, the digits of all scripts, ``nan`` and ``infinity`` as well.
    """
    stripped = text.strip()
    number = float(stripped) if NUMBER.fullmatch(stripped) else math.inf
    return number if math.isfinite(number) else None


def whole_number_in(text: str) -> int | None:
    """The same for a whole number, written without a point."""
    stripped = text.strip()
    return int(stripped) if _WHOLE.fullmatch(stripped) else None
