"""The time stamp of a run: sorts as text, and is never the same twice."""

from __future__ import annotations

import re

from pytest_pitcheval.timestamps import session_timestamp


def test_it_is_a_run_id_and_later_ones_sort_behind_it() -> None:
    stamps = [session_timestamp() for _ in range(100)]
    assert all(re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z", stamp) for stamp in stamps)
    assert stamps == sorted(stamps)
