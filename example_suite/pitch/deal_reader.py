"""The program under test: from what founders say to the deal that they offer, in one line."""

import dspy


class ReadDeal(dspy.Signature):
    """Note the deal that the founders offer: company, amount and share."""

    pitch: str = dspy.InputField()
    deal: str = dspy.OutputField()


class DealReader(dspy.Module):
    """Call it with `pitch=`, a text; it answers with `deal`, such as `Brackish: $400,000 for 10%`."""

    def __init__(self) -> None:
        super().__init__()
        # Room for three deals: a small model that does not know when to stop is cut off there.
        self.read = dspy.Predict(ReadDeal, max_tokens=48)

    def forward(self, pitch: str) -> dspy.Prediction:
        return self.read(pitch=pitch)
