"""Are the pitches good enough? With few-shot demos, unless `--optimization` names another method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pitch_metric import word_sequences

if TYPE_CHECKING:
    from collections.abc import Callable

    import dspy

    from pytest_pitcheval import Score

pytestmark = pytest.mark.optimization("bootstrap", max_bootstrapped_demos=1, max_labeled_demos=5, metric_threshold=0.85)

FACTS = {
    "company": "Harbor Loom",
    "founders": ["Anneke Visser"],
    "offer": "190,000 for 14%",
    "problem": "Old sails are burned or buried when a boat gets new ones.",
    "solution": "Harbor Loom cuts old sails into strong, light backpacks that never get wet inside.",
}


@pytest.mark.evaluation("data/test.jsonl", inputs=["facts"], rollouts=2, threshold=0.1, min_mean=0.45)
def test_pitch(score: Score) -> None:
    """One test per company. A small model fails on some: none must be useless, and their mean must be good."""
    assert score >= score.threshold


def test_pitch_is_not_copied_from_the_demos(
    compiled_program: dspy.Module, trainset: list[dspy.Example], record_score: Callable[..., Score]
) -> None:
    """A free-form test: the share of the pitch, in sequences of five words, that is in no pitch it was shown."""
    pitch = compiled_program(facts=FACTS).pitch
    known = set().union(*(word_sequences(example.pitch, 5) for example in trainset))
    said = word_sequences(pitch, 5)
    originality = record_score(len(said - known) / max(len(said), 1), threshold=0.5)
    record_score(len(pitch.split()), name="words")
    assert originality >= originality.threshold
