"""Where a setting comes from."""

from __future__ import annotations

import pytest

from pytest_pitcheval.settings.settings import Choice


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
