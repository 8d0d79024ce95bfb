"""``pitcheval decide`` and ``pitcheval merge``: finished runs held to thresholds, gates and baselines once more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.command.named_runs import Printed, fetch_from, find_finished
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import BUDGET
from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.reports import terminal
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.results.deciding.again import decide_again
from pytest_pitcheval.results.deciding.decisions import Decision, decide
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import media, merging, references, run_files, updating
from pytest_pitcheval.timestamps import session_timestamp

_SHOWN_TESTS = 20


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
