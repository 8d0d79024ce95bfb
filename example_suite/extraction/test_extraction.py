"""Are the deals read right? With four labeled demos; gates hold each field to what the embedded LM reaches."""

import pytest

from pytest_pitcheval import Score

pytestmark = pytest.mark.optimization("labeled", k=4)


@pytest.mark.evaluation("data/test.jsonl", inputs=["pitch"], min_mean={"company": 0.5, "share": 0.75, "amount": 0.25})
def test_extraction(score: Score) -> None:
    """A test for each pitch: one deal that is read wrong is shown, what all reach is for the gates."""
