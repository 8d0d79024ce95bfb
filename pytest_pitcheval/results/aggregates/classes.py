"""Values of labels and predictions as classes and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_pitcheval.options.numbers import number_in
from pytest_pitcheval.results.aggregates.computation import Undefined

Value = str | float

_TRUTH = {"true": 1.0, "false": 0.0}


def as_classes(labels: Sequence[Any], predictions: Sequence[Any]) -> tuple[list[Value], list[Value]]:
    """Both as texts and numbers that are equal where they mean the same.

    Texts are compared as they are. Where numbers or truth values stand among them (a CSV file has texts alone), a text
    is what it says: ``"3"`` is 3, ``"true"`` is true.
    """
    values = [*labels, *predictions]
    for value in values:
        if value is not None and not isinstance(value, (str, bool, int, float)):
            raise Undefined(
                f"{_kind(value)} is no class: expected texts, numbers, true or false; a function could do it"
            )
    if all(isinstance(value, str) for value in values):
        return list(labels), list(predictions)
    found = [_said(value) for value in values]
    return found[: len(labels)], found[len(labels) :]


def _said(value: str | float) -> Value:
    if not isinstance(value, str):
        return _of_number(value)
    text = value.strip()
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    number = _number(text)
    return value if number is None else number


def as_numbers(values: Sequence[Any], what: str) -> list[float]:
    """``values`` as numbers, texts that say one among them; ``what`` they are, for a complaint."""
    found = []
    for value in values:
        number = _number(value) if isinstance(value, (str, int, float)) else None
        if number is None:
            raise Undefined(f"{_shown(value)} among the {what}: expected numbers")
        found.append(number)
    return found


def as_texts(values: Sequence[Any], what: str, several: bool = False) -> list[list[str]]:
    """Each of ``values`` as texts: one, or where there may be ``several`` those of a list."""
    found = []
    for value in values:
        texts = value if several and isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise Undefined(f"{_shown(value)} among the {what}: expected texts")
        found.append(texts)
    return found


def _number(value: str | float) -> float | None:
    number = number_in(value) if isinstance(value, str) else _of_number(value)
    return number if number is not None and math.isfinite(number) else None


def _of_number(value: float) -> float:
    """A whole number that no float holds, as only a file written by hand has one, is beyond them all."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _shown(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:39]}…"
    return _kind(value)


def _kind(value: Any) -> str:
    return {list: "a list", dict: "a mapping", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
