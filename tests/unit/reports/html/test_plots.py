"""What the plots of a report consist of."""

from __future__ import annotations

import pytest

from pytest_pitcheval.reports.html import plots
from pytest_pitcheval.reports.html.plots import LEFT, RIGHT, Scale


def test_a_scale_has_its_ends_where_the_plot_has_its_own() -> None:
    scale = Scale(-1, 3, LEFT, RIGHT)
    assert (scale(-1), scale(3), scale(1)) == (LEFT, RIGHT, (LEFT + RIGHT) / 2)


def test_each_example_is_in_one_bar_of_its_run() -> None:
    scores, before = [0.0, 0.01, 0.5, 1.0], [0.5, 0.5]
    drawn = plots.distribution(scores, before, 0.38, (0.1, 0.9), 0.5)
    now, then = ([bar for bar in drawn.bars if bar.kind == kind] for kind in ("now", "before"))
    assert drawn.most == 2
    assert len(now) == 3
    assert len(then) == 1
    assert all(bar.y + bar.height <= drawn.axis + 0.01 for bar in now), "above the axis"
    assert all(bar.y >= drawn.axis for bar in then), "below it"


@pytest.mark.parametrize("scores", [[0.0], [1.0], [-2.0, 5.0], [0.5] * 1000, [1e300, -1e300]])
def test_everything_stays_within_the_drawing(scores: list[float]) -> None:
    drawn = plots.distribution(scores, scores, scores[0], None, 0.5)
    assert all(bar.x >= LEFT and bar.x + bar.width <= RIGHT + 0.01 for bar in drawn.bars)
    assert all(bar.y >= 0 and bar.y + bar.height <= drawn.height + 0.01 for bar in drawn.bars)
    assert all(LEFT <= tick.position <= RIGHT for tick in drawn.ticks)


def test_a_threshold_beyond_the_scores_stands_at_the_edge() -> None:
    assert plots.distribution([0.5, 0.6], [], None, None, 100).threshold == RIGHT


def test_without_a_baseline_there_is_no_room_for_one() -> None:
    alone, both = plots.distribution([0.5], [], None, None, None), plots.distribution([0.5], [0.5], None, None, None)
    assert alone.height < both.height
