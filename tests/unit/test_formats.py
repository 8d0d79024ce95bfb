"""Numbers and tables as text."""

from __future__ import annotations

import pytest

from pytest_pitcheval import formats
from pytest_pitcheval.records import Usage


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_999, "99.9k"),
        (100_000, "100k"),
        (999_999, "999k"),
        (1_000_000, "1.0M"),
        (99_999_999, "99.9M"),
        (123_456_789, "123M"),
    ],
)
def test_tokens(count: int, text: str) -> None:
    assert formats.tokens(count) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("fresh", "cost", "text"),
    [
        (0, 0.0, "-"),
        (1, None, "-"),
        (1, 0.0, "$0.0000"),
        (1, 0.01234, "$0.0123"),
        (1, 0.9999, "$0.9999"),
        (1, 12.345, "$12.35"),
        (1, 1234.5, "$1234.50"),
    ],
)
def test_cost(fresh: int, cost: float | None, text: str) -> None:
    assert formats.cost(Usage(fresh=fresh, cost=cost)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.4, "0 s"),
        (41.2, "41 s"),
        (99.4, "99 s"),
        (100.0, "2 min"),
        (180.0, "3 min"),
        (5999.0, "100 min"),
        (6000.0, "1.7 h"),
        (9000.0, "2.5 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text
