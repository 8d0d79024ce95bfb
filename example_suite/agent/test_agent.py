"""Does the agent use its tools? Gates hold it to what the embedded LM reaches; slices tell one call from two."""

import pytest

from pytest_pitcheval import Score

pytestmark = pytest.mark.optimization("labeled", k=8)  # of steps: the trainset has what to do next


@pytest.mark.evaluation("data/test.jsonl", inputs=["question"], slices=["calls"], min_mean={"tool": 0.6, "call": 0.5})
def test_agent(score: Score) -> None:
    """A test for each question: one that goes wrong shows its steps, what all reach is for the gates."""
