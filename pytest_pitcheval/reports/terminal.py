"""The section at the end of pytest's output: results in, lines of at most 80 columns out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_pitcheval.names import BUDGET, DECIDED, EXAMPLE, UNCHANGED, LeftOut
from pytest_pitcheval.reports import exams
from pytest_pitcheval.reports.choosing.lines import of_function, side_by_side
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates import telling
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.decisions import Decision
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.formats import cut, wrap
from pytest_pitcheval.results.growth import Growth
from pytest_pitcheval.results.subjects import SliceSummary
from pytest_pitcheval.results.summaries.summary import MetricSummary, Missing, Summary
from pytest_pitcheval.storage.baseline_files import Update
from pytest_pitcheval.storage.expenses import budget_line
from pytest_pitcheval.storage.run_info import RunInfo

_HEAD = ("method", "scored", "mean", "95 % interval", "passed", "fresh", "cached", "tokens", "cost", "time")
_WORDS = {"failed": "FAIL", "passed": "ok  ", "inconclusive": "?   "}

_LEFT_OUT: Mapping[LeftOut, str] = {
    DECIDED: "--eval-stop",
    BUDGET: "budget",
    UNCHANGED: "--eval-affected",
}  # of exams, nothing
"""What examples were left out for."""

_LONGEST_NAME = 40
"""Characters of a slice or a metric, so that its numbers stand beside it."""

_MOST_ROWS = 20
"""How many metrics a test has a line for, and how many slices."""

Line = tuple[str, bool]
"""A line, and whether it is bad news."""


def lines(results: Results, folder: Path) -> Iterator[Line]:
    """The lines of the section; paths are shown relative to ``folder``."""
    yield from decision_lines(results.report.decision, results.report.baseline)
    yield from ((line, False) for line in wrap(results.report.affected, "  "))
    yield from budget_lines(results.report.run, results.report.decision)
    yield from replay_lines(results.report.run)
    yield from _resume_lines(results)
    yield from ((line, False) for text in results.answers for line in wrap(text, "    "))
    if results.update:
        yield from update_lines(results.update, folder)
    yield from ((problem, True) for problem in results.problems)
    for path in results.paths:  # whole, however long: they are there to be opened
        yield f"run file: {os.path.relpath(path, folder)}", False
    yield from ((f"report: {os.path.relpath(path, folder)}", False) for path in results.reports)
    yield from results.logged


def update_lines(update: Update, folder: Path) -> Iterator[Line]:
    """What was written to the baseline file."""
    if update.replayed:
        yield f"baseline: {os.path.relpath(update.path, folder)}: not written, as nothing was measured anew", True
        return
    if update.left_out:
        left_out = (
            f"{formats.count(number)} {formats.were(number)} left out ({_LEFT_OUT[why]})"
            for why, number in update.left_out.items()
        )
        yield f"baseline: {os.path.relpath(update.path, folder)}: not written, as {' and '.join(left_out)}", True
        return
    counts = f"{formats.count(update.written)} written, {update.kept} kept, {update.removed} removed"
    yield f"baseline: {os.path.relpath(update.path, folder)}: {counts}", False
    if update.growth and (grown := _growth(update.growth)):
        yield from ((line, False) for line in wrap(f"  {grown}", "    "))


def _growth(growth: Growth) -> str:
    """``5 added to; 1 had this run's samples already; 2 replaced: another program and generator (2)``."""
    rows = {roles: ["row" if role == EXAMPLE else role for role in roles] for roles in growth.replaced}
    changes = [f"another {' and '.join(rows[roles])} ({count})" for roles, count in growth.replaced.items()]
    parts = [f"{growth.added} added to"] if growth.added else []
    parts += [f"{growth.known} had this run's samples already"] if growth.known else []
    parts += [f"{sum(growth.replaced.values())} replaced: {', '.join(changes)}"] if changes else []
    return "; ".join(parts)


def replay_lines(run: RunInfo) -> Iterator[Line]:
    """Of when the recorded answers are that the run was made of; nothing of another run."""
    if run.replayed is not None:
        yield from ((line, False) for line in wrap(run.replayed.text, "  "))


def _resume_lines(results: Results) -> Iterator[Line]:
    """How a run goes on that did not come to its end; nothing where all tests left a record."""
    run = results.report.run
    if results.report.file.outcome.missing and run.replay_of is None:
        yield f"--eval-resume={run.id} runs what is missing", False


