"""The tests and methods of a report: what each came to, and what is drawn of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from pytest_pitcheval.names import MAX_REGRESSION
from pytest_pitcheval.reports import run_reports
from pytest_pitcheval.reports.html import plots
from pytest_pitcheval.reports.html.plots import Differences, Distribution, Scale
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.baselines import Measurement
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.significance.means import ALPHA
from pytest_pitcheval.results.subjects import SliceSummary
from pytest_pitcheval.results.summaries.summary import MetricSummary, Summary

_FEWEST_DRAWN = 2


@dataclasses.dataclass(frozen=True)
class Whisker:
    """An interval and the value in it, 0 to 100 from left to right; ``zero`` is where no difference is."""

    low: float
    high: float
    middle: float
    zero: float | None = None


@dataclasses.dataclass(frozen=True)
class Group:
    """One test and method: what it came to, and its drawings."""

    summary: Summary
    metrics: Mapping[str, MetricSummary]
    comparison: Comparison | None
    mean: Whisker | None
    difference: Whisker | None
    distribution: Distribution | None
    differences: Differences | None
    fell: int
    rose: int

    @property
    def changes(self) -> str:
        """``3 regressed, 1 improved, 2 added; another program``: what changed, in numbers."""
        compared = self.comparison
        assert compared is not None  # else there is nothing to tell
        counts = {
            "regressed": self.fell,
            "improved": self.rose,
            "without a score now": len(compared.unscored),
            "added": len(compared.added),
            "removed": len(compared.removed),
            "with another row": len(compared.changed),
            "not run": len(compared.not_run),
        }
        unchanged = "no example changed" if compared.result else ""
        parts = [", ".join(f"{number} {what}" for what, number in counts.items() if number) or unchanged]
        parts += [f"another {' and '.join(compared.differs)}"] if compared.differs else []
        return "; ".join(filter(None, parts))

    @property
    def is_unchanged(self) -> bool:
        """Whether all that there is to tell of its comparison is that nothing has changed."""
        return self.comparison is not None and self.changes == "no example changed"

    @property
    def direction(self) -> str:
        """``bad`` or ``good`` where it is established that scores fell or rose; else nothing."""
        result = self.comparison.result if self.comparison else None
        if result is None or result.p_value >= ALPHA:
            return "bad" if result and result.p_drop < ALPHA else ""
        return "bad" if result.difference < 0 else "good"

    def whisker_of(self, one: SliceSummary) -> Whisker | None:
        """The interval of a slice's mean."""
        return _mean_whisker(one)

    def link_to(self, one: SliceSummary) -> str:
        """The fragment that shows the examples of a slice."""
        chosen = {"slice": str(one.slice), "test": self.summary.test, "method": self.summary.key.variant}
        return "#" + urlencode(chosen, quote_via=quote)

    @classmethod
    def of(cls, report: RunReport, summary: Summary) -> Group:
        compared = report.comparison_of(summary.key)
        fell, rose = run_reports.moved(compared) if compared else ([], [])
        return cls(
            summary,
            report.decision.metrics_of(summary),
            compared,
            _mean_whisker(summary),
            _difference_whisker(compared),
            _distribution(report, summary, compared),
            _differences(report, summary, compared),
            len(fell),
            len(rose),
        )


def _mean_whisker(summary: Summary | SliceSummary) -> Whisker | None:
    if summary.mean is None or summary.ci95 is None:
        return None
    scale = Scale(min(0.0, summary.ci95[0]), max(1.0, summary.ci95[1]), 2, 98)
    return Whisker(*map(scale, (*summary.ci95, summary.mean)))


def _difference_whisker(compared: Comparison | None) -> Whisker | None:
    if compared is None or compared.result is None or compared.result.ci95 is None:
        return None
    low, high = compared.result.ci95
    reach = max(abs(low), abs(high), 0.1)
    scale = Scale(-reach, reach, 2, 98)
    return Whisker(scale(low), scale(high), scale(compared.result.difference), scale(0.0))


def _distribution(report: RunReport, summary: Summary, compared: Comparison | None) -> Distribution | None:
    records = [record for record in report.file.outcome.records.values() if record.key == summary.key]
    scores = [record.score for record in records if record.score is not None]
    if len(scores) < _FEWEST_DRAWN:
        return None
    before = [Measurement(pair.before).score for pair in compared.pairs] if compared else []
    thresholds = {record.threshold for record in records if record.score is not None}
    threshold = thresholds.pop() if len(thresholds) == 1 else None
    return plots.distribution(scores, before, summary.mean, summary.ci95, threshold)


def _differences(report: RunReport, summary: Summary, compared: Comparison | None) -> Differences | None:
    if compared is None or compared.result is None or len(compared.pairs) < _FEWEST_DRAWN:
        return None
    changes = [(pair.example_id, change) for pair, change in run_reports.changes(compared)]
    limits = [gate.limit for gate in report.gates_of(summary) if gate.gate == MAX_REGRESSION and gate.is_whole]
    drop = limits[0] if limits else None
    return plots.differences(changes, compared.result.difference, compared.result.ci95, drop)
