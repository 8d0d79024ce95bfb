"""Values as plain ones, that survive JSON, xdist and JUnit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """``value`` as JSON types only; what has no such form becomes its ``str()``, and NaN and infinities None."""
    kind = type(value)
    if kind is str and value.isascii():  # as most there is
        return value
    if kind is dict:
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if value is None or kind is bool or kind is int:
        return value
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "replace").decode("utf-8")  # of an enum its value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    for method in ("model_dump", "toDict", "tolist"):  # pydantic, dspy.Example, numpy
        if callable(convert := getattr(value, method, None)) and not isinstance(value, type):
            return plain(convert())
    return plain(str(value))
