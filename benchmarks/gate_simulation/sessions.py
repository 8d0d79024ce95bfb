"""Whole sessions of many tests: how often any gate errs, and how often the test that got worse is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate_simulation import batches
from benchmarks.gate_simulation.kinds import EVEN, HIGH, KINDS, REPEATS, SEED, Array, Kind, Random
from benchmarks.gate_simulation.rates import Rate
from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results.significance.families import Claim, holm
from pytest_pitcheval.results.significance.means import ALPHA, ROUNDING

Flags = NDArray[np.bool_]

_TOGETHER = 4_000
"""So many tests are drawn at a time, more or less."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests of a session, all with the same kind of scores.

    Attributes:
        rollouts: of each example in the baseline, and in the run.
        limits: the gates of each test.
        broken: the first test's first examples whose every rollout is 0 now, and all of them were 1.
        worse: by how much the means of the first test's examples are lower now.
        common: the share of scores that all tests of a session have in common, as metrics of the same rollouts do.
        repeats: the share of an example's rollouts that score what another one of the same run did.
        slices: each test's examples fall into so many slices, each with the gates of the test's mean.
    """

    kind: Kind
    tests: int
    examples: int
    rollouts: tuple[int, int]
    limits: Mapping[str, float]
    broken: int = 0
    worse: float = 0.0
    common: float = 0.0
    slices: int = 0
    repeats: float = 0.0

    def draw(self, random: Random, sessions: int) -> tuple[Array, Array]:
        """Baselines and runs: scores of the shape (sessions, tests, examples, rollouts)."""
        kinds = 1 if self.common else self.tests
        means = random.beta(*self.kind.means, (sessions, kinds, self.examples))
        means = np.broadcast_to(means, (sessions, self.tests, self.examples))
        now = means.copy()
        now[:, 0] = np.clip(now[:, 0] - self.worse, 0, 1)
        before, after = (
            self._scores(random, count, one) for count, one in zip(self.rollouts, (means, now), strict=True)
        )
        before[:, 0, : self.broken], after[:, 0, : self.broken] = 1.0, 0.0
        return before, after

    def _scores(self, random: Random, count: int, means: Array) -> Array:
        scores = self.kind.scores(random, (count, *means.shape), means)
        if self.common:
            same = self.kind.scores(random, (count, *means[:, :1].shape), means[:, -1:])
            scores = np.where(random.random(scores.shape) < self.common, same, scores)
        if self.repeats:
            same = self.kind.scores(random, means.shape, means)
            scores = np.where(random.random(scores.shape) < self.repeats, same, scores)
        found: Array = np.moveaxis(scores, 0, -1).copy()
        return found

    def rates(self, runs: int) -> dict[Family, tuple[Rate, Rate]]:
        """How often the first test fails a gate, and how often any test does, by family."""
        random = np.random.default_rng((SEED, self.tests, self.examples, *self.rollouts, self.broken, self.slices))
        counts: dict[Family, list[int]] = {"holm": [0, 0], "none": [0, 0]}
        done, step = 0, max(1, _TOGETHER // self.tests)
        while done < runs:
            sessions = min(step, runs - done)
            for session in self.claims(*self.draw(random, sessions)):
                for family, found in counts.items():
                    first, any_test = session.fails(family)
                    found[0] += first
                    found[1] += any_test
            done += sessions
        return {family: (Rate(found[0], runs), Rate(found[1], runs)) for family, found in counts.items()}

    def claims(self, before: Array, after: Array) -> Iterator[Claims]:
        """What the gates of each session claim."""
        parts = []
        if MAX_REGRESSION in self.limits:
            parts += [self._of_means(before[:, :, one], after[:, :, one]) for one in self._members()]
        if MAX_EXAMPLE_DROP in self.limits:
            parts.append(self._of_examples(before, after))
        for session in range(len(before)):
            yield Claims(*(np.concatenate([part[name][session] for part in parts]) for name in range(4)))

    def _members(self) -> list[slice]:
        """All examples, and those of each slice."""
        size = self.examples // max(1, self.slices)
        return [slice(None), *(slice(start * size, (start + 1) * size) for start in range(self.slices))]

    def _of_means(self, before: Array, after: Array) -> tuple[Array, Array, Flags, Flags]:
        old, new = (scores.reshape(-1, *scores.shape[2:]) for scores in (before, after))
        drop = before.mean(axis=(2, 3)) - after.mean(axis=(2, 3))
        p, least = (values.reshape(drop.shape) for values in (batches.drop_p(old, new), batches.least_drop_p(old, new)))
        return p, least, drop > self.limits[MAX_REGRESSION], _first(drop)

    def _of_examples(self, before: Array, after: Array) -> tuple[Array, Array, Flags, Flags]:
        drop = (before.mean(axis=3) - after.mean(axis=3)).reshape(len(before), -1)
        fell = drop > self.limits[MAX_EXAMPLE_DROP] + ROUNDING
        old, new = (scores.reshape(-1, scores.shape[-1]) for scores in (before, after))
        p, least = np.ones(drop.shape), batches.least_example_p(old, new).reshape(drop.shape)
        p[fell] = batches.example_p(old[fell.ravel()], new[fell.ravel()])
        return p, least, fell, _first(drop, self.examples)


def _first(drop: Array, size: int = 1) -> Flags:
    """Which of a session's claims are those of its first test, which has ``size`` of them."""
    return np.broadcast_to(np.arange(drop.shape[1]) < size, drop.shape)


