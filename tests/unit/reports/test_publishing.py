"""Reports are written where options say; what goes wrong is told, and nothing else is lost for it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from support.run_documents import record, report

from pytest_pitcheval.reports import publishing
from pytest_pitcheval.reports.github import SUMMARY_LIMIT
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.settings.settings import Settings, read_settings


@pytest.fixture
def settings(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of this run, with no report asked for."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return read_settings(pytestconfig)


@pytest.fixture
def results() -> Results:
    return Results(report([record("a"), record("b", 0.25)]))


def test_nothing_is_written_unasked(settings: Settings, results: Results) -> None:
    publishing.write_reports(settings, results)
    assert (results.reports, results.problems, results.logged) == ([], [], [])


def test_the_markdown_says_where_the_page_is(
    settings: Settings, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page, summary = tmp_path / "out" / "page.html", tmp_path / "summary.md"
    publishing.write_reports(settings._replace(html_path=page, markdown_path=summary), results)
    assert results.reports == [page, summary]
    assert "Report: <code>out/page.html</code>" in summary.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_a_problem_and_the_other_is_there(
    settings: Settings, results: Results, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    summary = tmp_path / "summary.md"
    publishing.write_reports(settings._replace(html_path=tmp_path / "file" / "a.html", markdown_path=summary), results)
    [problem] = results.problems
    assert problem.startswith("the report could not be written: ")
    assert results.bad
    assert results.reports == [summary]
    assert "Report:" not in summary.read_text(encoding="utf-8")


def test_the_summary_of_a_step_is_written_unasked_and_never_a_reason_to_fail(
    settings: Settings, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "GITHUB_ACTIONS", "true")
    monkeypatch.setitem(os.environ, "GITHUB_STEP_SUMMARY", str(tmp_path / "missing" / "summary.md"))
    publishing.write_reports(settings, results)
    [(line, is_bad)] = results.logged
    assert line.startswith("the summary of the step could not be written: ")
    assert is_bad
    assert not results.problems


def test_a_summary_that_is_full_is_left_as_it_is(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("x" * SUMMARY_LIMIT, encoding="utf-8")
    publishing.append_summary(path, results.report, None)
    assert path.stat().st_size == SUMMARY_LIMIT


@pytest.mark.parametrize("text", ["", "no XML", "<testsuites></testsuites>"])
def test_a_junit_file_that_is_none_is_a_problem(results: Results, tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.xml"
    path.write_text(text, encoding="utf-8")
    publishing.amend_junit(path, results)
    [problem] = results.problems
    assert problem.startswith(f"the JUnit file {path} could not be amended: ")
    assert path.read_text(encoding="utf-8") == text


def test_a_failed_gate_is_bad_though_nothing_went_wrong(results: Results) -> None:
    assert not results.bad
    assert Results(report([record("a", 0.25)], gates={"min_mean": 0.5})).bad
    assert dataclasses.replace(results, problems=["the disk is full"]).bad