def budget_lines(run: RunInfo, decision: Decision) -> Iterator[Line]:
    """What was spent of what might be; nothing without a cap."""
    if told := budget_line(run.id, run.budget, decision.summaries):
        text, _, hint = told.text.partition("; ")
        yield from ((line, told.is_bad) for line in wrap(text, "  "))
        if hint:  # whole: it is there to be copied
            yield f"  {hint}", told.is_bad


def decision_lines(decision: Decision, baseline: str | None) -> Iterator[Line]:
    """What a run came to: a table for each test, what is missing, the comparison with ``baseline``, the gates."""
    last = {summary.key.function: summary.test for summary in decision.summaries}
    for test in dict.fromkeys(summary.test for summary in decision.summaries):
        group = [summary for summary in decision.summaries if summary.test == test]
        yield test if len(test) <= formats.WIDTH else "…" + test[1 - formats.WIDTH :], False
        titles = [summary.key.models for summary in group]
        yield from ((line, False) for line in formats.table([_HEAD, *map(_row, group)], titles))
        alone = [one for one in decision.methods if one.test == test and not one.function]
        yield from ((line, False) for line in side_by_side(alone))
        lines_of = (*_metrics(decision, group), *_aggregates(group), *_slices(group), *_exams(group))
        yield from ((line, False) for line in lines_of)
        for summary in group:
            yield from ((cut(line), True) for line in _missing(summary))
            yield from ((cut(f"  {remark} [{summary.key.variant}]"), False) for remark in summary.usage.remarks)
            for text in telling.undefined(summary.aggregates):
                yield from ((line, True) for line in wrap(f"  {text} [{summary.key.variant}]", "    "))
            if summary.note:
                yield from ((line, False) for line in wrap(f"  {summary.note} [{summary.key.variant}]", "    "))
        if last[group[0].key.function] == test:
            yield from ((line, False) for line in of_function(group[0].key.function, decision.methods))
    if baseline is not None:
        yield from compared(decision, baseline)
    for gate in decision.gates:
        yield from ((line, gate.status == "failed") for line in wrap(gate_line(gate), "     "))


def gate_line(gate: GateResult) -> str:
    """A gate as one line, however long."""
    return f"{_WORDS[gate.status]} {gate.text}"


def _row(summary: Summary) -> tuple[str, ...]:
    usage = summary.usage
    return (
        summary.optimization,
        f"{summary.scored}/{summary.examples}",
        formats.number(summary.mean),
        formats.interval(summary.ci95),
        formats.percent(summary.pass_rate),
        str(usage.fresh),
        str(usage.cached),
        formats.tokens(usage.prompt_tokens + usage.completion_tokens),
        formats.cost(usage),
        formats.duration(summary.seconds),
    )


def _metrics(decision: Decision, group: Sequence[Summary]) -> Iterator[str]:
    """The means of the metrics beside the score, of each method."""
    rows = [
        (summary.key.models, (_of_method(name, summary, group), f"{one.scored}/{summary.examples}", *_mean(one)))
        for summary in group
        for name, one in decision.metrics_of(summary).items()
    ]
    yield from _some_rows(("metric", "known", "mean", "95 % interval"), rows)


def _aggregates(group: Sequence[Summary]) -> Iterator[str]:
    """The metrics of the whole set, of each method; by rollout where there are several."""
    rows = [
        (summary.key.models, row._replace(whole=_of_method(row.whole, summary, group)))
        for summary in group
        for row in telling.rows(summary.aggregates)
    ]
    columns = len(telling.HEAD) if any(row.rollouts for _, row in rows) else len(telling.HEAD) - 1
    yield from _some_rows(telling.HEAD[:columns], [(models, row[:columns]) for models, row in rows])


def _slices(group: Sequence[Summary]) -> Iterator[str]:
    """What the slices that the marker asks for came to, of each method."""
    rows = [
        (summary.key.models, (_of_method(str(one.slice), summary, group), *_of_slice(one)))
        for summary in group
        for one in summary.slices
    ]
    yield from _some_rows(("slice", "scored", "mean", "95 % interval", "passed"), rows)


