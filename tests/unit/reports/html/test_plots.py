"""Geometry of the plots."""

from __future__ import annotations

import pytest

from pytest_pitcheval.reports.html import plots


def test_scores_are_counted_in_twentieths() -> None:
    found = plots.distribution([0.0, 0.05, 0.35, 0.99, 1.0], [], 0.478, (0.2, 0.7), 0.5)
    assert [bar.title for bar in found.bars] == [
        "0.00 to 0.05: 1 now",
        "0.05 to 0.10: 1 now",
        "0.35 to 0.40: 1 now",
        "0.95 to 1.00: 2 now",
    ]
    assert found.most == 2
    assert found.bars[3].height == 2 * found.bars[0].height
    assert (found.threshold, found.ticks[2].position, found.ticks[2].label) == (180, 180, "0.5")


def test_the_baseline_stands_below_the_axis_in_the_same_scale() -> None:
    found = plots.distribution([0.5, 0.5], [0.5], 0.5, None, None)
    now, then = found.bars
    assert now.y + now.height == found.axis
    assert then.y == found.axis + 1
    assert (then.x, then.height * 2) == (now.x, now.height)
    assert then.y + then.height <= found.height


def test_scores_beyond_0_to_1_have_room() -> None:
    found = plots.distribution([-1.0, 3.0], [], 1.0, None, 5.0)
    assert [tick.label for tick in found.ticks] == ["-1", "0", "1", "2", "3"]
    assert found.threshold == plots.RIGHT
    assert all(bar.x >= plots.LEFT and bar.x + bar.width <= plots.RIGHT for bar in found.bars)


def test_differences_are_in_order_around_zero() -> None:
    found = plots.differences([("a", 0.1), ("b", -0.3), ("c", 0.0)], -0.07, (-0.5, 0.4), 0.05)
    assert [(bar.kind, bar.title) for bar in found.bars] == [
        ("fell", "b: -0.300"),
        ("same", "c: +0.000"),
        ("rose", "a: +0.100"),
    ]
    fell, _, rose = found.bars
    assert fell.y == found.zero
    assert rose.y + rose.height == pytest.approx(found.zero)
    assert found.limit is not None
    assert found.limit > found.zero
    assert found.interval is not None
    assert 0 <= found.interval[0] < found.interval[1] <= found.height


def test_where_nothing_changed() -> None:
    found = plots.differences([("a", 0.0), ("b", 0.0)], 0.0, (0.0, 0.0), None)
    assert {bar.kind for bar in found.bars} == {"same"}
    assert [tick.label for tick in found.ticks] == ["0"]


@pytest.mark.parametrize(("examples", "bars", "bundled"), [(180, 180, 1), (181, 91, 2), (2000, 167, 12)])
def test_many_examples_share_bars(examples: int, bars: int, bundled: int) -> None:
    found = plots.differences([(f"e{n}", n - examples / 2) for n in range(examples)], 0.0, None, None)
    assert (len(found.bars), found.bundled) == (bars, bundled)
    assert all(bar.x + bar.width <= plots.RIGHT + 0.01 for bar in found.bars)
