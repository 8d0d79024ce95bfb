"""What stands for the judge where it cannot be made for a whole session; a metric that asks no LM never notices."""

from __future__ import annotations

from typing import Any, NoReturn

import dspy

from pytest_pitcheval.errors import PitchevalError


class AbsentJudge(dspy.BaseLM):
    """An LM that answers each call with a complaint of one line."""

    def __init__(self, complaint: str) -> None:
        super().__init__("none")
        self.complaint = complaint

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise PitchevalError(self.complaint)

    async def acall(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise PitchevalError(self.complaint)
