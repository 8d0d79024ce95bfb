"""What a baseline has of predictions, so that metrics of the whole set can be compared with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record

MOST = 2_000
"""Characters, as JSON, of what a baseline file keeps of one prediction; of a longer one it keeps nothing."""

Predictions = tuple["Mapping[str, Any] | None", ...]


def fields_of(figures: Iterable[Aggregate]) -> tuple[str, ...]:
    """The fields of predictions that these metrics read."""
    return tuple(sorted({name for one in figures for name in one.fields}))


def with_predictions(
    measured: Baseline, fields: Mapping[Key, Sequence[str]], examples: Callable[[Key], Sequence[Answered]]
) -> dict[Key, Measurements]:
    """``measured`` with these ``fields`` of the predictions of each group's ``examples``, short ones alone."""
    found = {}
    for key, group in measured.items():
        names = fields.get(key, ())
        answers = {one.example_id: one.predictions for one in examples(key)} if names else {}
        kept = {name: tuple(_kept(one, names) for one in predictions) for name, predictions in answers.items()}
        found[key] = _with(group, kept)
    return found


def with_all_predictions(measured: Baseline, records: Iterable[Record]) -> dict[Key, Measurements]:
    """``measured`` with all that a run's ``records`` have of predictions."""
    answers: dict[Key, dict[str, Predictions]] = {}
    for record in records:
        answers.setdefault(record.key, {})[record.example_id or ""] = record.predictions
    return {key: _with(group, answers.get(key, {})) for key, group in measured.items()}


def only(measured: Baseline, fields: Mapping[Key, Sequence[str]]) -> dict[Key, Measurements]:
    """``measured`` with these ``fields`` of predictions alone."""
    found = {}
    for key, group in measured.items():
        names = fields.get(key, ())
        kept = {
            name: tuple(None if one is None else _of(one, names) for one in measurement.predictions)
            for name, measurement in group.examples.items()
        }
        found[key] = _with(group, kept if names else {})
    return found


def _with(group: Measurements, predictions: Mapping[str, Predictions]) -> Measurements:
    examples = {name: _with_own(one, predictions.get(name, ())) for name, one in group.examples.items()}
    return dataclasses.replace(group, examples=examples)


def _with_own(one: Measurement, predictions: Predictions) -> Measurement:
    fits = len(predictions) == len(one.samples) and any(each is not None for each in predictions)
    return dataclasses.replace(one, predictions=predictions if fits else ())


def _kept(prediction: Mapping[str, Any], fields: Sequence[str]) -> Mapping[str, Any] | None:
    kept = _of(prediction, fields)
    return kept if len(json.dumps(kept, ensure_ascii=False)) <= MOST else None


def _of(prediction: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {name: prediction[name] for name in fields if name in prediction}
