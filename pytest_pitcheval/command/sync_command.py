"""``pitcheval sync``: runs that wait are logged to MLflow."""

from __future__ import annotations

from pathlib import Path

from pytest_pitcheval.command.named_runs import Printed
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.tracking.tracker import Tracker

SYNC_SECONDS = 60.0
"""How long ``sync`` waits for the tracker unless it is told."""


def sync_runs(settings: Settings, folder: Path) -> Printed:
    """Log the runs that wait to the tracker; good if none is left for it."""
    if settings.mlflow.off:
        raise PitchevalError("--eval-mlflow: 'off': expected a tracker to send to")
    waiting = Tracker(settings.mlflow, settings.directory, folder)
    try:
        lines: list[Line] = list(waiting.send(settings.mlflow.timeout or SYNC_SECONDS))
    finally:
        waiting.close()
    left = waiting.spool.waiting()
    for where in dict.fromkeys(job.where for job in left if job.where != waiting.where):
        count = sum(job.where == where for job in left)
        lines.append((f"mlflow: {count} more wait for {where}: --eval-mlflow names it", False))
    return lines or [("mlflow: no run waits to be logged", False)], not any(bad for _, bad in lines)
