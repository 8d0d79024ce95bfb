"""What the examples of one test function and method come to together, and what is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.names import BUDGET, DECIDED, SCORE, UNCHANGED, LeftOut
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.exams.corrected import Corrected
from pytest_pitcheval.results.exams.exam import Exam
from pytest_pitcheval.results.keys import Keyed
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.results.significance.noise import Noise
from pytest_pitcheval.results.subjects import SliceSummary

NO_LM_CALL = "no LM call: there is no LM, or it is asked in a child process or not through DSPy"
"""Of a test whose program made predictions: they may be as fresh as they should be, but nobody can tell."""

_WHY = {DECIDED: "as the gates were decided", BUDGET: "as the budget was reached"}


@dataclasses.dataclass(frozen=True)
class Missing:
    """An evaluation test that left no record, and why."""

    nodeid: str
    reason: str


@dataclasses.dataclass(frozen=True)
class MetricSummary:
    """A metric of some examples: how many have it, their mean and its interval."""

    mean: float | None
    ci95: tuple[float, float] | None
    scored: int

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "ci95": list(self.ci95) if self.ci95 else None, "scored": self.scored}


@dataclasses.dataclass(frozen=True)
class Summary(Keyed):
    """One test function with one method.

    Attributes:
        examples: how many were collected.
        scored: how many have a score; ``mean`` and ``ci95`` are of these alone.
        passed: how many tests passed.
        skipped: how many were skipped, those that failed as expected among them.
        xfailed: how many failed as expected.
        unscored: node IDs of examples without a score, each with the reason.
        asked: what the test's own marker asks of all examples.
        settings: those of the optimization method.
        not_run: IDs of the dataset's examples that were not collected.
        predicted: how many have a prediction that the plugin had the program make.
        metrics: each further number that examples have, by name.
        slices: those that the marker asks for, and those that are gone.
        failing: IDs of the examples whose test did not pass, was not skipped, and was not expected to fail.
        left_out_for: how many of the skipped ones did not run, by reason.
        is_unit: whether all scores are 0 to 1, those of unchanged examples too.
        with_unchanged: the score and each metric of all examples that were asked or are unchanged, as the baseline has
            these; nothing where none is.
        cut_off: why not all examples could be run that were needed: ``budget: $5.00 reached``; None where all could.
        exam: what a judge's exam came to; such a test has no mean, as its scores are of given answers.
        noise: what the variance of the mean is made of, where predictions have several verdicts each.
        corrected: the mean if people had judged, which `metrics` has too; None where no labels could tell.
        model, evaluator: as `Key` has them.
        aggregates: the metrics of the whole set, by name.
    """

    test: str
    optimization: str
    examples: int
    scored: int
    passed: int
    skipped: int
    mean: float | None
    ci95: tuple[float, float] | None
    usage: Usage
    generator: Usage
    judge: Usage
    seconds: float
    unscored: tuple[Missing, ...]
    asked: Requirements
    not_run: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    xfailed: int = 0
    predicted: int = 0
    metrics: Mapping[str, MetricSummary] = dataclasses.field(default_factory=dict)
    slices: tuple[SliceSummary, ...] = ()
    failing: tuple[str, ...] = ()
    left_out_for: Mapping[LeftOut, int] = dataclasses.field(default_factory=dict)
    is_unit: bool = True
    cut_off: str | None = None
    with_unchanged: Mapping[str, MetricSummary] = dataclasses.field(default_factory=dict)
    exam: Exam | None = None
    noise: Noise | None = None
    corrected: Corrected | None = None
    model: str = ""
    evaluator: str = ""
    aggregates: Mapping[str, Aggregate] = dataclasses.field(default_factory=dict)

    @property
    def unchanged(self) -> int:
        """How many did not run because nothing has changed since the baseline."""
        return self.left_out_for.get(UNCHANGED, 0)

    @property
    def known(self) -> int:
        """How many were needed, or are unchanged: of those that are neither, nobody knows what they would score."""
        return self.needed + self.unchanged

    @property
    def left_out(self) -> int:
        """How many of the skipped ones did not run, for whatever reason."""
        return sum(self.left_out_for.values())

    @property
    def needed(self) -> int:
        """How many examples were not left out; means and shares are of these."""
        return self.examples - self.left_out

    @property
    def part(self) -> str:
        """``42 of 100`` where the others were left out; empty where none was."""
        return f"{self.needed} of {self.examples}" if self.left_out else ""

    def of(self, metric: str) -> MetricSummary:
        """One metric, the score among them; of nothing where no example has it."""
        if metric == SCORE:
            return MetricSummary(self.mean, self.ci95, self.scored)
        return self.metrics.get(metric, MetricSummary(None, None, 0))

    def of_known(self, metric: str) -> MetricSummary:
        """The same with the examples that are unchanged."""
        if not self.unchanged:
            return self.of(metric)
        return self.with_unchanged.get(metric, MetricSummary(None, None, 0))

    @property
    def note(self) -> str:
        """What must be known beside the numbers, or may be wrong although nothing failed; empty as a rule."""
        asked = self.usage.fresh + self.usage.cached + self.usage.failed
        notes = [NO_LM_CALL] if self.predicted and not asked else []
        if self.exam is not None:
            return "; ".join(filter(None, [self.exam.undefined, self.exam.warning]))
        if self.unchanged:
            notes.append(formats.unchanged(self.unchanged, self.examples))
        counts = [f"{n} {formats.were(n)} left out, {_WHY[why]}" for why, n in self.left_out_for.items() if why in _WHY]
        if counts or (self.unchanged and self.scored):
            notes.append(": ".join([f"mean of {self.scored} of {self.examples}", *filter(None, ["; ".join(counts)])]))
        notes += [one.text for one in (self.noise, self.corrected) if one is not None and one.text]
        return "; ".join(notes)

    @property
    def pass_rate(self) -> float | None:
        """Passed tests over collected ones that were not left out; None of nothing."""
        return self.passed / self.needed if self.needed else None

    def to_dict(self) -> dict[str, Any]:
        counts = ("examples", "scored", "passed", "skipped", "left_out", "unchanged", "xfailed")
        plain = (*counts, "mean", "ci95", "pass_rate", "seconds", "not_run", "settings", "note")
        data: dict[str, Any] = {**self.key.to_dict(), **{name: getattr(self, name) for name in plain}}
        data |= {**self.usage.to_dict(), "generator": self.generator.to_dict(), "judge": self.judge.to_dict()}
        data |= {"ci95": list(self.ci95) if self.ci95 else None, "left_out_for": dict(self.left_out_for)}
        data |= {"not_run": list(self.not_run), "settings": dict(self.settings), "asked": self.asked.to_dict()}
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        data |= {"metrics": metrics, "unscored": [dataclasses.asdict(example) for example in self.unscored]}
        exam = self.exam.to_dict() if self.exam else None
        data |= {"noise": self.noise.to_dict()} if self.noise else {}
        data |= {"corrected": self.corrected.to_dict()} if self.corrected else {}
        data |= {"aggregates": {name: one.to_dict() for name, one in self.aggregates.items()}}
        return data | {"slices": [one.to_dict() for one in self.slices], "exam": exam}
