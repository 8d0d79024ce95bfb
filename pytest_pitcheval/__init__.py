"""Evaluate DSPy programs with pytest: fresh LM calls, score thresholds, optimizers as options."""

from pytest_pitcheval.errors import PitchevalError, PitchevalWarning
from pytest_pitcheval.rollouts import RolloutId
from pytest_pitcheval.scores import Score

__all__ = ["PitchevalError", "PitchevalWarning", "RolloutId", "Score"]
