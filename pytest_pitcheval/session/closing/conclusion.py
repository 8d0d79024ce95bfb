"""The end of a session in the process that reports: records in, summaries, gates and the run file out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.credentials.hiding import redact_content
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.collected import Collected, Requirements
from pytest_pitcheval.results.deciding.decisions import Decision, decide
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.formats import some
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.summaries import summarizing
from pytest_pitcheval.session.closing.recorded_answers import not_asked_for, record
from pytest_pitcheval.session.closing.run_description import describe_run
from pytest_pitcheval.session.controller import Controller
from pytest_pitcheval.storage import references, run_files, updating
from pytest_pitcheval.storage.baseline_files import Update
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.storage.run_info import RunInfo


def conclude(controller: Controller, secrets: Sequence[str]) -> Results:
    """Sum the session up, write its run file, and the baseline if that was asked for."""
    if controller.runner is not None and controller.runner.running is not None:
        controller.lost[controller.runner.running.about.nodeid] = "interrupted"
    outcome, settings, baseline = _outcome(controller), controller.process.settings, controller.baseline
    measured = baseline.measured if baseline else None
    looks = settings.seed if settings.stop else None
    decision = decide(outcome, measured, references.terms_of(settings, looks), gated=not settings.baseline.update)
    late = controller.late_secrets()
    report = _report(describe_run(controller, secrets), outcome, decision, controller, late)
    results = Results(report, hidden=late)
    _write(controller, results)
    results.answers.extend(not_asked_for(controller))
    record(controller, results)
    _wait_for_tracker(controller, results)
    if settings.baseline.update:
        results = dataclasses.replace(results, update=_update_baseline(controller, outcome, results))
    return results


def never_run(results: Results) -> list[str]:
    """What a session that pytest takes for a good one has not measured, in a line, if there is anything."""
    missing = results.report.file.outcome.missing
    if not missing:
        return []
    return [f"{len(missing)} of the collected evaluation tests left no record, so the run fails: {some([*missing])}"]


def _report(
    run: RunInfo, outcome: Outcome, decision: Decision, controller: Controller, late: Sequence[str]
) -> RunReport:
    """The run as its file will tell it."""

    def whole(record: Record) -> Record:
        return _without(controller.whole(record), late)

    file = RunFile(
        run_files.run_path(controller.process.settings.directory, run.id),
        run,
        outcome,
        decision.gates,
        finished=True,
        comparisons=decision.comparisons or [],
        tests_not_run=list(decision.tests_not_run),
        whole=whole,
    )
    return RunReport(file, decision, run.baseline, controller.baseline.records if controller.baseline else {})


def _outcome(controller: Controller) -> Outcome:
    collected, datasets = controller.collected, controller.datasets
    if not collected:  # by workers
        told = controller.process.read_collected()
        collected, datasets = _shared(told.pop("tests"), controller), told["datasets"]
    late = controller.late_secrets()
    records = {nodeid: _without(record, late) for nodeid, record in controller.records.items()}
    known = {test.nodeid for test in collected}  # one that asks for our fixtures while it runs is in nobody's list
    unknown = [record for nodeid, record in records.items() if nodeid not in known]
    late_ones = [Collected(one.nodeid, example_id=one.example_id, **one.key._asdict()) for one in unknown]
    collected = [*collected, *late_ones]
    missing = summarizing.find_missing(collected, records, controller.lost)
    find = Functions(controller.config.rootpath, controller.process.settings.timeout)
    reasons = {nodeid: one.reason for nodeid, one in missing.items()}
    aggregating = Aggregating(records, reasons, lambda record: _without(controller.whole(record), late), find)
    outcome = Outcome(collected, records, missing, aggregating=aggregating)
    not_run = {
        key: [name for name in datasets.get(key.function, ()) if name not in covered.collected]
        for key, covered in outcome.coverage().items()
    }
    return dataclasses.replace(outcome, not_run=not_run, held=controller.process.held)


def _shared(told: list[Any], controller: Controller) -> list[Collected]:
    """What workers have told of their tests: of a hundred thousand, both forms at once would be much."""
    asked: dict[str, Requirements] = {}
    for place, test in enumerate(told):
        collected = Collected.from_dict({name: controller.texts.of(value) for name, value in test.items()})
        told[place] = dataclasses.replace(collected, asked=asked.setdefault(repr(collected.asked), collected.asked))
    return told


def _without(record: Record, late: Sequence[str]) -> Record:
    return Record.from_dict(redact_content(record.to_dict(), late)) if late else record


def _write(controller: Controller, results: Results) -> None:
    settings, journal = controller.process.settings, controller.outbox.journal
    file, of_run = results.report.file, results.report.file.path
    document = run_files.to_rows(file.run, file.outcome, results.report.decision, file.whole)
    for path in (of_run, settings.json_path):
        try:
            if path == of_run:
                files.make_directory(settings.directory)
                files.write_rows(path, document)
            elif path is not None:
                files.write_rows(path, document, write=files.write_output)
            else:
                continue
            results.paths.append(path)
        except OSError as error:
            results.problems.append(f"the run file could not be written: {error}")
    if journal.problem and (of_run not in results.paths or journal.is_lost):
        results.problems.append(journal.problem)


def _wait_for_tracker(controller: Controller, results: Results) -> None:
    """The run waits to be logged, before anything is tried; its run file is there, or there is nothing to log."""
    directory, run_id = controller.process.settings.directory, controller.process.run_id
    path, tracker = results.report.file.path, controller.outbox.tracker
    if tracker is None or path not in results.paths:
        return
    programs = dict.fromkeys(record.program_file for record in controller.records.values() if record.program_file)
    try:
        tracker.wait_for(run_id, path, [directory / program for program in programs])
    except OSError as error:
        results.logged.append((f"mlflow: the run was not logged: {error}", True))


def _update_baseline(controller: Controller, outcome: Outcome, results: Results) -> Update | None:
    try:
        return updating.update_baseline(controller.process.settings, outcome, results.report.decision.summaries)
    except PitchevalError as error:
        results.problems.append(str(error))
        return None
