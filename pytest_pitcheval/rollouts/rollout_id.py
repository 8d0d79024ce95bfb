"""Rollout IDs: what makes an LM call of this session fresh, and the same call of a replay equal."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

KEY_BITS = 53
"""Every JSON reader holds an integer of this size exactly; DSPy's cache key fails above 64 bits."""


class RolloutId(NamedTuple):
    """One rollout of one test.

    ``str()`` is ``<session timestamp>/<node ID>``, with ``#<sample>`` for the second and later rollouts of an
    example, ``@<verdict>`` for the second and later verdicts on the prediction of one, and ``~<attempt>`` for a test
    that is run again within its session. ``int()`` is the number that DSPy's cache key gets: the first 53 bits of that
    text's SHA-256.
    """

    timestamp: str
    nodeid: str
    sample: int = 0
    attempt: int = 1
    verdict: int = 0

    def __str__(self) -> str:
        again = f"~{self.attempt}" if self.attempt > 1 else ""
        sample = f"#{self.sample}" if self.sample else ""
        verdict = f"@{self.verdict}" if self.verdict else ""
        return f"{self.timestamp}/{self.nodeid}{again}{sample}{verdict}"

    def __int__(self) -> int:
        return self.key()

    def key(self, explicit: object = None) -> int:
        """The cache key's ``rollout_id`` for a call that itself asked for rollout ``explicit`` (None: for none).

        ``dspy.BestOfN``, ``dspy.Refine`` and SIMBA number their attempts that way; mixing keeps these apart
        within the rollout.
        """
        text = str(self) if explicit is None else f"{self}/{explicit}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - KEY_BITS)

    def with_sample(self, sample: int, verdict: int = 0) -> RolloutId:
        """The ``sample``-th rollout (from 0) of the same test, and the ``verdict`` on its prediction (from 0)."""
        return self._replace(sample=sample, verdict=verdict)
