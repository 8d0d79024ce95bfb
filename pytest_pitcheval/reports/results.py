"""What a session came to, for everybody who tells of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.storage.baseline_files import Update


@dataclasses.dataclass(frozen=True)
class Results:
    """A session's run, and what became of it outside.

    Attributes:
        update: what was written to the baseline file, or None.
        answers: what became of the answers that were recorded or replayed, a line each.
        paths: the run files that were written.
        problems: what could not be written or read at the end, a line each.
        reports: what was written for people to read.
        hidden: credentials that were not known yet when pytest was told of some tests.
        logged: what came of logging to MLflow, a line each, and whether it is bad news; it never makes a run fail.
    """

    report: RunReport
    hidden: Sequence[str] = ()
    update: Update | None = None
    answers: list[str] = dataclasses.field(default_factory=list)
    paths: list[Path] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    reports: list[Path] = dataclasses.field(default_factory=list)
    logged: list[tuple[str, bool]] = dataclasses.field(default_factory=list)

    @property
    def bad(self) -> bool:
        """Whether the session must not end as a good one, whatever its tests say."""
        is_cut_off = self.report.budget is not None and self.report.budget.is_bad
        return bool(self.problems) or is_cut_off or any(gate.status == "failed" for gate in self.report.decision.gates)