@dataclasses.dataclass(frozen=True)
class Claims:
    """A session's: p-values, the lowest they could be, whether the drop is above the limit, and of the first test."""

    p: Array
    least: Array
    fell: Flags
    first: Flags

    def fails(self, family: Family) -> tuple[bool, bool]:
        """Whether a gate of the first test fails, and of any, by the plugin's own procedure."""
        if family == "none":
            failed = self.fell & (self.p < ALPHA)
        elif not self._any_is_established():
            return False, False
        else:
            adjusted = holm([Claim(p, least) for p, least in zip(self.p.tolist(), self.least.tolist(), strict=True)])
            failed = self.fell & (np.array([one.p for one in adjusted]) < ALPHA)
        return bool(np.any(failed & self.first)), bool(np.any(failed))

    def _any_is_established(self) -> bool:
        """Whether Holm's procedure would establish any; most sessions need not go through it."""
        counts = np.arange(1, len(self.p) + 2)
        among = counts[np.searchsorted(np.sort(self.least), ALPHA / counts) <= counts][0]
        counted = self.least * among < ALPHA * (1 + ROUNDING)
        return bool(np.any(self.p[counted] * np.count_nonzero(counted) < ALPHA * (1 + ROUNDING)))


def session(name: str, suite: Suite, runs: int) -> str:
    """One line: how often a session fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    return f"{name:<15} {_size(suite)}  {found['holm'][1]:!}  {found['none'][1]}"


def affected(name: str, suite: Suite, runs: int) -> str:
    """One line: how often the test that got worse fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    return f"{name:<15} {_size(suite)}  {found['holm'][0]}  {found['none'][0]}"


def _size(suite: Suite) -> str:
    before, now = suite.rollouts
    return f"{suite.tests:5} {suite.examples:9} {f'{before} and {now}':>9}"


COMMON = 0.7
_HEAD = "scores          tests  examples  rollouts  one error rate  one for each gate"
MEAN, BOTH = {MAX_REGRESSION: 0.0}, {MAX_REGRESSION: 0.0, MAX_EXAMPLE_DROP: 0.0}
_KINDS: Mapping[str, tuple[Kind, float]] = {
    **{name: (kind, 0.0) for name, kind in KINDS.items()},
    "0/1, correlated": (KINDS["0/1"], COMMON),
}


def session_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms of a whole session: nothing has changed, any gate fails"
    yield f"rollouts: in the baseline and now; correlated: the tests have {COMMON:.0%} of their scores in common"
    yield from _family_lines("max_regression, limit 0", MEAN, ((1, 1), (3, 3), (5, 1), (10, 3)), 0, runs)
    yield from _family_lines("and max_example_drop, limit 0", BOTH, ((5, 5), (10, 3)), 0, runs)
    yield from _family_lines("max_regression, limit 0, and of 4 slices each", MEAN, ((3, 3), (10, 3)), 4, runs)
    yield from repeating_lines(runs)


def repeating_lines(runs: int) -> Iterator[str]:
    yield f"\nmax_example_drop, limit 0, where {REPEATS:.0%} of an example's rollouts in a run score alike"
    yield _HEAD
    for tests in (1, 20):
        suite = Suite(KINDS["0/1"], tests, 20, (5, 5), {MAX_EXAMPLE_DROP: 0.0}, repeats=REPEATS)
        yield session("0/1", suite, runs)


def _family_lines(
    title: str, limits: Mapping[str, float], rollouts: tuple[tuple[int, int], ...], slices: int, runs: int
) -> Iterator[str]:
    yield title
    yield _HEAD
    for name, (kind, common) in _KINDS.items():
        for counts in rollouts:
            for tests in (1, 10, 20, 40):
                yield session(name, Suite(kind, tests, 20, counts, limits, common=common, slices=slices), runs)


def affected_lines(runs: int) -> Iterator[str]:
    yield "\nDetection: one example of the first test broke: all its rollouts were 1 and are 0; max_example_drop=0.5"
    yield _HEAD
    drop, mean = {MAX_EXAMPLE_DROP: 0.5}, {MAX_REGRESSION: 0.05}
    for name, kind in {"0/1": KINDS["0/1"], "0/1 even": EVEN, "skewed": KINDS["skewed"]}.items():
        for examples in (8, 50):
            for tests in (1, 20):
                for rollouts in ((5, 5), (10, 5), (10, 3)):
                    yield affected(name, Suite(kind, tests, examples, rollouts, drop, broken=1), runs)
    yield "\nDetection: the means of all examples of the first test are 0.10 lower; max_regression=0.05"
    yield _HEAD
    for name, kind in {**KINDS, "0/1 high": HIGH, "0/1 even": EVEN}.items():
        for tests in (1, 20):
            for rollouts in ((1, 1), (3, 3), (5, 5), (10, 1), (10, 3), (10, 5)):
                yield affected(name, Suite(kind, tests, 50, rollouts, mean, worse=0.1), runs)
