"""What ``--eval-rate-limit`` says: how many LM requests, or tokens, in which time, of which models."""

from __future__ import annotations

import fnmatch
import math
import re
from typing import NamedTuple

EXPECTED = (
    "expected limits such as 30/min, 2/s, 40000tokens/min or groq/*=30/min, several with commas between; "
    "the times are s, min and h"
)
_LIMIT = re.compile(r"(?:(?P<models>[^=]+)=)?(?P<count>[1-9][0-9]{0,14})\s*(?P<tokens>tokens?)?/(?P<time>[a-z]+)")
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


class RateLimit(NamedTuple):
    """At most ``amount`` requests, or tokens, in any ``seconds``, of the models that the pattern ``models`` matches."""

    models: str
    amount: int
    seconds: int
    of_tokens: bool

    def part(self, count: int) -> RateLimit:
        """What one of ``count`` processes that cannot share the limit may use of it: together they stay within it.

        Where there is less than one request for each, all of them at once may exceed it in a single window.
        """
        if self.amount >= count:
            return self._replace(amount=self.amount // count)
        return self._replace(amount=1, seconds=math.ceil(self.seconds * count / self.amount))

    def holds_for(self, model: str) -> bool:
        """Whether it limits ``model``, a DSPy model name."""
        return fnmatch.fnmatchcase(model, self.models)


def parse_rate_limits(text: str) -> tuple[RateLimit, ...]:
    """The limits of a comma-separated list; ValueError if there is anything else in it."""
    return tuple(_parse(part.strip()) for part in text.split(","))


def _parse(text: str) -> RateLimit:
    found = _LIMIT.fullmatch(text)
    if found is None or found["time"] not in _SECONDS:
        raise ValueError(EXPECTED)
    models = (found["models"] or "*").strip()
    return RateLimit(models, int(found["count"]), _SECONDS[found["time"]], found["tokens"] is not None)
