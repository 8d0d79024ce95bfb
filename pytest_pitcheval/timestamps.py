"""The time stamp of a run, which is its ID."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z", re.ASCII)


def is_run_id(reference: str) -> bool:
    """Whether ``reference`` looks like a run's ID."""
    return bool(_RUN_ID.fullmatch(reference))


def date_of(timestamp: str) -> str:
    """The day of a run's ID as ``2026-11-22`` (UTC); empty of what is none."""
    return f"{timestamp[:4]}-{timestamp[4:6]}-{timestamp[6:8]}" if is_run_id(timestamp) else ""


def session_timestamp() -> str:
    """The current time as ``20261122T234903.123456Z``: UTC, sorts as text, valid in a file name."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
