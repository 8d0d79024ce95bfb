"""Where a setting comes from."""

from __future__ import annotations

import pytest

from pytest_pitcheval.options import LM_ARGUMENTS, OPTIONS, PREFIX, Choice

PROMISED = [
    "--optimization",
    "--generator-model",
    "--evaluator-model",
    "--train-size",
    "--test-size",
    "--save-program",
    "--eval-rollouts",
    "--eval-threshold",
    "--eval-replay",
    "--eval-recompile",
    "--eval-json",
    "--eval-timeout",
    "--eval-dir",
]


@pytest.mark.parametrize(
    ("command_line", "marker", "ini", "made"),
    [
        (None, None, None, None),
        (None, None, 3, 3),
        (None, 2, 3, 2),
        (1, 2, 3, 1),
        (0, 2, 3, 0),
        (None, 0, 3, 0),
    ],
)
def test_the_command_line_wins_over_the_marker_and_that_over_the_ini(
    command_line: int | None, marker: int | None, ini: int | None, made: int | None
) -> None:
    choice = Choice(command_line, ini)
    assert choice.made(marker) == made
    assert choice.over(marker, 9) == (9 if made is None else made)


def test_the_promised_options_are_there() -> None:
    assert set(PROMISED) <= {option.flag for option in OPTIONS}


def test_no_two_options_share_a_name() -> None:
    names = [*(option.name for option in OPTIONS), *LM_ARGUMENTS]
    assert len(set(names)) == len(names)


def test_every_dest_is_our_own() -> None:
    """A second plugin with the same one would stop every pytest start."""
    assert all(option.dest.startswith(PREFIX) for option in OPTIONS)


def test_options_beyond_the_first_ones_say_whose_they_are() -> None:
    assert {option.flag for option in OPTIONS if not option.flag.startswith("--eval-")} == set(PROMISED[:6])
