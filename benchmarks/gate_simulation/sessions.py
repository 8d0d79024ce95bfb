"""Whole sessions of many tests: how often any gate errs, and how often the test that got worse is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.gate_simulation.comparing import SUMMARY, comparison_of
from benchmarks.gate_simulation.kinds import EVEN, KINDS, SEED, Kind
from benchmarks.gate_simulation.rates import Rate
from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results import gates
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.records import Key
from pytest_pitcheval.results.summaries import Summary


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests of a session, all with the same kind of scores.

    Attributes:
        limits: the gates of each test.
        broken: the first test's first examples whose every rollout is 0 now, and all of them were 1.
        worse: by how much the scores of the first test's examples are lower now.
    """

    kind: Kind
    tests: int
    examples: int
    rollouts: int
    limits: Mapping[str, float]
    broken: int = 0
    worse: float = 0.0

    def sessions(self) -> Iterator[tuple[list[Summary], dict[Key, Comparison]]]:
        """Summaries and comparisons of one session after the other, each with a baseline of its own."""
        random = np.random.default_rng((SEED, self.tests, self.examples, self.rollouts, self.broken))
        summaries = [dataclasses.replace(SUMMARY, test=f"test{number}") for number in range(self.tests)]
        while True:
            pairs = [self.kind.draw(random, self.examples, self.rollouts, self.rollouts) for _ in summaries]
            pairs[0][1] -= self.worse
            for scores, score in zip(pairs[0], (1.0, 0.0), strict=True):
                scores[:, : self.broken] = score
            compared = [comparison_of(*pair) for pair in pairs]
            yield (
                summaries,
                {s.key: dataclasses.replace(c, test=s.test) for s, c in zip(summaries, compared, strict=True)},
            )

    def rates(self, runs: int) -> dict[Family, tuple[Rate, Rate]]:
        """How often the first test fails a gate, and how often any test does, by family."""
        counts: dict[Family, list[int]] = {"holm": [0, 0], "none": [0, 0]}
        sessions = self.sessions()
        for _ in range(runs):
            summaries, comparisons = next(sessions)
            for family, found in counts.items():
                decided = gates.decide(summaries, lambda _: self.limits, comparisons, family=family)
                failed = {gate.test for gate in decided if gate.status == "failed"}
                found[0] += "test0" in failed
                found[1] += bool(failed)
        return {family: (Rate(found[0], runs), Rate(found[1], runs)) for family, found in counts.items()}


def session(name: str, suite: Suite, runs: int) -> str:
    """One line: how often a session fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    size = f"{suite.tests:5} {suite.examples:9} {suite.rollouts:9}"
    return f"{name:<8} {size}  {found['holm'][1]:!}  {found['none'][1]}"


def affected(name: str, suite: Suite, runs: int) -> str:
    """One line: how often the test that got worse fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    size = f"{suite.tests:5} {suite.examples:9} {suite.rollouts:9}"
    return f"{name:<28} {size}  {found['holm'][0]}  {found['none'][0]}"


def session_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms of a whole session: nothing has changed, any gate fails"
    yield "scores   tests  examples  rollouts  one error rate  one for each gate"
    yield "max_regression, limit 0"
    for name, kind in KINDS.items():
        for tests in (1, 10, 20, 40):
            yield session(name, Suite(kind, tests, 20, 1, {MAX_REGRESSION: 0.0}), runs)
    yield "max_regression and max_example_drop, limit 0"
    both = {MAX_REGRESSION: 0.0, MAX_EXAMPLE_DROP: 0.0}
    for name, kind in {"0/1": KINDS["0/1"], "0/1 even": EVEN, "skewed": KINDS["skewed"]}.items():
        for tests, rollouts in ((1, 5), (10, 3), (10, 5)):
            yield session(name, Suite(kind, tests, 20, rollouts, both), runs)


def affected_lines(runs: int) -> Iterator[str]:
    yield "\nDetection: the first test got worse, and fails a gate"
    yield "what                         tests  examples  rollouts  one error rate  one for each gate"
    drop, mean = {MAX_EXAMPLE_DROP: 0.5}, {MAX_REGRESSION: 0.05}
    for examples in (8, 50):
        yield affected("one example broke", Suite(KINDS["0/1"], 1, examples, 5, drop, broken=1), runs)
    for tests in (1, 20):
        for rollouts in (3, 5):
            suite = Suite(KINDS["skewed"], tests, 50, rollouts, mean, worse=0.1)
            yield affected("all examples 0.10 worse", suite, runs)
