"""What a run comes to: pure, so that a finished run can be decided again under other terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from pytest_pitcheval.names import GATES, MAX_REGRESSION, NEED_BASELINE, Family, GateMode
from pytest_pitcheval.results import comparison, gates, side_by_side, summaries
from pytest_pitcheval.results.baselines import Baseline, measure
from pytest_pitcheval.results.comparison import Comparison, Coverage
from pytest_pitcheval.results.gates import DEFAULT_MAX_REGRESSION, GateResult
from pytest_pitcheval.results.records import Collected, Key, Record
from pytest_pitcheval.results.side_by_side import MethodResult
from pytest_pitcheval.results.summaries import Missing, Summary


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the tests of a run left.

    Attributes:
        collected: its evaluation tests, in their order.
        records: by node ID, those that left one.
        missing: by node ID, the others.
        not_run: by test and method, the examples of the dataset that were not collected.
    """

    collected: Sequence[Collected]
    records: Mapping[str, Record]
    missing: Mapping[str, Missing]
    not_run: Mapping[Key, Sequence[str]] = dataclasses.field(default_factory=dict)

    def coverage(self) -> dict[Key, Coverage]:
        """What was collected and what was not, by test and method."""
        groups: dict[Key, dict[str, None]] = {}  # a set that keeps the order
        for test in self.collected:
            groups.setdefault(test.key, {})[test.example_id or ""] = None
        return {key: Coverage(ids, frozenset(self.not_run.get(key, ()))) for key, ids in groups.items()}


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a run is held to.

    Attributes:
        limit: the limit of a gate, given its name and the test's own limit (each None where there is none).
        mode: how sure a gate must be.
        family: whether all claims that something got worse have one error rate.
        allowed: what may have changed since the baseline, of `names.ALLOWED`.
    """

    limit: Callable[[str, float | None], float | None]
    mode: GateMode = "normal"
    family: Family = "holm"
    allowed: Collection[str] = ()


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a run comes to.

    Attributes:
        comparisons: with the baseline, by test and method; None where there was no baseline.
        tests_not_run: the tests of the baseline that the run has nothing of.
    """

    summaries: list[Summary]
    comparisons: list[Comparison] | None
    methods: list[MethodResult]
    gates: list[GateResult]
    tests_not_run: Sequence[str] = ()


def decide(outcome: Outcome, baseline: Baseline | None, terms: Terms, gated: bool = True) -> Decision:
    """Sum ``outcome`` up and hold it to ``terms``; ``gated``: also against a baseline, when there is none too."""
    found = summaries.summarize(outcome.collected, outcome.records, outcome.missing, outcome.not_run)
    measured, coverage = measure(outcome.records.values()), outcome.coverage()
    compared = None if baseline is None else comparison.compare_all(baseline, measured, coverage, terms.allowed)
    by_key = None if compared is None else {comparison.key: comparison for comparison in compared}

    def limits(summary: Summary) -> dict[str, float]:
        return _limits(summary, terms, summary.key in (by_key or {}), gated)

    return Decision(
        found,
        compared,
        side_by_side.compare_methods(list(coverage), measured),
        gates.decide(found, limits, by_key, terms.mode, terms.family),
        comparison.absent_tests(baseline or {}, coverage),
    )


def decide_again(outcome: Outcome, threshold: Callable[[float | None], float | None]) -> Outcome:
    """``outcome`` with other thresholds; ``threshold`` gives one, given the test's own."""
    records = {nodeid: _judged_again(record, threshold) for nodeid, record in outcome.records.items()}
    return dataclasses.replace(outcome, records=records)


def _judged_again(record: Record, threshold: Callable[[float | None], float | None]) -> Record:
    """The record with another threshold, and with another status if its score decided the old one.

    The score decided if the test passed at or above its old threshold, or failed below it. A test that passed below
    its threshold does not assert the threshold, and one that failed above it asserts something else: both keep their
    status.
    """
    if record.score is None or record.error is not None or record.status not in ("passed", "failed"):
        return record
    old, new = record.threshold, threshold(record.own_threshold)
    reached = old is None or record.score >= old
    if reached != (record.status == "passed"):
        return dataclasses.replace(record, threshold=new)
    passes = new is None or record.score >= new
    return dataclasses.replace(record, threshold=new, status="passed" if passes else "failed")


def _limits(summary: Summary, terms: Terms, is_compared: bool, gated: bool) -> dict[str, float]:
    found = {name: terms.limit(name, summary.gates.get(name)) for name in GATES}
    if is_compared and found[MAX_REGRESSION] is None:
        found[MAX_REGRESSION] = DEFAULT_MAX_REGRESSION
    left_out = () if gated else NEED_BASELINE
    return {name: limit for name, limit in found.items() if limit is not None and name not in left_out}
