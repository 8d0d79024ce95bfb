"""What pytest prints of a run at its end."""

from __future__ import annotations

import pytest

from pytest_pitcheval.reports import github, terminal
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.results.printable import printable_line


def write_summary(reporter: pytest.TerminalReporter, results: Results, config: pytest.Config) -> None:
    """The section "pitcheval", unless pytest is very quiet; on GitHub, lines that its pages show beside the code."""
    if config.get_verbosity() >= -1:
        reporter.section("pitcheval")
        for line, is_bad in terminal.lines(results, config.invocation_params.dir):
            reporter.write_line(printable_line(line), red=is_bad)
    if github.is_running():
        for line in github.error_lines(results.report.decision.gates, results.report.budget):
            reporter.write_line(line)
