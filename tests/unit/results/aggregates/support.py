"""Examples with answers, without a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_pitcheval.results.aggregates import builtin
from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.computation import Computation, Item


def example(name: str, label: Any, *predictions: Any, **labels: Any) -> Answered:
    """One whose field ``topic`` is labelled, and predicted in each rollout."""
    told = tuple({"topic": one, "reasoning": "because"} for one in predictions)
    return Answered(name, {"text": f"text {name}"}, {"topic": label, **labels}, told)


def examples(labels: Sequence[Any], *columns: Sequence[Any]) -> list[Answered]:
    """One for each label; a column has the predictions of a rollout."""
    return [example(f"e{n}", label, *(column[n] for column in columns)) for n, label in enumerate(labels)]


def computed(name: str, labels: Sequence[Any], predictions: Sequence[Any]) -> float:
    """A built-in metric of all of them."""
    items = [Item(one, one.predictions[0]) for one in examples(labels, predictions)]
    return builtin.prepare(name, items).value(range(len(items)))


def prepare(name: str) -> Any:
    """As `computation.Prepare`."""

    def made(items: Sequence[Item]) -> Computation:
        return builtin.prepare(name, items)

    return made


def answer(value: Any) -> Mapping[str, Any]:
    return {"topic": value}
