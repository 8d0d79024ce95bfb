"""What is tested, how it is scored, and what optimizers learn from; the LMs come from the command line."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import dspy
import pytest
from deal_metric import deal_metric
from deal_reader import DealReader

# Without demos the embedded LM talks until it is stopped; DSPy would say so each time.
logging.getLogger("dspy.clients.lm").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def program() -> dspy.Module:
    return DealReader()


@pytest.fixture(scope="session")
def metric() -> Callable[..., dspy.Prediction]:
    return deal_metric


@pytest.fixture(scope="session")
def trainset() -> list[dspy.Example]:
    lines = (Path(__file__).parent / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    return [dspy.Example(json.loads(line)).with_inputs("pitch") for line in lines]
