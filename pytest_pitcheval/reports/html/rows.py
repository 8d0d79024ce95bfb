"""The examples of a report as plain values, for the table in the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_pitcheval.reports import repeating, run_reports
from pytest_pitcheval.reports.conversations import conversation
from pytest_pitcheval.reports.run_reports import RunReport, by_rollout
from pytest_pitcheval.results.baselines import Measurement
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.plain import Bounds, plain
from pytest_pitcheval.results.records import Record, Usage, own_first
from pytest_pitcheval.results.subjects import slices_of
from pytest_pitcheval.storage.run_info import RunInfo

_ITEMS, _CHARACTERS = 2_000, 10_000
"""Of one prediction, or of one example's inputs: a browser is to open thousands of them."""


def rows(report: RunReport) -> list[dict[str, Any]]:
    """A row for each collected test, in its order; what is long is cut, and says which run file has it whole."""
    compared = {one.key: _Compared(one) for one in report.decision.comparisons or () if one.is_whole}
    before = {(record.test, record.key.variant, record.example_id or ""): record for record in report.before.values()}
    outcome, found = report.file.outcome, []
    bounds = Bounds(50, _ITEMS, _CHARACTERS, f", all in {report.file.path.name}")
    for test in outcome.collected:
        against = compared.get(test.key)
        record = outcome.records.get(test.nodeid)
        row = _about(test, report.run)
        if slices := slices_of([test]):
            row["slices"] = list(map(str, slices))
        if record is not None:
            row |= _measured(report.file.whole(record), report.run, bounds)
        else:
            row |= _missing(outcome.missing[test.nodeid].reason)
        if against is not None:
            row |= against.of(test, before, bounds)
        found.append(row)
    return found


class _Compared:
    """One test and method against its baseline, quick to look up in."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._pairs = {pair.example_id: (pair, change) for pair, change in run_reports.changes(comparison)}
        kinds = {
            "not in the baseline": comparison.added,
            "has another row than in the baseline": comparison.changed,
            "had a score in the baseline": comparison.unscored,
        }
        self._notes = {name: note for note, names in kinds.items() for name in names}

    def of(self, one: Collected, before: Mapping[tuple[str, str, str], Record], bounds: Bounds) -> dict[str, Any]:
        name = one.example_id or ""
        found: dict[str, Any] = {"note": self._notes.get(name)}
        record = before.get((one.test, self._comparison.against, name))
        if name in self._pairs:
            pair, change = self._pairs[name]
            found |= {"before": Measurement(pair.before).score, "change": change}
            found["was"] = list(_rollouts_before(pair, record, bounds))
        elif record is not None:  # without a score now, say
            found["was"] = list(_rollouts(record, bounds))
        return found


def _rollouts_before(pair: Pair, record: Record | None, bounds: Bounds) -> Iterator[dict[str, Any]]:
    """The baseline's rollouts: their scores, and what was predicted where that is known."""
    if record is not None and record.samples == pair.before:
        yield from _rollouts(record, bounds)
    else:
        yield from ({"score": score} for score in pair.before)


def _about(one: Collected, run: RunInfo) -> dict[str, Any]:
    return {
        "nodeid": one.nodeid,
        "example": one.example_id or "",
        "test": one.test,
        "method": one.key.variant,
        "repeat": repeating.command(one.nodeid, run.repeat),
    }


def _missing(reason: str) -> dict[str, Any]:
    return {"status": "missing", "score": None, "error": reason, "seconds": None}


def _measured(record: Record, run: RunInfo, bounds: Bounds) -> dict[str, Any]:
    return {
        "status": record.status,
        "score": record.score,
        "threshold": record.threshold,
        "error": record.error,
        "seconds": record.seconds,
        "inputs": plain(_told(record.inputs), bounds),
        "labels": plain(_told(record.labels), bounds),
        "rollouts": list(_rollouts(record, bounds)),
        "usage": {"program": _usage(record.generator), "metric": _usage(record.judge)},
        "rollout_id": record.rollout_id,
        "replay": repeating.command(record.nodeid, run.repeat, f"--eval-replay={run.id}"),
    }


def _rollouts(record: Record, bounds: Bounds) -> Iterator[dict[str, Any]]:
    """Score, metrics, prediction and feedback of each rollout, as far as they are known."""
    for one in by_rollout(record):
        metrics = {name: one.metrics[name] for name in own_first(one.metrics)}
        texts = plain({"prediction": _told(one.prediction), "feedback": one.feedback}, bounds)
        verdicts = {"verdicts": list(one.verdicts)} if one.verdicts else {}
        yield {"score": one.score, **verdicts, **({"metrics": metrics} if metrics else {}), **texts}


def _told(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The fields; of a conversation its entries, each a list of names and values, under ``$turns`` and the like."""
    if fields is None:
        return None
    found = {name: conversation(value) for name, value in fields.items()}
    return {name: {f"${one.kind}": one.entries} if (one := found[name]) else value for name, value in fields.items()}


def _usage(usage: Usage) -> list[Any]:
    calls = [usage.fresh, usage.cached, usage.failed]
    return [*calls, usage.prompt_tokens, usage.completion_tokens, usage.cost]
