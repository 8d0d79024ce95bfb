"""Rows of labels that several people gave: one row for each answer, if people they are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_pitcheval.collection.rows import Place
from pytest_pitcheval.errors import MarkerError, PitchevalError, one_line
from pytest_pitcheval.results.exams.labels import ANSWER, COLUMN, Labelled, labelled
from pytest_pitcheval.results.plain import plain


def joined(found: Iterable[tuple[Place, Any]], label: str, models_too: bool) -> list[tuple[Place, Any]]:
    """``found`` with the rows of one answer put together, whose label is the list of what each of them said.

    Of two rows by one person of one answer the later one counts. Rows that do not say who labelled stay as they are.
    The column ``labelled`` is left to rows that models labelled, as a list of their names; which answer it is has one
    of its own.

    Raises:
        MarkerError: one line: a model labelled a row, and that is not asked for; or two answers have one ID.
    """
    rows: dict[Any, tuple[Place, Any]] = {}
    said: dict[Any, dict[Labelled, Any]] = {}
    answers: dict[Any, dict[str, Any]] = {}
    for position, (place, item) in enumerate(found):
        who = _who(item, place)
        if who is not None and who.kind == "model" and not models_too:
            named = one_line(repr(who.by))
            raise MarkerError(
                f"{place}: labelled by a model, {named}; expected labels by people, or --eval-labels-by-models"
            )
        key = _key(item, position) if who is not None else position
        if who is None or not isinstance(item, Mapping):
            rows[key] = place, item
            continue
        if key in rows and _answer(rows[key][1], label) != _answer(item, label):
            raise MarkerError(f"{place}: the id {item['id']!r} stands at {rows[key][0]} already, with another answer")
        rows.setdefault(key, (place, item))
        answers.setdefault(key, who.answer)
        said.setdefault(key, {})[Labelled(who.by, who.kind)] = item.get(label)
    return [
        (place, _with_all(item, label, said[key], answers[key]) if key in said else item)
        for key, (place, item) in rows.items()
    ]


def _who(item: Any, place: Place) -> Labelled | None:
    value = item.get(COLUMN) if callable(getattr(item, "get", None)) else None
    if isinstance(value, str) and value.strip():  # as CSV files have an object
        with contextlib.suppress(ValueError):  # which `labelled` tells
            value = json.loads(value)
    try:
        return labelled({COLUMN: plain(value or None)}, place)
    except PitchevalError as error:
        raise MarkerError(str(error)) from None


def _key(item: Any, position: int) -> Any:
    own = item.get("id")
    return position if own is None or own == "" else ("id", str(own))


def _answer(item: Mapping[str, Any], label: str) -> Any:
    """All that has to be the same in the rows of one answer."""
    return plain({name: value for name, value in item.items() if name not in (label, COLUMN)})


def _with_all(item: Any, label: str, said: Mapping[Labelled, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in item.items() if name != COLUMN}
    labels, models = list(said.values()), [who.by for who in said if who.kind == "model"]
    known = {COLUMN: models, ANSWER: answer}
    values[label] = labels[0] if len(labels) == 1 else labels
    return {**values, **{name: value for name, value in known.items() if value}}
