"""What the ``pitcheval`` command does: settings and run files in, lines and an exit code out. No LM is asked."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.command import whole_sets
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import BUDGET
from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.reports import conversations, terminal
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.comparison import Comparison, Pair, absent_tests, compare_all, whole
from pytest_pitcheval.results.deciding.again import decide_again
from pytest_pitcheval.results.deciding.decisions import NO_TERMS, Decision, decide
from pytest_pitcheval.results.deciding.drops import describe_change, describe_power
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.media import is_medium, with_notes
from pytest_pitcheval.results.records import Record, total
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import media, merging, references, run_files, updating
from pytest_pitcheval.storage.answers.replaying import read_run
from pytest_pitcheval.storage.references import LoadedBaseline
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.timestamps import session_timestamp
from pytest_pitcheval.tracking import tracker
from pytest_pitcheval.tracking.tracker import Tracker

Printed = tuple[Sequence[Line], bool]
"""What to print, and whether the run is a good one."""

SYNC_SECONDS = 60.0
"""How long ``sync`` waits for the tracker unless it is told."""

_SHOWN = 5
_SHOWN_TESTS = 20


def list_runs(settings: Settings) -> Printed:
    """A line for each run of ``--eval-dir``, the newest last."""
    paths = run_files.all_runs(settings.directory, unfinished=True)
    if not paths:
        raise PitchevalError(f"no run in {run_files.folder(settings.directory)} yet")
    head = ("run", "tests", "passed", "failed", "errors", "fresh", "cost", "gates")
    rows, unreadable = [], []
    for path in paths:
        try:
            rows.append(_run_row(run_files.read(path)))
        except PitchevalError as error:
            unreadable.append((str(error), True))
    return [*((line, False) for line in formats.table([head, *rows])), *unreadable], True


def _run_row(run: RunFile) -> tuple[str, ...]:
    records = run.outcome.records.values()
    count = {status: sum(record.status == status for record in records) for status in ("passed", "failed", "error")}
    usage = total(record.usage for record in records)
    failed = sum(gate.status == "failed" for gate in run.gates)
    verdict = "unfinished" if not run.finished else f"{failed} failed" if failed else "ok" if run.gates else "-"
    return (
        run.run.id,
        str(len(records) + len(run.outcome.missing)),
        *(str(count[status]) for status in ("passed", "failed", "error")),
        str(usage.fresh),
        formats.cost(usage),
        verdict,
    )


def show_run(settings: Settings, reference: str, test: str | None) -> Printed:
    """A run as it was printed at its end; with ``test``, all that is known of the tests with that in their node ID."""
    run = find(settings, reference)
    if test is None:
        decision = dataclasses.replace(decide(run.outcome, None, NO_TERMS), gates=run.gates)
        note = [] if run.finished else [(f"unfinished: --eval-resume={run.run.id} continues it", True)]
        return [*terminal.decision_lines(decision, None), *terminal.budget_lines(run.run, decision), *note], True
    records = [run.outcome.records.get(found.nodeid) for found in matching(run, test)]
    missing = run.outcome.missing
    lost = [
        (f"{found.nodeid}: {missing[found.nodeid].reason}", True)
        for found in matching(run, test)
        if found.nodeid in missing
    ]
    return [*((line, False) for record in records if record for line in _record_lines(record)), *lost], True


def matching(run: RunFile, test: str) -> list[Collected]:
    """The tests of a run with ``test`` in their node ID; a PitchevalError of one line if there is none."""
    names = (test, test.encode("unicode_escape").decode("ascii"))  # as pytest writes the IDs of rows
    found = [collected for collected in run.outcome.collected if any(name in collected.nodeid for name in names)]
    if not found:
        raise PitchevalError(f"{test!r}: expected part of the node ID of a test in {run.path}")
    return found


def _record_lines(record: Record) -> Iterator[str]:
    usage = record.usage
    facts = {
        "status": record.status if record.error is None else f"{record.status}: {record.error}",
        "method": record.optimization,
        "model": record.model,
        "judge": record.evaluator,
        "score": formats.score(record),
        "metrics": ", ".join(f"{name} {value:.3g}" for name, value in record.further.items()),
        "feedback": record.feedback,
        "rollout": record.rollout_id,
        "calls": f"{usage.fresh} fresh, {usage.cached} cached, {usage.failed} failed",
        "embedders": f"{usage.embeddings} requests" if usage.embeddings else "",
        "tokens": f"{usage.prompt_tokens} prompt, {usage.completion_tokens} completion",
        "cost": formats.cost(usage),
        "seconds": f"{record.seconds:.2f}",
    }
    labels = {f"label {name}": value for name, value in record.labels.items()}
    fields = (record.inputs, labels, record.prediction or {})
    told = [*facts.items(), *((name, _text(value)) for part in fields for name, value in part.items())]
    yield record.nodeid
    yield from (f"  {name:<10} {text}" for name, text in told if text)


def _text(value: Any) -> str:
    """Texts as they are; of a conversation each part on a line of its own."""
    if isinstance(value, str):
        return value
    found = conversations.conversation(value)
    if found is not None:
        return ("\n" + " " * 13).join(conversations.lines(found))
    told = with_notes(value, paths=True)
    return told if is_medium(value) else json.dumps(told, ensure_ascii=False)


def compare_runs(settings: Settings, folder: Path, first: str, second: str) -> Printed:
    """The second of two runs or baseline files against the first, by test and method."""
    before, after = _load(settings, folder, first), _load(settings, folder, second)
    measured, max_age = (before.measured, after.measured, whole(after.coverage)), settings.baseline.max_age
    found = compare_all(*measured, settings.allowed, max_age=max_age).values()
    if not found:
        raise PitchevalError(f"{first!r} and {second!r} have no test in common")
    lines: list[Line] = []
    for comparison in found:
        lines += terminal.comparison_lines(comparison)
        texts = [*_details(comparison), *whole_sets.lines(settings, folder, comparison, before, after)]
        lines += [(line, False) for text in texts for line in formats.wrap("    " + text, "      ")]
    compared = {one.key for one in found}
    new = [key for key in after.coverage if key not in compared]
    lines += [(f"  {key.name}: only in {second}", False) for key in new]
    gone = absent_tests(before.measured, after.coverage)
    return [*lines, *((f"  {test}: only in {first}", False) for test in gone)], True


def _load(settings: Settings, folder: Path, reference: str) -> LoadedBaseline:
    try:
        return references.load(settings, fetch_from(settings, folder), reference, Path(reference).absolute())
    except PitchevalError as error:
        raise PitchevalError(f"{reference!r}: {error}") from None


def _details(comparison: Comparison) -> Iterator[str]:
    if comparison.refused or comparison.result is None:
        if comparison.refused:
            yield comparison.refused
        return
    yield describe_change(comparison)
    if power := describe_power(comparison):
        yield power
    yield from _extremes(comparison.pairs)


def _extremes(pairs: Sequence[Pair]) -> Iterator[str]:
    """The examples that fell and rose most."""
    ordered = sorted(pairs, key=lambda pair: pair.change)
    for verb, chosen in (("fell", ordered[:_SHOWN]), ("rose", ordered[: -_SHOWN - 1 : -1])):
        moved = [pair for pair in chosen if (pair.change < 0) == (verb == "fell") and pair.change]
        if moved:
            yield f"{verb} most: " + ", ".join(f"{pair.example_id} {pair.change:+.3f}" for pair in moved)


def decide_run(settings: Settings, folder: Path, reference: str) -> Printed:
    """A finished run held to the thresholds, gates and baseline of ``settings``; good if all of it holds."""
    run = find_finished(settings, reference)
    baseline = references.load_baseline(settings, fetch_from(settings, folder))
    outcome = decide_again(run.outcome, settings.threshold.chosen).finding(Functions(folder, settings.timeout))
    decision = decide(
        outcome,
        baseline.measured if baseline else None,
        references.terms_of(settings, run.run.looks),
        gated=not settings.baseline.update,
    )
    lines = list(terminal.decision_lines(decision, baseline.name if baseline else None))
    lines += terminal.budget_lines(run.run, decision)
    lines += _changed(run.outcome, outcome)
    if settings.baseline.update:
        try:
            lines += terminal.update_lines(updating.update_baseline(settings, outcome, decision.summaries), Path.cwd())
        except PitchevalError as error:
            lines.append((str(error), True))
    return lines, _is_good(decision, outcome)


def merge_runs(settings: Settings, folder: Path, parts: Sequence[str]) -> Printed:
    """Runs of the parts of one suite as one run, decided as a whole; good if all of it is there and holds."""
    runs = [find_finished(settings, part) for part in parts]
    outcome = merging.merge(runs).finding(Functions(folder, settings.timeout))
    baseline = references.load_baseline(settings, fetch_from(settings, folder))
    name, measured = (baseline.name, baseline.measured) if baseline else (None, None)
    run_id = session_timestamp()
    path = run_files.run_path(files.make_directory(settings.directory), run_id)
    run = merging.describe_merged(runs, run_id, name)
    terms = references.terms_of(settings, run.looks)
    decision = decide(outcome, measured, terms, gated=not settings.baseline.update)
    files.write_rows(path, run_files.to_document(run, outcome, decision))
    for part in runs:
        records = (record.to_dict() for record in part.outcome.records.values())
        media.bring_along(records, media.finder(part.path, settings.directory), settings.directory)
    absent: list[Line] = [(line, True) for line in merging.absent(runs, outcome)]
    decided = [*terminal.decision_lines(decision, name), *terminal.budget_lines(run, decision)]
    lines = [*decided, *absent, (f"run file: {os.path.relpath(path)}", False)]
    return lines, _is_good(decision, outcome) and not absent


def sync_runs(settings: Settings, folder: Path) -> Printed:
    """Log the runs that wait to the tracker; good if none is left for it."""
    if settings.mlflow.off:
        raise PitchevalError("--eval-mlflow: 'off': expected a tracker to send to")
    waiting = Tracker(settings.mlflow, settings.directory, folder)
    try:
        lines: list[Line] = list(waiting.send(settings.mlflow.timeout or SYNC_SECONDS))
    finally:
        waiting.close()
    left = waiting.spool.waiting()
    for where in dict.fromkeys(job.where for job in left if job.where != waiting.where):
        count = sum(job.where == where for job in left)
        lines.append((f"mlflow: {count} more wait for {where}: --eval-mlflow names it", False))
    return lines or [("mlflow: no run waits to be logged", False)], not any(bad for _, bad in lines)


def fetch_from(settings: Settings, folder: Path) -> references.Fetch:
    """How to get the run files that MLflow has; ``folder`` is the root directory."""
    return functools.partial(tracker.fetch, settings.mlflow, settings.directory, folder)


def _changed(before: Outcome, after: Outcome) -> Iterator[Line]:
    changed = [record for record in after.records.values() if record.status != before.records[record.nodeid].status]
    for record in changed[:_SHOWN_TESTS]:
        was = before.records[record.nodeid].status
        yield f"{record.status}, was {was}: {record.nodeid}", record.status == "failed"
    if len(changed) > _SHOWN_TESTS:
        yield f"... and {len(changed) - _SHOWN_TESTS} more tests", True


def _is_good(decision: Decision, outcome: Outcome) -> bool:
    records = outcome.records.values()
    tests = all(record.status in ("passed", "skipped") and record.left_out != BUDGET for record in records)
    return tests and not outcome.missing and not any(gate.status == "failed" for gate in decision.gates)


def find(settings: Settings, reference: str) -> RunFile:
    """The run that ``reference`` names, finished or not; a PitchevalError of one line if there is none."""
    try:
        return read_run(run_files.find(settings.directory, reference, unfinished=True))
    except PitchevalError as error:
        raise PitchevalError(f"{reference!r}: {error}") from None


def find_finished(settings: Settings, reference: str) -> RunFile:
    """The same; a PitchevalError of one line if it was killed."""
    run = find(settings, reference)
    if not run.finished:
        raise PitchevalError(f"{reference!r} has not finished: --eval-resume={run.run.id} continues it")
    return run
