"""p-values of many tests at once: the plugin's permutations and exchanges as matrices. A unit test holds both alike."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate_simulation.kinds import SEED, Array
from pytest_pitcheval.results.significance import paired
from pytest_pitcheval.results.significance.means import ROUNDING

FEW, MANY = 999, 9_999
"""Random permutations of each test, and of those whose p-value is low then: `MANY` is what the plugin makes."""

LOW = 0.02
_ENUMERATED = 13
"""Up to so many differences the plugin tries all signs."""

_CHUNK = 2_000


def drop_p(before: Array, after: Array, most: int = MANY) -> Array:
    """How probable is the drop of each test's mean; 1 where there is none.

    ``before`` and ``after`` have the shape (tests, examples, rollouts); ``most`` random permutations of each.
    """
    by_signs = found = signs_p(differences_of(before, after), most)
    if before.shape != after.shape:
        for count, limit in ((FEW, 1.0), (most, LOW)):
            [low] = np.nonzero(found < limit)
            found = found.copy()
            found[low] = np.maximum(by_signs[low], by_exchange(before[low], after[low], count))
    return found


def differences_of(before: Array, after: Array) -> Array:
    """The difference of each example's means: (tests, examples)."""
    found: Array = after.mean(axis=-1) - before.mean(axis=-1)
    return np.where(np.abs(found) < ROUNDING, 0.0, found)


def signs_p(differences: Array, most: int = MANY) -> Array:
    """How probable is the drop of each test's mean by random signs alone; the t-test where the plugin takes it."""
    found = np.ones(len(differences))
    moved = np.count_nonzero(differences, axis=1)
    many, fell = moved > paired.MOST_PERMUTED, differences.sum(axis=1) < -ROUNDING
    [permuted] = np.nonzero(fell & ~many)
    found[permuted] = _by_signs(differences[permuted], FEW)
    if most > FEW:
        [low] = np.nonzero(found < LOW)
        found[low] = _by_signs(differences[low], most)
        by_plugin = (found < LOW) & (moved <= _ENUMERATED)
    else:
        by_plugin = np.zeros(len(found), np.bool_)
    for row in np.flatnonzero(by_plugin | (fell & many)):
        found[row] = paired.p_value(differences[row].tolist())
    return found


def least_drop_p(before: Array, after: Array) -> Array:
    """The lowest that `drop_p` could have been."""
    moved = np.count_nonzero(differences_of(before, after), axis=1)
    least: Array = 0.5 ** moved.astype(np.float64)
    least[moved > _ENUMERATED] = 1 / (MANY + 1)
    return least if before.shape == after.shape else np.maximum(least, 1 / (MANY + 1))


def _by_signs(differences: Array, count: int) -> Array:
    """With random signs, the observed ones among them."""
    flips = _signs(differences.shape[1], count)
    sums = (differences[start : start + _CHUNK] @ flips for start in range(0, len(differences), _CHUNK))
    as_low = [np.count_nonzero(part >= -ROUNDING, axis=1) for part in sums]
    return (np.concatenate([*as_low, np.zeros(0)]) + 1) / (count + 1)


@functools.cache
def _signs(examples: int, count: int) -> Array:
    return np.random.default_rng((SEED, examples)).integers(0, 2, (examples, count)).astype(np.float64)


def by_exchange(before: Array, after: Array, count: int) -> Array:
    """With random rotations of each example's samples."""
    tests, examples = before.shape[:2]
    rotated = _rotations(before, after)
    observed = rotated[:, :, 0].sum(axis=1)
    drawn = _drawn_rotations(examples, rotated.shape[2], count)
    flat = rotated.reshape(tests, examples * rotated.shape[2]).astype(np.float32)
    step = max(1, _CHUNK // 10)
    as_low = [
        np.count_nonzero(flat[start : start + step] @ drawn <= observed[start : start + step, None] + 1e-5, axis=1)
        for start in range(0, tests, step)
    ]
    return (np.concatenate([*as_low, np.zeros(0)]) + 1) / (count + 1)


def _rotations(before: Array, after: Array) -> Array:
    """The difference of an example's means in each rotation of its samples: (tests, examples, rotations)."""
    old, new = before.shape[2], after.shape[2]
    pooled = np.concatenate([before, after], axis=2)
    ends = np.concatenate([pooled, pooled], axis=2).cumsum(axis=2)
    ends = np.concatenate([np.zeros((*pooled.shape[:2], 1)), ends], axis=2)
    earlier = ends[:, :, old : 2 * old + new] - ends[:, :, : old + new]
    found: Array = (pooled.sum(axis=2, keepdims=True) - earlier) / new - earlier / old
    return found


@functools.lru_cache(maxsize=2)
def _drawn_rotations(examples: int, rotations: int, count: int) -> NDArray[np.float32]:
    """A column for each exchange, which has a 1 for the rotation that it takes of each example."""
    picked = np.random.default_rng((SEED, examples, rotations)).integers(0, rotations, (examples, count))
    found = np.zeros((examples * rotations, count), np.float32)
    found[np.arange(examples)[:, None] * rotations + picked, np.arange(count)] = 1
    return found


def example_p(before: Array, after: Array) -> Array:
    """How probable is the drop of each single example, over all divisions: (examples, rollouts) in, an array out."""
    divisions = _divisions(before.shape[1] + after.shape[1], after.shape[1])
    found = [np.zeros(0)]
    for start in range(0, len(before), _CHUNK):
        later = after[start : start + _CHUNK]
        sums = np.concatenate([before[start : start + _CHUNK], later], axis=1) @ divisions
        found.append((sums <= later.sum(axis=1, keepdims=True) + ROUNDING).mean(axis=1))
    return np.concatenate(found)


def least_example_p(before: Array, after: Array) -> Array:
    """The lowest that `example_p` could have been."""
    pooled, later = np.sort(np.concatenate([before, after], axis=1), axis=1), after.shape[1]
    highest = pooled[:, later - 1 : later]
    lower = np.count_nonzero(pooled < highest - ROUNDING, axis=1)
    equal = np.count_nonzero(np.abs(pooled - highest) <= ROUNDING, axis=1)
    ways = np.array([[math.comb(of, chosen) for chosen in range(later + 1)] for of in range(pooled.shape[1] + 1)])
    return np.asarray(ways[equal, later - lower] / math.comb(pooled.shape[1], later), np.float64)


@functools.cache
def _divisions(samples: int, later: int) -> Array:
    """A column for each division, which has a 1 for each later sample."""
    chosen = np.array(list(itertools.combinations(range(samples), later)))
    found = np.zeros((samples, len(chosen)))
    found[chosen, np.arange(len(chosen))[:, None]] = 1
    return found
