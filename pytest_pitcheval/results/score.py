"""The score a test sees: a float that knows its threshold, feedback and samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from pytest_pitcheval.errors import PitchevalError


class Score(float):
    """The mean score of a test's rollouts, in the metric's own unit (0 to 1).

    Attributes:
        feedback: what the metric said of the first rollout, or None.
        samples: the score of each rollout, in order; the float is their mean.
        verdicts: where a marker's ``judge_rollouts`` asks for several verdicts on each rollout's prediction, the score
            of each, by rollout; else empty.
        metrics: further numbers of the metric's ``dspy.Prediction``, averaged over the rollouts.
        by_rollout: those numbers for each rollout; None where it has none.
        prediction: the ``dspy.Prediction`` of the first rollout, or None for a recorded score.
        label: in a judge's exam, what people said of the answer (the mean of their labels, 0 to 1); else None.
        agrees: whether the score says the same; None where there is no label, or as many people pass it as fail it.
    """

    feedback: str | None
    samples: tuple[float, ...]
    verdicts: tuple[tuple[float, ...], ...]
    metrics: dict[str, float]
    by_rollout: dict[str, tuple[float | None, ...]]
    prediction: Any
    label: float | None
    agrees: bool | None

    def __new__(
        cls,
        value: float,
        *,
        threshold: float | None = None,
        feedback: str | None = None,
        samples: tuple[float, ...] = (),
        verdicts: tuple[tuple[float, ...], ...] = (),
        by_rollout: dict[str, tuple[float | None, ...]] | None = None,
        prediction: Any = None,
    ) -> Score:
        score = super().__new__(cls, value)
        score._threshold = threshold
        score.feedback = feedback
        score.samples = samples or (float(value),)
        score.verdicts = verdicts
        score.by_rollout = by_rollout or {}
        score.metrics = {name: _mean(values) for name, values in score.by_rollout.items()}
        score.prediction = prediction
        score.label = score.agrees = None
        return score

    _threshold: float | None

    @property
    def threshold(self) -> float:
        """The lowest score that passes.

        Raises:
            PitchevalError: the test has none, so that ``score >= score.threshold`` cannot pass unnoticed.
        """
        if self._threshold is None:
            raise PitchevalError(
                "score.threshold: this test has no threshold; expected evaluation(threshold=X), "
                "--eval-threshold=X or the ini key eval_threshold"
            )
        return self._threshold

    @property
    def has_threshold(self) -> bool:
        """Whether a threshold was set for this test."""
        return self._threshold is not None

    @property
    def passed(self) -> bool:
        """Whether the score reaches its threshold; true when there is none."""
        return self._threshold is None or self >= self._threshold

    def __repr__(self) -> str:
        return f"Score({float(self):.3g})"

    __str__ = float.__repr__
    __hash__ = float.__hash__


def _mean(values: Sequence[float | None]) -> float:
    return statistics.mean(value for value in values if value is not None)