def _of_slice(one: SliceSummary) -> tuple[str, ...]:
    rate = formats.percent(one.pass_rate)
    return one.scored_text, formats.number(one.mean), formats.interval(one.ci95), rate


def _exams(group: Sequence[Summary]) -> Iterator[str]:
    """What a judge's exam came to, for each judge."""
    rows = [(summary.key.models, row) for summary in group if summary.exam for row in exams.rows(summary.exam)]
    if rows:
        yield from formats.table([exams.HEAD, *(row for _, row in rows)], [models for models, _ in rows])


def _some_rows(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """A table of the first rows, each behind the models that it stands below; nothing of none."""
    shown = rows[:_MOST_ROWS]
    if rows:
        yield from formats.table([head, *(row for _, row in shown)], [models for models, _ in shown])
    if len(rows) > _MOST_ROWS:
        yield f"  ... and {len(rows) - _MOST_ROWS} more, all in the run file"


def _mean(one: MetricSummary) -> tuple[str, str]:
    return formats.measure(one.mean), formats.measures(one.ci95)


def _of_method(name: str, summary: Summary, group: Sequence[Summary]) -> str:
    """``name``, cut if it is long, and where the test has several methods which of them."""
    method = f" [{summary.optimization}]" if len({one.optimization for one in group}) > 1 else ""
    room = max(_LONGEST_NAME - len(method), 1)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + method


def compared(decision: Decision, baseline: str) -> Iterator[Line]:
    """What was compared with ``baseline``, and what was left out."""
    yield cut(f"compared with {baseline}"), False
    known = set()
    for comparison in decision.comparisons or ():
        if comparison.is_whole:
            known.add(comparison.key)
            yield from comparison_lines(comparison)
    for summary in decision.summaries:
        if summary.key not in known and summary.asked.exam is None:
            yield cut(f"  {summary.key.name}: not in the baseline"), False
    if tests := decision.tests_not_run:
        yield from ((line, False) for line in wrap(f"  in the baseline but not run: {formats.some(tests)}", "    "))


def comparison_lines(comparison: Comparison) -> Iterator[Line]:
    """The means then and now, and what stands between them."""
    yield from ((line, False) for line in wrap("  " + _means(comparison), "    "))
    if changes := _changes(comparison):
        yield from ((line, False) for line in wrap("    " + changes, "      "))
    if comparison.note:
        yield from ((line, True) for line in wrap("    " + comparison.note, "      "))


def _means(comparison: Comparison) -> str:
    name = comparison.key.name
    if comparison.refused:
        return f"{name}: not compared"
    if comparison.result is None:
        return f"{name}: nothing to compare"
    there = f" with {comparison.against}" if comparison.is_of_another else ""
    before, after = formats.number(comparison.mean_before), formats.number(comparison.mean_after)
    return f"{name}: {before}{there}, now {after}"


def _changes(comparison: Comparison) -> str:
    """``1 added: acme; 2 removed: x, y; program changed``: what stands between the two."""
    kinds = {
        "added": comparison.added,
        "removed": comparison.removed,
        "not run": comparison.not_run,
        "with another row": comparison.changed,
        "without a score now": comparison.unscored,
    }
    parts = [f"{len(names)} {kind}{_named(kind, names)}" for kind, names in kinds.items() if names]
    if comparison.differs:
        parts.append(f"changed: {', '.join(comparison.differs)}")
    return "; ".join(parts)


def _named(kind: str, names: Sequence[str]) -> str:
    if kind == "not run":
        return ""
    shown = formats.some([name for name in names if name])
    return f": {shown}" if shown else ""


def _missing(summary: Summary) -> Iterator[str]:
    """Nothing is left out silently: how many have no score, then each with its reason."""
    if not summary.unscored:
        return
    count = len(summary.unscored)
    has = "examples have" if summary.needed > 1 else "example has"
    mean = f": the mean is of {summary.scored} of {summary.needed}" if summary.scored else ""
    yield f"  {count} of {summary.needed} {has} no score [{summary.key.variant}]{mean}"
    yield from (f"    {_name(example)}: {example.reason}" for example in summary.unscored[: formats.SHOWN])
    if count > formats.SHOWN:
        yield f"    ... and {count - formats.SHOWN} more, all in the run file"


def _name(one: Missing) -> str:
    return one.nodeid.rpartition("::")[2]
