"""Are the deals read right? With few-shot demos, unless `--optimization` names another method."""

import pytest

from pytest_pitcheval import Score

pytestmark = pytest.mark.optimization("bootstrap", max_bootstrapped_demos=1, max_labeled_demos=3, metric_threshold=0.9)


@pytest.mark.evaluation("data/test.jsonl", inputs=["pitch"])
def test_deal(score: Score) -> None:
    """A test for each pitch, which measures and asserts nothing: what all together must reach is for gates to say."""
