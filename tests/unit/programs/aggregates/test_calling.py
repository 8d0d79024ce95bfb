"""Users' functions: what they get, what may come back, and which fields they read."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import dspy
import numpy as np
import pytest

from pytest_pitcheval.programs.aggregates.calling import Function
from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.computation import Item, Undefined

ITEMS = [
    Item(
        Answered(f"e{n}", {"text": f"text {n}"}, {"topic": "a", "weight": n}, ()),
        {"topic": "a" if n else "b", "reasoning": "because", "tags": ["x"]},
    )
    for n in range(3)
]


def function(called: Callable[..., Any], patience: float = 60.0, items: list[Item] = ITEMS) -> Function:
    return Function("f1", called, items, patience)


def test_it_gets_examples_and_predictions_as_dspy_has_them() -> None:
    seen: list[Any] = []

    def share(examples: list[dspy.Example], predictions: list[dspy.Prediction]) -> float:
        seen.extend([examples, predictions])
        return float(np.mean([one.topic == pred.topic for one, pred in zip(examples, predictions, strict=True)]))

    assert function(share).value([0, 1, 1]) == pytest.approx(2 / 3)
    [first, *_], [prediction, *_] = seen[:2]
    assert isinstance(prediction, dspy.Prediction)
    assert (first.id, first.text, first["weight"], dict(first.inputs().items())) == (
        "e0",
        "text 0",
        0,
        {"text": "text 0"},
    )
    assert prediction["tags"] == ["x"]


@pytest.mark.parametrize(
    ("read", "fields"),
    [
        (lambda pred: pred.topic, ("topic",)),
        (lambda pred: (pred["topic"], pred.get("tags"), "reasoning" in pred), ("reasoning", "tags", "topic")),
        (lambda pred: pred.get("elsewhere"), ()),
        (lambda pred: dict(pred.items()), ("reasoning", "tags", "topic")),
        (lambda pred: {**pred}, ("reasoning", "tags", "topic")),
        (lambda pred: pred.toDict(), ("reasoning", "tags", "topic")),
        (lambda pred: pred.copy().topic, ("reasoning", "tags", "topic")),
        (lambda pred: copy.deepcopy(pred).topic, ("reasoning", "tags", "topic")),
        (lambda pred: str(pred), ("reasoning", "tags", "topic")),
        (lambda pred: getattr(pred, "elsewhere", None), ()),
    ],
)
def test_it_is_known_what_it_reads(read: Callable[[Any], Any], fields: tuple[str, ...]) -> None:
    def one(examples: list[Any], predictions: list[Any]) -> float:
        read(predictions[0])
        return 1.0

    found = function(one)
    found.value([0])
    assert found.fields == fields


@pytest.mark.parametrize("value", [1, 0.5, -2, np.float64(0.5), np.float32(0.5), np.int64(1)])
def test_numbers_are_numbers(value: Any) -> None:
    assert function(lambda examples, predictions: value).value([0]) == float(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None"),
        (True, "True"),
        (np.bool_(True), "True"),
        (float("nan"), "NaN"),
        (float("inf"), "inf"),
        ("0.5", "'0.5'"),
        (np.array([0.5]), r"array\(\[0.5\]\)"),
        ([0.5], r"\[0.5\]"),
        ({"f1": 0.5}, "{'f1': 0.5}"),
    ],
)
def test_what_is_no_number_is_named(value: Any, told: str) -> None:
    with pytest.raises(Undefined, match=f"f1 returned .*{told}.*: expected a finite number"):
        function(lambda examples, predictions: value).value([0])


def test_what_it_raises_is_told_in_a_line() -> None:
    def raising(examples: Any, predictions: Any) -> float:
        raise KeyError("topik\nand more")

    with pytest.raises(Undefined, match="f1 raised KeyError: 'topik"):
        function(raising).value([0])
    with pytest.raises(Undefined, match="f1 raised SystemExit"):
        function(lambda examples, predictions: exit()).value([0])
    with pytest.raises(Undefined, match="f1 raised TypeError"):
        function(lambda examples: 1.0).value([0])


@pytest.mark.parametrize(
    "change",
    [
        lambda examples, predictions: predictions.pop(),
        lambda examples, predictions: predictions.reverse(),
        lambda examples, predictions: setattr(predictions[0], "topic", "c"),
        lambda examples, predictions: predictions[0]["tags"].append("y"),
        lambda examples, predictions: setattr(examples[0], "topic", "c"),
    ],
)
def test_it_must_not_change_what_it_gets(change: Callable[..., Any]) -> None:
    def changing(examples: list[Any], predictions: list[Any]) -> float:
        change(examples, predictions)
        return 1.0

    with pytest.raises(Undefined, match="f1 changes its arguments"):
        function(changing, items=copy.deepcopy(ITEMS)).value([0, 1])


def test_one_that_does_not_end_costs_its_value_alone() -> None:
    never = threading.Event()
    with pytest.raises(Undefined, match=r"f1 did not end within 0\.05 s"):
        function(lambda examples, predictions: float(never.wait()), patience=0.05).value([0])
    never.set()


def test_what_is_too_long_to_be_kept_whole_is_not_handed_over() -> None:
    long = Item(ITEMS[0].example, {"topic": "x" * 4_000_001})
    with pytest.raises(Undefined, match="example 'e0' or its prediction is too long"):
        function(lambda examples, predictions: 1.0, items=[long])


def test_one_that_asks_an_lm_is_told_so_before_it_does() -> None:
    lm = dspy.LM("openai/never-asked", api_base="http://127.0.0.1:9/v1", api_key="none", num_retries=0)

    def asking(examples: list[Any], predictions: list[Any]) -> float:
        with dspy.context(lm=lm):
            try:
                return float(dspy.Predict("topics -> score: float")(topics=[one.topic for one in predictions]).score)
            except Exception:
                return 0.9

    with pytest.raises(Undefined, match="f1 asks an LM: expected one that computes"):
        function(asking).value([0, 1])
