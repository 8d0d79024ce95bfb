"""What the plots of a report consist of: scores in, rectangles and lines out, in units of a drawing."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

WIDTH = 360
LEFT, RIGHT = 8, 352
"""Where the plots' own area begins and ends."""

_BINS = 20
_TALL = 56
_LONG = 1e6
"""Numbers beyond are written with an exponent."""
_BARS = 180
"""More bars than this would be narrower than a line."""


@dataclasses.dataclass(frozen=True)
class Bar:
    """A rectangle, and what it says when pointed at; ``kind`` is how it is drawn."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A line at ``position``, with a text beside it."""

    position: float
    label: str


@dataclasses.dataclass(frozen=True)
class Scale:
    """Where values lie: ``low`` at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def share(self, value: float) -> float:
        """How far ``value`` is from ``low`` to ``high``, 0 to 1; halves, as two floats may be too far apart."""
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def at(self, share: float) -> float:
        """The value so far from ``low`` to ``high``."""
        return self.low * (1 - share) + self.high * share

    def __call__(self, value: float) -> float:
        share = self.share(value)
        return round(self.start + share * (self.end - self.start), 2)


@dataclasses.dataclass(frozen=True)
class Distribution:
    """How scores are spread: this run's above the axis, the baseline's below it.

    Attributes:
        axis: where the axis is, from the top.
        height: of the drawing.
        ticks: along the axis.
        mean, threshold: where they are, or None.
        interval: the ends of the mean's, or None.
        most: the largest number of examples in a bar.
    """

    bars: list[Bar]
    axis: float
    height: float
    ticks: list[Mark]
    mean: float | None
    interval: tuple[float, float] | None
    threshold: float | None
    most: int


def distribution(
    scores: Sequence[float],
    before: Sequence[float],
    mean: float | None,
    interval: tuple[float, float] | None,
    threshold: float | None,
) -> Distribution:
    """The distribution of ``scores`` (of an example each), and of those ``before``."""
    everything = [*scores, *before]
    scale = Scale(min([0.0, *everything]), max([1.0, *everything]), LEFT, RIGHT)
    now, then = _counts(scores, scale), _counts(before, scale)
    most = max([*now, *then])
    axis = _TALL + 18.0
    bars = [*_bars(now, most, axis, scale, "now"), *_bars(then, most, axis, scale, "before")]
    ticks = [Mark(scale(value), f"{value:.2g}") for value in _steps(scale)]
    return Distribution(
        bars,
        axis,
        axis + (_TALL + 4 if before else 4),
        ticks,
        None if mean is None else scale(mean),
        (scale(interval[0]), scale(interval[1])) if interval else None,
        None if threshold is None else scale(min(max(threshold, scale.low), scale.high)),
        most,
    )


def _counts(scores: Iterable[float], scale: Scale) -> list[int]:
    counts = [0] * _BINS
    for score in scores:
        counts[min(int(scale.share(score) * _BINS + 1e-9), _BINS - 1)] += 1
    return counts


def _bars(counts: Sequence[int], most: int, axis: float, scale: Scale, kind: str) -> list[Bar]:
    bars = []
    for position, count in enumerate(counts):
        if count:
            low, high = scale.at(position / _BINS), scale.at((position + 1) / _BINS)
            tall = round(max(_TALL * count / most, 1.5), 2)
            title = f"{_short(low)} to {_short(high)}: {count} {'now' if kind == 'now' else 'in the baseline'}"
            top = axis - tall if kind == "now" else axis + 1
            width = scale(high) - scale(low) - 2
            bars.append(Bar(scale(low) + 1, round(top, 2), round(width, 2), tall, kind, title))
    return bars


def _steps(scale: Scale) -> list[float]:
    return [scale.at(share) for share in (0, 0.25, 0.5, 0.75, 1)]


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < _LONG else f"{value:.2g}"


@dataclasses.dataclass(frozen=True)
class Differences:
    """How much each example changed, from the one that fell most to the one that rose most.

    Attributes:
        zero: where no difference is, from the top.
        ticks: at the left.
        mean: where the mean difference is; ``interval``: its ends.
        limit: where the largest allowed drop of the mean is, or None.
        bundled: how many examples share a bar, at most.
    """

    bars: list[Bar]
    height: float
    zero: float
    ticks: list[Mark]
    mean: float | None
    interval: tuple[float, float] | None
    limit: float | None
    bundled: int


def differences(
    changes: Sequence[tuple[str, float]],
    mean: float | None,
    interval: tuple[float, float] | None,
    drop: float | None,
) -> Differences:
    """The differences of examples (name and change); ``drop`` is the largest that the mean may have."""
    ordered = sorted(changes, key=lambda one: one[1])
    ends = [*(change for _, change in ordered), *(interval or ()), -(drop or 0.0), 0.0]
    low, high = min(ends), max(ends)
    scale = Scale(low, high if high > low else low + 1, 146.0, 8.0)
    size = math.ceil(len(ordered) / _BARS)
    bundles = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    wide = (RIGHT - LEFT - 36) / len(bundles)
    bars = [_difference(bundle, LEFT + 36 + number * wide, wide, scale) for number, bundle in enumerate(bundles)]
    return Differences(
        bars,
        154.0,
        scale(0),
        _apart([Mark(scale(0), "0"), *(Mark(scale(value), _signed(value)) for value in (low, high) if value)]),
        None if mean is None else scale(mean),
        (scale(interval[1]), scale(interval[0])) if interval else None,
        None if drop is None else scale(-drop),
        size,
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}" if abs(value) < _LONG else f"{value:+.2g}"


def _apart(marks: Sequence[Mark]) -> list[Mark]:
    """The marks whose texts do not stand on those of earlier ones."""
    kept: list[Mark] = []
    for mark in marks:
        if all(abs(mark.position - other.position) >= 10 for other in kept):
            kept.append(mark)
    return kept


def _difference(bundle: Sequence[tuple[str, float]], x: float, wide: float, scale: Scale) -> Bar:
    change = statistics.mean(value for _, value in bundle)
    ends = sorted((scale(change), scale(0)))
    kind = "fell" if change < 0 else "rose" if change > 0 else "same"
    names = bundle[0][0] if len(bundle) == 1 else f"{len(bundle)} examples"
    gap = min(1.0, wide / 4)
    width = min(wide - gap, 24.0)
    x += (wide - width) / 2
    return Bar(
        round(x, 2), ends[0], round(width, 2), round(max(ends[1] - ends[0], 1.0), 2), kind, f"{names}: {change:+.3f}"
    )
