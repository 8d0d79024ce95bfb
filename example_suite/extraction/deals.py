"""The program under test: from what founders say to a typed deal."""

from typing import Literal

import dspy
import pydantic


class Deal(pydantic.BaseModel):
    """What founders ask for: ``share`` in percent of the company, ``amount`` in dollars."""

    company: str
    share: int
    amount: int
    product: Literal["food", "home", "sport", "travel"]


class ReadDeal(dspy.Signature):
    """Read which deal the founders offer: company, share in percent, amount in dollars, kind of product."""

    pitch: str = dspy.InputField()
    deal: Deal = dspy.OutputField()
