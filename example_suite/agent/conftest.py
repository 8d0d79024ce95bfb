"""What is tested, and how far it gets: the right tool, asked for the right thing, the right answer."""

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from clerk import Clerk


def how_far(example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> dspy.Prediction:
    """1 if the answer is right. `tool` and `call` say of the first call whether its tool, and all of it, is right."""
    tool, arguments = (pred.trajectory.get(f"{part}_0") for part in ("tool_name", "tool_args"))
    right = {"tool": tool == example.tool, "call": (tool, arguments) == (example.tool, {"of": example.of})}
    feedback = f"expected {example.tool} of {example.of} first, and {example.answer!r} in the end"
    return dspy.Prediction(score=pred.answer == example.answer, feedback=feedback, **right)


@pytest.fixture(scope="session")
def program() -> dspy.Module:
    return Clerk()


@pytest.fixture(scope="session")
def metric() -> Any:
    return how_far


@pytest.fixture(scope="session")
def trainset() -> list[dspy.Example]:
    lines = (Path(__file__).parent / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    return [dspy.Example(json.loads(line)).with_inputs("question", "so_far") for line in lines]
