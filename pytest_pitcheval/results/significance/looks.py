"""Looks at a run before its end: after how many examples, and how sure a decision must be at each. Pure numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

from pytest_pitcheval.results.significance.means import ALPHA
from pytest_pitcheval.results.significance.paired import lowest_p

PARTS = (0.1, 0.2, 0.5)
"""Of a test's examples, after which it is looked at; the last look is at all of them."""

SHARES = (0.1, 0.35, 0.1)
"""Of the error rate, which these looks have; the last one has the rest.

A prompt that lost half its score shows at the second look in most suites, so that this has most of what is spent
early. The first one has as much as 9,999 permutations can establish among 40 claims.
"""

LOOKS = len(PARTS) + 1


def in_order(seed: int, test: str, example_ids: Iterable[str]) -> list[str]:
    """The examples in the random order that ``seed`` gives them, the same for each method of ``test``.

    Where an example stands does not depend on which others there are, other than that these may stand between.
    """

    def place(example_id: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{test}\0{example_id}".encode("utf-8", "surrogatepass")).digest()

    return sorted(example_ids, key=place)


def sizes(examples: int) -> tuple[int, ...]:
    """After how many of so many examples each early look is taken."""
    return tuple(math.ceil(part * examples) for part in PARTS)


def levels(compared: Sequence[int], among: int) -> tuple[float, ...]:
    """The level of each early look of one of ``among`` claims; 0 for a look that is not taken.

    Each claim has its share of the look's error rate, so that this holds whatever depends on what (Bonferroni, over
    looks and claims). ``compared`` are the examples that each look can compare: where so few could not establish a
    drop whatever came out, the look's share is left to the next one.
    """
    given, left = [], 0.0
    for examples, share in zip(compared, SHARES, strict=True):
        level = left + share * ALPHA / among
        taken = lowest_p(examples) < level
        given.append(level if taken else 0.0)
        left = 0.0 if taken else level
    return tuple(given)


def last_level(early: Iterable[Sequence[float]]) -> float:
    """What the early looks of all claims leave of the error rate to the last look, at all claims together."""
    return ALPHA - math.fsum(level for claim in early for level in claim)
