"""Are questions answered from the handbook? Gates hold retriever and answers apart."""

import pytest

from pytest_pitcheval import Score

pytestmark = pytest.mark.optimization("labeled", k=4)


@pytest.mark.evaluation("data/test.jsonl", inputs=["question"], min_mean={"found": 0.9, "score": 0.25})
def test_answers(score: Score) -> None:
    """A test for each question: one that is answered wrong is shown, what all reach is for the gates."""
