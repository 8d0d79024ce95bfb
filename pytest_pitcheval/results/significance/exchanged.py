"""Answers exchanged between two measurements: whether what a whole set comes to is lower than it was. Pure."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ENUMERATED = 2_048
"""Exchanges, up to which all are tried: those of 11 examples that were answered otherwise."""

DRAWN = 1_999
"""Random ones where there are more."""

_ENOUGH = 100
"""So many random ones that are as low, and it is no rare thing: that is at least 5 % of them."""


def drop_p(
    places: NDArray[np.intp], before: int, moved: Sequence[int], drop: Callable[[NDArray[np.intp]], float]
) -> float:
    """How probable a drop as large as this one is, if which run an answer is from makes no difference.

    Each example's answers of both runs are exchanged, all other examples staying as they are, and what the whole set
    comes to is computed anew: a randomization test, which holds for any statistic (Noreen, "Computer-intensive methods
    for testing hypotheses", 1989; for retrieval and F1 Yeh, "More accurate tests for the statistical significance of
    result differences", COLING 2000, and Smucker, Allan and Carterette, CIKM 2007). Where the runs have as many
    answers of an example they change places; where they differ in number they are rotated, which is a group too.

    All exchanges up to `MOST_ENUMERATED`, else `DRAWN` random ones, always the same, counting the observed one; fewer
    once 100 of them are as low (Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 78, 1991).

    ``places`` has a row for each example: where its ``before`` earlier answers are, and then its later ones. ``moved``
    are the rows in which an exchange may make a difference; ``drop`` says how far such an arrangement fell.
    """
    observed = drop(places) - 1e-9
    if is_enumerated(places.shape[1], before, len(moved)):
        found = [drop(arranged) >= observed for arranged in _all(places, before, moved)]
        return sum(found) / len(found)
    as_low, drawn = 0, random.Random(0)
    for number in range(1, DRAWN + 1):
        as_low += (
            drop(_arranged(places, moved, drawn.choices(_shifts(places.shape[1], before), k=len(moved)))) >= observed
        )
        if as_low == _ENOUGH:
            return as_low / number
    return (as_low + 1) / (DRAWN + 1)


def least_p(answers: int, before: int, moved: int) -> float:
    """The lowest that `drop_p` could have been with so many ``answers`` of each example, ``before`` of them earlier."""
    if is_enumerated(answers, before, moved):
        return float(len(_shifts(answers, before)) ** -moved)
    return 1 / (DRAWN + 1)


def is_enumerated(answers: int, before: int, moved: int) -> bool:
    """Whether all exchanges are tried."""
    return bool(len(_shifts(answers, before)) ** min(moved, 64) <= MOST_ENUMERATED)


def _shifts(answers: int, before: int) -> Sequence[int]:
    return (0, before) if answers == 2 * before else range(answers)


def _all(places: NDArray[np.intp], before: int, moved: Sequence[int]) -> Iterator[NDArray[np.intp]]:
    for shifts in itertools.product(_shifts(places.shape[1], before), repeat=len(moved)):
        yield _arranged(places, moved, shifts)


def _arranged(places: NDArray[np.intp], moved: Sequence[int], shifts: Sequence[int]) -> NDArray[np.intp]:
    import numpy as np

    answers = places.shape[1]
    columns = (np.arange(answers) + np.asarray(shifts, dtype=np.intp)[:, None]) % answers
    arranged: NDArray[np.intp] = places.copy()
    arranged[list(moved)] = np.take_along_axis(places[list(moved)], columns, axis=1)
    return arranged
