"""Which field of examples and predictions a built-in metric of a whole set is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.computation import Item, Undefined
from pytest_pitcheval.results.plain import may_be_cut


class Pairs(NamedTuple):
    """The label and the prediction of each item, of the field that both have."""

    field: str
    labels: list[Any]
    predictions: list[Any]


def pairs_of(items: Sequence[Item]) -> Pairs:
    """The values of the one field that is a label of the examples and is predicted as well; raises Undefined."""
    field = _shared_field(items)
    for item in items:
        for place, fields in (("label", item.example.labels), ("prediction", item.prediction)):
            if fields.get(field) is None:
                raise Undefined(f"example {item.example.example_id!r} has no {place} {field!r}")
            if may_be_cut(fields):
                raise Undefined(f"the {place} of example {item.example.example_id!r} is too long to be kept whole")
    labels = [item.example.labels[field] for item in items]
    return Pairs(field, labels, [item.prediction[field] for item in items])


def _shared_field(items: Sequence[Item]) -> str:
    labels = dict.fromkeys(name for item in items for name in item.example.labels)
    predicted = dict.fromkeys(name for item in items for name in item.prediction)
    shared = [name for name in labels if name in predicted]
    if len(shared) == 1:
        return shared[0]
    if shared:
        raise Undefined(f"{_named(shared)} are labels and are predicted: expected one, or a function in aggregates")
    raise Undefined(
        f"no label is predicted: labels are {_named(list(labels)) or 'none'}, predicted is "
        f"{_named(list(predicted)) or 'nothing'}; a function in aggregates can compare what it likes"
    )


def _named(names: Sequence[str]) -> str:
    return formats.some([repr(name) for name in names], 5)
