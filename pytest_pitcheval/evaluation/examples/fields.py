"""The fields of examples and predictions as records keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.results.media import has_media, with_notes
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
    """What a row has beside inputs and ID, as plain values; where there is no row, an example of the user's own.

    They are as the row has them, but for the path of a picture, in whose place there is the picture.
    """
    try:
        labels = (row or Row("", dict(example.items()), tuple(example.inputs().keys()))).labels
        fields = plain(labels, keep=keep)
    except Exception:
        return {}
    return {**fields, **_pictures(labels, example, keep)} if isinstance(fields, dict) else {}


def _pictures(labels: Mapping[str, Any], example: Any, keep: Keep | None) -> dict[str, Any]:
    """Those of ``labels`` that are media in the ``example``, as plain values."""
    try:
        cast = {name: example[name] for name, value in labels.items() if name in example and example[name] is not value}
    except Exception:  # an ``example`` fixture of the user's own
        return {}
    plainly = ((name, plain(value, keep=keep)) for name, value in cast.items())
    return {name: value for name, value in plainly if has_media(value)}


def plain_prediction(prediction: Any, keep: Keep | None = None) -> dict[str, Any] | None:
    """A prediction's fields as plain values; what has no fields is under ``value``."""
    if prediction is None:
        return None
    fields = plain(prediction, keep=keep)
    return fields if isinstance(fields, dict) else {"value": fields}


def plain_feedback(feedback: str | None, keep: Keep) -> str | None:
    """What a metric says, with a note in place of a picture in it."""
    if feedback is None or (kept := keep(feedback)) is None:
        return feedback
    return str(with_notes(kept))


def plain_rollout(prediction: Any, feedback: str | None, keep: Keep) -> dict[str, Any]:
    """A rollout after the first one, as records have it."""
    return {"prediction": plain_prediction(prediction, keep), "feedback": plain_feedback(feedback, keep)}
