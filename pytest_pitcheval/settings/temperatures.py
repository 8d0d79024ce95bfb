"""Which models take a temperature, by their names: a default of ours must make no provider refuse."""

from __future__ import annotations

import re

_REASONING = re.compile(r"(o\d+|gpt-([5-9]|\d\d+)(\.\d+)*(?!\S*-chat))(-\S*)?", re.IGNORECASE)
"""OpenAI's reasoning models, also by the names that come; its ``-chat`` variants take a temperature."""


def takes_temperature(model: str | None) -> bool:
    """Whether ``model`` (a DSPy name, ``provider/name``) may be given another temperature than its own."""
    return not _REASONING.fullmatch((model or "").rpartition("/")[2].rpartition(":")[2])
