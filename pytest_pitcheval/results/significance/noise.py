"""Where the noise of a mean comes from: its examples, its program or its judge, and what would narrow it most."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.records import Record, total
from pytest_pitcheval.results.significance.means import FEWEST, LARGEST, spread, t_quantile

EXAMPLES, PROGRAM, JUDGE = "examples", "program", "judge"
EXAMPLES_AND_PROGRAM = f"{EXAMPLES} and {PROGRAM}"
"""With one rollout of each example the two cannot be told apart."""

Scores = Sequence[Sequence[Sequence[float]]]
"""Of each example and rollout the score of each verdict; of all as many rollouts, of all rollouts as many verdicts."""


@dataclasses.dataclass(frozen=True)
class Step:
    """What could be asked beside all that was: so many ``calls`` more, and half the width of the interval then."""

    what: str
    calls: int
    half_width: float

    @property
    def text(self) -> str:
        return f"{self.what}: ±{self.half_width:.3f}, {self.calls:,} calls"


@dataclasses.dataclass(frozen=True)
class Noise:
    """What the variance of a mean is made of.

    Attributes:
        shares: how much of it each source brings, 0 to 1; nothing where all verdicts are the same.
        half_width: half the width of its 95 % interval; None where the metric asks no LM.
        steps: what about as many calls again could be spent on, what narrows it most first.
        is_asked: whether the metric asks an LM.
        judge_rollouts: how many verdicts there are on a prediction.
    """

    shares: Mapping[str, float]
    half_width: float | None
    steps: tuple[Step, ...]
    is_asked: bool
    judge_rollouts: int

    @property
    def text(self) -> str:
        """One line, however long."""
        if not self.is_asked:
            return f"judge_rollouts={self.judge_rollouts} gains nothing: the metric asks no LM"
        if not self.shares:
            return "noise of the mean: none, all verdicts are the same"
        parts = ", ".join(f"{source} {100 * share:.0f} %" for source, share in self.shares.items())
        first, *others = (step.text for step in self.steps)
        then = f"; then {'; '.join(others)}" if others else ""
        return f"noise of the mean: {parts}; ±{self.half_width:.3f} now, narrowed most by {first}{then}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Design(NamedTuple):
    """``examples``, of each so many ``rollouts``, on each so many ``verdicts``."""

    examples: int
    rollouts: int
    verdicts: int

    @classmethod
    def of(cls, scores: Scores) -> Design:
        return cls(len(scores), len(scores[0]), len(scores[0][0]))


class Calls(NamedTuple):
    """LM calls that a prediction took, and a verdict; on average."""

    prediction: float
    verdict: float

    def of(self, design: Design) -> float:
        """All of a run."""
        return design.examples * design.rollouts * (self.prediction + design.verdicts * self.verdict)


def components(scores: Scores) -> dict[str, float]:
    """The variances between examples, of a program's answers to one, and of a judge's verdicts on one answer.

    The analysis of variance of a balanced nested design with random effects: mean squares are equated with what is
    expected of them, which is unbiased (Searle, Casella and McCulloch, "Variance Components", 1992, chapters 3 and 4;
    of evaluations: Miller, "Adding error bars to evals", arXiv:2411.00640, 2024). So an estimate may be negative, of a
    variance that is about 0. With one rollout of each example, that between examples has the program's in it. At least
    two examples, and two verdicts on each prediction.
    """
    _, rollouts, verdicts = Design.of(scores)
    of_rollouts = [[statistics.mean(map(float, one)) for one in example] for example in scores]  # equal ones are equal
    between = statistics.variance(map(statistics.mean, of_rollouts))
    judge = statistics.fmean(statistics.variance(one) for example in scores for one in example)
    if rollouts == 1:
        return {EXAMPLES_AND_PROGRAM: between - judge / verdicts, JUDGE: judge}
    within = statistics.fmean(map(statistics.variance, of_rollouts))
    return {EXAMPLES: between - within / rollouts, PROGRAM: within - judge / verdicts, JUDGE: judge}


def of_records(records: Sequence[Record]) -> Noise | None:
    """The noise of the mean of ``records``.

    None where predictions have one verdict each, not all as many, or fewer than five examples have any.
    """
    judged = [record for record in records if record.score is not None and record.verdicts]
    shapes = {tuple(map(len, record.verdicts)) for record in judged}
    if len(shapes) != 1 or len(set(*shapes)) != 1 or min(min(shapes)) < 2:
        return None
    scores = [record.verdicts for record in judged]
    design, took = Design.of(scores), _took(judged)
    if not took.verdict:
        return Noise({}, None, (), False, design.verdicts)
    if len(judged) < FEWEST or not all(abs(one) < LARGEST for each in scores for verdicts in each for one in verdicts):
        return None
    found = {source: max(variance, 0.0) for source, variance in components(scores).items()}
    parts = _parts(found, design)
    whole = sum(parts.values())
    shares = {source: part / whole for source, part in parts.items()} if whole > 0 else {}
    means = [statistics.mean(map(float, record.samples)) for record in judged]
    now = t_quantile(design.examples - 1, 0.975) * spread(means) / math.sqrt(design.examples)
    steps = sorted(_steps(found, design, took, now), key=lambda step: step.half_width) if shares else []
    return Noise(shares, now, tuple(steps), True, design.verdicts)


def _took(records: Sequence[Record]) -> Calls:
    program, judge = total(record.generator for record in records), total(record.judge for record in records)
    predictions = sum(len(record.verdicts) for record in records)
    verdicts = sum(map(len, (one for record in records for one in record.verdicts)))
    return Calls((program.fresh + program.cached) / predictions, (judge.fresh + judge.cached) / verdicts)


def _parts(found: Mapping[str, float], design: Design) -> dict[str, float]:
    """What each source brings to the variance of the mean."""
    predictions = design.examples * design.rollouts
    of = {PROGRAM: predictions, JUDGE: predictions * design.verdicts}
    return {source: variance / of.get(source, design.examples) for source, variance in found.items()}


def _half_width(found: Mapping[str, float], design: Design) -> float:
    """As the parts have it, of which none is negative: another one than that of the interval, where an estimate is."""
    return t_quantile(design.examples - 1, 0.975) * math.sqrt(sum(_parts(found, design).values()))


def _steps(found: Mapping[str, float], design: Design, took: Calls, now: float) -> Iterator[Step]:
    """What about as many calls as there were can be spent on; ``now`` is half the width of the interval."""
    examples, rollouts, verdicts = design
    more = 2 * verdicts + round(took.prediction / took.verdict)
    wider = {f"{formats.count(examples, 'example')} more": design._replace(examples=2 * examples)}
    wider[f"judge_rollouts={more}"] = design._replace(verdicts=more)
    if PROGRAM in found:
        wider[f"rollouts={2 * rollouts}"] = design._replace(rollouts=2 * rollouts)
    for what, asked in wider.items():
        narrower = _half_width(found, asked) / _half_width(found, design)
        yield Step(what, round(took.of(asked) - took.of(design)), now * narrower)
