"""Evaluate DSPy programs with pytest: fresh LM calls, score thresholds, optimizers as options."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pitcheval.errors import PitchevalError, PitchevalWarning
    from pytest_pitcheval.results.score import Score
    from pytest_pitcheval.rollouts.rollout_id import RolloutId

__all__ = ["PitchevalError", "PitchevalWarning", "RolloutId", "Score"]

_MODULES = {
    "PitchevalError": "errors",
    "PitchevalWarning": "errors",
    "RolloutId": "rollouts.rollout_id",
    "Score": "results.score",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: pytest imports this package at every start, and needs none of it there."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
