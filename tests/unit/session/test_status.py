from __future__ import annotations

import pytest

from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.session.status import SessionStatus


@pytest.mark.parametrize(
    ("status", "width", "text"),
    [
        (SessionStatus(0, 60, 0, 0, Usage(), 0.0), 80, "0/60 done, 0 in flight, 60 queued"),
        (
            SessionStatus(12, 60, 8, 0, Usage(fresh=24, cost=None), 6.0),
            80,
            "12/60 done, 8 in flight, 40 queued, 4.0 calls/s, 24 s left",
        ),
        (
            SessionStatus(12, 60, 8, 3, Usage(fresh=24, cost=0.5), 6.0),
            100,
            "12/60 done, 8 in flight, 40 queued, 3 waiting for the rate limit, 4.0 calls/s, $0.5000, 24 s left",
        ),
        (
            SessionStatus(12, 60, 8, 3, Usage(fresh=24, cost=0.5), 6.0),
            70,
            "12/60 done, 8 in flight, 40 queued, 3 waiting for the rate limit",
        ),
        (
            SessionStatus(60, 60, 0, 0, Usage(fresh=120, cost=None), 60.0),
            80,
            "60/60 done, 0 in flight, 0 queued, 2.0 calls/s",
        ),
        (SessionStatus(1234, 5678, 8, 0, Usage(), 6.0), 9, "1234/5678"),
    ],
)
def test_text(status: SessionStatus, width: int, text: str) -> None:
    assert status.text(width) == text
