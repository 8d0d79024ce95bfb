"""What ``pitcheval report`` does: a run file in, the same reports out as at the end of its session."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.command import named_runs
from pytest_pitcheval.command.named_runs import Printed
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.reports import markdown, run_reports
from pytest_pitcheval.reports.html import page
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import references, run_files
from pytest_pitcheval.storage.run_files import RunFile

_FOLDER = "reports"


def report_run(settings: Settings, folder: Path, reference: str, output: str | None, as_markdown: bool) -> Printed:
    """Write the report of a run to ``output``, or below ``--eval-dir``; markdown is printed instead."""
    file = named_runs.find(settings, reference)
    report = _compared(settings, folder, file)
    if as_markdown and output is None:
        return [(markdown.render(report).rstrip("\n"), False)], True
    path = Path(output) if output else settings.directory / _FOLDER / f"{file.path.stem}.html"
    text = markdown.render(report) if as_markdown else page.render(report, settings.directory)
    try:
        if not output:
            files.make_directory(settings.directory)
        files.write_output(path, text)
    except OSError as error:
        raise PitchevalError(f"the report could not be written: {error}") from None
    return [(f"report: {os.path.relpath(path)}", False)], True


def _compared(settings: Settings, folder: Path, file: RunFile) -> RunReport:
    """As the run was compared, or with the baseline that the command line names."""
    if settings.baseline.named_by != "--eval-baseline":
        return run_reports.as_decided(file, _records_of_baseline(settings, file))
    loaded = references.load_baseline(settings, named_runs.fetch_from(settings, folder))
    assert loaded is not None  # one that is asked for is there
    terms = references.terms_of(settings, file.run.looks)
    file = dataclasses.replace(file, outcome=file.outcome.finding(Functions(folder, settings.timeout)))
    return run_reports.compared_anew(file, loaded.name, loaded.measured, loaded.records, terms)


def _records_of_baseline(settings: Settings, file: RunFile) -> Mapping[str, Record]:
    """Those of the run that it was compared with; none where that is no run, or not here any more."""
    name = str(file.run.baseline)
    try:
        path = run_files.find(settings.directory, name.removeprefix(references.RUN))
        return run_files.read(path).outcome.records if name.startswith(references.RUN) else {}
    except PitchevalError:
        return {}
