"""A record on its way to the process that reports: on the last report of its test, packed where it is long.

Workers may be faster than the process that reports: what waits there takes little room, and is of a type that xdist
can send.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

_ATTRIBUTE = "pitcheval_record"
"""Of a teardown report."""

_LONG = 10_000
"""Bytes from which packing pays."""


def put_on(report: pytest.TestReport, record: Mapping[str, Any], to_another_process: bool) -> None:
    """Let ``report`` carry ``record`` (plain values)."""
    setattr(report, _ATTRIBUTE, _packed(record) if to_another_process else dict(record))


def take_from(report: pytest.TestReport) -> dict[str, Any] | None:
    """The record that ``report`` carries, None without one; pytest keeps reports, and no record with them."""
    carried = vars(report).pop(_ATTRIBUTE, None)
    return _unpacked(carried) if isinstance(carried, bytes) else carried


def _packed(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return text if len(text) < _LONG else zlib.compress(text, 1)


def _unpacked(carried: bytes) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(carried if carried.startswith(b"{") else zlib.decompress(carried))
    return record
