"""GitHub Actions: annotations of failed gates, and the summary of a step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.storage.expenses import BudgetLine

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub shows nothing of a longer one."""

_TITLE: dict[str, str | int | None] = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C", "\x1b": "\\x1b"}
_MESSAGE: dict[str, str | int | None] = {"%": "%25", "\r": "%0D", "\n": "%0A", "\x1b": "\\x1b"}


def is_running(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a step of GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def summary_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that becomes the summary of this step; None elsewhere."""
    path = environment.get("GITHUB_STEP_SUMMARY") if is_running(environment) else None
    return Path(path) if path else None


def error_lines(gates: Iterable[GateResult], budget: BudgetLine | None = None) -> list[str]:
    """The lines that GitHub shows as errors: for each failed gate, and where the budget was reached."""
    told = [(f"{gate.gate} failed", gate.text) for gate in gates if gate.status == "failed"]
    told += [("the budget was reached", budget.text)] if budget and budget.is_bad else []
    return [
        f"::error title={_escape(f'pitcheval: {title}', _TITLE)}::{_escape(text, _MESSAGE)}" for title, text in told
    ]


def _escape(text: str, table: dict[str, str | int | None]) -> str:
    """As GitHub's own toolkit does it: in one pass, so that no escape is escaped."""
    return text.translate(str.maketrans(table))
