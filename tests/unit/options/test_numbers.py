"""What is a number to people, and what only to Python."""

from __future__ import annotations

import pytest

from pytest_pitcheval.options.numbers import number_in, whole_number_in

ODD = [
    "",
    " ",
    "1_000",
    "\u0661\u0662",
    "\uff11",
    "nan",
    "-inf",
    "infinity",
    "1e999",
    "0x10",
    "1,5",
    "1 2",
    ".",
    "e5",
    "1e",
]


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 0.5\n", 0.5), ("-3", -3), ("+1.", 1), (".25", 0.25), ("1e-3", 0.001), ("2E2", 200)],
)
def test_numbers(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("text", ODD)
def test_no_numbers(text: str) -> None:
    assert number_in(text) is None
    assert whole_number_in(text) is None


def test_whole_numbers() -> None:
    assert [whole_number_in(text) for text in ("12", " -3 ", "+0", "1.0", "9" * 5_000)] == [12, -3, 0, None, None]
    assert number_in("9" * 200_000 + "x") is None
