"""Reports for people: written where options say, and to the summary of a step of GitHub Actions."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from pytest_pitcheval import files
from pytest_pitcheval.reports import github, junit, markdown
from pytest_pitcheval.reports.html import page
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.settings.settings import Settings


def write_reports(settings: Settings, results: Results) -> None:
    """Write what was asked for of a session that has ended; what goes wrong is a line in ``results``."""
    report, summary = results.report, github.summary_path()
    if settings.html_path:
        _write(settings.html_path, page.render(report), results)
    link = _link(settings.html_path, results)
    if settings.markdown_path:
        _write(settings.markdown_path, markdown.render(report, link), results)
    if summary:
        try:
            append_summary(summary, report, link)
        except OSError as error:  # nobody asked for it: no reason to fail
            results.logged.append((f"the summary of the step could not be written: {error}", True))


def _write(path: Path, text: str, results: Results) -> None:
    try:
        files.write_output(path, text)
        results.reports.append(path)
    except OSError as error:
        results.problems.append(f"the report could not be written: {error}")


def _link(path: Path | None, results: Results) -> str | None:
    return os.path.relpath(path) if path in results.reports and path else None


def amend_junit(path: Path, results: Results) -> None:
    """Add totals and failed gates to the XML file that pytest has written to ``path``."""
    try:
        report, budget = results.report, results.report.budget
        records, replayed = report.file.outcome.records.values(), report.run.replayed
        told = {"budget": budget.text if budget else None, "replayed": replayed.text if replayed else None}
        junit.amend(path, report.run.id, records, report.decision, results.hidden, told)
    except (OSError, ElementTree.ParseError) as error:
        results.problems.append(f"the JUnit file {path} could not be amended: {error}")


def append_summary(path: Path, report: RunReport, link: str | None) -> None:
    """Add the report to the summary of the step, as long as there is room in it."""
    room = github.SUMMARY_LIMIT - (path.stat().st_size if path.exists() else 0) - 1
    text = "\n" + markdown.render(report, link, limit=room)
    if len(text.encode("utf-8")) <= room:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
