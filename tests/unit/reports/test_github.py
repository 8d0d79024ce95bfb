"""What GitHub Actions reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.run_documents import record, report

from pytest_pitcheval.reports import github, publishing
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.reasons import GateStatus


def test_only_failed_gates_are_annotated() -> None:
    statuses: tuple[GateStatus, ...] = ("passed", "failed", "inconclusive")
    gates = [GateResult("t.py::t", "none", "min_mean", status, 0.4, 0.5, "mean 0.4") for status in statuses]
    assert github.error_lines(gates) == [
        "::error title=pitcheval%3A min_mean failed::min_mean=0.5 t.py::t [none]: mean 0.4"
    ]


def test_an_annotation_is_one_line() -> None:
    gate = GateResult("t.py::t", "a,b", "min_mean", "failed", 0.4, 0.5, "100 %\r\n::error::x")
    [line] = github.error_lines([gate])
    assert line.endswith("::min_mean=0.5 t.py::t [a,b]: 100 %25%0D%0A::error::x")
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/tmp/step"}, Path("/tmp/step")),
        ({"GITHUB_ACTIONS": "true"}, None),
        ({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": ""}, None),
        ({"GITHUB_STEP_SUMMARY": "/tmp/step"}, None),
        ({}, None),
    ],
)
def test_where_the_summary_goes(environment: dict[str, str], path: Path | None) -> None:
    assert github.summary_path(environment) == path


@pytest.fixture(scope="module")
def large() -> RunReport:
    """One whose summary takes 200 kB."""
    return report([record(f"e{n}", test=f"test_{n}.py::{'long_' * 20}") for n in range(1000)])


@pytest.mark.parametrize(
    ("there", "written", "left_out"),
    [(0, True, False), (github.SUMMARY_LIMIT - 50_000, True, True), (github.SUMMARY_LIMIT - 50, False, False)],
)
def test_the_summary_of_a_step_never_grows_too_long(
    tmp_path: Path, large: RunReport, there: int, written: bool, left_out: bool
) -> None:
    """GitHub shows nothing of one that does."""
    path = tmp_path / "step.md"
    path.write_text("x" * there)
    publishing.append_summary(path, large, None)
    assert there <= path.stat().st_size <= github.SUMMARY_LIMIT
    assert ("pitcheval: passed" in path.read_text()) == written
    assert ("more rows left out." in path.read_text()) == left_out
