"""The fields of examples and predictions as records keep them."""

from __future__ import annotations

from typing import Any

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.results.plain import Keep, plain


def plain_inputs(example: Any, keep: Keep | None = None) -> dict[str, Any]:
    """An example's inputs as plain values; nothing of what has none, as an ``example`` fixture of the user's own."""
    try:
        inputs = dict(example.inputs().items(include_dspy=True))
    except Exception:
        return {}
    fields = plain(inputs, keep=keep)
    return fields if isinstance(fields, dict) else {}


def plain_labels(row: Row | None, example: Any, keep: Keep | None = None) -> dict[str, Any]:
    """What a row has beside inputs and ID, as plain values; where there is no row, an example of the user's own."""
    try:
        fields = plain((row or Row("", dict(example.items()), tuple(example.inputs().keys()))).labels, keep=keep)
    except Exception:
        return {}
    return fields if isinstance(fields, dict) else {}


def plain_prediction(prediction: Any, keep: Keep | None = None) -> dict[str, Any] | None:
    """A prediction's fields as plain values; what has no fields is under ``value``."""
    if prediction is None:
        return None
    fields = plain(prediction, keep=keep)
    return fields if isinstance(fields, dict) else {"value": fields}
