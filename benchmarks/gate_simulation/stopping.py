"""Tests that stop once they are decided: false alarms over all looks, what the looks cost, and the calls they save."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate_simulation import batches
from benchmarks.gate_simulation.kinds import EVEN, KINDS, SEED, Array, Kind, Random
from benchmarks.gate_simulation.rates import Rate
from pytest_pitcheval.names import MIN_MEAN, MIN_PASS_RATE, SCORE
from pytest_pitcheval.results.collected import Collected, Requirements
from pytest_pitcheval.results.deciding.decisions import Terms, stopping
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Status
from pytest_pitcheval.results.significance import looks
from pytest_pitcheval.results.significance.families import Claim, holm
from pytest_pitcheval.results.significance.means import ALPHA

Flags = NDArray[np.bool_]

_LOW = 0.05
"""No level is higher."""

_TOGETHER = 2_000
"""So many tests are drawn at a time, more or less."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests of a session with a ``max_regression`` each, which are looked at before the end.

    Attributes:
        rollouts: of each example in the baseline, and in the run.
        slices: each test's examples fall into so many slices, each with the gate of the test.
        single: whether each example has a ``max_example_drop`` too.
        worse: by how much the means of the first test's examples are lower now.
        factor: what is left of the means of the first test's examples.
        limit: that of each ``max_regression``.
    """

    kind: Kind
    tests: int
    examples: int
    rollouts: tuple[int, int] = (1, 1)
    slices: int = 0
    single: bool = False
    worse: float = 0.0
    factor: float = 1.0
    limit: float = 0.0

    @property
    def parts(self) -> list[slice]:
        """All examples, and those of each slice."""
        return [slice(None), *(slice(number, None, self.slices) for number in range(self.slices))]

    def draw(self, random: Random, sessions: int) -> tuple[Array, Array]:
        """Baselines and runs: scores of the shape (sessions, tests, examples, rollouts)."""
        means = random.beta(*self.kind.means, (sessions, self.tests, self.examples))
        now = means.copy()
        now[:, 0] = np.clip(self.factor * now[:, 0] - self.worse, 0, 1)
        before, after = (
            self.kind.scores(random, (count, *one.shape), one)
            for count, one in zip(self.rollouts, (means, now), strict=True)
        )
        return np.moveaxis(before, 0, -1).copy(), np.moveaxis(after, 0, -1).copy()

    def levels(self) -> Array:
        """The level of each look at each part of a test, (parts, looks)."""
        among = self.tests * len(self.parts)
        sizes = looks.sizes(self.examples)
        return np.array([looks.levels([len(range(size)[part]) for size in sizes], among) for part in self.parts])

    def early(self, before: Array, after: Array) -> Array:
        """The look at which each claim is established, of the shape (sessions, tests, parts): 0, 1, 2; 3 where none."""
        levels, shape = self.levels(), (*before.shape[:2], len(self.parts))
        found = np.full(shape, len(looks.PARTS))
        for number, size in reversed(list(enumerate(looks.sizes(self.examples)))):
            for part, taken in enumerate(self.parts):
                level = levels[part, number]
                if level:
                    p, drop = _of_means(before[:, :, :size][:, :, taken], after[:, :, :size][:, :, taken])
                    found[:, :, part][(p < level) & (drop > self.limit)] = number
        return found

    def fails(self, before: Array, after: Array, with_looks: bool) -> Iterator[tuple[bool, bool]]:
        """Of each session: whether the first test fails a gate, and whether any test does."""
        found = self.early(before, after) if with_looks else None
        level = looks.last_level([*self.levels().tolist()] * self.tests) if with_looks else ALPHA
        p, least, fell = self._at_end(before, after)
        examples = self._of_examples(before, after) if self.single else None
        for session in range(len(before)):
            is_early = np.zeros(p.shape[1:], np.bool_) if found is None else found[session] < len(looks.PARTS)
            ps, lows = np.where(is_early, 0, p[session]), np.where(is_early, 0, least[session])
            falls = is_early | fell[session]
            if examples is not None:
                ps, lows, falls = (
                    np.concatenate([one, two[session]], axis=1)
                    for one, two in zip((ps, lows, falls), examples, strict=True)
                )
            yield _established(ps, lows, falls, level)

    def _at_end(self, before: Array, after: Array) -> tuple[Array, Array, Flags]:
        found = []
        for taken in self.parts:
            old, new = before[:, :, taken], after[:, :, taken]
            p, drop = _of_means(old, new)
            flat = [one.reshape(-1, *one.shape[2:]) for one in (old, new)]
            found.append((p, batches.least_drop_p(*flat).reshape(p.shape), drop > self.limit))
        return tuple(np.stack(one, axis=2) for one in zip(*found, strict=True))  # type: ignore[return-value]

    def _of_examples(self, before: Array, after: Array) -> tuple[Array, Array, Flags]:
        """p-values, the lowest possible ones, and which fell: (sessions, tests, examples)."""
        shape, flat = before.shape[:3], [one.reshape(-1, one.shape[-1]) for one in (before, after)]
        fell = (before.mean(axis=3) - after.mean(axis=3)) > 1e-9
        p = np.where(fell.ravel(), batches.example_p(*flat), 1.0).reshape(shape)
        return p, batches.least_example_p(*flat).reshape(shape), fell

    def rates(self, runs: int, with_looks: bool = True) -> tuple[Rate, Rate]:
        """How often the first test fails a gate, and how often any test does."""
        random = self.random()
        first = any_test = done = 0
        while done < runs:
            sessions = min(max(1, _TOGETHER // self.tests), runs - done)
            for one, all_of_them in self.fails(*self.draw(random, sessions), with_looks):
                first, any_test = first + one, any_test + all_of_them
            done += sessions
        return Rate(first, runs), Rate(any_test, runs)

    def random(self) -> Random:
        """The same for the same sizes."""
        return np.random.default_rng((SEED, self.tests, self.examples, *self.rollouts, self.slices))


def _of_means(before: Array, after: Array) -> tuple[Array, Array]:
    """The p-value of each test's drop, and the drop: (sessions, tests)."""
    shape, flat = before.shape[:2], [one.reshape(-1, *one.shape[2:]) for one in (before, after)]
    drop: Array = before.mean(axis=(2, 3)) - after.mean(axis=(2, 3))
    p = batches.signs_p(batches.differences_of(*flat))
    if flat[0].shape != flat[1].shape:  # all permutations for low ones: early levels are near the lowest p-value
        [low] = np.nonzero(p < _LOW)
        p[low] = np.maximum(p[low], batches.by_exchange(flat[0][low], flat[1][low], batches.MANY))
    return p.reshape(shape), drop


