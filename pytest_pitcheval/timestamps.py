"""The time stamp of a run, which is its ID."""

from __future__ import annotations

from datetime import datetime, timezone


def session_timestamp() -> str:
    """The current time as ``20261122T234903.123456Z``: UTC, sorts as text, valid in a file name."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
