"""What is tested, two metrics (was the right paragraph found, is the answer right?), and demos of short answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from answerer import Answerer


def found_and_answered(example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> dspy.Prediction:
    """1 if the expected words are in the answer. `found`, whether the paragraph that has them was found."""
    right = example.answer.lower() in pred.answer.lower()
    found = any(paragraph.startswith(f"{example.paragraph}:") for paragraph in pred.paragraphs)
    feedback = "right" if right else "a wrong answer" if found else f"the paragraph {example.paragraph} was not found"
    return dspy.Prediction(score=right, feedback=feedback, found=found)


@pytest.fixture(scope="session")
def program() -> dspy.Module:
    return Answerer()


@pytest.fixture(scope="session")
def metric() -> Callable[..., dspy.Prediction]:
    return found_and_answered


@pytest.fixture(scope="session")
def trainset() -> list[dspy.Example]:
    lines = (Path(__file__).parent / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    return [dspy.Example(json.loads(line)).with_inputs("handbook", "question") for line in lines]