def _established(p: Array, least: Array, fell: Flags, level: float) -> tuple[bool, bool]:
    """Whether a gate of the first test fails, and of any, by the plugin's own procedure; claims are (tests, claims)."""
    factor = ALPHA / level
    pairs = zip(p.ravel().tolist(), least.ravel().tolist(), strict=True)
    claims = [Claim(min(1.0, one * factor), min(1.0, low * factor)) for one, low in pairs]
    if not any(claim.p < ALPHA for claim in claims):
        return False, False
    adjusted = np.array([one.p for one in holm(claims)]).reshape(p.shape)
    failed = fell & (adjusted < ALPHA)
    return bool(failed[0].any()), bool(failed.any())


def found_by(suite: Suite, runs: int) -> list[Rate]:
    """How often the first test's drop is established after 10, 20 and 50 % of its examples, or before.

    ``suite.tests`` share the error rate; the first one alone is drawn.
    """
    alone = dataclasses.replace(suite, tests=1)
    random, counts, done = suite.random(), np.zeros(len(looks.PARTS), int), 0
    while done < runs:
        sessions = min(_TOGETHER // 4, runs - done)
        before, after = alone.draw(random, sessions)
        found = suite.early(before, after)[:, 0, 0]
        counts += [np.count_nonzero(found <= number) for number in range(len(counts))]
        done += sessions
    return [Rate(int(count), runs) for count in counts]


def needed(gates: Mapping[str, float], scores: Array, passed: Flags) -> Array:
    """Which share of its examples each run needs until it is decided: (runs, examples) in, an array of shares out."""
    examples = scores.shape[1]
    asked = Requirements({gate: {SCORE: limit} for gate, limit in gates.items()})
    tests = [Collected(f"t[{n}]", "t", f"{n}", "none", asked) for n in range(examples)]
    terms = Terms(lambda gate, own: own, looks=0)
    order = [int(name) for name in looks.in_order(0, "t", [f"{n}" for n in range(examples)])]
    found = []
    for run, outcomes in zip(scores.tolist(), passed.tolist(), strict=True):
        decided, count = stopping(tests, None, terms), examples
        for number, place in enumerate(order, 1):
            status: Status = "passed" if outcomes[place] else "failed"
            decided.hear(Record(f"t[{place}]", "t", f"{place}", "none", status, run[place], samples=(run[place],)))
            if decided.reason(Key("t", "none")):
                count = number
                break
        found.append(count / examples)
    return np.array(found)


def false_alarms(name: str, suite: Suite, runs: int) -> str:
    """One line: how often an unchanged session fails, with looks and without."""
    with_looks, without = (suite.rates(runs, looked)[1] for looked in (True, False))
    return f"{name:<10} {_size(suite)}  {with_looks:!}  {without:!}"


def affected(name: str, suite: Suite, runs: int) -> str:
    """One line: how often the test that got worse fails, with looks and without."""
    with_looks, without = (suite.rates(runs, looked)[0] for looked in (True, False))
    return f"{name:<10} {_size(suite)}  {with_looks}  {without}"


def saved(name: str, suite: Suite, runs: int) -> str:
    """One line: how often a drop is established after 10, 20 and 50 % of the examples."""
    return f"{name:<10} {_size(suite)}  " + "  ".join(f"{rate}" for rate in found_by(suite, runs))


def _size(suite: Suite) -> str:
    before, now = suite.rollouts
    return f"{suite.tests:5} {suite.examples:9} {f'{before} and {now}':>9}"


def absolute(gate: str, limit: float, rate: float, examples: int, runs: int) -> str:
    """One line: which share of the calls a gate on a mean or pass rate needs, for 0/1 scores of this mean."""
    random = np.random.default_rng((SEED, round(1000 * rate), examples))
    scores = (random.random((runs, examples)) < rate).astype(np.float64)
    shares = needed({gate: limit}, scores, scores > 0)
    return f"{f'{gate}={limit}':<18} {rate:9.2f} {examples:9}  {shares.mean():7.1%}  {np.quantile(shares, 0.95):7.1%}"


_HEAD = "scores     tests  examples  rollouts"


def stopping_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms of a whole session with --eval-stop: nothing has changed, a drop is established at any look"
    yield f"{_HEAD}  with looks     without"
    for name, kind in {**KINDS, "0/1 even": EVEN}.items():
        for examples, rollouts in ((20, (1, 1)), (50, (3, 3)), (50, (10, 3))):
            for tests in (1, 10, 20, 40):
                yield false_alarms(name, Suite(kind, tests, examples, rollouts), runs)
    yield "with max_example_drop, and of 4 slices each"
    for tests in (1, 10, 20, 40):
        yield false_alarms("0/1", Suite(KINDS["0/1"], tests, 20, (5, 5), slices=4, single=True), runs)
    yield "\nWhat the looks cost: the means of all examples of the first test are 0.10 lower; max_regression=0.05"
    yield f"{_HEAD}  with looks     without"
    for name, kind in KINDS.items():
        for tests in (1, 20):
            for rollouts in ((1, 1), (3, 3), (5, 5)):
                yield affected(name, Suite(kind, tests, 50, rollouts, worse=0.1, limit=0.05), runs)
    yield "\nCalls saved: the first test lost half its score; its drop is established after so many of them"
    yield f"{_HEAD}  10 %           20 %           50 %"
    for name, kind in KINDS.items():
        for tests in (1, 20, 40):
            for rollouts in ((1, 1), (3, 3), (10, 1)):
                yield saved(name, Suite(kind, tests, 200, rollouts, factor=0.5, limit=0.05), runs)
    yield "\nCalls that a gate on this run alone takes: mean, and 95 % of runs take no more"
    yield "gate               true rate  examples     mean     95 %"
    for gate in (MIN_PASS_RATE, MIN_MEAN):
        for limit, rates in ((0.8, (0.5, 0.7, 0.75, 0.85, 0.95)), (0.5, (0.2, 0.9))):
            for rate in rates:
                yield absolute(gate, limit, rate, 200, runs)
