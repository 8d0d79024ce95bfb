"""A record on its way to the process that reports: on the last report of its test, packed where it is long.

Workers may be faster than the process that reports: what waits there takes little room, and is of a type that xdist
can send.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest

_ATTRIBUTE = "pitcheval_record"
"""Of a teardown report."""

_END = "pitcheval_end"
"""Of a teardown report too."""

_LONG = 10_000
"""Bytes from which packing pays."""


class Sent(NamedTuple):
    """What a report has carried.

    Attributes:
        record: plain values.
        keys: the credentials of all LMs that its worker had seen; none where nobody else must be told.
    """

    record: dict[str, Any]
    keys: list[str]


def put_on(report: pytest.TestReport, record: Mapping[str, Any], keys: Iterable[str] | None) -> None:
    """Let ``report`` carry ``record`` (plain values); with ``keys`` (None in the process that reports) to another one.

    What one worker has learnt to be a credential may stand in what another one sends.
    """
    setattr(report, _ATTRIBUTE, dict(record) if keys is None else _packed({"record": record, "keys": sorted(keys)}))


def take_from(report: pytest.TestReport) -> Sent | None:
    """What ``report`` carries, None without a record; pytest keeps reports, and no record with them."""
    carried = vars(report).pop(_ATTRIBUTE, None)
    if carried is None:
        return None
    return Sent(**_unpacked(carried)) if isinstance(carried, bytes) else Sent(carried, [])


def end_session(report: pytest.TestReport, reason: str) -> None:
    """Let ``report`` say that the session is to end as with a wrong option."""
    setattr(report, _END, reason)


def end_of_session(report: pytest.TestReport) -> str | None:
    """Why the session is to end as with a wrong option; None where it goes on."""
    reason: str | None = vars(report).pop(_END, None)
    return reason


def _packed(message: Mapping[str, Any]) -> bytes:
    text = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    return text if len(text) < _LONG else zlib.compress(text, 1)


def _unpacked(carried: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(carried if carried.startswith(b"{") else zlib.decompress(carried))
    return message
