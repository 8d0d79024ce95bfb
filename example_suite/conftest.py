"""What is tested, how it is scored, and what optimizers learn from; the LMs come from the command line."""

from __future__ import annotations

import dspy
import pytest
from pitch_examples import load_examples
from pitch_metric import PitchMetric, can_judge
from pitch_writer import PitchWriter


@pytest.fixture(scope="session")
def program() -> dspy.Module:
    return PitchWriter()


@pytest.fixture(scope="session")
def metric(evaluator_lm: dspy.LM) -> PitchMetric:
    return PitchMetric(judge_lm=evaluator_lm if can_judge(evaluator_lm) else None)


@pytest.fixture(scope="session")
def trainset() -> list[dspy.Example]:
    return load_examples("data/train.jsonl")
