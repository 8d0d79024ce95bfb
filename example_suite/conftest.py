"""What is tested, how it is scored, and what optimizers learn from; the LMs come from the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable

import dspy
import pytest
from deal_metric import deal_metric
from deal_reader import DealReader
from examples import load_examples

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
    return load_examples("data/train.jsonl")
