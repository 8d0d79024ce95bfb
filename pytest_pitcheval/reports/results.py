"""What a session came to, for everybody who tells of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.results.decisions import Decision
from pytest_pitcheval.results.gates import GateResult
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.summaries import Missing
from pytest_pitcheval.storage.baseline_files import Update


@dataclasses.dataclass(frozen=True)
class Results:
    """What a session came to.

    Attributes:
        records: by node ID, of the tests that left one.
        missing: by node ID, the tests that left none.
        baseline: the name of what scores were compared with, or None.
        update: what was written to the baseline file, or None.
        paths: the run files that were written.
        problems: what could not be written or read at the end, a line each.
        document: the run file's, without credentials.
        reports: what was written for people to read.
        logged: what came of logging to MLflow, a line each, and whether it is bad news; it never makes a run fail.
    """

    decision: Decision
    records: Mapping[str, Record]
    missing: Mapping[str, Missing]
    baseline: str | None = None
    update: Update | None = None
    paths: list[Path] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    document: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reports: list[Path] = dataclasses.field(default_factory=list)
    logged: list[tuple[str, bool]] = dataclasses.field(default_factory=list)

    @property
    def gates(self) -> list[GateResult]:
        """The gates as they may be shown, without credentials."""
        return [GateResult(**gate) for gate in self.document["gates"]]

    @property
    def bad(self) -> bool:
        """Whether the session must not end as a good one, whatever its tests say."""
        return bool(self.problems) or any(gate.status == "failed" for gate in self.decision.gates)
