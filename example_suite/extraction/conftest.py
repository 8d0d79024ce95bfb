"""What is tested, how it is scored field by field, and what the demos are; the LM comes from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from deals import Deal, ReadDeal


def fields_right(example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> dspy.Prediction:
    """The share of the deal's fields that are right; each field is a metric of its own as well.

    ``example.deal`` is a `Deal`, though the file has JSON: a label gets the type of the output of its name.
    """
    right = {name: getattr(pred.deal, name) == value for name, value in example.deal}
    wrong = [
        f"{name} is {getattr(pred.deal, name)!r}, not {value!r}" for name, value in example.deal if not right[name]
    ]
    return dspy.Prediction(score=sum(right.values()) / len(right), feedback="; ".join(wrong) or "all right", **right)


@pytest.fixture(scope="session")
def program() -> dspy.Module:
    return dspy.Predict(ReadDeal)


@pytest.fixture(scope="session")
def metric() -> Callable[..., dspy.Prediction]:
    return fields_right


@pytest.fixture(scope="session")
def trainset() -> list[dspy.Example]:
    lines = (Path(__file__).parent / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [dspy.Example(pitch=row["pitch"], deal=Deal(**row["deal"])).with_inputs("pitch") for row in rows]
