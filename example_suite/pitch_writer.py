"""The program under test: from the facts about a company to the pitch its founders speak."""

from __future__ import annotations

from typing import Any

import dspy


class WritePitch(dspy.Signature):
    """Write the pitch that a company's founders speak to investors, the Sharks: about 100 words, from the facts."""

    facts: dict[str, Any] = dspy.InputField()
    pitch: str = dspy.OutputField()


class PitchWriter(dspy.Module):
    """Call it with `facts=`, a dict with `company`, `founders`, `offer`, `problem` and `solution`."""

    def __init__(self) -> None:
        super().__init__()
        # Room for 150 words: a small model that does not know when to stop is cut off there.
        self.write = dspy.Predict(WritePitch, max_tokens=200)

    def forward(self, facts: dict[str, Any]) -> dspy.Prediction:
        return self.write(facts=facts)
