"""A judge of pitches: an LM says whether a pitch asks for what the facts say."""

from __future__ import annotations

from typing import Any

import dspy


class JudgePitch(dspy.Signature):
    """A good pitch says what the company makes, and asks for the amount and share of the facts. Is this one good?"""

    facts: str = dspy.InputField()
    pitch: str = dspy.InputField()
    good: bool = dspy.OutputField()


class PitchJudge:
    """A metric: 1 for a pitch that `judge_lm` calls good, else 0."""

    def __init__(self, judge_lm: dspy.LM) -> None:
        self.judge = dspy.Predict(JudgePitch, max_tokens=32)
        self.judge.set_lm(judge_lm)

    def __call__(self, example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> float:
        return float(self.judge(facts=example.facts, pitch=pred.pitch).good)
