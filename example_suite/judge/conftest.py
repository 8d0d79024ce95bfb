"""The judge under examination."""

from __future__ import annotations

import dspy
import pytest
from pitch_judge import PitchJudge


@pytest.fixture(scope="session")
def metric(evaluator_lm: dspy.LM) -> PitchJudge:
    return PitchJudge(evaluator_lm)
