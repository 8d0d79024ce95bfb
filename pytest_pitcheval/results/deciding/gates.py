"""Gates: what all examples of a test must reach together. Pure decisions on summaries and comparisons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.names import (
    MAX_ERROR_RATE,
    MAX_MEAN,
    MAX_REGRESSION,
    MIN_AGGREGATE,
    MIN_MEAN,
    MIN_PASS_RATE,
    MUST_PASS,
    SCORE,
    Family,
    GateMode,
)
from pytest_pitcheval.results.deciding import drops, values
from pytest_pitcheval.results.deciding.early.looking import NOT_LOOKED, Looked
from pytest_pitcheval.results.deciding.evidence import Evidence, gather
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.deciding.reasons import GateStatus, Reason
from pytest_pitcheval.results.keys import Keyed, without_unnamed
from pytest_pitcheval.results.records import FINITE

if TYPE_CHECKING:
    from pytest_pitcheval.results.aggregates.changes import Change
    from pytest_pitcheval.results.comparison import Comparison
    from pytest_pitcheval.results.subjects import Subject
    from pytest_pitcheval.results.summaries.summary import Summary


@dataclasses.dataclass(frozen=True)
class GateResult(Keyed):
    """One gate of one test function and method.

    Attributes:
        value: what was held to ``limit``: a mean, a share, or how far a mean fell; None where there is none.
        p: one-sided, of the drop that decides; None for gates without a baseline.
        p_adjusted: the same among all ``among`` claims of the session; below 0.05 the drop is established.
        metric, slice: what it is about, as `Subject` has it.
        model, evaluator: as `Key` has them.
    """

    __pydantic_config__ = FINITE

    test: str
    optimization: str
    gate: str
    status: GateStatus
    value: float | None
    limit: float
    reason: str
    p: float | None = None
    p_adjusted: float | None = None
    among: int | None = None
    metric: str = SCORE
    slice: str | None = None
    model: str = ""
    evaluator: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is about the scores of all examples."""
        return self.metric == SCORE and self.slice is None

    @property
    def name(self) -> str:
        """The gate with its limit, and what it is about: ``min_mean=0.6 relevancy, topic=refunds``."""
        about = [] if self.metric == SCORE else [self.metric]
        about += [] if self.slice is None else [self.slice]
        return f"{self.gate}={self.limit:g}{' ' if about else ''}{', '.join(about)}"

    @property
    def text(self) -> str:
        """One line: the gate, whose it is, and why it is decided as it is."""
        return f"{self.name} {self.key.name}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return without_unnamed(dataclasses.asdict(self))


def decide(
    limits: Sequence[Limit],
    summaries: Mapping[Subject, Summary],
    comparisons: Mapping[Subject, Comparison] | None = None,
    mode: GateMode = "normal",
    family: Family = "holm",
    looked: Looked = NOT_LOOKED,
    changes: Mapping[Subject, Change] = MappingProxyType({}),
) -> list[GateResult]:
    """Every gate that is set, decided.

    ``summaries`` are by `Subject.part`; ``comparisons`` is None where there is no baseline at all; ``looked`` has what
    was established before the end; ``changes`` are of metrics of the whole set.
    """
    evidence = gather(limits, comparisons or {}, family, looked, changes)
    results = []
    for limit in limits:
        decided = _decide(summaries.get(limit.subject.part), limit, mode, comparisons, changes, evidence)
        results.append(_result(limit, decided, mode))
    return results


def _result(limit: Limit, decided: Reason, mode: GateMode) -> GateResult:
    status = "failed" if mode == "strict" and decided.status == "inconclusive" else decided.status
    adjusted, among = (decided.adjusted.p, decided.adjusted.among) if decided.adjusted else (None, None)
    subject, value = limit.subject, decided.value
    return GateResult(
        **subject.key._asdict(),
        gate=limit.gate,
        status=status,
        value=None if value is None or math.isinf(value) else value,
        limit=limit.limit,
        reason=decided.text,
        p=decided.p,
        p_adjusted=adjusted,
        among=among,
        metric=subject.metric,
        slice=subject.slice_text,
    )


def _decide(
    summary: Summary | None,
    asked: Limit,
    mode: GateMode,
    comparisons: Mapping[Subject, Comparison] | None,
    changes: Mapping[Subject, Change],
    evidence: Evidence,
) -> Reason:
    subject, gate, limit = asked
    if summary is not None and summary.cut_off and not (gate == MUST_PASS and summary.failing):
        text = f"not decided: {summary.cut_off} after {summary.known} of {summary.examples} examples"
        return Reason("failed", None, text)
    if gate == MUST_PASS:
        return values.must_pass(summary)
    if summary is None:
        return Reason("inconclusive", None, "no example of the dataset has it any more")
    if 0 < summary.skipped == summary.examples and not (summary.xfailed or summary.scored or summary.unchanged):
        return Reason("inconclusive", None, "all examples were skipped")
    if gate in (MIN_MEAN, MAX_MEAN):
        return values.mean(summary, asked, mode)
    if gate == MIN_AGGREGATE:
        return values.aggregate(summary, asked, mode)
    if gate == MIN_PASS_RATE:
        return values.pass_rate(summary, asked, mode)
    if gate == MAX_ERROR_RATE:
        return values.error_rate(summary, limit)
    if comparisons is None:
        return Reason("failed", None, "there is no baseline; --eval-update-baseline writes one")
    if (change := changes.get(subject)) is not None and gate == MAX_REGRESSION:
        return drops.of_whole_set(subject, change, limit, evidence)
    comparison = comparisons.get(subject)
    if comparison is None:
        return Reason("inconclusive", None, "not in the baseline")
    if reason := drops.incomparable(comparison):
        return reason
    return (drops.regression if gate == MAX_REGRESSION else drops.example_drop)(subject, comparison, limit, evidence)
