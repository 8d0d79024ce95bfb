"""A run as its reports tell it: HTML, markdown. Run files in, plain values out, the same for a session and later."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pytest_pitcheval.names import NEED_BASELINE
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.baselines import Baseline
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.deciding.decisions import NO_TERMS, Decision, Terms, decide, decide_against
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.significance.means import rounded
from pytest_pitcheval.results.subjects import Subject
from pytest_pitcheval.results.summaries.summary import Summary
from pytest_pitcheval.storage.expenses import BudgetLine, budget_line
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.storage.run_info import RunInfo

VerdictStatus = Literal["passed", "failed", "inconclusive", "unfinished"]


@dataclasses.dataclass(frozen=True)
class RunVerdict:
    """What a run came to, and why, a clause each."""

    status: VerdictStatus
    reasons: list[str]


@dataclasses.dataclass(frozen=True)
class RunReport:
    """What reports are made of.

    Attributes:
        baseline: the name of what the run was compared with, or None.
        before: the baseline's records by node ID; empty where it is a file of scores, or not here.
    """

    file: RunFile
    decision: Decision
    baseline: str | None = None
    before: Mapping[str, Record] = dataclasses.field(default_factory=dict)

    @property
    def run(self) -> RunInfo:
        """``run`` of the run file."""
        return self.file.run

    def gates_of(self, summary: Summary) -> list[GateResult]:
        """The gates of one test and method."""
        return [gate for gate in self.decision.gates if gate.key == summary.key]

    def comparison_of(self, key: Key) -> Comparison | None:
        """How one test and method compares with the baseline."""
        compared = (one for one in self.decision.comparisons or () if one.is_whole)
        return next((comparison for comparison in compared if comparison.key == key), None)

    @property
    def budget(self) -> BudgetLine | None:
        """What was spent of what might be; None without a cap."""
        return budget_line(self.run.id, self.run.budget, self.decision.summaries)

    @property
    def affected(self) -> str:
        """How many examples have changed since the baseline, in a line; empty where all were to be asked."""
        collected, of = self.file.outcome.collected, self.run.unchanged_since
        unchanged = sum(summary.unchanged for summary in self.decision.summaries)
        if not unchanged and not self.run.affected:
            return ""
        if self.run.affected and of is None:
            return "--eval-affected: there is no baseline, so all examples are asked"
        since = "the baseline" if of is None else of
        if unchanged == len(collected):
            return f"nothing asked: all of {formats.count(unchanged)} unchanged since {since}"
        return f"{formats.unchanged(unchanged, len(collected))}: what has changed since {since}"

    def statuses(self) -> Counter[str]:
        """How many tests ended how; ``missing`` are those without a record."""
        found = Counter[str](record.status for record in self.file.outcome.records.values())
        found["missing"] = len(self.file.outcome.missing)
        return found

    def verdict(self) -> RunVerdict:
        """Whether all of it holds."""
        ended, decided = self.statuses(), Counter(gate.status for gate in self.decision.gates)
        tests, left_out = sum(ended.values()), sum(summary.left_out for summary in self.decision.summaries)
        unchanged = sum(summary.unchanged for summary in self.decision.summaries)
        reasons = [
            _of(decided["failed"], len(self.decision.gates), "gate", "failed"),
            _of(decided["inconclusive"], len(self.decision.gates), "gate", "inconclusive"),
            _of(ended["failed"], tests, "example", "failed"),
            _of(ended["error"], tests, "example", "ended in an error"),
            _of(ended["missing"], tests, "example", "left no record"),
            _of(ended["skipped"] - left_out, tests, "example", "skipped"),
            _of(left_out - unchanged, tests, "example", "left out"),
            formats.unchanged(unchanged, tests) if unchanged else "",
        ]
        found = [reason for reason in reasons if reason]
        if not self.file.finished:
            return RunVerdict("unfinished", [f"{formats.count(tests)} recorded before it ended", *found])
        is_cut_off = self.budget is not None and self.budget.is_bad
        if decided["failed"] or ended["failed"] or ended["error"] or ended["missing"] or is_cut_off or not tests:
            return RunVerdict("failed", found or ["no example was evaluated"])
        passed = f"{formats.count(ended['passed'])} passed" if ended["passed"] else "no example was evaluated"
        return RunVerdict("inconclusive" if decided["inconclusive"] else "passed", [passed, *found])


def _of(part: int, whole: int, what: str, verb: str) -> str:
    return f"{part} of {formats.count(whole, what)} {verb}" if part else ""


def as_decided(file: RunFile, before: Mapping[str, Record]) -> RunReport:
    """The run with the gates and comparisons that its file has."""
    decision = decide(file.outcome, None, NO_TERMS)
    compared = None if file.run.baseline is None else file.comparisons
    decision = dataclasses.replace(decision, gates=file.gates, comparisons=compared, tests_not_run=file.tests_not_run)
    return RunReport(file, decision, file.run.baseline, before)


def compared_anew(
    file: RunFile,
    name: str,
    baseline: Baseline,
    before: Mapping[str, Record],
    terms: Terms,
) -> RunReport:
    """The run compared with another baseline; the gates that need one are decided again, with the limits they had.

    The rest is as ``terms`` say.
    """
    report = as_decided(file, before)
    slices = {str(one.slice): one.slice for summary in report.decision.summaries for one in summary.slices}
    had = [
        Limit(Subject(one.key, one.metric, slices.get(one.slice or "")), one.gate, one.limit)
        for one in file.gates
        if one.gate in NEED_BASELINE
    ]
    anew = decide_against(file.outcome, baseline, terms, had)
    decision = dataclasses.replace(
        report.decision,
        gates=[*(gate for gate in file.gates if gate.gate not in NEED_BASELINE), *anew.gates],
        comparisons=anew.comparisons,
        tests_not_run=anew.tests_not_run,
    )
    return RunReport(file, decision, name, before)


def changes(compared: Comparison) -> list[tuple[Pair, float]]:
    """The examples that are compared, each with its change, rounded so that what is no change is 0."""
    return [(pair, rounded(pair.change)) for pair in compared.pairs]


def moved(compared: Comparison) -> tuple[list[Pair], list[Pair]]:
    """The examples that fell and those that rose, the most changed first."""
    found = sorted(changes(compared), key=lambda one: one[1])
    fell = [pair for pair, change in found if change < 0]
    rose = [pair for pair, change in reversed(found) if change > 0]
    return fell, rose


class InRollout(NamedTuple):
    """What one rollout left; None or empty is what it did not leave.

    Attributes:
        score: as the metric returned it, 0 to 1 as a rule.
        verdicts: the score of each verdict on its prediction, where there are several.
        metrics: the further numbers that have a value, or None, for this rollout.
        prediction: the fields that the program returned.
        feedback: what the metric said.
    """

    score: float | None
    verdicts: tuple[float, ...]
    metrics: dict[str, float | None]
    prediction: Mapping[str, Any] | None
    feedback: str | None


def by_rollout(record: Record) -> Iterator[InRollout]:
    """Each rollout that ``record`` has a score or texts of; at least one."""
    texts = [{"prediction": record.prediction, "feedback": record.feedback}, *record.later_rollouts]
    for number in range(max(len(record.samples), len(texts))):
        told = texts[number] if number < len(texts) else {}
        yield InRollout(
            record.samples[number] if number < len(record.samples) else None,
            record.verdicts[number] if number < len(record.verdicts) else (),
            {name: values[number] for name, values in record.metrics.items() if number < len(values)},
            told.get("prediction"),
            told.get("feedback"),
        )
